"""The convention "torch" against torch itself, in float64."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import copied, distance, path_of, start, wide

torch = pytest.importorskip("torch", reason="oracle torch is not installed")

# torch may contract and reorder: a few more roundings a step than the 1.1e-13 of ten
TOLERANCE = 1e-12
# Later rules are compared in test_oracles.
CLASSIC = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
# (rule, our numbers, torch's class, its numbers): the defaults of both, then numbers that are none
CASES = {
    "sgd": ("sgd", {}, "SGD", {}),
    "sgd-lr": ("sgd", dict(lr=0.37), "SGD", dict(lr=0.37)),
    "momentum": ("momentum", {}, "SGD", dict(momentum=0.9)),
    "momentum-numbers": ("momentum", dict(lr=0.13, momentum=0.41), "SGD", dict(lr=0.13, momentum=0.41)),
    "momentum-dampening": (
        "momentum", dict(lr=0.13, momentum=0.41, dampening=0.3),
        "SGD", dict(lr=0.13, momentum=0.41, dampening=0.3),
    ),
    "nesterov": ("nesterov", {}, "SGD", dict(momentum=0.9, nesterov=True)),
    "nesterov-numbers": (
        "nesterov", dict(lr=0.13, momentum=0.41),
        "SGD", dict(lr=0.13, momentum=0.41, nesterov=True),
    ),
    "adagrad": ("adagrad", {}, "Adagrad", {}),
    "adagrad-numbers": ("adagrad", dict(lr=0.7, eps=1e-3), "Adagrad", dict(lr=0.7, eps=1e-3)),
    "adagrad-decay": ("adagrad", dict(lr=0.7, lr_decay=0.31), "Adagrad", dict(lr=0.7, lr_decay=0.31)),
    "adagrad-start": (
        "adagrad", dict(lr=0.7, lr_decay=0.02, initial_accumulator=0.3),
        "Adagrad", dict(lr=0.7, lr_decay=0.02, initial_accumulator_value=0.3),
    ),
    "rmsprop": ("rmsprop", {}, "RMSprop", {}),
    "rmsprop-numbers": (
        "rmsprop", dict(lr=0.7, decay_rate=0.6, eps=1e-3),
        "RMSprop", dict(lr=0.7, alpha=0.6, eps=1e-3),
    ),
    "rmsprop-momentum": (
        "rmsprop", dict(lr=0.13, decay_rate=0.6, eps=1e-3, momentum=0.7),
        "RMSprop", dict(lr=0.13, alpha=0.6, eps=1e-3, momentum=0.7),
    ),
    "rmsprop-centered": ("rmsprop", {}, "RMSprop", dict(centered=True)),
    "rmsprop-centered-numbers": (
        "rmsprop", dict(lr=0.13, decay_rate=0.6, eps=1e-3, momentum=0.7),
        "RMSprop", dict(lr=0.13, alpha=0.6, eps=1e-3, momentum=0.7, centered=True),
    ),
    "adam": ("adam", {}, "Adam", {}),
    "adam-numbers": (
        "adam", dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3),
        "Adam", dict(lr=0.2, betas=(0.7, 0.96), eps=1e-3),
    ),
    "adam-no-momentum": ("adam", dict(lr=0.2, beta1=0.0, eps=0.1), "Adam", dict(lr=0.2, betas=(0.0, 0.999), eps=0.1)),
}  # fmt: skip


class Torch:
    """torch's optimizer, with our call."""

    def __init__(self, cls, numbers, params):
        self.leaves = {name: torch.tensor(w, requires_grad=True) for name, w in params.items()}
        self.opt = getattr(torch.optim, cls)(list(self.leaves.values()), **numbers)

    def update(self, params, grads):
        """Take one step and copy the result into params."""
        for name, leaf in self.leaves.items():
            leaf.grad = torch.from_numpy(grads[name].copy())
        self.opt.step()
        for name, leaf in self.leaves.items():
            params[name][...] = leaf.detach().numpy()


@pytest.mark.parametrize("case", CASES)
def test_a_hundred_steps_over_12_decades_with_exact_zeros(case):
    name, numbers, cls, theirs = CASES[case]
    gradients, params = wide(100), start()
    path = path_of(Torch(cls, theirs, params), copied(params), gradients)
    form = "torch-centered" if "centered" in theirs else "torch"
    ours = path_of(tw.Optimizer(name, convention=form, **numbers), params, gradients)
    assert distance(ours, path) <= TOLERANCE


@pytest.mark.parametrize("case", ["momentum", "nesterov", "adagrad", "rmsprop", "adam"])
def test_a_rate_that_changes_on_the_way(case):
    """A change of lr acts on the whole buffer in torch's momentum, and on new gradients alone in the book's."""
    name, numbers, cls, theirs = CASES[case]
    gradients, params = wide(60, seed=5), start()
    opt, other = tw.Optimizer(name, convention="torch", **numbers), Torch(cls, theirs, params)
    torchs = copied(params)
    for t, grads in enumerate(gradients):
        opt.lr = other.opt.param_groups[0]["lr"] = 0.3 / (1 + t)
        opt.update(params, grads)
        other.update(torchs, grads)
    assert distance([params], [torchs]) <= TOLERANCE


@pytest.mark.parametrize("form", ["torch", "torch-centered"])
def test_every_rule_in_its_torch_convention_is_here_with_defaults_and_with_other_numbers(form):
    """torch has no eps_root: see test_optax."""
    names = [name for name in CLASSIC if form in tw.RULES[name].conventions]
    for name in names:
        cases = [case for case in CASES.values() if case[0] == name and ("centered" in case[3]) == (form != "torch")]
        given = [numbers for _, numbers, _, _ in cases]
        assert {} in given, name
        changed = set().union(*given)
        assert changed == set(tw.RULES[name].conventions[form].defaults) - {"eps_root"}, name


@pytest.mark.parametrize("case", ["adagrad", "rmsprop", "adam"])
def test_gradients_that_are_zero_leave_no_nan(case):
    name, numbers, cls, theirs = CASES[case]
    params = {"w": np.ones(3)}
    grads = [{"w": np.array([0.0, -0.0, 0.0])}] * 3
    ours = path_of(tw.Optimizer(name, convention="torch", **numbers), copied(params), grads)
    path = path_of(Torch(cls, theirs, params), copied(params), grads)
    assert ours[-1]["w"].tolist() == path[-1]["w"].tolist() == [1.0, 1.0, 1.0]
