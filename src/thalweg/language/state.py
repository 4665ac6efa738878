"""How a slot of state starts and what shape it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from thalweg.language.ranges import is_finite

Shape = Literal["array", "rows", "columns", "left", "right", "number", "shared"]


Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Slot:
    """One slot of state; by default an array like the parameter that starts at zero.

    shape: "array" (like the parameter), "rows" (one number a row: the last axis has length 1), "columns" (one
        a column: the last axis but one has length 1), "left" and "right" (a square matrix that can stand at the left,
        or at the right, of the parameter), "number" (one float64 a tensor), "shared" (one for all).
    start: a finite number, or the name of a hyper-parameter; for square matrices, that multiple of the identity.
    copies: it starts as a copy of the parameter instead, taken before the first step. draws: fresh draws from the
        standard normal distribution at each step, which the rule reads and never writes. given: an array of the user's,
        given to `update` under this name, which the rule reads and never writes; "" for none.
    block: for square matrices, the hyper-parameter that says how large they are at most: one for each block of the
        parameter, of shape (..., blocks down, blocks across, size, size). flipped: of the transposed parameter.
    """

    shape: Shape = "array"
    start: float | str = 0.0
    copies: bool = False
    draws: bool = False
    given: str = ""
    block: str = ""
    flipped: bool = False

    def __str__(self) -> str:
        """What a step depends on, in one line."""
        kind = f"{self.shape} {'(a copy)' if self.copies else self.start}"
        more = [f"given as {self.given}"] if self.given else []
        more += [f"in blocks of {self.block}"] if self.block else []
        more += ["flipped"] if self.flipped else []
        return ", ".join([kind, *more])

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

    @property
    def is_square(self) -> bool:
        """True for square matrices beside the parameter, of its rows or of its columns."""
        return self.shape in ("left", "right")

    @property
    def is_kept(self) -> bool:
        """True for what a step writes and the next one reads; False for what is drawn or given at each step."""
        return not self.draws and not self.given

    def shape_for(self, w: tuple[int, ...], numbers: Mapping[str, float] = MappingProxyType({})) -> Sizes | None:
        """Return the shape of the slot's array for a parameter of shape w; None for a slot that is a number.

        numbers: the hyper-parameters, of which square matrices of blocks need one. A vector is a matrix of one row.
        """
        if self.is_square:
            w = (*(1,) * (2 - len(w)), *w)
        if self.flipped:
            w = (*w[:-2], w[-1], w[-2])
        match self.shape:
            case "left" | "right":
                size = w[-2] if self.shape == "left" else w[-1]
                if not self.block:
                    return (*w[:-2], size, size)
                most = int(numbers[self.block])
                down, across = (-(-x // most) for x in w[-2:])
                return (*w[:-2], down, across, min(size, most), min(size, most))
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


def left(start: float | str = 0.0, block: str = "") -> Slot:
    """A square matrix that can stand at the left of the parameter, of shape (..., n, n); it starts at start times one.

    block: the hyper-parameter that says how large it is at most; the parameter is then cut into blocks by `blocks`.
    """
    return Slot("left", start, block=block)


def right(start: float | str = 0.0, block: str = "") -> Slot:
    """A square matrix that can stand at the right of the parameter, of shape (..., m, m); as `left`."""
    return Slot("right", start, block=block)


def given(name: str) -> Slot:
    """An array like the parameter that is given to `update` under this name: `given("hessian")`.

    Beside it the text may take the number `fresh`, which is 1 in a step to which it is given, and 0 in others.
    """
    if name != "hessian":
        raise ValueError(f'what can be given to update beside the gradients is "hessian"; this is {name!r}')
    return Slot("array", given=name)
