"""Forms of rules of matrices, parameters and gradients for them, and runs."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw

MATRICES = ("muon", "shampoo", "soap")
FORMS = [form for name in MATRICES for form in tw.RULES[name].conventions.values()]
IDS = [f"{form.name}-{form.convention_name}" for form in FORMS]
SHAPES = {"W": (5, 7), "V": (4, 4), "T": (2, 3, 4), "b": (6,), "s": ()}
every_form = pytest.mark.parametrize("form", FORMS, ids=IDS)
STACKING = [form for form in FORMS if not form.only_matrices]
every_stacking = pytest.mark.parametrize("form", STACKING, ids=[f"{f.name}-{f.convention_name}" for f in STACKING])
# Here all but matrices, also what has three axes or more, goes by the rule for vectors.
ONLY_MATRICES = [tw.RULES["mars"], tw.RULES["muon"].conventions["keras"], tw.RULES["muon"].conventions["optax"]]
every_other = pytest.mark.parametrize("form", ONLY_MATRICES, ids=["mars-authors", "muon-keras", "muon-optax"])
# Two orders of the sums in a product of matrices differ by a few roundings, which eigenvectors of neighbouring
# eigenvalues show some hundred times as large; steps here are of the size of the parameters.
CLOSE = 1e-11


def rng(*seed):
    return np.random.default_rng(seed)


def start(shapes=None, dtype=np.float64):
    found = shapes or SHAPES
    return {name: np.array(rng(0, i).standard_normal(shape), dtype) for i, (name, shape) in enumerate(found.items())}


def gradients(params, step):
    return {
        name: np.array(rng(1, step, *name.encode()).standard_normal(w.shape), w.dtype) for name, w in params.items()
    }


def run(opt, params, steps, turn=lambda a: a, of=gradients):
    """Take steps with gradients that do not depend on the parameters; turn: what becomes of matrices."""
    for _ in range(steps):
        plain = of({name: turn(w) for name, w in params.items()}, opt.t)
        opt.update(params, {name: np.array(turn(g)) for name, g in plain.items()})
    return params


def made(form, **more):
    return tw.Optimizer(form, **more)


def transposed(a):
    return np.swapaxes(a, -1, -2) if a.ndim > 1 else a


def assert_close(a, b, close=CLOSE):
    assert a.keys() == b.keys()
    for name in a:
        assert np.max(np.abs(a[name] - b[name]), initial=0.0) <= close * max(1.0, np.max(np.abs(b[name]))), name


def cut(params, size):
    """Return the blocks as parameters of their own."""
    found = {}
    for name, w in params.items():
        for i in range(0, w.shape[-2], size):
            for j in range(0, w.shape[-1], size):
                found[f"{name}{i},{j}"] = np.array(w[..., i : i + size, j : j + size])
    return found
