"""The rules of the house that no linter knows: sizes, names, directions, locks."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "telemetry_slice"
LONGEST_MODULE = 450
MOST_METHODS = 8
BANNED_NAMES = {"utils", "util", "helpers", "common", "core", "misc", "base", "manager", "service"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Put together here, so that this file does not contain what it forbids.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "python" + "hosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("deb", "debian", "org"),
    )
]
MACHINE_PATH = re.compile("|".join(f"(?<![\\w.~$-])/{name}/\\w" for name in ("root", "work", "Users", r"home/\w+")))


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str | None:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return None


def imports_of(path: Path) -> set[str]:
    """Top-level packages that a module imports absolutely."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_no_module_is_long():
    tests_and_benches = chain((ROOT / "tests").rglob("*.py"), (ROOT / "bench").rglob("*.py"))
    long = {
        str(path.relative_to(ROOT)): lines
        for path in chain(modules(), tests_and_benches)
        if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert long == {}


def test_every_module_is_named_for_what_it_holds():
    named = {str(path.relative_to(ROOT)) for path in modules() if BANNED_NAMES & {path.stem, path.parent.name}}
    assert named == set()


def test_the_model_needs_nothing_but_python():
    foreign = {
        str(path.relative_to(ROOT)): others
        for path in (PACKAGE / "model").rglob("*.py")
        if (others := imports_of(path) - sys.stdlib_module_names - {"telemetry_slice"})
    }
    assert foreign == {}


def test_a_port_is_narrow():
    wide = {}
    for path in (PACKAGE / "ports").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases):
                methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
                if len(methods) > MOST_METHODS:
                    wide[node.name] = len(methods)
    assert wide == {}


def test_one_sqlite_library():
    assert {str(path) for path in modules() if "sqlite3" in imports_of(path)} == set()


def test_no_file_names_a_registry_or_this_machine():
    found = {}
    for path in tracked_files():
        text = text_of(path)
        if text is None:
            continue
        named = [host for host in REGISTRY_HOSTS if host in text] + MACHINE_PATH.findall(text)
        if named:
            found[str(path.relative_to(ROOT))] = named
    assert found == {}


def test_every_exception_to_a_lint_rule_has_its_reason():
    bare, inside = [], False
    for number, line in enumerate((ROOT / "pyproject.toml").read_text().splitlines(), 1):
        if line.startswith("[tool."):
            section = line
        if line.startswith(("[tool.ruff.lint", "[tool.bandit")):
            inside = True
        elif line.startswith("["):
            inside = False
        if inside and re.match(r'\s+"[A-Z]+\d*",', line) and not re.search(r'",\s+# \S', line):
            bare.append((number, section, line))
    assert bare == []


@pytest.mark.parametrize("name", ["runtime", "servers", "build", "node", "test", "lint", "release"])
def test_installs_are_locked_by_hash_and_carry_no_address(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.MULTILINE)
    pins = re.split(r"\n(?=[a-z0-9])", text)
    assert [pin.splitlines()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_the_lock_holds_everything_the_project_asks_for():
    groups = PROJECT["dependency-groups"]
    wanted = {"runtime": PROJECT["project"]["dependencies"], **groups}
    missing = []
    for name, requirements in wanted.items():
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        locked = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
        names = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in requirements}
        missing += [(name, absent) for absent in names - locked]
    assert missing == []


def test_the_pages_lock_is_whole_and_carries_no_address():
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
    # A package for another platform that is missing here makes `npm ci` refuse everywhere.
    names = {name.rpartition("node_modules/")[2] for name in packages}
    wanted = set(chain.from_iterable(package.get("optionalDependencies", {}) for package in packages.values()))
    assert wanted - names == set()


def test_scripts_can_be_read_by_their_interpreter():
    for path in (ROOT / ".ci").iterdir():
        assert os.access(path, os.X_OK), path
        first = path.read_text().splitlines()[0]
        if "python" in first:
            ast.parse(path.read_text())
        else:
            subprocess.run(["bash" if "bash" in first else "sh", "-n", path], check=True)


def lint_imports(source: Path, config: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", config, "--no-cache", "--no-logo"],
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(source), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_run_one_way():
    result = lint_imports(ROOT / "src", ROOT / "pyproject.toml")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("model/events.py", "import telemetry_slice.ports.events"),
        ("flow/gate/__init__.py", "import telemetry_slice.flow.writer"),
        ("flow/writer.py", "import telemetry_slice.engines.inprocess"),
        ("engines/inprocess.py", "import telemetry_slice.engines.sqlite.store"),
        ("flow/writer.py", "import fastapi"),
        ("http/app.py", "import apsw"),
        ("unplaced.py", "import json"),
    ],
)
def test_a_forbidden_import_is_seen(tmp_path, module, line):
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("_web", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / "src" / "telemetry_slice" / module
    with path.open("a") as file:
        file.write(f"\n{line}\n")
    result = lint_imports(tmp_path / "src", tmp_path / "pyproject.toml")
    assert result.returncode != 0, result.stdout
    assert "BROKEN" in result.stdout or "exhaustive" in result.stdout.lower(), result.stdout + result.stderr


def test_compose_follows_its_schema():
    from check_jsonschema import main

    with pytest.raises(SystemExit) as ended:
        main(["--builtin-schema", "vendor.compose-spec", str(ROOT / "compose.yaml")])
    assert ended.value.code == 0


def test_a_compose_file_that_is_none_is_seen(tmp_path):
    from check_jsonschema import main

    wrong = tmp_path / "compose.yaml"
    wrong.write_text((ROOT / "compose.yaml").read_text().replace("healthcheck:", "healthchek:", 1))
    with pytest.raises(SystemExit) as ended:
        main(["--builtin-schema", "vendor.compose-spec", str(wrong)])
    assert ended.value.code != 0
