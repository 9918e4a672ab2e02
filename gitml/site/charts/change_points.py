"""Find where a noisy series moved from one level to another and stayed there. All pure.

A series is cut into pieces of constant level so that the sum of absolute distances to each piece's
median, plus a price per cut, is least. Distances are absolute, not squared, so that one odd value
does not make a step; the optimum is found exactly by dynamic programming over the position of the
last cut (F. Friedrich, A. Kempe, V. Liebscher, G. Winkler: Complexity penalized M-estimation,
Journal of Computational and Graphical Statistics 17, 2008). The price follows from the noise: three
of its standard deviations times the logarithm of the length, the noise taken from the median
distance of neighbours, on which few steps have no influence.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

SHORTEST = 2  # values in a piece: a single one may be an accident
_PRICE = 3.0  # standard deviations of the noise, times ln(n)
_NEIGHBOURS = 0.9539  # median distance of two normal values, in standard deviations
_ROUNDING = 1e-6  # of the largest value: less is no change


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of constant level: values ``start`` up to before ``stop``, and their median."""

    start: int
    stop: int
    level: float


def pieces(values: Sequence[float]) -> list[Piece]:
    """Cut a series into pieces of constant level.

    Args:
        values: Finite numbers in order.
    """
    count = len(values)
    if count < 2 * SHORTEST:
        return [Piece(start=0, stop=count, level=median(values))] if count else []
    price = _price(values)
    best = [math.inf] * (count + 1)  # least cost of the values before a position
    best[0] = -price
    cut = [0] * (count + 1)
    for start in range(count - SHORTEST + 1):
        if best[start] == math.inf:
            continue
        for stop, cost in _costs(values, start):
            if stop - start >= SHORTEST and best[start] + price + cost < best[stop]:
                best[stop], cut[stop] = best[start] + price + cost, start
    result, stop = [], count
    while stop:
        start = cut[stop]
        result.append(Piece(start=start, stop=stop, level=median(values[start:stop])))
        stop = start
    return result[::-1]


def noise(values: Sequence[float]) -> float:
    """Estimate the standard deviation of the noise around the levels."""
    distances = [abs(b - a) for a, b in pairwise(values)]
    return median(distances) / _NEIGHBOURS if distances else 0.0


def _price(values: Sequence[float]) -> float:
    least = _ROUNDING * max(abs(value) for value in values)
    return max(_PRICE * noise(values) * math.log(len(values)), least, math.ulp(0.0))


def _costs(values: Sequence[float], start: int) -> list[tuple[int, float]]:
    """Sum up, for each end, the distances of ``values[start:end]`` to their median."""
    low: list[float] = []  # the smaller half, negated, its greatest first
    high: list[float] = []
    below = above = 0.0
    costs = []
    for stop in range(start, len(values)):
        value = values[stop]
        if low and value < -low[0]:
            moved = -heapq.heappushpop(low, -value)
            below += value - moved
            heapq.heappush(high, moved)
            above += moved
        else:
            heapq.heappush(high, value)
            above += value
        if len(high) > len(low):
            moved = heapq.heappop(high)
            above -= moved
            heapq.heappush(low, -moved)
            below += moved
        middle = -low[0]
        cost = (above - middle * len(high)) + (middle * len(low) - below)
        costs.append((stop + 1, max(0.0, cost)))
    return costs
