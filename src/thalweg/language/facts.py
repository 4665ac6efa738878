"""Facts: what can be read off a rule's text without running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat
from thalweg.language.kinds import ARRAY
from thalweg.language.signature import is_given
from thalweg.language.state import Slot


@dataclass(frozen=True)
class Facts:
    """What a rule is like; tests, documentation, backends and the laboratory read these.

    exact: arrays meet only + - * / sqrt abs, selections and comparisons, so every backend gives the same bits.
    elementwise: no reductions; element i of the result depends on the elements i alone.
    matrix: uses `@`, `.T`, `qr`, `eigh` and their like, or keeps square matrices: run as NumPy with BLAS and LAPACK.
    axes: has one number a row or a column, so that a parameter needs two axes or more.
    needs_value: takes the loss of the step, `update(params, grads, value=loss)`.
    takes_hessian: has a slot for what is given as `update(params, grads, hessian=diagonal)`, at some steps or at all.
    coupled: the step of one tensor depends on the others (`total`, shared slots); all of them count the optimizer's t.
    step_sign: -1 if the last assignment to the parameter reads `w = w - (step)`, +1 if `w = w + (step)`; 0 for a text
        of another shape, which links that act on the step refuse by name.
    model_numbers: the hyper-parameters that shared slots depend on; they cannot differ between groups of parameters.
    floats_per_element: numbers of state kept for each element of a parameter; rows, columns and numbers count nothing.
    """

    exact: bool
    elementwise: bool
    matrix: bool
    axes: bool
    needs_value: bool
    takes_hessian: bool
    coupled: bool
    step_sign: int
    model_numbers: tuple[str, ...]
    floats_per_element: int


def facts_of(text: n.Text, flat: Flat, slots: Mapping[str, Slot]) -> Facts:
    """Return the facts of a rule."""
    reduces = any(step.word is not None for step in flat.steps)
    narrow = any(k.level == ARRAY.level and not k.is_full for k in flat.kinds.values())
    shared = [name for name, slot in slots.items() if slot.shape == "shared"]
    return Facts(
        exact=flat.exact,
        elementwise=not (reduces or narrow or flat.has_matrix_words),
        matrix=flat.has_matrix_words,
        axes=narrow,
        needs_value="value" in text.signature.numbers,
        takes_hessian=any(slot.given for slot in slots.values()),
        coupled=bool(shared) or any(step.word == "total" for step in flat.steps),
        step_sign=_step_sign(text),
        model_numbers=_model_numbers(text, flat, slots, shared),
        floats_per_element=sum(slot.shape == "array" for slot in slots.values()),
    )


def _step_sign(text: n.Text) -> int:
    w = text.signature.arrays[0]
    last = next((s for s in reversed(text.body) if w in n.assigned((s,))), None)
    match last:
        case n.Assign((_,), (n.Bin("+" | "-" as op, n.Name(left), _),)) if left == w:
            return -1 if op == "-" else 1
    return 0


def _model_numbers(text: n.Text, flat: Flat, slots: Mapping[str, Slot], shared: list[str]) -> tuple[str, ...]:
    """Return the hyper-parameters that shared slots start at or are computed from, outside of totals."""
    steps = {name: step for step in flat.steps for name in step.names}
    found = {str(slots[name].start) for name in shared}
    todo = [flat.outputs[name] for name in shared]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        if name in steps and steps[name].word != "total":
            todo += [*n.names(steps[name].expr), *(condition for condition, _ in steps[name].guard)]
    return tuple(name for name in text.signature.numbers if name in found and not is_given(name))
