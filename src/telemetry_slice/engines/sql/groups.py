"""What is known of the rows of one series within one bucket."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ...model.events import Value
from .exact import exact_terms, mean


class Group:
    """The rows of one series within one bucket, added up as they come in order."""

    __slots__ = ("count", "last", "last_key", "last_us", "late", "max", "min", "terms")

    def __init__(self) -> None:
        self.count = 0
        self.late = 0
        self.min = inf
        self.max = -inf
        self.terms: list[float] = []
        self.last: Value = 0.0
        self.last_us = 0
        self.last_key = b""

    def add_numbers(self, numbers: Sequence[float]) -> None:
        """More numbers for lowest, highest and mean; `count` is the caller's."""
        self.min = min(self.min, *numbers)
        self.max = max(self.max, *numbers)
        self.terms += exact_terms(numbers)

    def mean(self) -> float:
        """The exact mean of all numbers, rounded once."""
        return mean(self.count, self.terms)
