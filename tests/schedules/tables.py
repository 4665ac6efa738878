"""Many arguments for each schedule, drawn once from a fixed seed, and arguments at the edges."""

from __future__ import annotations

import random

N = 1000
EPS = 2.0**-52


def draws(count):
    """Random sources of arguments: one generator each, the same in every run."""
    return [random.Random(f"schedules {i}") for i in range(count)]


def log_uniform(rng, low, high):
    return low * (high / low) ** rng.random()
