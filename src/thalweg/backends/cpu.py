"""Kernels for the CPU: a rule's plan as the text of a Python module that Numba compiles, one for each dtype.

The interface is the same for every rule. It takes addresses only, so that one compilation serves every shape:

    pass_k(context, lo, hi)      one pass over memory: pieces lo .. hi of its work
    numbers_k(context) -> trap   the numbers in front of pass k; 1: one cannot be computed, which is for the meaning

context: address of intp: for each of these tables, in the order of `TABLES`, its address, rows and columns.

    work: intp, one row for each piece of work, see `WORK`.
    pointers: intp, one row for each tensor: addresses of the parameter, the gradient, the array slots in the order
        of the text, and the buffers of reductions along an axis.
    columns: float64, the numbers of the step, one row for each set of hyper-parameters and step count. Kernels cast
        them to the dtype of the arrays, which is what NumPy does with Python floats.
    tensor: float64, one row for each tensor, see `Plan.tensor_numbers`.
    partial: float64, one row for each block of 4096 elements and one column for each reduction of a pass.
    rows: intp, one row for each tensor, see `ROWS`.
"""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.backends.cpu_expressions import NumberWriter, Writer, local
from thalweg.language import nodes as n
from thalweg.language.flatten import Step
from thalweg.language.plan import Pass, Plan
from thalweg.language.state import Slot
from thalweg.words import BLOCK

TABLES = ("work", "pointers", "columns", "tensor", "partial", "rows")
# A piece of work: its first block and the one after its last, counted over all of `work`; elements; its row of
# `tensor` and `pointers`; its row of `columns`; its first row of `partial`; and its matrices, rows and columns, for
# plans with axes.
WORK = ("first", "last", "size", "row", "numbers", "partial", "matrices", "height", "width")
ROWS = ("size", "numbers", "partial", "matrices", "height", "width")

HEADER = """\
import math

import numpy as np

from thalweg.engine.kernels.primitives import (
    add_block, add_line, add_rows, add_sequence, clip, divide, largest_block, largest_line, largest_rows,
    largest_sequence, maximum, minimum, root, sign, table, view,
)
from thalweg.engine.policy import kernel

T = np.{dtype}
ZERO = T(0.0)
ONE = T(1.0)
ITEM = {itemsize}
"""
TYPE_OF_PASSES = "void(intp, intp, intp)"
TYPE_OF_NUMBERS = "intp(intp)"


def opening(*tables: str) -> list[str]:
    """Return the lines that find tables by the context."""
    floats = ("columns", "tensor", "partial")
    return [
        f"    {name} = table(context, {TABLES.index(name)}, {'np.float64' if name in floats else 'np.intp'})"
        for name in tables
    ]


@dataclass(frozen=True)
class Layout:
    """Where the generated text finds things: which arrays there are and at which column their addresses stand."""

    arrays: tuple[str, ...]  # parameter, gradient, array slots, buffers of axis reductions
    plan: Plan

    def address(self, name: str) -> int:
        """Return the column of `pointers` for an array."""
        return self.arrays.index(name)


def layout_of(plan: Plan, w: str, g: str, slots: dict[str, Slot]) -> Layout:
    """Return the layout of a rule's kernels."""
    arrays = [
        w,
        g,
        *(name for name, slot in slots.items() if not slot.is_number),
        *(r.names[0] for r in plan.axis_reductions),
    ]
    return Layout(tuple(arrays), plan)


def source(layout: Layout, dtype: str) -> str:
    """Return the text of the module for arrays of a dtype, "float32" or "float64"."""
    from thalweg.backends.cpu_axes import axes_pass

    plan = layout.plan
    has_axes = any(not k.is_number and not k.is_full for k in plan.kinds.values())
    parts = [HEADER.format(dtype=dtype, itemsize=4 if dtype == "float32" else 8)]
    for k, one in enumerate(plan.passes):
        if not one.reductions and not one.writes:  # of a rule that measures and changes nothing
            parts.append(f"@kernel({TYPE_OF_PASSES!r})\ndef pass_{k}(context, lo, hi):\n    return")
        else:
            parts.append(axes_pass(layout, k, one) if has_axes else flat_pass(layout, k, one))
        parts.append(numbers_function(layout, k))
    return "\n\n".join(parts)


def flat_pass(layout: Layout, k: int, one: Pass) -> str:
    """Return a pass over tensors as plain sequences of elements."""
    writer = Writer(layout.plan.kinds)
    outputs = [f"p__{slot}[i] = {local(new)}" for slot, new in one.writes.items()]
    body = [f"{step.names[0]} = {writer.write(step.expr)}" for step in one.steps]
    reads = _reads(one)

    def loads_of(view: str) -> list[str]:
        return [f"{local(name)} = {view}__{name}[i]" for name in layout.arrays if name in reads]

    used = [name for name in layout.arrays if name in reads or name in one.writes]
    lines = [
        f"@kernel({TYPE_OF_PASSES!r})",
        f"def pass_{k}(context, lo, hi):",
        *opening("work", "pointers", "columns", "tensor", "partial"),
        *(f"    buffer_{j} = np.empty({BLOCK}, np.float64)" for j in range(len(one.reductions))),
        *(["    lanes = np.empty(16, np.float64)"] if one.reductions else []),
        "    item = 0",
        "    while lo >= work[item, 1]:",
        "        item += 1",
        "    while lo < hi:",
        "        first, size, row, numbers = work[item, 0], work[item, 2], work[item, 3], work[item, 4]",
        "        stop = min(hi, work[item, 1])",
        *indent(2, numbers_of_row(layout, reads)),
        f"        start = (lo - first) * {BLOCK}",
        f"        size = min(size - start, (stop - lo) * {BLOCK})",
        # Views begin at the piece of work, so that the loops count from 0: Numba then needs no check for negative
        # indices, and LLVM vectorises.
        *(f"        p__{name} = view(pointers[row, {layout.address(name)}] + start * ITEM, size, T)" for name in used),
    ]
    if one.reductions:
        lines += [
            "        for block in range(stop - lo):",
            f"            count = min(size - block * {BLOCK}, {BLOCK})",
            *(f"            b__{name} = p__{name}[block * {BLOCK} :]" for name in used),
            "            for i in range(count):",
            *indent(4, loads_of("b")),
            *indent(4, body),
            *(
                f"                {line}"
                for j, r in enumerate(one.reductions)
                for line in store(writer, r, f"buffer_{j}[i]")
            ),
        ]
        for j, r in enumerate(one.reductions):
            joined = f"{fold(r)}_block(buffer_{j}, 0, count, lanes)"
            lines.append(f"            partial[work[item, 5] + lo - first + block, {j}] = {joined}")
    else:
        lines += [
            "        for i in range(size):",
            *indent(3, loads_of("p")),
            *indent(3, body),
            *indent(3, outputs),
        ]
    lines += ["        lo = stop", "        item += 1"]
    return "\n".join(lines)


def store(writer: Writer, r: Step, target: str) -> list[str]:
    """Return the lines that put the element of a reduction into a buffer, as float64."""
    assert isinstance(r.expr, n.Call)
    element = f"np.float64({writer.write(r.expr.args[0])})"
    if r.expr.word in ("norm", "rms"):
        return [f"x = {element}", f"{target} = x * x"]
    return [f"{target} = {element}"]


def fold(r: Step) -> str:
    """Return how the elements of a reduction are joined: `add` or `largest`."""
    return "largest" if r.word == "amax" else "add"


def finish(r: Step, joined: str, count: str) -> str:
    """Return the value of a reduction, given what its elements were joined to and their number."""
    match r.word:
        case "mean":
            return f"{joined} / np.float64({count})"
        case "norm":
            return f"math.sqrt({joined})"
        case "rms":
            return f"math.sqrt({joined} / np.float64({count}))"
    return joined


def numbers_of_row(layout: Layout, reads: set[str]) -> list[str]:
    """Return the lines that load the numbers which a pass reads, cast to the dtype of the arrays as NumPy does."""
    plan = layout.plan
    lines = [f"{local(name)} = T(columns[numbers, {j}])" for j, name in enumerate(plan.columns) if name in reads]
    return lines + [
        f"{local(name)} = T(tensor[row, {j}])" for j, name in enumerate(plan.tensor_numbers) if name in reads
    ]


def indent(depth: int, lines: list[str]) -> list[str]:
    """Return the lines moved to the right by `depth` levels."""
    return ["    " * depth + line for line in lines]


def _reads(one: Pass) -> set[str]:
    reads = {name for step in (*one.steps, *one.reductions) for name in n.names(step.expr)}
    return reads | set(one.writes.values())


def numbers_function(layout: Layout, k: int) -> str:
    """Return the function for the numbers that stand before pass k."""
    plan = layout.plan
    before = plan.passes[k - 1].reductions if k else ()
    at = {name: j for j, name in enumerate(plan.tensor_numbers)}
    lines = [
        f"@kernel({TYPE_OF_NUMBERS!r})",
        f"def numbers_{k}(context):",
        *opening("rows", "columns", "tensor", "partial"),
        "    trap = np.zeros(1, np.intp)",
    ]
    for j, r in enumerate(before):
        if not r.kind.is_number:
            continue
        join = "maximum(joined, {0})" if r.word == "amax" else "joined + {0}"
        lines += [
            "    for row in range(rows.shape[0]):",
            f"        count = {count_of(plan, r)}",
            f"        joined = partial[rows[row, 2], {j}]",
            f"        for block in range(1, (count + {BLOCK - 1}) // {BLOCK}):",
            f"            joined = {join.format(f'partial[rows[row, 2] + block, {j}]')}",
            f"        tensor[row, {at[r.names[0]]}] = {finish(r, 'joined', 'count')}",
        ]
    for step in plan.numbers[k]:
        lines += _number_step(plan, step, at)
    return "\n".join([*lines, "    return trap[0]"])


def domain(plan: Plan, expr: n.Expr) -> tuple[bool, bool]:
    """Return whether an array expression varies along rows and along columns."""
    kinds = [plan.kinds[name] for name in n.names(expr)]
    return any(k.rows for k in kinds), any(k.columns for k in kinds)


def count_of(plan: Plan, r: Step) -> str:
    """Return the number of elements that a reduction to one number joins, from the columns of `ROWS`."""
    assert isinstance(r.expr, n.Call)
    names = {
        (True, True): "rows[row, 0]",
        (True, False): "rows[row, 3] * rows[row, 4]",
        (False, True): "rows[row, 3] * rows[row, 5]",
    }
    return names.get(domain(plan, r.expr.args[0]), "rows[row, 3]")


def _number_step(plan: Plan, step: Step, at: dict[str, int]) -> list[str]:
    writer = NumberWriter(plan.kinds)
    is_total = step.word == "total"
    assert not is_total or isinstance(step.expr, n.Call)
    expr = step.expr.args[0] if is_total and isinstance(step.expr, n.Call) else step.expr
    reads = {*n.names(expr), *(name for name, _ in step.guard)}
    loads = [f"{local(name)} = tensor[row, {at[name]}]" for name in at if name in reads]
    loads += [f"{local(name)} = columns[rows[row, 1], {j}]" for j, name in enumerate(plan.columns) if name in reads]
    target = f"tensor[row, {at[step.names[0]]}]"
    value = writer.write_truth(expr) if step.kind.truth else writer.write(expr)
    value = f"1.0 if {value} else 0.0" if step.kind.truth else value
    if is_total:
        return [
            "    sum_ = 0.0",
            "    for row in range(rows.shape[0]):",
            *indent(2, loads),
            f"        sum_ = sum_ + {value}",
            "    for row in range(rows.shape[0]):",
            f"        {target} = sum_",
        ]
    tests = [f"{local(name)} {'!=' if wanted else '=='} 0.0" for name, wanted in step.guard]
    if not tests:
        return ["    for row in range(rows.shape[0]):", *indent(2, loads), f"        {target} = {value}"]
    return [
        "    for row in range(rows.shape[0]):",
        *indent(2, loads),
        f"        if {' and '.join(tests)}:",
        f"            {target} = {value}",
        "        else:",
        f"            {target} = 0.0",
    ]
