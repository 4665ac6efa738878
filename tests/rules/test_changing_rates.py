"""A rate that changes on the way: each rule of torch feels it at the step at which torch does."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.language.agreement import without_numba

torch = pytest.importorskip("torch", reason="oracle torch is not installed")

# ours, its numbers, torch's class, its numbers
CASES = [
    ("sgd", {}, "SGD", {}),
    ("momentum", {}, "SGD", dict(momentum=0.9)),
    ("nesterov", {}, "SGD", dict(momentum=0.9, nesterov=True)),
    ("adagrad", {}, "Adagrad", {}),
    ("rmsprop", {}, "RMSprop", {}),
    ("adam", {}, "Adam", {}),
    ("amsgrad", {}, "Adam", dict(amsgrad=True)),
    ("adamw", {}, "AdamW", {}),
    ("adadelta", {}, "Adadelta", {}),
    ("adafactor", {}, "Adafactor", {}),
    ("adamax", {}, "Adamax", {}),
    ("asgd", dict(lambd=0.02, t0=3.0), "ASGD", dict(lambd=0.02, t0=3.0)),
    ("nadam", {}, "NAdam", {}),
    ("radam", {}, "RAdam", {}),
    ("rprop", {}, "Rprop", {}),
]
RATES = {1: 0.1, 4: 0.03, 7: 0.3, 8: 0.0, 9: 0.05}
# Roundings of twelve steps; torch keeps the product of NAdam and the rate of ASGD in float32.
TOLERANCE = {"nadam": 2e-6, "asgd": 2e-6}


@pytest.mark.parametrize("name, numbers, theirs, options", CASES, ids=[f"{c[0]}" for c in CASES])
def test_a_change_is_felt_when_torch_feels_it(name, numbers, theirs, options):
    rng = np.random.default_rng(3)
    w = rng.standard_normal((5, 4))
    leaf = torch.tensor(w.copy(), requires_grad=True)
    opt = getattr(torch.optim, theirs)([leaf], lr=RATES[1], **options)
    ours = tw.Optimizer(name, convention="torch", lr=RATES[1], **numbers)
    largest = 0.0
    for t in range(1, 13):
        if t in RATES:
            ours.lr = opt.param_groups[0]["lr"] = RATES[t]
        g, before = rng.standard_normal(w.shape), w.copy()
        leaf.grad = torch.tensor(g)
        opt.step()
        with without_numba():  # nothing is compiled, and kernels have the same bits
            ours.update(w, g)
        largest = max(largest, np.abs(w - before).max())
        assert np.abs(w - leaf.detach().numpy()).max() <= TOLERANCE.get(name, 1e-12) * largest, t
