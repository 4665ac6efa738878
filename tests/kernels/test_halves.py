"""Parameters of float16 and bfloat16: kernels, meaning and the plain formulas in float32 agree to the last bit."""

from __future__ import annotations

from unittest import mock

import ml_dtypes
import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy
from tests.kernels.layouts import LAYOUTS
from tests.kernels.twins import FORMS, Twin, differences, needs_numba, same_bits
from thalweg.engine import table

HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
half = pytest.mark.parametrize("dtype", HALVES.values(), ids=HALVES)
SHAPES = [(), (7,), (3, 5), (2, 3, 4), (4097,), (3, 4099)]
MATRICES = [(3, 5), (2, 3, 4), (1, 7), (3, 4099)]


def drawn(shape, dtype, *seed, scale=1.0):
    values = np.random.default_rng(seed).standard_normal(shape) * scale
    return np.array(values).astype(dtype)


@needs_numba
@half
@pytest.mark.parametrize("master", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_kernel_is_meaning(form, dtype, master):
    """Several parameters of all dtypes side by side, in every layout, over threads."""
    rule = FORMS[form]
    shapes = MATRICES if rule.facts.axes else SHAPES
    dtypes = [dtype, np.dtype(np.float32), dtype, dtype, np.dtype(np.float64), dtype]
    params = {f"p{i}": drawn(s, d, 1, i) for i, (s, d) in enumerate(zip(shapes, dtypes, strict=False))}
    laid_out = {name: LAYOUTS[i % len(LAYOUTS)](w) for i, (name, w) in enumerate(params.items())}
    with mock.patch.object(table, "GRAIN", 1):
        kernel = Twin(rule, laid_out, threads=3, master=master)
        meaning = Twin(rule, params, meaning=True, master=master)
        for step in range(4):
            kinds = [dtype, np.float32, np.float64, np.float16, HALVES["bfloat16"]]
            grads = {
                name: drawn(w.shape, kinds[(i + step) % 5], 2, step, i) for i, (name, w) in enumerate(params.items())
            }
            if step == 2:
                for twin in (kernel, meaning):
                    twin.params["p0"][...] = 0.75  # by the caller
            read = {name: LAYOUTS[(i + step) % len(LAYOUTS)](g) for i, (name, g) in enumerate(grads.items())}
            assert kernel.step(read) is None
            assert meaning.step(grads) is None
            assert differences(kernel, meaning) == []


@half
@pytest.mark.parametrize("meaning", [pytest.param(False, marks=needs_numba), True])
def test_a_step_is_that_of_float32_rounded_once(dtype, meaning):
    """Adam of the book, transcribed: state stays in float32, only w and g are converted."""
    w, other = drawn((40,), dtype, 3), {}
    twin = Twin(tw.RULES["adam"], {"w": w.copy()}, meaning=meaning)
    m = v = np.zeros(40, np.float32)
    for t in range(1, 6):
        g = drawn((40,), dtype, 4, t, scale=1e-3)
        assert twin.step({"w": g}) is None
        wide, g = w.astype(np.float32), g.astype(np.float32)
        lr = 0.001 * np.sqrt(1.0 - 0.999**t) / (1.0 - 0.9**t)
        m = m + (1 - 0.9) * (g - m)
        v = v + (1 - 0.999) * (g**2 - v)
        w = (wide - np.float32(lr) * m / (np.sqrt(v) + 1e-7)).astype(dtype)
        other = {"m": m, "v": v}
    assert same_bits(twin.params["w"], w)
    assert all(same_bits(twin.opt.state["w"][slot], array) for slot, array in other.items())
    assert 0 < other["v"].max() < 6e-8, "which float16 could not hold"


@half
@pytest.mark.parametrize("name", ["adam", "novograd", "prodigy", "adafactor"])
def test_the_function_of_a_rule_takes_halves_and_gives_the_step(dtype, name):
    rule = {"novograd": novograd, "prodigy": prodigy, "adafactor": adafactor}.get(name) or tw.RULES[name]
    w, g = drawn((3, 5), dtype, 5), drawn((3, 5), dtype, 6)
    twin = Twin(rule, {"w": w.copy()}, meaning=True)
    first = {
        "rows": lambda: np.zeros((3, 1), np.float32),
        "columns": lambda: np.zeros((1, 5), np.float32),
        "array": lambda: np.zeros((3, 5), np.float32),
        "number": lambda: 0.0,
        "shared": lambda: 1e-6,
    }
    state = [
        w.astype(np.float32) if s.copies else first[s.shape]() if slot != "r" or s.shape != "shared" else 0.0
        for slot, s in rule.slots.items()
    ]
    for t in (1, 2):
        w, *state = rule.function(w, g, *state, **({"t": t} if "t" in rule.text.signature.numbers else {}))
        assert twin.step({"w": g}) is None
        assert same_bits(w, twin.params["w"])
    held = twin.opt.state["w"] | dict(twin.opt.shared)
    for slot, value in zip(rule.slots, state, strict=True):
        assert same_bits(np.asarray(held[slot]), np.asarray(value))
        assert not isinstance(value, np.ndarray) or value.dtype == np.float32


@half
def test_a_gradient_is_cast_to_float32_and_to_nothing_less(dtype):
    g = np.array([2 / 3, 1e5, 1e-7])
    new, *_ = tw.RULES["sgd"].function(np.zeros(3, dtype), g, lr=0.001)
    assert same_bits(new, (np.float32(0) - np.float32(0.001) * g.astype(np.float32)).astype(dtype))


@half
def test_what_the_function_refuses(dtype):
    sgd, momentum = tw.RULES["sgd"], tw.RULES["momentum"]
    w = np.ones(3, dtype)
    assert sgd.function(w, np.ones(3), lr=0.5)[0].dtype == dtype
    assert sgd.function(w, np.ones(3, np.float32), lr=0.5)[0].tolist() == [0.5, 0.5, 0.5]
    with pytest.raises(ValueError, match=r"g is int64 of shape \(3,\); with this w it has to be float32"):
        sgd.function(w, np.ones(3, int))
    with pytest.raises(ValueError, match=r"g is float32 of shape \(1,\)"):
        sgd.function(w, np.ones(1))
    with pytest.raises(ValueError, match=rf"v is {dtype} of shape \(3,\); with this w it has to be float32"):
        momentum.function(w, w, w)
    with pytest.raises(
        TypeError, match="w is an array of float16, bfloat16, float32 or float64; this is of type int64"
    ):
        sgd.function(np.ones(3, int), w)
    with pytest.raises(ValueError, match=r"g is float16 .* float32"):
        sgd.function(np.ones(3, np.float32), np.ones(3, np.float16))


@pytest.mark.filterwarnings("error")
@half
def test_too_large_a_result_is_an_infinity_without_a_warning(dtype):
    largest = ml_dtypes.finfo(dtype).max
    new, *_ = tw.RULES["sgd"].function(np.full(2, largest, dtype), np.array([-1.0, 1.0], dtype), lr=float(largest))
    assert np.isinf(float(new[0]))
    assert float(new[1]) == 0
