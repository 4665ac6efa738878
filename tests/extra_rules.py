"""Three rules beyond the six, each for a kind of state of the language; written here as a user would write them."""

from __future__ import annotations

from thalweg import columns, copy, full, number, rows, rule, shared, term
from thalweg.words import abs, maximum, mean, norm, rms, sqrt, sum, total  # noqa: A004


@rule(
    source="Ginsburg et al. 2019, arXiv:1905.11286, Algorithm 1; m starts at `initial_momentum`",
    state={"m": full("initial_momentum"), "v": number(0.0)},
)
def novograd(w, g, m, v, *, t, lr=0.01, beta1=0.95, beta2=0.98, eps=1e-8, weight_decay=0.0, initial_momentum=0.0):
    v = norm(g) ** 2 if t == 1 else beta2 * v + (1 - beta2) * norm(g) ** 2
    m = beta1 * m + (g / (sqrt(v) + eps) + weight_decay * w)
    w = w - lr * m
    return w, m, v


@rule(
    source="Mishchenko & Defazio 2023, arXiv:2306.06101, Algorithm 4",
    state={"x0": copy("w"), "r": shared(0.0), "d": shared("d0")},
)
def prodigy(w, g, m, v, s, x0, r, d, *, t, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8, d0=1e-6):
    beta3 = sqrt(beta2)
    rate = d * lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    r = beta3 * r + d / d0 * rate * total(sum(g * (x0 - w)))
    s = beta3 * s + d / d0 * rate * g
    m = beta1 * m + (1 - beta1) * d * g
    v = beta2 * v + (1 - beta2) * d**2 * g**2
    length = total(sum(abs(s)))
    d = maximum(d, r / length) if length > 0 else d
    w = w - rate * m / (sqrt(v) + d * eps)
    return w, m, v, s, x0, r, d


@term
def ema(average, x, beta):
    return beta * average + (1 - beta) * x


@rule(
    source="Shazeer & Stern 2018, arXiv:1804.04235, Algorithm 4",
    state={"r": rows(), "c": columns()},
)
def adafactor(w, g, r, c, *, t, eps1=1e-30, eps2=1e-3, clipping=1.0, decay=0.8):
    rho = 1 / sqrt(t) if t > 10000 else 1e-2
    beta = 1 - t**-decay
    r = ema(r, mean(g**2 + eps1, axis=-1), beta)
    c = ema(c, mean(g**2 + eps1, axis=-2), beta)
    v = r / mean(r, axis=-2) * c
    u = g / sqrt(v)
    u = u / maximum(1.0, rms(u) / clipping)
    w = w - maximum(eps2, rms(w)) * rho * u
    return w, r, c
