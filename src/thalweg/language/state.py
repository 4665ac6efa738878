"""How a slot of state starts and what shape it has: the six kinds beside plain zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["array", "rows", "columns", "number", "shared"]


@dataclass(frozen=True)
class Slot:
    """One slot of state.

    shape: "array" (like the parameter), "rows" (one number a row: the last axis has length 1), "columns" (one a column: the
        last but one axis has length 1), "number" (one float64 a tensor), "shared" (one float64 an optimizer).
    start: a number, the name of a hyper-parameter, or "w" for a copy of the parameter at its first step.
    """

    shape: Shape = "array"
    start: float | str = 0.0

    @property
    def is_number(self) -> bool:
        """True for one float64 a tensor or an optimizer, False for arrays of the parameter's dtype."""
        return self.shape in ("number", "shared")

    @property
    def copies(self) -> bool:
        """True if the slot starts as a copy of the parameter."""
        return self.shape == "array" and self.start == "w"


def zeros() -> Slot:
    """An array like the parameter that starts at zero; what a slot is if nothing is declared."""
    return Slot()


def full(start: float | str) -> Slot:
    """An array like the parameter that starts at a number, or at the value of the hyper-parameter named."""
    return Slot("array", start)


def copy(of: str) -> Slot:
    """An array that starts as a copy of the parameter; `of` is "w"."""
    if of != "w":
        msg = f'copy("w") copies the parameter; there is nothing else to copy, and {of!r} was given'
        raise ValueError(msg)
    return Slot("array", "w")


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
