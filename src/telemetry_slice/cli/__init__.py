"""The command-line door: `tslice`."""

from __future__ import annotations


def main() -> None:
    """Run the program with this process's arguments."""
    # Imported here so that importing the package costs nothing.
    from .app import run  # noqa: PLC0415

    run()
