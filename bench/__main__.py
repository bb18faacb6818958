"""One run: the limits of this machine, and beside them what the platform does. See `python -m bench --help`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from . import distributed, embedded

MEASURE = {"embedded": embedded.measure, "distributed": distributed.measure}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", choices=MEASURE, default="embedded")
    parser.add_argument("--rows", type=int, default=5_000_000, help="readings stored before the writing is measured")
    parser.add_argument(
        "--read-rows",
        type=int,
        default=10_000_000,
        help="readings stored before the reading is measured (embedded engines)",
    )
    parser.add_argument("--seconds", type=float, default=10, help="how long each thing is measured")
    parser.add_argument(
        "--sustained", type=float, default=60, help="seconds of the sustained load (distributed engines)"
    )
    parser.add_argument("--folder", type=Path, default=None, help="keep the data here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder and options.folder.parent) as scratch:
        # PostgreSQL's user has to come through.
        Path(scratch).chmod(0o711)
        MEASURE[options.engines](options, Path(scratch))


if __name__ == "__main__":
    main()
