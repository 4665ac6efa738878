"""Rules that estimate how far it is to a solution, and Polyak's step: all by numbers of the whole model."""

from __future__ import annotations

from mpmath import fsum, mpf, sqrt

from tests.transcribed.base import paper


def flat(x):
    """The elements of all tensors, one after the other."""
    return [element for tensor in x for element in tensor]


def like(x, elements):
    """The elements as tensors again, of the lengths that those of x have."""
    rest = iter(elements)
    return [[next(rest) for _ in tensor] for tensor in x]


def dot(x, y):
    """The inner product of two lists."""
    return fsum(a * b for a, b in zip(x, y, strict=True))


def zeros_if_none(kept, like_this):
    """What is kept of each element; zeros before the first step."""
    return kept or [mpf(0)] * len(like_this)


# D-Adaptation ---------------------------------------------------------------------------------------------------------


# z is not kept: it is x0 - s. G is the norm of the first gradient that is not zero; as long as s is zero, d stays.
@paper(
    "dadaptsgd",
    "authors",
    equation="Defazio & Mishchenko 2023, arXiv:2301.07733, Algorithm 4; dadaptation 3.2, dadapt_sgd.py",
    level="model",
    other=dict(lr=0.83, momentum=0.71, d0=0.0037, growth_rate=1.29),
    later=dict(lr=0.64),
    edges=[dict(lr=0.0), {}],
    idle=3,
)
def dadaptsgd(w, g, s, t, lr, momentum, d0, growth_rate):
    shape, w, g = w, flat(w), flat(g)
    if t == 1:
        s["x0"], s["d"] = w, d0
    s["G"] = s["G"] or sqrt(dot(g, g))
    step = s["d"] * lr / s["G"] if s["G"] else mpf(0)
    sums = zeros_if_none(s["s"], g)
    s["numerator"] += step * dot(g, sums)
    s["s"] = [a + step * x for a, x in zip(sums, g, strict=True)]
    length = sqrt(dot(s["s"], s["s"]))
    if length:
        s["d"] = max(s["d"], min(2 * s["numerator"] / length, s["d"] * growth_rate))
    z = [x0 - a for x0, a in zip(s["x0"], s["s"], strict=True)]
    return like(shape, [momentum * x + (1 - momentum) * y for x, y in zip(w, z, strict=True)])


def dadaptadam(w, g, s, rate, beta1, beta2, eps, weight_decay, d0, growth_rate, eps_root):
    """D-Adapt Adam; rate: what multiplies d in this step. growth_rate: None for no bound."""
    shape, w, g = w, flat(w), flat(g)
    if not s["d"]:
        s["d"] = d0
    root = sqrt(beta2)
    step = s["d"] * rate
    m, v, sums = (zeros_if_none(s[name], g) for name in ("m", "v", "s"))
    inner = dot(g, [a / (sqrt(b + eps_root) + eps) for a, b in zip(sums, v, strict=True)])
    s["numerator"] = root * s["numerator"] + (1 - root) * step * inner
    s["m"] = [beta1 * a + (1 - beta1) * step * x for a, x in zip(m, g, strict=True)]
    s["v"] = [beta2 * a + (1 - beta2) * x**2 for a, x in zip(v, g, strict=True)]
    s["s"] = [root * a + (1 - root) * step * x for a, x in zip(sums, g, strict=True)]
    length = fsum(abs(a) for a in s["s"])
    if length:
        estimate = s["numerator"] / ((1 - root) * length)
        s["d"] = max(s["d"], estimate if growth_rate is None else min(estimate, s["d"] * growth_rate))
    new = [
        p - weight_decay * step * p - a / (sqrt(b + eps_root) + eps) for p, a, b in zip(w, s["m"], s["v"], strict=True)
    ]
    return like(shape, new)


@paper(
    "dadaptadam",
    "authors",
    equation="Defazio & Mishchenko 2023, arXiv:2301.07733, Algorithm 5; dadaptation 3.2, dadapt_adam.py, decouple=True",
    level="model",
    other=dict(
        lr=0.83, beta1=0.71, beta2=0.964, eps=5e-3, weight_decay=0.17, d0=0.0037, growth_rate=1.29, eps_root=0.04
    ),
    later=dict(beta2=0.53),
    edges=[{}],
    idle=3,
)
def dadaptadam_authors(w, g, s, t, lr, beta1, beta2, eps, weight_decay, d0, growth_rate, eps_root):
    return dadaptadam(w, g, s, lr, beta1, beta2, eps, weight_decay, d0, growth_rate, eps_root)


@paper(
    "dadaptadam",
    "optax",
    equation="optax/contrib/_dadapt_adamw.py, update_fn, whose rate has Adam's corrections",
    level="model",
    other=dict(lr=0.83, beta1=0.71, beta2=0.964, eps=5e-3, weight_decay=0.17, d0=0.0037, eps_root=0.04),
    later=dict(beta2=0.53),
    edges=[{}],
    idle=3,
)
def dadaptadam_optax(w, g, s, t, lr, beta1, beta2, eps, weight_decay, d0, eps_root):
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return dadaptadam(w, g, s, rate, beta1, beta2, eps, weight_decay, d0, None, eps_root)


# Prodigy --------------------------------------------------------------------------------------------------------------
# v is in units of (d g)^2, and so is what eps_root adds to it: d^2 eps_root. The numerator is a sum of x0 - w, which is
# about d0, 1e-6 by default, in the first steps and known to 2^-53 of w: far from zero that is a part in 1e10, whoever
# computes it.


# gamma is lr; eps is multiplied by the old d, and the sums by 1 - sqrt(beta2), which the quotient does not show.
@paper(
    "prodigy",
    "paper",
    equation="Mishchenko & Defazio 2023, arXiv:2306.06101, Algorithm 4",
    level="model",
    other=dict(lr=0.83, beta1=0.71, beta2=0.964, eps=5e-3, d0=0.0037, eps_root=0.04),
    from_zero=True,
    edges=[{}],
    idle=3,
)
def prodigy_paper(w, g, s, t, lr, beta1, beta2, eps, d0, eps_root):
    shape, w, g = w, flat(w), flat(g)
    if t == 1:
        s["x0"], s["d"] = w, d0
    d, root = s["d"], sqrt(beta2)
    m, v, sums = (zeros_if_none(s[name], g) for name in ("m", "v", "s"))
    s["m"] = [beta1 * a + (1 - beta1) * d * x for a, x in zip(m, g, strict=True)]
    s["v"] = [beta2 * a + (1 - beta2) * d**2 * x**2 for a, x in zip(v, g, strict=True)]
    way = [x0 - p for x0, p in zip(s["x0"], w, strict=True)]
    s["r"] = root * s["r"] + (1 - root) * lr * d**2 * dot(g, way)
    s["s"] = [root * a + (1 - root) * lr * d**2 * x for a, x in zip(sums, g, strict=True)]
    length = fsum(abs(a) for a in s["s"])
    if length:
        s["d"] = max(d, s["r"] / length)
    new = [p - lr * d * a / (sqrt(b + d**2 * eps_root) + d * eps) for p, a, b in zip(w, s["m"], s["v"], strict=True)]
    return like(shape, new)


def prodigy(w, g, s, rate, beta1, beta2, eps, weight_decay, d0, d_coef, growth_rate, eps_root):
    """Prodigy as the code has it; rate: what multiplies d in this step. growth_rate: None for no bound."""
    shape, w, g = w, flat(w), flat(g)
    if "x0" not in s:
        s["x0"], s["d"], s["d_max"] = w, d0, d0
    d, beta3 = s["d"], sqrt(beta2)
    step = d * rate
    m, v, sums = (zeros_if_none(s[name], g) for name in ("m", "v", "s"))
    way = [x0 - p for x0, p in zip(s["x0"], w, strict=True)]
    s["numerator"] = beta3 * s["numerator"] + d / d0 * step * dot(g, way)
    s["m"] = [beta1 * a + (1 - beta1) * d * x for a, x in zip(m, g, strict=True)]
    s["v"] = [beta2 * a + (1 - beta2) * d**2 * x**2 for a, x in zip(v, g, strict=True)]
    s["s"] = [beta3 * a + d / d0 * step * x for a, x in zip(sums, g, strict=True)]
    length = fsum(abs(a) for a in s["s"])
    if length:
        estimate = d_coef * s["numerator"] / length
        if growth_rate is None:
            d = max(d, estimate)
        else:
            if d == d0:
                d = max(d, estimate)
            s["d_max"] = max(s["d_max"], estimate)
            d = min(s["d_max"], d * growth_rate)
    s["d"] = d
    new = [
        p - weight_decay * step * p - step * a / (sqrt(b + d**2 * eps_root) + d * eps)
        for p, a, b in zip(w, s["m"], s["v"], strict=True)
    ]
    return like(shape, new)


@paper(
    "prodigy",
    "authors",
    equation="prodigyopt 1.1.2, prodigy.py, step: decoupled decay, no corrections, no safeguard",
    level="model",
    other=dict(
        lr=0.83,
        beta1=0.71,
        beta2=0.964,
        eps=5e-3,
        weight_decay=0.17,
        d0=0.0037,
        d_coef=0.91,
        growth_rate=1.29,
        eps_root=0.04,
    ),
    from_zero=True,
    edges=[{}],
    idle=3,
)
def prodigy_authors(w, g, s, t, lr, beta1, beta2, eps, weight_decay, d0, d_coef, growth_rate, eps_root):
    return prodigy(w, g, s, lr, beta1, beta2, eps, weight_decay, d0, d_coef, growth_rate, eps_root)


@paper(
    "prodigy",
    "optax",
    equation="optax/contrib/_prodigy.py, update_fn, whose rate has Adam's corrections",
    level="model",
    other=dict(lr=0.83, beta1=0.71, beta2=0.964, eps=5e-3, weight_decay=0.17, d0=0.0037, d_coef=0.91, eps_root=0.04),
    edges=[{}],
    idle=3,
)
def prodigy_optax(w, g, s, t, lr, beta1, beta2, eps, weight_decay, d0, d_coef, eps_root):
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return prodigy(w, g, s, rate, beta1, beta2, eps, weight_decay, d0, d_coef, None, eps_root)


# Distance over gradients ----------------------------------------------------------------------------------------------


@paper(
    "dog",
    "authors",
    "optax",
    equation="Ivgi, Hinder & Carmon 2023, arXiv:2302.12022, eq. (DoG) and section 4.1; formll/dog, _update_group_state",
    level="model",
    other=dict(lr=0.83, eps=0.37, reps_rel=0.0029, eps_root=0.59),
    decades=2.0,
    swing=3.0,  # so that eps is seen, and distances that fall
)
def dog(w, g, s, t, lr, eps, reps_rel, eps_root):
    shape, w, g = w, flat(w), flat(g)
    if t == 1:
        s["x0"], s["r"], s["G"] = w, reps_rel * (1 + sqrt(dot(w, w))), eps
    way = [x0 - p for x0, p in zip(s["x0"], w, strict=True)]
    s["r"] = max(s["r"], sqrt(dot(way, way)))
    s["G"] += dot(g, g)
    return like(shape, [p - lr * s["r"] / sqrt(s["G"] + eps_root) * x for p, x in zip(w, g, strict=True)])


# eps is also the first square of the distance.
@paper(
    "dowg",
    "authors",
    "optax",
    equation="Khaled, Mishchenko & Jin 2023, arXiv:2305.16284, Algorithm 1; rka97/dowg, dowg.py",
    level="model",
    other=dict(lr=0.83, eps=0.0037, eps_root=0.0059),
    decades=2.0,
    swing=3.0,  # as for DoG
)
def dowg(w, g, s, t, lr, eps, eps_root):
    shape, w, g = w, flat(w), flat(g)
    if t == 1:
        s["x0"], s["r2"] = w, eps
    way = [x0 - p for x0, p in zip(s["x0"], w, strict=True)]
    s["r2"] = max(s["r2"], dot(way, way))
    s["v"] += s["r2"] * dot(g, g)
    return like(shape, [p - lr * s["r2"] / (sqrt(s["v"] + eps_root) + eps) * x for p, x in zip(w, g, strict=True)])


# Polyak's step --------------------------------------------------------------------------------------------------------


# Over few decades, so that each side of the minimum is taken.
@paper(
    "polyaksgd",
    "paper",
    equation="Loizou et al. 2020, arXiv:2002.10542, eq. (4), SPS_max",
    level="model",
    other=dict(lr_max=0.13, f_min=1.7, c=0.31),
    decades=2.0,
    edges=[{}],
    idle=1,
)
def polyaksgd(w, g, s, t, lr_max, f_min, c, value):
    square = dot(flat(g), flat(g))
    rate = min((value - f_min) / (c * square), lr_max) if square else mpf(0)
    return like(w, [p - rate * x for p, x in zip(flat(w), flat(g), strict=True)])


# The gradient is scaled before its norm is taken, and there is no step from one that is all but zero.
@paper(
    "polyaksgd",
    "optax",
    equation="optax.polyak_sgd: sgd(scaling), then scale_by_polyak",
    level="model",
    other=dict(lr_max=0.13, f_min=1.7, eps=0.31, scaling=0.73),
    decades=2.0,
    edges=[dict(eps=0.0)],
    idle=1,
    swing=2.0,  # so that each side of the minimum is taken with this eps, too
)
def polyaksgd_optax(w, g, s, t, lr_max, f_min, eps, scaling, value):
    u = [scaling * x for x in flat(g)]
    square = dot(u, u) + eps
    rate = mpf(0) if square <= mpf(2) ** -52 else min((value - f_min) / square, lr_max)
    return like(w, [p - rate * x for p, x in zip(flat(w), u, strict=True)])
