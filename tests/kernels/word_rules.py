"""Rules that nobody would train with: together they use every exact word, and every kind of choice."""

from __future__ import annotations

from thalweg import columns, number, rows, rule
from thalweg.words import abs, amax, clip, maximum, mean, minimum, norm, rms, sign, sqrt, square, sum, where  # noqa: A004


@rule
def selections(w, g, h, k, *, lr=0.1, low=-1.0, high=2.0):
    h = maximum(h, abs(g))
    k = minimum(k, g)
    u = clip(g, low, high) + sign(w) * minimum(w, h) - maximum(low, g) * minimum(g, high)
    u = where(u > h, u, -u) + where(g <= w, lr, g) + where(w == h, u, high)
    w = w - lr * u
    return w, h, k


@rule
def roots(w, g, h, *, lr=0.1, eps=1e-3):
    h = h + g**2 - square(w) * 0.5
    w = w - lr * (g / sqrt(h) + g**-1 * (abs(w) + eps) ** 0.5) / (+h - -g)
    return w, h


@rule(state={"n": number(0.5)})
def choices(w, g, n, *, t, lr=0.1, beta=0.9):
    size = norm(g)
    if t > 2 and size > 1:
        scale = 1 / size
    elif not amax(g) > 0 or t == 1:
        scale = sqrt(abs(amax(w)))
    else:
        scale = mean(w) if t < 3 else sum(g)
    n = beta * n + minimum(maximum(scale, -lr), 3.0)
    w = w - (lr if n < 1 else lr / n) * (g if t > 1 else w)
    return w, n


@rule(state={"r": rows(), "c": columns()})
def lines(w, g, r, c, *, lr=0.1):
    r = maximum(r, amax(g, axis=-1)) + sum(abs(g), axis=-1)
    c = 0.5 * c + norm(g, axis=-2) + amax(w, axis=-2)
    w = w - lr * (g / (r + c) * rms(g, axis=-2) + mean(w, axis=-1) * norm(r) - mean(c, axis=-1))
    return w, r, c


WORD_RULES = {rule.name: rule for rule in (selections, roots, choices, lines)}
