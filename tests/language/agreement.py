"""Steps of a rule by its kernels and by its meaning, which have to agree to the last bit."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np
import pytest

import thalweg as tw
import thalweg.optimizer
from thalweg.engine.numba_support import numba_available

SHAPES = {"vector": (5,), "scalar": (), "matrix": (3, 4), "stack": (2, 3, 5), "long": (4100,)}
MATRICES = {"matrix": (3, 4), "stack": (2, 3, 5), "large": (70, 61)}


@contextmanager
def without_numba():
    """A new optimizer works by the meaning of its rule."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("thalweg.") and vars(module).get("numba_available") is numba_available:
                stack.enter_context(mock.patch.object(module, "numba_available", return_value=False))
        yield


def run(rule, shapes, dtype, steps=4, value=None, seen=None, **numbers):
    """Return everything that steps of a rule leave behind, by name.

    A rule that takes a Hessian gets one in every other step, beginning with the first. seen: a list that gets the
    parameters of the start and a copy of all that each step leaves behind.
    """
    rng = np.random.default_rng(7)

    def draw(shape):
        return np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-3, 3), dtype)

    params = {name: draw(shape) for name, shape in shapes.items()}
    opt = tw.Optimizer(rule, **numbers)
    seen = [] if seen is None else seen
    seen.append({name: w.copy() for name, w in params.items()})
    for step in range(steps):
        grads = {name: draw(shape) for name, shape in shapes.items()}
        grads["matrix"][0] = [0.0, -0.0, 1e-30, 1.0]
        hessian = None
        if rule.facts.takes_hessian and step % 2 == 0:
            hessian = {name: np.abs(draw(shape)) for name, shape in shapes.items()}
        opt.update(params, grads, value=None if value is None else value / (step + 1), hessian=hessian)
        found = dict(params) | {f"shared {name}": x for name, x in opt.shared.items()}
        found |= {f"{name} {slot}": x for name, slots in opt.state.items() for slot, x in slots.items()}
        seen.append({name: np.copy(x) for name, x in found.items()})
    return found


def same_bits(a, b):
    """Any NaN equals any NaN."""
    a, b = np.asarray(a), np.asarray(b)
    both_nan = np.isnan(a) & np.isnan(b)
    return (
        a.dtype == b.dtype
        and a.shape == b.shape
        and bool((both_nan | (a.view(f"u{a.itemsize}") == b.view(f"u{b.itemsize}"))).all())
    )


def check_agreement(rule, shapes=None, dtypes=("float32", "float64"), *, falls_back=False, **options):
    """Compare kernels and meaning; `falls_back` for rules in which a step is left to the meaning now and then."""
    if not numba_available():
        pytest.skip("Numba is not available, and without it there are no kernels")
    shapes = shapes or (MATRICES if rule.facts.axes else SHAPES)
    by_kernels = {dtype: run(rule, shapes, dtype, **options) for dtype in dtypes}
    assert ("meaning" in vars(rule)) is falls_back
    with without_numba():
        by_meaning = {dtype: run(rule, shapes, dtype, **options) for dtype in dtypes}
    assert "meaning" in vars(rule)
    for dtype in dtypes:
        assert list(by_kernels[dtype]) == list(by_meaning[dtype])
        different = [k for k, x in by_kernels[dtype].items() if not same_bits(x, by_meaning[dtype][k])]
        assert not different, (dtype, different, rule.meaning.code)
    return by_kernels
