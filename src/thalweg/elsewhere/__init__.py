"""What optimizers are called in other libraries, and how to have them here: a table, read in their sources.

It is data. Tests evaluate every row, and hold it against the library or against its step written out.
"""

from __future__ import annotations

from thalweg.elsewhere.keras import KERAS, TF_KERAS
from thalweg.elsewhere.optax import CONTRIB, OPTAX
from thalweg.elsewhere.others import DEEPSPEED, MLX, PENNYLANE, SKLEARN, THINC
from thalweg.elsewhere.row import Library, Missing, Row
from thalweg.elsewhere.torch import TORCH

__all__ = ["LIBRARIES", "MISSING", "ROWS", "Library", "Missing", "Row", "rows_of"]

LIBRARIES = (TORCH, KERAS, OPTAX, CONTRIB, TF_KERAS, PENNYLANE, SKLEARN, MLX, THINC, DEEPSPEED)
ROWS: tuple[Row, ...] = tuple(row for library in LIBRARIES for row in library.rows)
MISSING: tuple[Missing, ...] = tuple(row for library in LIBRARIES for row in library.missing)


def rows_of(rule: str) -> tuple[Row, ...]:
    """Return the rows of other libraries for a rule, by its name here: `adam`."""
    return tuple(row for row in ROWS if row.rule == rule)
