"""Second moments of a matrix kept as one number a row and one a column; vectors keep all of theirs."""

from __future__ import annotations

from thalweg.language.state import columns, rows
from thalweg.rule import rule
from thalweg.words import amax, maximum, mean, minimum, rms, sqrt, sum, where  # noqa: A004

SQUARES = "[0, inf)"
FACTORS = {"r": rows(), "c": columns()}
NUMBERS = {"decay": "[0, inf)", "clipping": "(0, inf)"}
OF_MATRICES = {"r": SQUARES, "c": SQUARES, **NUMBERS}
OF_VECTORS = {"v": SQUARES, **NUMBERS}
SHAZEER = "Shazeer & Stern 2018, arXiv:1804.04235"

# In every form rows and columns are the last two axes. Where R C / sum(R) is taken the division stands first: the
# product of two small squares underflows in float32.


# The paper has no lr: the relative step size is at most 1e-2.
@rule(source=f"{SHAZEER}, Algorithm 5", ranges=OF_VECTORS)
def adafactor_vector(w, g, v, *, t, decay=0.8, eps1=1e-30, eps2=1e-3, clipping=1.0, eps_root=0.0):
    rate = maximum(eps2, rms(w)) * minimum(1e-2, 1 / sqrt(t))
    beta = 1 - t**-decay
    v = beta * v + (1 - beta) * (g**2 + eps1)
    u = g / sqrt(v + eps_root)
    u = u / maximum(1.0, rms(u) / clipping)
    w = w - rate * u
    return w, v


@rule(source=f"{SHAZEER}, Algorithm 4", state=FACTORS, ranges=OF_MATRICES, default="torch", vectors=adafactor_vector)
def adafactor(w, g, r, c, *, t, decay=0.8, eps1=1e-30, eps2=1e-3, clipping=1.0, eps_root=0.0):
    rate = maximum(eps2, rms(w)) * minimum(1e-2, 1 / sqrt(t))
    beta = 1 - t**-decay
    r = beta * r + (1 - beta) * sum(g**2 + eps1, axis=-1)
    c = beta * c + (1 - beta) * sum(g**2 + eps1, axis=-2)
    v = r / sum(r, axis=-2) * c
    u = g / sqrt(v + eps_root)
    u = u / maximum(1.0, rms(u) / clipping)
    w = w - rate * u
    return w, r, c


# Nothing is added to squares; what is divided by is held above eps1 instead, which is float64's epsilon for every dtype
# here, and in torch that of the parameter. lr takes the place of the paper's 1e-2.
@adafactor_vector.convention("torch", source="torch.optim.Adafactor", ranges=OF_VECTORS)
def adafactor_vector_torch(
    w, g, v, *, t, lr=0.01, decay=0.8, eps1=2.220446049250313e-16, eps2=1e-3, clipping=1.0, weight_decay=0.0,
    eps_root=0.0,
):  # fmt: skip
    rate = maximum(eps2, rms(w)) * minimum(lr, 1 / sqrt(t))
    w = w * (1 - lr * weight_decay)
    v = v + t**-decay * (g * g - v)
    u = g / sqrt(maximum(v, eps1 * eps1) + eps_root)
    w = w - rate / maximum(1.0, rms(u) / clipping) * u
    return w, v


@adafactor.convention(
    "torch",
    source="torch.optim.Adafactor; decay is its -beta2_decay, eps1 and eps2 its eps, clipping its d",
    state=FACTORS,
    ranges=OF_MATRICES,
    vectors=adafactor_vector_torch,
)
def adafactor_torch(
    w, g, r, c, *, t, lr=0.01, decay=0.8, eps1=2.220446049250313e-16, eps2=1e-3, clipping=1.0, weight_decay=0.0,
    eps_root=0.0,
):  # fmt: skip
    rate = maximum(eps2, rms(w)) * minimum(lr, 1 / sqrt(t))
    w = w * (1 - lr * weight_decay)
    r = r + t**-decay * (mean(g * g, axis=-1) - r)
    c = c + t**-decay * (mean(g * g, axis=-2) - c)
    v = r / maximum(mean(r, axis=-2), eps1) * c
    u = g / sqrt(maximum(v, eps1 * eps1) + eps_root)
    w = w - rate / maximum(1.0, rms(u) / clipping) * u
    return w, r, c


# Keras takes the size of the parameter after its decay. It keeps v for every matrix too, which nothing reads.
@adafactor_vector.convention("keras", source="keras.optimizers.Adafactor", ranges=OF_VECTORS)
def adafactor_vector_keras(
    w, g, v, *, t, lr=1e-3, decay=0.8, eps1=1e-30, eps2=1e-3, clipping=1.0, weight_decay=0.0, eps_root=0.0
):
    w = w - w * weight_decay * lr
    rate = maximum(eps2, rms(w)) * minimum(lr, 1 / sqrt(t))
    beta = 1 - t**-decay
    v = beta * v + (1 - beta) * (g**2 + eps1)
    u = g / sqrt(v + eps_root)
    u = u / maximum(1.0, rms(u) / clipping)
    w = w - rate * u
    return w, v


@adafactor.convention(
    "keras",
    source="keras.optimizers.Adafactor; decay is its -beta_2_decay, eps1 and eps2 its epsilon_1 and epsilon_2",
    state=FACTORS,
    ranges=OF_MATRICES,
    vectors=adafactor_vector_keras,
)
def adafactor_keras(
    w, g, r, c, *, t, lr=1e-3, decay=0.8, eps1=1e-30, eps2=1e-3, clipping=1.0, weight_decay=0.0, eps_root=0.0
):
    w = w - w * weight_decay * lr
    rate = maximum(eps2, rms(w)) * minimum(lr, 1 / sqrt(t))
    beta = 1 - t**-decay
    r = beta * r + (1 - beta) * mean(g**2 + eps1, axis=-1)
    c = beta * c + (1 - beta) * mean(g**2 + eps1, axis=-2)
    v = r / mean(r, axis=-2) * c
    u = g / sqrt(v + eps_root)
    u = u / maximum(1.0, rms(u) / clipping)
    w = w - rate * u
    return w, r, c


# lr multiplies the step and bounds nothing: 1 stands for optax's default, which is none. Weight decay is not multiplied
# by it. optax computes t**-decay in float32, factors the two largest axes and only those of 128 and more
# (min_dim_size_to_factor), and its floor of the parameter's size, eps2 here, is fixed. A matrix has two roots, and
# eps_root in both.
@adafactor_vector.convention("optax", source="optax.adafactor", ranges=OF_VECTORS)
def adafactor_vector_optax(
    w, g, v, *, t, lr=1.0, decay=0.8, eps1=1e-30, eps2=1e-3, clipping=1.0, weight_decay=0.0, eps_root=0.0
):
    beta = 1 - t**-decay
    v = beta * v + (1 - beta) * (g**2 + eps1)
    u = g * (1 / sqrt(v + eps_root))
    u = u / maximum(1.0, rms(u) / clipping)
    w = w - (u * lr * maximum(eps2, rms(w)) + weight_decay * w)
    return w, v


@adafactor.convention(
    "optax",
    source="optax.adafactor; lr is its learning_rate, decay its decay_rate, eps1 its eps, clipping its "
    "clipping_threshold, weight_decay its weight_decay_rate",
    state=FACTORS,
    ranges=OF_MATRICES,
    vectors=adafactor_vector_optax,
)
def adafactor_optax(
    w, g, r, c, *, t, lr=1.0, decay=0.8, eps1=1e-30, eps2=1e-3, clipping=1.0, weight_decay=0.0, eps_root=0.0
):
    beta = 1 - t**-decay
    r = beta * r + (1 - beta) * mean(g**2 + eps1, axis=-1)
    c = beta * c + (1 - beta) * mean(g**2 + eps1, axis=-2)
    u = g * (1 / sqrt(r / mean(r, axis=-2) + eps_root)) * (1 / sqrt(c + eps_root))
    u = u / maximum(1.0, rms(u) / clipping)
    w = w - (u * lr * maximum(eps2, rms(w)) + weight_decay * w)
    return w, r, c


# Each element of a vector is a set of its cover, so that nothing is shared: AdaGrad, with momentum.
@rule(source="Anil et al. 2019, arXiv:1901.11150, Algorithm SM3-II, and the authors' sm3.py", ranges={"v": SQUARES})
def sm3_vector(w, g, m, v, *, lr=0.1, momentum=0.9, eps=1e-30, eps_root=0.0):
    v = v + g**2
    m = momentum * m + (1 - momentum) * where(v > 0, g / sqrt(v + eps + eps_root), 0.0)
    w = w - lr * m
    return w, m, v


# The cover is the rows and the columns of the last two axes; the authors' code takes one set a position on every axis,
# which is another cover from three axes on. The paper has no eps and lets 0 / 0 be 0; eps and the average of scaled
# gradients are those of the authors' code.
@rule(
    source="Anil et al. 2019, arXiv:1901.11150, Algorithm SM3-II, and the authors' sm3.py",
    state=FACTORS,
    ranges={"r": SQUARES, "c": SQUARES},
    title="SM3",
    vectors=sm3_vector,
)
def sm3(w, g, m, r, c, *, lr=0.1, momentum=0.9, eps=1e-30, eps_root=0.0):
    v = minimum(r, c) + g**2
    m = momentum * m + (1 - momentum) * where(v > 0, g / sqrt(v + eps + eps_root), 0.0)
    r = amax(v, axis=-1)
    c = amax(v, axis=-2)
    w = w - lr * m
    return w, m, r, c


sm3.also("optax", source="optax.sm3, which has no default lr; its eps is fixed", eps=1e-8)
