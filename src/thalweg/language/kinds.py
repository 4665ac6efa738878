"""Kinds: what a value of a rule is a value of. Model < tensor < array; below them, numbers known before the step."""

from __future__ import annotations

from dataclasses import dataclass, replace

from thalweg.language.state import Slot


@dataclass(frozen=True)
class Kind:
    """One of four levels; arrays also say along which of their last two axes they vary.

    level: 0 step (hyper-parameters and t alone), 1 model (totals, shared slots), 2 tensor (reductions, number slots),
        3 array.
    rows: an array varies from row to row (last axis but one). columns: from column to column (last axis).
    truth: a truth value; a mask, for arrays.
    """

    level: int
    rows: bool = False
    columns: bool = False
    truth: bool = False

    @property
    def is_number(self) -> bool:
        """True below the level of arrays."""
        return self.level < ARRAY.level

    @property
    def is_full(self) -> bool:
        """True for an array that varies along both axes, like the parameter."""
        return self.level == ARRAY.level and self.rows and self.columns

    def join(self, *others: Kind) -> Kind:
        """Return the kind of an operation on values of these kinds."""
        kinds = (self, *others)
        return Kind(
            max(k.level for k in kinds),
            any(k.rows for k in kinds),
            any(k.columns for k in kinds),
            any(k.truth for k in kinds),
        )

    def as_truth(self, *, truth: bool = True) -> Kind:
        """Return the same kind as a truth value, or with `truth=False` as a value to compute with."""
        return replace(self, truth=truth)

    def __str__(self) -> str:
        if self.is_number:
            noun = ("a number known before the step", "a number of the model", "a number of the tensor")[self.level]
            return f"{noun} that is true or false" if self.truth else noun
        along = {(True, True): "an array", (True, False): "one number a row", (False, True): "one number a column"}
        noun = along.get((self.rows, self.columns), "one number a matrix")
        return f"a mask ({noun})" if self.truth else noun


STEP = Kind(0)
MODEL = Kind(1)
TENSOR = Kind(2)
ARRAY = Kind(3, rows=True, columns=True)
ROWS = Kind(3, rows=True)
COLUMNS = Kind(3, columns=True)

_OF_SHAPE = {
    "array": ARRAY, "rows": ROWS, "columns": COLUMNS, "left": ARRAY, "right": ARRAY, "number": TENSOR, "shared": MODEL,
}  # fmt: skip


def kind_of_slot(slot: Slot) -> Kind:
    """Return the kind of the values of a slot."""
    return _OF_SHAPE[slot.shape]
