"""Facts: what can be read off a rule's text without running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat
from thalweg.language.kinds import ARRAY, STEP
from thalweg.language.parse import Text
from thalweg.language.state import Slot


@dataclass(frozen=True)
class Facts:
    """What a rule is like; tests, documentation, backends and the laboratory read these.

    exact: arrays meet only + - * / sqrt abs, selections and comparisons, so every backend gives the same bits.
    elementwise: no reductions; element i of the result depends on the elements i alone.
    matrix: uses `@`, `.T`, `qr` or `eigh`: whole matrices, run as NumPy with BLAS and LAPACK.
    axes: has one number a row or a column, so that a parameter needs two axes or more.
    needs_value: takes the loss of the step, `update(params, grads, value=loss)`.
    coupled: the step of one tensor depends on the others (`total`, shared slots); all of them count the optimizer's t.
    step_sign: -1 if the last assignment to w reads `w = w - (step)`, +1 if `w = w + (step)`, 0 for a text of another shape,
        which links that act on the step refuse by name.
    model_numbers: the hyper-parameters that shared slots depend on; they cannot differ between groups of parameters.
    floats_per_element: numbers of state kept for each element of a parameter; rows, columns and numbers count nothing.
    """

    exact: bool
    elementwise: bool
    matrix: bool
    axes: bool
    needs_value: bool
    coupled: bool
    step_sign: int
    model_numbers: tuple[str, ...]
    floats_per_element: int


def facts_of(text: Text, flat: Flat, slots: Mapping[str, Slot]) -> Facts:
    """Return the facts of a rule."""
    reduces = any(step.word is not None for step in flat.steps)
    narrow = any(k.level == ARRAY.level and not k.is_full for k in flat.kinds.values())
    shared = [name for name, slot in slots.items() if slot.shape == "shared"]
    totals = any(step.word == "total" for step in flat.steps)
    return Facts(
        exact=flat.exact,
        elementwise=not (reduces or narrow or flat.has_matrix_words),
        matrix=flat.has_matrix_words,
        axes=narrow,
        needs_value="value" in text.signature.numbers,
        coupled=totals or bool(shared),
        step_sign=_step_sign(text),
        model_numbers=_model_numbers(text, flat, shared),
        floats_per_element=sum(slot.shape == "array" for slot in slots.values()),
    )


def _step_sign(text: Text) -> int:
    w = text.signature.arrays[0]
    writes = [s for s in text.body if w in n.assigned((s,))]
    if len(writes) != 1 or not isinstance(writes[0], n.Assign) or len(writes[0].targets) != 1:
        return 0
    match writes[0].values[0]:
        case n.Bin("+" | "-" as op, n.Name(left), step) if left == w and w not in n.names(step):
            return -1 if op == "-" else 1
    return 0


def _model_numbers(text: Text, flat: Flat, shared: list[str]) -> tuple[str, ...]:
    """Return the hyper-parameters that the new values of shared slots are computed from, outside of totals."""
    reads = {name: step for step in flat.steps for name in step.names}
    found: set[str] = set()
    todo = [flat.outputs[s] for s in shared]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in text.signature.numbers and flat.kinds[name].level == STEP.level:
            found.add(name)
        elif name in reads and reads[name].word != "total":
            todo += [*n.names(reads[name].expr), *(g for g, _ in reads[name].guard)]
    return tuple(name for name in text.signature.numbers if name in found and name not in ("t", "value"))
