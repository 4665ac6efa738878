"""The kernels of a rule give the bits of its meaning: any numbers, shapes, layouts and threads, step after step."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.layouts import MATRICES, SHAPES, filled, hyperparams, layouts, pools, thorough
from tests.kernels.twins import DTYPES, FORMS, Twin, differences, needs_numba, plain_text, same_bits
from tests.kernels.word_rules import WORD_RULES
from thalweg.engine import table

pytestmark = needs_numba
RULES = FORMS | WORD_RULES
# Half of the rows in the fast run: of each text one dtype, in turns, and both of the book's.
ROWS = [
    pytest.param(
        rule,
        dtype,
        id=f"{form}-{dtype}",
        marks=[] if (number + k) % 2 or "book" in form else pytest.mark.slow,
    )
    for number, (form, rule) in enumerate(RULES.items())
    for k, dtype in enumerate(DTYPES)
]


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_these_rules_say_that_they_are_exact(rule):
    assert rule.facts.exact


@pytest.fixture(autouse=True)
def small_grain():
    """A block of 4096 elements is worth a thread, so that small arrays are shared out too."""
    with mock.patch.object(table, "GRAIN", 1):
        yield


def seed_state(twins, pool, place):
    """Write the same numbers into every array of state, whatever they are."""
    for name, slots in twins[0].opt.state.items():
        for slot, array in slots.items():
            if isinstance(array, np.ndarray):
                values = filled(pool, array.shape, place, array.dtype)
                for twin in twins:
                    twin.opt.state[name][slot][...] = values


@pytest.mark.parametrize("rule, dtype", ROWS)
@given(data=st.data())
@thorough
def test_kernel_is_meaning(rule, dtype, data):
    shapes = data.draw(st.lists(st.sampled_from(MATRICES if rule.facts.axes else SHAPES), min_size=1, max_size=3))
    pool, place = data.draw(pools), data.draw(st.integers(0, 16))
    nonfinite = data.draw(st.sampled_from(["raise", "skip", "allow"]))
    options = data.draw(hyperparams(rule)) | {"nonfinite": nonfinite}
    params = {f"p{i}": filled(pool, shape, place + i, dtype) for i, shape in enumerate(shapes)}
    laid_out = {name: data.draw(layouts)(w) for name, w in params.items()}
    kernel = Twin(rule, laid_out, threads=data.draw(st.integers(1, 8)), **options)
    meaning = Twin(rule, params, meaning=True, **options)
    given_dtypes = [data.draw(st.sampled_from([dtype, dtype, "float64", "float32", "float16"])) for _ in shapes]
    for step in range(data.draw(st.integers(1, 3))):
        grads = {
            name: filled(pool, w.shape, place + 3 * step + i, given, finite=nonfinite != "allow")
            for i, ((name, w), given) in enumerate(zip(params.items(), given_dtypes, strict=True))
        }
        read = {name: data.draw(layouts)(g) for name, g in grads.items()}
        outcome, expected = kernel.step(read), meaning.step(grads)
        assert (type(outcome), str(outcome)) == (type(expected), str(expected))
        assert differences(kernel, meaning) == []
        assert all(same_bits(read[name], g) for name, g in grads.items())
        if step == 0 and outcome is None:
            seed_state([kernel, meaning], pool, place)


@pytest.mark.parametrize("rule, dtype", ROWS)
@given(data=st.data())
@thorough
def test_kernel_is_the_plain_text(rule, dtype, data):
    """The function as it stands in the file, called on whole arrays with Python floats: no language in between."""
    shapes = [shape for shape in [(), (7,), (4097,), *MATRICES[:5]] if rule.takes(len(shape))]  # others, another text
    shape = data.draw(st.sampled_from(shapes))
    pool, place = data.draw(pools), data.draw(st.integers(0, 16))
    numbers = {**rule.defaults, **data.draw(hyperparams(rule))}
    w = filled(pool, shape, place, dtype)
    kernel = Twin(rule, {"w": w.copy()}, nonfinite="allow", **numbers)
    text, takes_t = plain_text(rule), "t" in rule.text.signature.numbers
    state = None
    for t in range(1, 4):
        g = filled(pool, shape, place + t, dtype)
        if state is None:
            state = first_state(rule, w, numbers)
        with np.errstate(all="ignore"):
            try:
                results = text(np.atleast_1d(w), np.atleast_1d(g), *state, **numbers, **({"t": t} if takes_t else {}))
            except OverflowError:
                return  # Python refuses 1e200**2 as a number; to the language a square is a product, and infinite
            except (ArithmeticError, ValueError):
                assert kernel.step({"w": g}) is not None
                return
        assert kernel.step({"w": g}) is None
        w, *state = results if isinstance(results, tuple) else (results,)
        w = w.reshape(shape)
        assert same_bits(kernel.params["w"], w)
        held = kernel.opt.state["w"] | dict(kernel.opt.shared)
        for slot, value in zip(rule.slots, state, strict=True):
            assert same_bits(np.atleast_1d(held[slot]), np.atleast_1d(value)), slot


def first_state(rule, w, numbers):
    """The slots before the first step, from what the rule declares."""
    found = []
    for slot in rule.slots.values():
        first = numbers[slot.start] if isinstance(slot.start, str) and not slot.copies else slot.start
        shape = {"rows": (*w.shape[:-1], 1), "columns": (*w.shape[:-2], 1, *w.shape[-1:])}.get(slot.shape, w.shape)
        if slot.is_number:
            found.append(float(first))
        elif slot.copies:
            found.append(np.atleast_1d(w.copy()))
        else:
            found.append(np.atleast_1d(np.full(shape, first, w.dtype)))
    return found
