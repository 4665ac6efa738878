"""AggMo, QHM and averaged SGD."""

from __future__ import annotations

from tests.transcribed.base import ONE, paper


@paper(
    "aggmo",
    "paper",
    equation="Lucas et al. 2018, arXiv:1804.00325, eq. (3) and (4)",
    other=dict(lr=0.37, beta1=0.21, beta2=0.74, beta3=0.93),
)
def aggmo(w, g, s, t, lr, beta1, beta2, beta3):
    betas = (beta1, beta2, beta3)
    for i, beta in enumerate(betas):
        s[i] = beta * s[i] - g
    return w + lr / len(betas) * sum(s[i] for i in range(len(betas)))


@paper(
    "qhm",
    "paper",
    equation="Ma & Yarats 2018, arXiv:1810.06801, eq. (3) and (4)",
    other=dict(lr=0.37, momentum=0.62, nu=0.45),
)
def qhm(w, g, s, t, lr, momentum, nu):
    s["average"] = momentum * s["average"] + (1 - momentum) * g
    return w - lr * ((1 - nu) * g + nu * s["average"])


@paper(
    "asgd",
    "torch",
    equation="Polyak & Juditsky 1992; torch.optim.ASGD, _single_tensor_asgd",
    other=dict(lr=0.37, lambd=0.05, alpha=0.61, t0=8.0),
    later=dict(lr=0.19),
    average="average",
)
def asgd(w, g, s, t, lr, lambd, alpha, t0):
    before = t - 1  # rates are computed at the end of a step, for the next one
    eta = s["eta"] or lr
    s["eta"] = lr / (1 + lambd * lr * t) ** alpha
    mu = 1 / max(ONE, before - t0)
    w = (1 - lambd * eta) * w - eta * g
    s["average"] += mu * (w - s["average"])
    return w
