"""The three rules beyond the six against their papers, transcribed element by element in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy
from tests.rules.sequences import distance, path_of, start, wide

# Sums of a few tens of elements in another order, over 40 steps of some tens of roundings of 1.1e-16
TOLERANCE = 1e-12
STEPS = 40


class NovoGrad:
    """Ginsburg et al. 2019, Algorithm 1: one second moment a layer."""

    def __init__(self, lr, beta1, beta2, eps, decay):
        self.lr, self.beta1, self.beta2, self.eps, self.decay = lr, beta1, beta2, eps, decay
        self.v, self.m = {}, {}

    def update(self, params, grads):
        """Take one step in place."""
        for name, w in params.items():
            square = sum(float(x) ** 2 for x in grads[name].flat)
            first = name not in self.v
            self.v[name] = square if first else self.beta2 * self.v[name] + (1 - self.beta2) * square
            scaled = grads[name] / (math.sqrt(self.v[name]) + self.eps) + self.decay * w
            self.m[name] = scaled if first else self.beta1 * self.m[name] + scaled
            w[...] -= self.lr * self.m[name]


class Prodigy:
    """Mishchenko & Defazio 2023, Algorithm 4: one estimate d of the distance for the whole model."""

    def __init__(self, lr, beta1, beta2, eps, d0):
        self.lr, self.beta1, self.beta2, self.eps = lr, beta1, beta2, eps
        self.d0 = self.d = d0
        self.r, self.t, self.start, self.kept = 0.0, 0, {}, {}

    def update(self, params, grads):
        """Take one step in place."""
        self.t += 1
        b1, b2, b3, old = self.beta1, self.beta2, math.sqrt(self.beta2), self.d
        rate = self.lr * math.sqrt(1 - b2**self.t) / (1 - b1**self.t)
        scale = old / self.d0 * old * rate
        inner = length = 0.0
        for name, w in params.items():
            x0 = self.start.setdefault(name, w.copy())
            m, v, s = self.kept.setdefault(name, [np.zeros_like(w) for _ in range(3)])
            for i in np.ndindex(w.shape):
                g = float(grads[name][i])
                inner += g * (float(x0[i]) - float(w[i]))
                m[i] = b1 * m[i] + (1 - b1) * old * g
                v[i] = b2 * v[i] + (1 - b2) * (old * g) ** 2
                s[i] = b3 * s[i] + scale * g
                length += abs(s[i])
        self.r = b3 * self.r + scale * inner
        if length > 0:
            self.d = max(self.d, self.r / length)
        for name, w in params.items():
            m, v, _ = self.kept[name]
            for i in np.ndindex(w.shape):
                w[i] -= old * rate * m[i] / (math.sqrt(v[i]) + self.d * self.eps)


class Adafactor:
    """Shazeer & Stern 2018, Algorithm 4: the second moment from the means of its rows and columns."""

    def __init__(self, eps1, eps2, clipping, decay):
        self.eps1, self.eps2, self.clipping, self.decay = eps1, eps2, clipping, decay
        self.rows, self.columns, self.t = {}, {}, 0

    def update(self, params, grads):
        """Take one step in place."""
        self.t += 1
        beta = 1 - self.t ** (-self.decay)
        for name, w in params.items():
            n, m = w.shape
            row, column = self.rows.setdefault(name, [0.0] * n), self.columns.setdefault(name, [0.0] * m)
            square = [[float(x) ** 2 + self.eps1 for x in line] for line in grads[name]]
            for i in range(n):
                row[i] = beta * row[i] + (1 - beta) * math.fsum(square[i]) / m
            for j in range(m):
                column[j] = beta * column[j] + (1 - beta) * math.fsum(line[j] for line in square) / n
            mean = math.fsum(row) / n
            u = np.array(
                [[grads[name][i, j] / math.sqrt(row[i] * column[j] / mean) for j in range(m)] for i in range(n)]
            )
            u /= max(1.0, math.sqrt(math.fsum((u**2).flat) / (n * m)) / self.clipping)
            size = math.sqrt(math.fsum((w**2).flat) / (n * m))
            w[...] -= max(self.eps2, size) * min(1e-2, 1 / math.sqrt(self.t)) * u


CASES = {
    "novograd": (
        novograd,
        NovoGrad,
        [
            dict(lr=0.01, beta1=0.95, beta2=0.98, eps=1e-8, weight_decay=0.0),
            dict(lr=0.07, beta1=0.6, beta2=0.4, eps=0.3, weight_decay=0.2),
        ],
    ),
    "prodigy": (
        prodigy,
        Prodigy,
        [
            dict(lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8, d0=1e-6),
            dict(lr=0.7, beta1=0.6, beta2=0.93, eps=1e-2, d0=1e-3),
        ],
    ),
    "adafactor": (
        adafactor,
        Adafactor,
        [
            dict(eps1=1e-30, eps2=1e-3, clipping=1.0, decay=0.8),
            dict(eps1=1e-4, eps2=0.7, clipping=0.6, decay=0.5),
        ],
    ),
}
ROWS = [
    pytest.param(*case[:2], numbers, id=f"{name}-{i}")
    for name, case in CASES.items()
    for i, numbers in enumerate(case[2])
]


def ready(rule, seed=0):
    return {name: w for name, w in start(seed).items() if w.ndim == 2 or not rule.facts.axes}


@pytest.mark.parametrize("rule, by_hand, numbers", ROWS)
def test_forty_steps(rule, by_hand, numbers):
    gradients = wide(STEPS, decades=4, shapes={name: w.shape for name, w in ready(rule).items()})
    path = path_of(by_hand(*numbers.values()), ready(rule), gradients)
    assert distance(path_of(tw.Optimizer(rule, **numbers), ready(rule), gradients), path) <= TOLERANCE


def test_prodigy_finds_its_distance():
    """On the sum of |x| over fifteen coordinates that start at 1 or -1, d grows to the order of the distance."""
    opt, params = tw.Optimizer(prodigy), {"a": np.ones(10), "b": np.full(5, -1.0)}
    for _ in range(300):
        opt.update(params, {name: np.sign(w) for name, w in params.items()})
    assert dict(opt.shared).keys() == {"r", "d"}
    assert 0.05 < opt.shared["d"] < 4
    assert max(np.abs(w).max() for w in params.values()) < 0.5


def test_prodigy_without_any_gradient_stays_where_it_is():
    """Zero gradients make the length zero, which must not become 0/0."""
    opt, params = tw.Optimizer(prodigy), {"a": np.ones(3)}
    for _ in range(3):
        opt.update(params, {"a": np.zeros(3)})
    assert params["a"].tolist() == [1, 1, 1]
    assert opt.shared == {"r": 0.0, "d": 1e-6}


def test_prodigys_numbers_belong_to_the_model_and_novograds_to_the_tensor():
    params, other = start(), start()
    gradients = wide(5, decades=4)
    together, alone = tw.Optimizer(novograd), tw.Optimizer(novograd)
    path_of(together, params, gradients)
    for name in other:
        path_of(alone, {name: other[name]}, [{name: grads[name]} for grads in gradients])
    assert {k: w.tobytes() for k, w in params.items()} != {k: w.tobytes() for k, w in start().items()}
    assert together.state["W1"]["v"] != together.state["s"]["v"]
    assert isinstance(together.state["s"]["v"], float)
    model, part = tw.Optimizer(prodigy, d0=1e-3), tw.Optimizer(prodigy, d0=1e-3)
    path_of(model, start(), gradients)
    path_of(part, {"s": start()["s"]}, [{"s": grads["s"]} for grads in gradients])
    assert model.shared["d"] != part.shared["d"]


def test_adafactor_keeps_one_number_for_each_row_and_column():
    opt, params = tw.Optimizer(adafactor), {"w": np.ones((3, 5)), "stack": np.ones((2, 3, 5))}
    opt.update(params, {"w": np.ones((3, 5)), "stack": np.ones((2, 3, 5))})
    assert {name: {slot: a.shape for slot, a in slots.items()} for name, slots in opt.state.items()} == {
        "w": {"r": (3, 1), "c": (1, 5)},
        "stack": {"r": (2, 3, 1), "c": (2, 1, 5)},
    }
    with pytest.raises(ValueError, match="two axes or more, and 'b' has shape"):
        opt.update({"b": np.ones(3)}, {"b": np.ones(3)})
