"""Gradients that lie in the memory of parameters or of state: the result is that with copies of them."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import RULES, bits, copied, rng

# (parameters, gradients) out of one buffer of 40 numbers
CASES = {
    "g is w": lambda b: ({"a": b[:10]}, lambda p: {"a": p["a"]}),
    "g is w backwards": lambda b: ({"a": b[:10]}, lambda p: {"a": p["a"][::-1]}),
    "g is w transposed": lambda b: ({"a": b[:9].reshape(3, 3)}, lambda p: {"a": p["a"].T}),
    "g is shifted by one": lambda b: ({"a": b[1:11]}, lambda p: {"a": b[0:10]}),
    "g is shifted back by one": lambda b: ({"a": b[0:10]}, lambda p: {"a": b[1:11]}),
    "g is a part, repeated": lambda b: ({"a": b[:10]}, lambda p: {"a": np.broadcast_to(p["a"][3], 10)}),
    "each is the other's": lambda b: ({"a": b[:10], "b": b[10:20]}, lambda p: {"a": p["b"], "b": p["a"]}),
    "the next one's": lambda b: (
        {"a": b[:10], "b": b[10:20], "c": b[20:30]},
        lambda p: {"a": p["c"], "b": p["a"], "c": p["b"]},
    ),
    "across two": lambda b: ({"a": b[:10], "b": b[10:20]}, lambda p: {"a": b[25:35], "b": b[5:15]}),
    "interleaved": lambda b: ({"a": b[:20:2], "b": b[1:20:2]}, lambda p: {"a": b[1:20:2], "b": b[:20:2]}),
    "one for both": lambda b: ({"a": b[:10], "b": b[10:20]}, lambda p: {"a": p["a"], "b": p["a"]}),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", CASES)
def test_gradients_in_the_memory_of_parameters(rule, case):
    start = rng(3).standard_normal(40)
    buffer, other = start.copy(), start.copy()
    params, grads_of = CASES[case](buffer)
    clean, clean_grads_of = CASES[case](other)
    opt, reference = tw.Optimizer(RULES[rule]), tw.Optimizer(RULES[rule])
    for _ in range(3):
        opt.update(params, grads_of(params))
        reference.update(clean, copied(clean_grads_of(clean)))
        assert bits(buffer) == bits(other)


@pytest.mark.parametrize("rule", ["adam", "novograd", "prodigy"])
@pytest.mark.parametrize("shift", [0, 1])
def test_gradients_in_the_memory_of_state(rule, shift):
    """The state of a, which a's own step has changed by the time it is read for b."""
    results = []
    for copy in (False, True):
        opt, params = tw.Optimizer(RULES[rule]), {"a": np.ones(8), "b": np.ones(8 - shift)}
        opt.update(params, {"a": np.linspace(1, 2, 8), "b": np.linspace(2, 3, 8 - shift)})
        for _ in range(3):
            g = opt.state["a"]["m"]
            opt.update(params, {"a": g.copy() if copy else g, "b": g[shift:].copy() if copy else g[shift:]})
        results.append([bits(w) for w in params.values()])
    assert results[0] == results[1]


def test_one_gradient_for_two_parameters_is_no_alias():
    g = np.array([1.0, 2.0])
    params = {"a": np.zeros(2), "b": np.zeros(2)}
    tw.SGD(lr=1.0).update(params, {"a": g, "b": g})
    assert params["a"].tolist() == params["b"].tolist() == [-1, -2]
    assert g.tolist() == [1, 2]
