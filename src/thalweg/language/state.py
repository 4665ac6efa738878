"""How a slot of state starts and what shape it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from thalweg.language.ranges import is_finite

Shape = Literal["array", "rows", "columns", "number", "shared"]


@dataclass(frozen=True)
class Slot:
    """One slot of state; by default an array like the parameter that starts at zero.

    shape: "array" (like the parameter), "rows" (one number a row: the last axis has length 1), "columns" (one
        a column: the last axis but one has length 1), "number" (one float64 a tensor), "shared" (one for all).
    start: a finite number, or the name of a hyper-parameter. copies: it starts as a copy of the parameter instead,
        taken before the first step. draws: fresh draws from the standard normal distribution at each step, which the
        rule reads and never writes.
    """

    shape: Shape = "array"
    start: float | str = 0.0
    copies: bool = False
    draws: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.start, str):
            return
        if not is_finite(self.start):
            raise ValueError(
                f"a slot starts at a finite number, or at a hyper-parameter whose name is given in quotes; "
                f"this is {self.start!r}"
            )
        object.__setattr__(self, "start", float(self.start))

    @property
    def is_number(self) -> bool:
        """True for one float64 a tensor or an optimizer, False for arrays of the parameter's dtype."""
        return self.shape in ("number", "shared")

    def shape_for(self, w: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the shape of the slot's array for a parameter of shape w; None for a slot that is a number."""
        match self.shape:
            case "array":
                return w
            case "rows":
                return (*w[:-1], 1)
            case "columns":
                return (*w[:-2], 1, w[-1])
        return None


def full(start: float | str) -> Slot:
    """An array like the parameter that starts at a number, or at the value of the hyper-parameter named."""
    return Slot("array", start)


def copy(of: str) -> Slot:
    """An array that starts as a copy of the parameter; `of` is "w". Raises ValueError for anything else."""
    if of != "w":
        raise ValueError(f'copy("w") copies the parameter; there is nothing else to copy, and {of!r} was given')
    return Slot("array", copies=True)


def number(start: float | str = 0.0) -> Slot:
    """One float64 for each tensor."""
    return Slot("number", start)


def shared(start: float | str = 0.0) -> Slot:
    """One float64 for the whole optimizer."""
    return Slot("shared", start)


def rows(start: float | str = 0.0) -> Slot:
    """One number for each row: shape (..., n, 1) for a parameter of shape (..., n, m)."""
    return Slot("rows", start)


def columns(start: float | str = 0.0) -> Slot:
    """One number for each column: shape (..., 1, m) for a parameter of shape (..., n, m)."""
    return Slot("columns", start)
