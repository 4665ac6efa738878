"""Momentum in other forms: several at once, mixed with the gradient, or as an average of the parameters."""

from __future__ import annotations

from thalweg.language.state import number
from thalweg.rule import rule
from thalweg.words import maximum


# The paper's velocities are -b. Their number is fixed here: three, with the factors that the paper recommends.
@rule(
    source="Lucas, Sun, Zemel & Grosse 2019, arXiv:1804.00325, section 3, with K = 3 and no default lr",
    title="AggMo",
    contains={"sgd[paper]": {"beta1": 0.0, "beta2": 0.0, "beta3": 0.0}},
)
def aggmo(w, g, b1, b2, b3, *, lr=0.1, beta1=0.0, beta2=0.9, beta3=0.99):
    b1 = beta1 * b1 + g
    b2 = beta2 * b2 + g
    b3 = beta3 * b3 + g
    w = w - lr / 3 * (b1 + b2 + b3)
    return w, b1, b2, b3


# nu = 0 is gradient descent, nu = 1 momentum as an average. The defaults are the paper's rule of thumb.
@rule(
    source="Ma & Yarats 2019, arXiv:1810.06801, eq. (3) and (4); momentum is beta",
    ranges={"nu": "[0, 1]"},
    title="QHM",
    contains={"sgd[paper]": {"nu": 0.0}, "momentum[ema]": {"nu": 1.0}},
)
def qhm(w, g, m, *, lr=1.0, momentum=0.999, nu=0.7):
    m = momentum * m + (1 - momentum) * g
    w = w - lr * ((1 - nu) * g + nu * m)
    return w, m


# Until t0 the average is the parameter itself. As in torch, eta and mu at step t are those of the end of t - 1: a
# change of lr is felt one step later.
@rule(
    source="torch.optim.ASGD; Polyak & Juditsky 1992, the rates of Bottou's sgd 2.0",
    ranges={"lambd": "[0, inf)", "alpha": "[0, inf)", "t0": "[0, inf)"},
    title="ASGD",
    convention="torch",
    average="ax",
    state={"eta": number("lr")},
)
def asgd(w, g, ax, eta, *, t, lr=0.01, lambd=1e-4, alpha=0.75, t0=1e6):
    mu = 1 / maximum(1, t - 1 - t0)
    w = (1 - lambd * eta) * w
    w = w - eta * g
    ax = w if mu == 1 else ax + mu * (w - ax)
    eta = lr / (1 + lambd * lr * t) ** alpha
    return w, ax, eta
