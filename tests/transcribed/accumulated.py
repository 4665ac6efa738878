"""AdaDelta, MADGRAD and FTRL."""

from __future__ import annotations

from mpmath import cbrt, sign, sqrt

from tests.transcribed.base import ZERO, paper


@paper(
    "adadelta",
    "paper",
    "torch",
    "keras",
    "optax",
    equation="Zeiler 2012, arXiv:1212.5701, Algorithm 1",
    other=dict(lr=0.37, decay_rate=0.71, eps=2e-3, eps_root=0.14),
)
def adadelta(w, g, s, t, lr, decay_rate, eps, eps_root):
    s["gradients"] = decay_rate * s["gradients"] + (1 - decay_rate) * g**2
    step = -sqrt(s["steps"] + eps + eps_root) / sqrt(s["gradients"] + eps + eps_root) * g
    s["steps"] = decay_rate * s["steps"] + (1 - decay_rate) * step**2
    return w + lr * step


def dual_averaging(w, g, s, t, rate, momentum, eps, eps_root):
    """MADGRAD at a rate; where there has been no gradient it stays."""
    if t == 1:
        s["start"] = w
    s["sum"] += rate * sqrt(t) * g
    s["squares"] += rate * sqrt(t) * g * g
    root = cbrt(s["squares"] + eps_root) + eps
    z = s["start"] - (s["sum"] / root if root else ZERO)
    return momentum * w + (1 - momentum) * z


MADGRAD = "Defazio & Jelassi 2021, arXiv:2101.11075, Algorithm 1"


# eps is added to the rate, too, as in the code of the authors and of optax; in the former, to a rate that is not zero.
@paper("madgrad", "optax", equation=MADGRAD, other=dict(lr=0.37, momentum=0.62, eps=2e-3, eps_root=0.14))
def madgrad(w, g, s, t, lr, momentum, eps, eps_root):
    return dual_averaging(w, g, s, t, lr + eps, momentum, eps, eps_root)


@paper(
    "madgrad",
    "authors",
    equation=f"{MADGRAD}; facebookresearch/madgrad, step",
    other=dict(lr=0.37, momentum=0.62, eps=2e-3, eps_root=0.14),
    edges=[dict(lr=0.0), dict(eps=0.0, eps_root=0.0)],
)
def madgrad_authors(w, g, s, t, lr, momentum, eps, eps_root):
    return dual_averaging(w, g, s, t, lr + eps if lr else ZERO, momentum, eps, eps_root)


@paper(
    "ftrl",
    "paper",
    equation="McMahan et al. 2013, Ad Click Prediction, Algorithm 1",
    other=dict(lr=0.37, beta=0.58, l1=30.0, l2=0.29, eps_root=0.14),
)
def ftrl(w, g, s, t, lr, beta, l1, l2, eps_root):
    sigma = (sqrt(s["n"] + g**2 + eps_root) - sqrt(s["n"] + eps_root)) / lr
    s["z"] += g - sigma * w
    s["n"] += g**2
    if abs(s["z"]) <= l1:
        return ZERO
    return -(s["z"] - sign(s["z"]) * l1) / ((beta + sqrt(s["n"] + eps_root)) / lr + l2)


@paper(
    "ftrl",
    "keras",
    equation="keras.optimizers.Ftrl, update_step",
    other=dict(
        lr=0.37,
        lr_power=-0.64,
        initial_accumulator=0.26,
        l1=0.13,
        l2=0.29,
        l2_shrinkage=0.17,
        beta=0.58,
        eps_root=0.14,
    ),
)
def ftrl_keras(w, g, s, t, lr, lr_power, initial_accumulator, l1, l2, l2_shrinkage, beta, eps_root):
    old = initial_accumulator if t == 1 else s["n"]
    s["n"] = old + g**2
    before, after = ((n + eps_root) ** -lr_power for n in (old, s["n"]))
    s["z"] += g + 2 * l2_shrinkage * w - (after - before) / lr * w
    clipped = min(max(s["z"], -l1), l1)
    return (clipped - s["z"]) / (after / lr + 2 * (l2 + beta / (2 * lr)))
