"""Any history of steps: names that come and go, gradients that are missing or not finite, arrays that are replaced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernels.layouts import layouts, thorough
from tests.kernels.twins import FORMS, Twin, differences, needs_numba

pytestmark = needs_numba
SHAPES = {"a": (2, 3), "b": (1, 5), "c": (2, 2, 2), "d": (0, 3)}
DTYPES = {"a": np.float32, "b": np.float64, "c": np.float32, "d": np.float64}
# what may happen to a name in a step; the first is the usual
EVENTS = ("a gradient", "None", "not a name in this step", "NaN", "infinite", "another layout", "of another dtype")
steps = st.lists(st.fixed_dictionaries({name: st.sampled_from(EVENTS) for name in SHAPES}), min_size=1, max_size=8)


def values(name, step):
    rng = np.random.default_rng([ord(name), step])
    return rng.standard_normal(SHAPES[name]).astype(DTYPES[name])


def gradient(event, name, step):
    g = values(name, step)
    if event == "None":
        return None
    if event in ("NaN", "infinite"):
        g.flat[-1:] = np.nan if event == "NaN" else np.inf
    return g.astype(np.float16) if event == "of another dtype" else g


@pytest.mark.parametrize("form", ["sgd-book", "momentum-paper", "adam-book", "novograd", "prodigy", "adafactor"])
@pytest.mark.parametrize("nonfinite", ["raise", "skip", "allow"])
@given(history=steps, data=st.data())
@thorough
def test_kernels_and_meaning_live_through_the_same(form, nonfinite, history, data):
    twins = [
        Twin(FORMS[form], {name: values(name, 99) for name in SHAPES}, meaning=meaning, nonfinite=nonfinite)
        for meaning in (False, True)
    ]
    everything = [dict(twin.params) for twin in twins]
    for step, events in enumerate(history):
        here = [name for name, event in events.items() if event != "not a name in this step"]
        for name in here:
            if events[name] == "another layout":
                everything[0][name] = data.draw(layouts)(everything[0][name])
        outcomes = []
        for twin, params in zip(twins, everything, strict=True):
            twin.params = {name: params[name] for name in here}
            outcomes.append(twin.step({name: gradient(events[name], name, step) for name in here}))
        kernel, meaning = outcomes
        assert (type(kernel), str(kernel)) == (type(meaning), str(meaning))
        for twin, params in zip(twins, everything, strict=True):
            twin.params = params
        assert differences(*twins) == []
