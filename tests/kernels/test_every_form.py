"""Every form of every rule that is no rule of whole matrices: kernels and meaning, several shapes, both dtypes.

Exact rules have the same bits. In others each inexact word of the text may differ by 4 units in the last place at every
step.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import DTYPES, needs_numba
from tests.language.agreement import MATRICES, SHAPES, run, same_bits, without_numba
from thalweg.language import nodes as n
from thalweg.language.kinds import STEP
from thalweg.language.vocabulary import WORDS

pytestmark = needs_numba
TEXTS = {form.digest: form for rule in tw.RULES.values() for form in reversed(rule.conventions.values())}
FORMS = [form for form in TEXTS.values() if not form.facts.matrix]
ULPS, STEPS = 4, 4


def inexact_words(form):
    """Return how often an array meets an inexact word in a text. Words of numbers alone have one value for both."""
    flat = form.flat
    calls = [x for step in flat.steps for x in n.walk(step.expr) if isinstance(x, n.Call) and not WORDS[x.word].exact]
    return sum(any(flat.kinds[name] != STEP for name in n.names(x)) for x in calls)


def cancelled(form, name, seen):
    """Return what z of FTRL is measured by where its summands cancel.

    It gets the difference of two powers of n, times w / lr, and each power may be an ulp apart where little is left of
    both. An error of z goes through w into the next difference: from step to step it grows as the power does.
    """
    found, before = 0.0, form.defaults["initial_accumulator"] ** -form.defaults["lr_power"]
    for a, b in pairwise(seen):
        now = b[f"{name} n"] ** -form.defaults["lr_power"]
        found = found * now / before + np.abs(a[name]) * now / form.defaults["lr"]
        before = now
    return found


def differing(form, dtype, by_kernel, by_meaning, seen):
    """Return what differs by more than it may.

    A word is a factor of a step, and a step is about as long as the largest value that the element has had, or shorter:
    4 ulps a word and step, of that value. The last sum of a step adds one, as the summands differ. Ulps of the result
    would say nothing where a step takes an element near to zero.
    """
    if form.facts.exact:
        return [name for name, x in by_kernel.items() if not same_bits(x, by_meaning[name])]
    wrong, ulps = [], (ULPS * inexact_words(form) + 1) * STEPS * np.finfo(dtype).eps
    for name, x in by_kernel.items():
        largest = np.max([np.abs(point[name]) for point in seen if name in point], axis=0)
        if (form.name, name.split()[-1]) == ("ftrl", "z"):
            largest = np.maximum(largest, cancelled(form, name.split()[0], seen))
        apart = np.abs(np.asarray(x, np.float64) - np.asarray(by_meaning[name], np.float64))
        wrong += [] if (apart <= ulps * largest).all() else [name]
    return wrong


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, id=f"{form.name}-{form.convention_name}", marks=pytest.mark.slow if k % 31 else ())
        for k, form in enumerate(FORMS)
    ],
)
def test_kernel_is_meaning(form):
    shapes = MATRICES if form.facts.axes else SHAPES
    value = 2.0 if form.facts.needs_value else None
    for dtype in DTYPES:
        by_kernel, seen = run(form, shapes, dtype, steps=STEPS, value=value), []
        with without_numba():
            by_meaning = run(form, shapes, dtype, steps=STEPS, value=value, seen=seen)
        assert list(by_kernel) == list(by_meaning)
        assert differing(form, dtype, by_kernel, by_meaning, seen) == [], dtype


def test_exact_rules_are_those_without_inexact_words():
    assert [form for form in FORMS if form.facts.exact != (inexact_words(form) == 0)] == []
    counts = {f"{form.name}-{form.convention_name}": inexact_words(form) for form in FORMS if not form.facts.exact}
    assert counts["ftrl-keras"] == 2
    assert counts["adamatan2-paper"] == counts["diffgrad-paper"] == 1


def test_it_is_every_form():
    assert {form.name for form in FORMS} == {name for name in tw.RULES if not tw.RULES[name].facts.matrix}


@pytest.mark.parametrize("form", [form for form in FORMS if form.facts.takes_hessian], ids=lambda f: f.convention_name)
def test_both_branches_of_a_hessian_are_gone(form):
    """The average of the diagonals moves in the steps that come with one, and in no other."""
    with without_numba():
        run(form, {"matrix": (3, 4)}, "float64", steps=STEPS, seen=(seen := []))
    (slot,) = {name for name in seen[-1] if name.endswith(" h")}
    moved = [not same_bits(a[slot], b[slot]) for a, b in pairwise(seen[1:])]
    assert moved == [False, True, False]
    assert np.abs(seen[1][slot]).max() > 0
