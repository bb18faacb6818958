"""Exact means in SQL: the same numbers give the same mean in any order, on any dialect, correctly rounded.

A double below 2^62 is cut into three integers: x = l1 + l2 / 2^60 + l3 / 2^120 (each difference and each product with a
power of two is exact in IEEE 754). Sums of integers know no order. Each l is summed as an upper and a lower half, so
that 2^31 rows do not overflow a 64-bit sum. What does not fit (|x| ≥ 2^62, or the bits below 2^-120) is *odd*: it is
fetched by a second statement and added as a fraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from sqlalchemy import BigInteger, ColumnElement, Double, Select, case, cast, func, literal_column, or_, select

_SHIFT = 60
_SCALE: ColumnElement[float] = literal_column("1152921504606846976.0", Double)  # 2^60
_LARGE: ColumnElement[float] = literal_column("4611686018427387904.0", Double)  # 2^62
_HALF = 32
_MASK = (1 << _HALF) - 1
_UNIT = 1 << 2 * _SHIFT

GROUP, COUNT, LEAST, GREATEST, LAST, ODD, LIMBS = range(7)
"""Columns of a row of `summary`; from `LIMBS` on six sums."""


def _limbs(rows: Select[tuple[int, int, float]]) -> Select[tuple[int, int, float, int, int, float, int]]:
    """`rows` (g, recorded_us, x) with l1, l2, what is left for l3 as a double, and l3; NULL where x is too large.

    OFFSET 0 keeps the planner from writing the inner expressions out wherever they are used.
    """
    a = rows.subquery()
    first = case((func.abs(a.c.x) < _LARGE, cast(a.c.x, BigInteger)))
    b = select(a.c.g, a.c.recorded_us, a.c.x, first.label("l1")).offset(0).subquery()
    rest = ((b.c.x - b.c.l1) * _SCALE).label("r2")
    c = select(b.c.g, b.c.recorded_us, b.c.x, b.c.l1, rest).subquery()
    d = select(c.c.g, c.c.recorded_us, c.c.x, c.c.l1, c.c.r2, cast(c.c.r2, BigInteger).label("l2")).subquery()
    rest = ((d.c.r2 - d.c.l2) * _SCALE).label("r3")
    e = select(d.c.g, d.c.recorded_us, d.c.x, d.c.l1, d.c.l2, rest).subquery()
    last = cast(e.c.r3, BigInteger).label("l3")
    return select(e.c.g, e.c.recorded_us, e.c.x, e.c.l1, e.c.l2, e.c.r3, last).offset(0)


def summary(rows: Select[tuple[int, int, float]]) -> Select[tuple[object, ...]]:
    """Per group of `rows` (g, recorded_us, x): g, count, min, max, newest recorded_us, odd rows, six sums of limbs."""
    e = _limbs(rows).subquery()
    sums: list[ColumnElement[object]] = []
    for limb in (e.c.l1, e.c.l2, e.c.l3):
        sums += [func.sum(limb.bitwise_rshift(_HALF)), func.sum(limb.bitwise_and(_MASK))]
    odd = func.sum(case((e.c.r3 == e.c.l3, 0), (e.c.x.is_(None), 0), else_=1))
    return select(
        e.c.g, func.count(), func.min(e.c.x), func.max(e.c.x), func.max(e.c.recorded_us), odd, *sums
    ).group_by(e.c.g)


def odd_numbers(rows: Select[tuple[int, int, float]]) -> Select[tuple[int, float, float]]:
    """(g, x, None) of the `rows` that are too large, (g, x, what their limbs lack in 2^-120) of the too fine ones."""
    e = _limbs(rows).subquery()
    return select(e.c.g, e.c.x, e.c.r3 - e.c.l3).where(e.c.x.is_not(None), or_(e.c.l1.is_(None), e.c.r3 != e.c.l3))


def mean(count: int, sums: Sequence[int | None], odd: Iterable[tuple[float, float | None]]) -> float:
    """The mean of `count` numbers, correctly rounded, from their sums of limbs and the odd ones."""
    halves = [int(part or 0) for part in sums]
    total = 0
    for high, low in zip(halves[::2], halves[1::2], strict=True):
        total = (total << _SHIFT) + (high << _HALF) + low
    exact = Fraction(total, _UNIT)
    for number, lack in odd:
        exact += Fraction(number) if lack is None else Fraction(lack) / _UNIT
    return float(exact / count)
