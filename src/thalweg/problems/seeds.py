"""Random numbers from names: a seed says what it is for, so that no two uses share a stream."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import numpy.typing as npt


def derive(problem: str, purpose: str, *numbers: int) -> int:
    """A seed of 128 bits from names and numbers (the run's seed, the epoch ...), the same on every machine and version.

    Another name or number gives an unrelated seed: initial weights and batch order do not influence each other.
    """
    text = json.dumps([problem, purpose, *numbers])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def order(n: int, seed: int) -> npt.NDArray[np.intp]:
    """The numbers 0 ... n - 1 in random order.

    Made by sorting the raw 64-bit words of PCG64, whose stream NumPy guarantees for good; what `Generator.permutation`
    gives may change from one NumPy to the next.
    """
    return np.argsort(np.random.PCG64(seed).random_raw(n), kind="stable")


def checked(seed: object) -> int:
    """The run's seed as a plain int; ValueError where it is not an integer >= 0."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed is {seed!r}; give an integer >= 0")
    return int(seed)
