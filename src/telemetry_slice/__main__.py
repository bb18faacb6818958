"""`python -m telemetry_slice` is `tslice`."""

from .cli import main

if __name__ == "__main__":
    main()
