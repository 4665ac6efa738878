"""The inverse Hessian as a few pairs of vectors, applied to a gradient: Liu & Nocedal 1989, doi:10.1007/BF01589116.

Nocedal & Wright 2006, Numerical Optimization, section 7.2: each pair updates a matrix H by the BFGS formula (7.16),

    H+ = V^T H V + rho s s^T,    V = I - rho y s^T,    rho = 1 / (y . s),

and starting from a multiple of the identity, H g is computed without any matrix by algorithm 7.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.quasi_newton.inner import inner
from thalweg.words import Array

LEAST_CURVATURE = 1e-10
"""Pairs with y . s up to here are left out (torch): a positive one keeps H positive definite, and s a descent."""


@dataclass(frozen=True)
class Pair:
    """A step that was taken, and the change of the gradient along it. The arrays are never written to.

    rho: 1 / (y . s). scale: (y . s) / (y . y), the curvature along y, for the matrix that H starts from (7.20).
    """

    s: Array
    y: Array
    rho: float
    scale: float

    @staticmethod
    def of(s: Array, y: Array) -> Pair | None:
        """Return the pair, or None if there is too little curvature along the step."""
        curvature = inner(y, s)
        if not curvature > LEAST_CURVATURE:
            return None
        return Pair(s, y, 1.0 / curvature, curvature / inner(y, y))


def remembered(pairs: Sequence[Pair], new: Pair | None, most: int) -> tuple[Pair, ...]:
    """Return the pairs with the new one behind them; of more than `most`, the newest."""
    return (*pairs, *([] if new is None else [new]))[-most:]


def descent(gradient: Array, pairs: Sequence[Pair]) -> Array:
    """Return -H g, from the newest pair back to the oldest and forth again; -g without any pair.

    H starts from the scale of the newest pair, which makes a step of length 1 a good first guess.
    """
    with np.errstate(all="ignore"):
        q = -gradient
        alphas = []
        for pair in reversed(pairs):
            alpha = inner(pair.s, q) * pair.rho
            alphas.append(alpha)
            q = q - alpha * pair.y
        r = q * (pairs[-1].scale if pairs else 1.0)
        for pair, alpha in zip(pairs, reversed(alphas), strict=True):
            beta = inner(pair.y, r) * pair.rho
            r = r + (alpha - beta) * pair.s
        return r
