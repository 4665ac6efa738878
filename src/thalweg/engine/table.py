"""The table of work: rows of pointers, sizes and numbers. It knows nothing of dicts, groups or schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.backends.cpu import ROWS, TABLES
from thalweg.engine.program import Program, layout_of, plan_of, program_of
from thalweg.engine.threads import parallel
from thalweg.rule import Rule
from thalweg.words import BLOCK

GRAIN = 128
"""Blocks of 4096 elements worth a thread of their own: 200 µs of work, a few times what handing it over costs."""


@dataclass
class Tensor:
    """One parameter as the table sees it.

    index: its row in the gate's pointers. state: slot -> array laid out in `order`, or float; read and written at
    each step. numbers: its row of numbers of the step. stage_param, stage_grad: work on a copy.
    """

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"]
    state: dict[str, Any]
    numbers: int
    stage_param: bool
    stage_grad: bool

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))


class Table:
    """Work for one rule: as many tensors as there are, of any shapes, of float32 and float64 side by side.

    source: the gate's pointers, (n, 2), read at each step. tensors: those with elements, in the order of their names.
    sets: how many sets of numbers of the step there are.
    """

    def __init__(self, rule: Rule, source: NDArray[np.intp], tensors: Sequence[Tensor], sets: int) -> None:
        plan, layout = plan_of(rule), layout_of(rule)
        self.tensors = list(tensors)
        self._source = source
        indices = [t.index for t in self.tensors]
        self._indices = None if indices == list(range(len(source))) else np.array(indices, np.intp)
        self._columns = np.zeros((sets, max(1, len(plan.columns))))
        self._column_count = len(plan.columns)
        self._tensor = np.zeros((len(self.tensors), max(1, len(plan.tensor_numbers))))
        at = {name: j for j, name in enumerate(plan.tensor_numbers)}
        self._number_slots = [(name, at[name], at[new]) for name, new in plan.number_writes.items()]
        self._held: list[NDArray[Any]] = []  # memory that addresses lead to
        self._copies: list[
            tuple[int, int, NDArray[Any]]
        ] = []  # row, 0 for the parameter or 1 for the gradient, its copy
        self.pointers = np.zeros((len(self.tensors), len(layout.arrays)), np.intp)
        for row, tensor in enumerate(self.tensors):
            self._point(row, tensor, layout.arrays)
        rows, blocks = _rows(self.tensors)
        reductions = max(len(p.reductions) for p in plan.passes)
        partial = np.zeros((blocks if reductions else 1, max(1, reductions)))
        tables = {
            "pointers": self.pointers,
            "columns": self._columns,
            "tensor": self._tensor,
            "partial": partial,
            "rows": rows,
        }
        has_axes = rule.facts.axes
        dtypes = sorted({t.dtype for t in self.tensors}, key=str)
        self._parts = [_Part(rule, dtype, self.tensors, tables, has_axes=has_axes) for dtype in dtypes]
        self._has_numbers = [
            bool(plan.numbers[k] or (k and plan.passes[k - 1].reductions)) for k in range(len(plan.passes))
        ]

    def _point(self, row: int, tensor: Tensor, arrays: tuple[str, ...]) -> None:
        """Write the addresses of one tensor's state, and make room for what has to be copied or kept between passes."""
        for column, staged in enumerate((tensor.stage_param, tensor.stage_grad)):
            if staged:
                self._copies.append((row, column, np.empty(tensor.shape, tensor.dtype, order=tensor.order)))
        for column, name in enumerate(arrays[2:], 2):
            array = tensor.state.get(name)
            if (
                array is None
            ):  # the buffer of a reduction along an axis: one number for each line of the shorter axis at most
                array = np.empty(tensor.size // min(tensor.shape[-2:]), tensor.dtype)
            self._held.append(array)
            self.pointers[row, column] = array.ctypes.data

    def fetch(self, params: Sequence[NDArray[Any]], grads: Sequence[Any]) -> None:
        """Take the pointers of this step, and copies of arrays that cannot be worked on in place.

        params, grads: of all names of the gate.
        """
        self.pointers[:, :2] = self._source if self._indices is None else self._source[self._indices]
        for row, column, copy in self._copies:
            with np.errstate(over="ignore", under="ignore"):
                np.copyto(copy, (params, grads)[column][self.tensors[row].index], casting="same_kind")
            self.pointers[row, column] = copy.ctypes.data

    def prepare(self, columns: Sequence[Sequence[float]], shared: dict[str, float]) -> bool:
        """Compute every number of the step whose pointers were fetched; False if one of a tensor cannot be computed.

        columns: the sets of numbers of the step. shared: slot -> number of the whole optimizer. Nothing is changed.
        """
        for row, values in enumerate(columns):
            self._columns[row, : self._column_count] = values
        for name, old, _ in self._number_slots:
            for row, tensor in enumerate(self.tensors):
                self._tensor[row, old] = shared[name] if name in shared else tensor.state[name]
        last = len(self._has_numbers) - 1
        for k, has_numbers in enumerate(self._has_numbers):
            if has_numbers and self._parts[0].numbers(k):
                return False
            if k < last:
                self._take(k)
        return True

    def finish(self, params: Sequence[NDArray[Any]], shared: dict[str, float]) -> None:
        """Take the last pass of a step that was prepared: write parameters, state and shared numbers."""
        self._take(len(self._has_numbers) - 1)
        for row, column, copy in self._copies:
            if column == 0:
                params[self.tensors[row].index][...] = copy
        for name, _, new in self._number_slots:
            if name in shared:
                shared[name] = float(self._tensor[0, new])
            else:
                for row, tensor in enumerate(self.tensors):
                    tensor.state[name] = float(self._tensor[row, new])

    def _take(self, k: int) -> None:
        for part in self._parts:
            part.take(k)


class _Part:
    """The tensors of one dtype: their kernels, their pieces of work, and the context that both share."""

    def __init__(
        self,
        rule: Rule,
        dtype: np.dtype[Any],
        tensors: Sequence[Tensor],
        tables: dict[str, NDArray[Any]],
        *,
        has_axes: bool,
    ) -> None:
        pieces = []
        blocks = 0
        for row, tensor in enumerate(tensors):
            if tensor.dtype == dtype:
                size, *rest = tables["rows"][row].tolist()
                pieces.append((blocks, blocks - (-size // BLOCK), size, row, *rest))
                blocks -= -size // BLOCK
        self._held = tables | {"work": np.array(pieces, np.intp)}
        context = [(self._held[name].ctypes.data, *self._held[name].shape) for name in TABLES]
        self._context = np.array(context, np.intp)
        self._at = self._context.ctypes.data
        self._program: Program = program_of(rule, dtype.name)
        self._tasks = [self._task(run) for run in self._program.passes]
        # With axes a piece of work is a tensor, and otherwise a block.
        self._total = len(pieces) if has_axes else blocks
        self._grain = GRAIN if not has_axes else 1 if blocks > GRAIN else len(pieces)

    def _task(self, run: Callable[[int, int, int], None]) -> Callable[[int, int], None]:
        return lambda lo, hi: run(self._at, lo, hi)

    def numbers(self, k: int) -> bool:
        """Compute the numbers that stand before pass k; True if one cannot be computed."""
        return bool(self._program.numbers[k](self._at))

    def take(self, k: int) -> None:
        """Take pass k over all pieces."""
        parallel(self._tasks[k], self._total, grain=self._grain)


def _rows(tensors: Sequence[Tensor]) -> tuple[NDArray[np.intp], int]:
    """Return one row for each tensor (see `ROWS`), and the number of blocks of all of them."""
    rows = np.zeros((len(tensors), len(ROWS)), np.intp)
    blocks = 0
    for row, tensor in enumerate(tensors):
        height, width = tensor.shape[-2:] if len(tensor.shape) > 1 else (1, tensor.size)
        rows[row] = tensor.size, tensor.numbers, blocks, tensor.size // (height * width), height, width
        blocks += -(-tensor.size // BLOCK)
    return rows, blocks
