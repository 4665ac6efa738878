"""The table of work: rows of pointers, sizes and numbers. It knows nothing of dicts, groups or schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg.backends.cpu import ROWS, TABLES
from thalweg.engine.halves import copy_each, widened
from thalweg.engine.program import Program, layout_of, plan_of, program_of
from thalweg.engine.threads import parallel
from thalweg.rule import Rule
from thalweg.words import BLOCK

GRAIN = 128
"""Blocks of 4096 elements worth a thread of their own: 200 µs of work, a few times what handing it over costs."""


@dataclass
class Tensor:
    """One parameter as the table sees it.

    index: its row in the gate's pointers. dtype: float32 or float64, what it is evaluated in. state: slot -> array of
    that dtype laid out in `order`, or float; read and written at each step. numbers: its row of numbers of the step.
    stage_param, stage_grad: work on a copy. master: float32, laid out in `order`: work on this, and round it into the
    parameter (see `thalweg.engine.halves`).
    """

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    order: Literal["C", "F"]
    state: dict[str, Any]
    numbers: int
    stage_param: bool
    stage_grad: bool
    master: NDArray[Any] | None = None

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
        self._param_copies, self._grad_copies = _Copies(self.tensors, 0), _Copies(self.tensors, 1)
        self._masters = [(row, t.index, t.master) for row, t in enumerate(self.tensors) if t.master is not None]
        self._widened: list[NDArray[Any]] = []  # the masters in a step: themselves, unless the caller changed something
        self.pointers = np.zeros((len(self.tensors), len(layout.arrays)), np.intp)
        for row, tensor in enumerate(self.tensors):
            self._point(row, tensor, layout.arrays)
        rows, blocks = _rows(self.tensors)
        reductions = max(len(p.reductions) for p in plan.passes)
        partials = np.zeros((blocks if reductions else 1, max(1, reductions)))
        tables = {
            "pointers": self.pointers,
            "columns": self._columns,
            "tensor": self._tensor,
            "partial": partials,
            "rows": rows,
        }
        has_axes = rule.facts.axes
        dtypes = sorted({t.dtype for t in self.tensors}, key=str)
        self._parts = [_Part(rule, dtype, self.tensors, tables, has_axes=has_axes) for dtype in dtypes]
        self._has_numbers = [
            bool(plan.numbers[k] or (k and plan.passes[k - 1].reductions)) for k in range(len(plan.passes))
        ]

    def _point(self, row: int, tensor: Tensor, arrays: tuple[str, ...]) -> None:
        """Write the addresses of one tensor's state, and make room for what has to be kept between passes."""
        for column, name in enumerate(arrays[2:], 2):
            array = tensor.state.get(name)
            if array is None:
                # The buffer of a reduction along an axis: one number for each line of the shorter axis at most.
                array = np.empty(tensor.size // min(tensor.shape[-2:]), tensor.dtype)
            self._held.append(array)
            self.pointers[row, column] = array.ctypes.data

    def fetch(self, params: Sequence[NDArray[Any]], grads: Sequence[Any]) -> None:
        """Take the pointers of this step, and copies of arrays that cannot be worked on in place.

        params, grads: of all names of the gate.
        """
        self.pointers[:, :2] = self._source if self._indices is None else self._source[self._indices]
        self._param_copies.fetch(params, self.pointers)
        self._grad_copies.fetch(grads, self.pointers)
        self._widened = [widened(params[index], master) for _, index, master in self._masters]
        for (row, _, _), array in zip(self._masters, self._widened, strict=True):
            self.pointers[row, 0] = array.ctypes.data

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
        self._param_copies.write_back(params)
        for (_, _, master), array in zip(self._masters, self._widened, strict=True):
            if array is not master:
                master[...] = array
        copy_each([params[index] for _, index, _ in self._masters], self._widened)
        for name, _, new in self._number_slots:
            if name in shared:
                shared[name] = float(self._tensor[0, new])
            else:
                for row, tensor in enumerate(self.tensors):
                    tensor.state[name] = float(self._tensor[row, new])

    @cached_property
    def kernel_calls(self) -> tuple[Callable[[], object], ...] | None:
        """What `finish` comes down to where it does nothing but call kernels on this thread; None elsewhere.

        Each of these is compiled code from the first to the last instruction, in which no signal handler runs.
        """
        if self._number_slots or self._masters or len(self._param_copies):
            return None
        calls = [part.last_call() for part in self._parts]
        return None if None in calls else tuple(call for call in calls if call is not None)

    def _take(self, k: int) -> None:
        for part in self._parts:
            part.take(k)


class _Copies:
    """Copies of the parameters (column 0) or gradients (1) that cannot be worked on in place."""

    def __init__(self, tensors: Sequence[Tensor], column: Literal[0, 1]) -> None:
        self._column = column
        staged = [
            (row, tensor)
            for row, tensor in enumerate(tensors)
            if (tensor.stage_grad if column else tensor.stage_param and tensor.master is None)
        ]
        self._rows = np.array([row for row, _ in staged], np.intp)
        self._indices = [tensor.index for _, tensor in staged]
        self._copies = [np.empty(tensor.shape, tensor.dtype, order=tensor.order) for _, tensor in staged]
        self._addresses = np.array([copy.ctypes.data for copy in self._copies], np.intp)

    def __len__(self) -> int:
        return len(self._copies)

    def fetch(self, arrays: Sequence[Any], pointers: NDArray[np.intp]) -> None:
        """Take the copies, and put their addresses among the pointers. arrays: of all names of the gate."""
        if self._copies:
            copy_each(self._copies, [arrays[i] for i in self._indices])
            pointers[self._rows, self._column] = self._addresses

    def write_back(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Write the copies into the arrays that they were taken of."""
        if self._copies:
            copy_each([arrays[i] for i in self._indices], self._copies)


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

    def last_call(self) -> Callable[[], object] | None:
        """Return the call of the last pass; None if it is shared out over threads."""
        run = self._program.passes[-1]
        return partial(run, self._at, 0, self._total) if self._total <= self._grain else None

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
