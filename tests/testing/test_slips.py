"""Every slip in circulation, in an otherwise correct class, is named as that slip."""

from __future__ import annotations

import pytest

from tests.testing.handwritten import ADAGRAD, ADAM, MOMENTUM, NESTEROV, RMSPROP, SGD, changed
from thalweg.testing import identify

LOOP = "        for key in params.keys():\n"
VELOCITY = "self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]"
PUT_RIGHT = "with that put right: momentum[book], equal to the last bit over 100 steps"
MOMENTS = "lr_t * (self.m[key] / (np.sqrt(self.v[key]) / np.sqrt(1.0 - self.beta2**self.t) + 1e-8))"

# An error of Python: the line, what it says about it, and what the class is without it.
ERRORS = {
    "params.key()": (
        changed(MOMENTUM, ("params.keys()", "params.key()")),
        "line 15, `for key in params.key():`: a dict has no `key`: `keys()` is meant; " + PUT_RIGHT,
    ),
    "_init__": (
        changed(MOMENTUM, ("__init__", "_init__")),
        "line 10, `if self.v is None:`: `self.v` does not exist, because the constructor is written `_init__` and "
        "never called: `__init__` is meant, with two underscores on each side; " + PUT_RIGHT,
    ),
    "parmas.items()": (
        changed(MOMENTUM, ("params.items()", "parmas.items()")),
        "line 12, `for key, val in parmas.items():`: there is no `parmas` here: `params` is meant; " + PUT_RIGHT,
    ),
    "self.grads[key]": (
        changed(MOMENTUM, ("self.lr * grads[key]", "self.lr * self.grads[key]")),
        "line 16, `self.v[key] = self.momentum * self.v[key] - self.lr * self.grads[key]`: `grads` is an argument of "
        "this function and no attribute: `grads` is meant, without `self.`; " + PUT_RIGHT,
    ),
    "v never created": (
        changed(MOMENTUM, ("        self.v = None\n", ""), (MOMENTUM[MOMENTUM.index("        if self.v is") :
                MOMENTUM.index(LOOP)], "")),
        "line 10, `self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]`: `self.v` is never created: start "
        "with `self.v = None` in `__init__`, and make zeros like each parameter at the first update; " + PUT_RIGHT,
    ),
    "v stays None": (
        changed(MOMENTUM, (MOMENTUM[MOMENTUM.index("        if self.v is") : MOMENTUM.index(LOOP)], "")),
        "`self.v` is never created",
    ),
    "v stays empty": (
        changed(MOMENTUM, (MOMENTUM[MOMENTUM.index("        if self.v is") : MOMENTUM.index(LOOP)], ""),
                ("self.v = None", "self.v = {}")),
        "`self.v` is an empty dict: it is never filled with zeros like each parameter; " + PUT_RIGHT,
    ),
    "self.lr - lr": (
        changed(MOMENTUM, ("self.lr = lr", "self.lr - lr")),
        "line 5, `self.lr - lr`: `self.lr - lr` in line 5 computes something and keeps nothing: "
        "`self.lr = lr` is meant; " + PUT_RIGHT,
    ),
    "self.momentum == momentum": (
        changed(MOMENTUM, ("self.momentum = momentum", "self.momentum == momentum")),
        "`self.momentum = momentum` is meant; " + PUT_RIGHT,
    ),
    "lr = lr": (
        changed(MOMENTUM, ("self.lr = lr", "lr = lr")),
        "`lr = lr` in line 5 makes a local name: `self.lr = ...` is meant; " + PUT_RIGHT,
    ),
    "lr for self.lr": (
        changed(MOMENTUM, ("- self.lr * grads", "- lr * grads")),
        "there is no `lr` here: `self.lr` is meant; " + PUT_RIGHT,
    ),
    "self.momentun": (
        changed(MOMENTUM, ("self.momentum * self.v", "self.momentun * self.v")),
        "`self.momentun` does not exist: `self.momentum` is meant; " + PUT_RIGHT,
    ),
    "np.zeros_lik": (
        changed(MOMENTUM, ("np.zeros_like", "np.zeros_lik")),
        "the module numpy has no `zeros_lik`: `zeros_like()` is meant; " + PUT_RIGHT,
    ),
    "params.keys": (
        changed(MOMENTUM, ("params.keys()", "params.keys")),
        "`params.keys` lacks its brackets: `params.keys()` is meant; " + PUT_RIGHT,
    ),
    "no items": (
        changed(MOMENTUM, ("params.items()", "params")),
        "takes the names apart: `params.items()` is meant; " + PUT_RIGHT,
    ),
    "def update(params, grads)": (
        changed(SGD, ("update(self, params, grads)", "update(params, grads)")),
        "it is defined as `def update(self, params, grads)`",
    ),
    "grads for grads[key]": (
        changed(SGD, ("grads[key]", "grads")),
        "a whole dict stands here where one of its arrays is meant, such as `grads[key]`",
    ),
    "t counted too late": (
        changed(ADAM, ("        self.t += 1\n", ""), ("np.sqrt(1.0 - self.beta2**self.t)", "1.0")),
        "`1 - beta**t` is zero at t = 0",
    ),
}  # fmt: skip

# Another rule: what it is equal to.
BEHAVIOUR = {
    "+ for *": (
        changed(MOMENTUM, ("self.momentum * self.v", "self.momentum + self.v")),
        "differs from momentum[book] at step 1; equal to it with `+` for `*` in front of the velocity",
    ),
    "eps inside, adagrad": (
        changed(ADAGRAD, ("(np.sqrt(self.h[key]) + 1e-7)", "np.sqrt(self.h[key] + 1e-7)")),
        "differs from adagrad[book] at step 1; equal to it with `eps` inside the root, `sqrt(h + eps)` for `sqrt(h) +",
    ),
    "eps inside, rmsprop": (
        changed(RMSPROP, ("(np.sqrt(self.h[key]) + 1e-7)", "np.sqrt(self.h[key] + 1e-7)")),
        "differs from rmsprop[book] at step 1; equal to it with `eps` inside the root",
    ),
    "eps inside, adam": (
        changed(ADAM, ("(np.sqrt(self.v[key]) + 1e-7)", "np.sqrt(self.v[key] + 1e-7)")),
        "differs from adam[book] at step 1; equal to it with `eps` inside the root",
    ),
    "the doubled velocity": (
        NESTEROV[: NESTEROV.index("            params[key] +=")] + """\
            self.v[key] *= self.momentum
            self.v[key] -= self.lr * grads[key]
            params[key] += self.momentum * self.momentum * self.v[key]
            params[key] -= (1 + self.momentum) * self.lr * grads[key]
""",
        "equal to it with the velocity updated before `w` reads it, which counts the momentum twice",
    ),
    "update inside the if": (
        changed(MOMENTUM, ("\n" + LOOP, LOOP.replace("        for", "            for")),
                ("            " + VELOCITY, "                " + VELOCITY),
                ("            params[key] +=", "                params[key] +=")),
        "with an update at the first call only: line 16 stands inside of `if self.v is None:` in line 10",
    ),
    "no minus": (
        changed(SGD, ("-= self.lr", "+= self.lr")),
        "differs from sgd[book] at step 1; equal to it with `+` for `-` in front of `lr * g`",
    ),
    "no root": (
        changed(ADAGRAD, ("np.sqrt(self.h[key])", "self.h[key]")),
        "differs from adagrad[book] at step 1; equal to it without the root of `h`",
    ),
    "no square": (
        changed(ADAM, ("grads[key]**2", "abs(grads[key])")),
        "differs from adam[book] at step 1; equal to it with `abs(g)` for `g**2`",
    ),
    "no bias correction": (
        changed(ADAM, (" * np.sqrt(1.0 - self.beta2**self.t) / (1.0 - self.beta1**self.t)", "")),
        "differs from adam[book] at step 1; equal to it without bias correction",
    ),
    "betas exchanged": (
        changed(ADAM, ("self.beta1 = beta1", "self.beta1 = beta2"), ("self.beta2 = beta2", "self.beta2 = beta1"),
                ("beta1=0.9, beta2=0.999", "beta1=0.999, beta2=0.9")),
        "adam[book], equal to the last bit",
    ),
    "betas exchanged in the formulas": (
        changed(ADAM, ("self.beta1)", "self.B)"), ("self.beta2)", "self.beta1)"), ("self.B)", "self.beta2)")),
        "`beta",
    ),
    "t counted for each parameter": (
        changed(ADAM, ("        self.t += 1\n        lr_t", "        lr_t"),
                ("        lr_t = self.lr * np.sqrt(1.0 - self.beta2**self.t) / (1.0 - self.beta1**self.t)\n" + LOOP,
                 LOOP + "            self.t += 1\n            lr_t = self.lr * np.sqrt(1.0 - self.beta2**self.t) / "
                 "(1.0 - self.beta1**self.t)\n")),
        "differs from adam[book] at step 1; equal to it with a `t` that counts parameters for steps",
    ),
    "t never counted": (
        changed(ADAM, ("        self.t += 1\n", "")),
        "differs from adam[book] at step 1; equal to it with a `t` that is one behind, 0 at the first step",
    ),
    "made anew at each call": (
        changed(MOMENTUM, ("        if self.v is None:\n", "        if True:\n")),
        "differs from momentum[book] at step 2; equal to it with a state that starts anew at each call",
    ),
    "only the first parameter": (
        changed(SGD, ("params[key] -= self.lr * grads[key]", "params[key] -= self.lr * grads[key]; return")),
        "is not sgd[book]; equal to it for W1 alone: b1, W2, b2 never change, the `return` in line 9 stands inside of",
    ),
    "lr changed by the update": (
        changed(SGD, ("        for key", "        self.lr *= 0.99\n        for key")),
        "equal to it with a `lr` that it changes itself, from 0.0099 to 0.00547157 by step 60",
    ),
    "nothing moves": (
        changed(SGD, ("params[key] -= self.lr", "params[key] - self.lr")),
        "no parameter changed in 100 steps: line 9: `params[key] - self.lr * grads[key]` computes something and",
    ),
    "opposite, rmsprop": (
        changed(RMSPROP, ("class RMSprop", "class Optimizer1"), ("params[key] -=", "params[key] +=")),
        "differs from rmsprop[book] at step 1; equal to it with `+` for `-` in front of `lr * g / (sqrt(h) + eps)`",
    ),
    "opposite, adam": (
        changed(ADAM, ("class Adam", "class Optimizer1"),
                ("lr_t * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)", MOMENTS), ("params[key] -=", "params[key] +="),
                (" * np.sqrt(1.0 - self.beta2**self.t)", "")),
        "differs from adam[torch] at step 1; equal to it with `+` for `-` in front of `lr / (1 - beta1**t) * (m / (ro",
    ),
    "opposite, momentum": (
        changed(MOMENTUM, ("class Momentum", "class Optimizer1"), ("params[key] +=", "params[key] -=")),
        "differs from momentum[book] at step 1; equal to it with `+` for `-` in front of `lr * g`",
    ),
    "lr twice": (
        changed(MOMENTUM, ("class Momentum", "class Optimizer1"), ("+= self.v[key]", "+= self.lr * self.v[key]")),
        "differs from momentum[book] at step 1; equal to it with the step multiplied by `lr` once more",
    ),
    "brackets lost": (
        changed(ADAM, ("(np.sqrt(self.v[key]) + 1e-7)", "np.sqrt(self.v[key]) + 1e-7")),
        "differs from adam[book] at step 1; equal to it without the brackets around `sqrt(v) + eps`",
    ),
    "arguments exchanged": (
        changed(MOMENTUM, ("params, grads", "grads, params")),
        "no parameter changed in 100 steps: `update` is called as update(params, grads), and defined as update(gra",
    ),
    "params emptied": (
        changed(SGD, ("        for key", "        params.clear()\n        for key")),
        "`params` has to keep its names, and `update` takes 'W1', 'b1', 'W2', 'b2' out of it",
    ),
    "two slips": (
        changed(ADAM, ("(np.sqrt(self.v[key]) + 1e-7)", "np.sqrt(self.v[key] + 1e-7)"),
                ("(1.0 - self.beta1**self.t)", "1.0")),
        "differs from adam[book] at step 1; equal to it ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("source, said", ERRORS.values(), ids=ERRORS)
def test_a_slip_that_python_stops_at(written, source, said):
    found = identify(written(source))
    assert said in str(found)
    assert not found
    assert found.outcome == "error"


@pytest.mark.parametrize("source, said", BEHAVIOUR.values(), ids=BEHAVIOUR)
def test_a_slip_that_runs(written, source, said):
    assert said in str(identify(written(source)))


def test_no_import_of_numpy(written):
    found = identify(written(MOMENTUM, head="# nothing is imported\n"))
    assert "there is no `np` here: `import numpy as np` is missing at the top of the file; " + PUT_RIGHT in str(found)
