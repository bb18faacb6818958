"""Exact means: the same numbers give the same mean in any order, on any engine, rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import fsum
from operator import neg


def exact_terms(numbers: Sequence[float]) -> Sequence[float]:
    """A few numbers, most often two, whose sum is exactly the sum of `numbers`."""
    terms: list[float] = []
    try:
        # `fsum` rounds the exact sum once; what it lacks is the exact sum of everything and the terms so far, negated.
        while rest := fsum(chain(numbers, map(neg, terms))):
            terms.append(rest)
    except OverflowError:
        return numbers
    return terms


def mean(count: int, terms: Sequence[float]) -> float:
    """The exact sum of `terms` divided by `count`, rounded once."""
    ratios = [term.as_integer_ratio() for term in terms]
    # Denominators are powers of two: the greatest is a multiple of all.
    unit = max((denominator for _, denominator in ratios), default=1)
    return sum(numerator * (unit // denominator) for numerator, denominator in ratios) / (count * unit)
