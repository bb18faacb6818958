"""Measuring: load, limits of the machine beside it, and the figures side by side. `make bench` runs it."""
