"""Build hook: put the built page (web/dist) into the wheel as telemetry_slice/_web."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):  # type: ignore[misc,type-arg] # hatchling is not there when types are checked
    """Builds the page when it is not built yet; an editable install reads web/dist in place."""

    PLUGIN_NAME = "page"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add web/dist to the wheel.

        Args:
            version: "standard" or "editable".
            build_data: hatchling's own; `force_include` maps paths of this machine to paths inside the wheel.

        Raises:
            RuntimeError: there is no built page and no npm to build it with.
        """
        if version == "editable":
            return
        web = Path(self.root, "web")
        dist = web / "dist"
        if not (dist / "index.html").is_file():
            npm = shutil.which("npm")
            if npm is None:
                message = "web/dist is missing and so is npm: run `make web` first"
                raise RuntimeError(message)
            subprocess.run([npm, "ci", "--ignore-scripts"], cwd=web, check=True)
            subprocess.run([npm, "run", "build"], cwd=web, check=True)
        if self.target_name == "wheel":
            build_data["force_include"][str(dist)] = "telemetry_slice/_web"
