"""Exact statistics of small paired samples: no distribution is assumed and no table is looked up.

The seed is the unit of replication: two rules that start from the same seed start from the same weights and see the
same batches, so they are compared seed by seed. If the rules were equal, each difference could as well have had the
other sign; the test counts how many of the 2**n assignments of signs give a mean at least as far from zero as the one
seen (Fisher 1935, The Design of Experiments, section 21). Several such tests share one level through Holm's correction
(Holm 1979, Scandinavian Journal of Statistics 6, 65-70).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""The level of every claim: the chance, at most, of calling any difference real where there is none."""

EXACT_LIMIT = 40
"""Up to this many pairs the test enumerates every assignment of signs (2**40, by halves of 2**20 sums)."""

_DRAWS = 2**18 - 1
"""Random assignments of signs beyond EXACT_LIMIT. (1 + hits) / (1 + draws) keeps the level of the test all the same."""

_ROUNDING = 1e-9
"""Sums closer than this share of the sum of magnitudes are ties: rounding, not evidence, separates them."""


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p of the paired sign-flip test: the share of sign assignments with |sum| at least the one observed.

    `differences`: one finite number per pair. The smallest possible answer is 2 / 2**n. Exact up to EXACT_LIMIT pairs;
    beyond them a fixed sample of sign assignments is counted, which keeps the level.
    Raises ValueError for an empty sequence or a difference that is not finite.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"differences must be one finite number per pair, at least one; got {list(differences)!r}")
    threshold = abs(math.fsum(values)) - _ROUNDING * math.fsum(np.abs(values))
    if threshold <= 0.0:
        return 1.0
    if values.size > EXACT_LIMIT:
        return _sampled_p(values, threshold)
    left, right = np.array_split(values, 2)
    right_sums = np.sort(_signed_sums(right))
    # The distribution is symmetric, so both tails are twice the upper one; the threshold is positive here.
    upper = right_sums.size - np.searchsorted(right_sums, threshold - _signed_sums(left), side="left")
    return float(2 * int(upper.sum()) / 2**values.size)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given: reject where the answer is at most the level."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def smallest_seeds(pairs: int, level: float = LEVEL) -> int:
    """The fewest seeds with which any of `pairs` tests could reject at `level` after Holm's correction.

    With n seeds the smallest p is 2 / 2**n, and the smallest of `pairs` p values must be at most level / pairs.
    Raises ValueError unless pairs >= 1 and 0 < level < 1.
    """
    if pairs < 1 or not 0.0 < level < 1.0:
        raise ValueError(f"pairs must be at least 1 and level between 0 and 1; got {pairs!r} and {level!r}")
    seeds = 1
    while pairs * 2.0 ** (1 - seeds) > level:
        seeds += 1
    return seeds


def _signed_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """All 2**n sums of +-values."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums


def _sampled_p(values: NDArray[np.float64], threshold: float) -> float:
    rng = np.random.default_rng(0)
    hits, left = 0, _DRAWS
    while left:
        rows = min(left, 2**14)
        signs = rng.integers(0, 2, size=(rows, values.size)) * 2 - 1
        hits += int((np.abs(signs @ values) >= threshold).sum())
        left -= rows
    return (1 + hits) / (1 + _DRAWS)
