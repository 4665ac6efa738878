"""What LBFGS keeps between two iterations, and so between two calls. None of it is ever written to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from thalweg.quasi_newton.two_loop import Pair
from thalweg.words import Array


class Leaf(NamedTuple):
    """A parameter that takes part: its place in a vector follows from those before it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


Leaves = tuple[Leaf, ...]


def vector_dtype(leaves: Leaves) -> np.dtype[Any]:
    """Return the dtype of vectors over these leaves: the wider one, as torch.cat has it."""
    return np.result_type(*(leaf.dtype for leaf in leaves)) if leaves else np.dtype(np.float64)


def parts(leaves: Leaves, vector: Array) -> list[Array]:
    """Return the part of a vector that belongs to each leaf, in its shape; a view. Axes in front of the last stay."""
    found, start = [], 0
    for leaf in leaves:
        found.append(vector[..., start : start + leaf.size].reshape(vector.shape[:-1] + leaf.shape))
        start += leaf.size
    return found


@dataclass(frozen=True)
class Trail:
    """Where the last iteration came from.

    leaves: those that the vectors are made of. gradient: where it began. direction, step: where it went, as far as the
    step times the direction; 0 where it stopped before. pairs: the oldest first.
    """

    leaves: Leaves
    gradient: Array
    direction: Array
    step: float
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Memory:
    """The whole state. t: calls of update. trail: None before the first iteration."""

    t: int = 0
    n_iter: int = 0
    func_evals: int = 0
    trail: Trail | None = None
