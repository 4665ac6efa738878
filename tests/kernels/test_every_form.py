"""Every form of every rule that is no rule of whole matrices: kernels and meaning, several shapes, both dtypes.

Exact rules have the same bits. Others have words that may differ by 4 units in the last place each, at every step.
"""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import DTYPES, needs_numba
from tests.language.agreement import MATRICES, SHAPES, run, same_bits, without_numba

pytestmark = needs_numba
TEXTS = {form.digest: form for rule in tw.RULES.values() for form in reversed(rule.conventions.values())}
FORMS = [form for form in TEXTS.values() if not form.facts.matrix]
WORDS, STEPS = 4, 4


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(form, id=f"{form.name}-{form.convention_name}", marks=pytest.mark.slow if k % 20 else ())
        for k, form in enumerate(FORMS)
    ],
)
def test_kernel_is_meaning(form):
    shapes = MATRICES if form.facts.axes else SHAPES
    value = 2.0 if form.facts.needs_value else None
    for dtype in DTYPES:
        by_kernel = run(form, shapes, dtype, steps=STEPS, value=value)
        with without_numba():
            by_meaning = run(form, shapes, dtype, steps=STEPS, value=value)
        assert list(by_kernel) == list(by_meaning)
        for name, x in by_kernel.items():
            if form.facts.exact:
                assert same_bits(x, by_meaning[name]), (dtype, name)
            else:
                a, b = np.asarray(x, np.float64), np.asarray(by_meaning[name], np.float64)
                allowed = 4 * WORDS * STEPS * np.finfo(dtype).eps
                assert np.abs(a - b).max(initial=0) <= allowed * max(1.0, np.abs(b).max(initial=0)), (dtype, name)


def test_it_is_every_form():
    assert {form.name for form in FORMS} == {name for name in tw.RULES if not tw.RULES[name].facts.matrix}
