"""Gradients from values alone, to hold the written ones against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

STEP = 2.0**-17

# |central difference - derivative| <= STEP**2 / 6 * |f'''| + (rounding of f) / STEP. The functions in these tests have
# |f'''| < 100 and values below 4 after some 100 roundings: 1e-9 + 100 * 1.1e-16 * 4 / 7.6e-6 = 7e-9.
TOLERANCE = 1e-8


def central_differences(f: Callable[[], float], array: np.ndarray) -> np.ndarray:
    """df/d(array), where f reads the float64 array: one entry at a time is moved by STEP and put back."""
    gradient = np.empty_like(array)
    for i in np.ndindex(array.shape):
        kept = array[i]
        array[i] = kept + STEP
        above = f()
        array[i] = kept - STEP
        below = f()
        array[i] = kept
        gradient[i] = (above - below) / (2 * STEP)
    return gradient
