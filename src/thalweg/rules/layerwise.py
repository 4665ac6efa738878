"""Rules whose rate depends on the norm of the whole tensor, and of its gradient."""

from __future__ import annotations

from thalweg.language.state import number
from thalweg.rule import rule
from thalweg.words import maximum, norm, sqrt

SQUARES = {"v": "[0, inf)"}
V_IS_A_NUMBER = {"v": number()}


# eps is not in the paper, and zero; nor is the ratio of one where a norm is zero, which the author's code has.
@rule(source="You, Gitman & Ginsburg 2017, arXiv:1708.03888, Algorithm 1", title="LARS")
def lars(w, g, v, *, lr=1.0, momentum=0.9, weight_decay=0.0, trust=0.001, eps=0.0):
    length, slope = norm(w), norm(g)
    ratio = trust * length / (slope + weight_decay * length + eps) if length > 0 and slope > 0 else 1.0
    v = momentum * v + lr * ratio * (g + weight_decay * w)
    w = w - v
    return w, v


# The norm is that of the gradient with its decay, where the paper adds the two norms.
@lars.convention("optax", source="optax.lars, which has no default lr; trust is its trust_coefficient")
def lars_optax(w, g, v, *, lr=1.0, momentum=0.9, weight_decay=0.0, trust=0.001, eps=0.0):
    u = g + weight_decay * w
    length, slope = norm(w), norm(u)
    ratio = trust * length / (slope + eps) if length > 0 and slope > 0 else 1.0
    v = momentum * v + lr * (u * ratio)
    w = w - v
    return w, v


# The paper's phi is the identity; where a norm is zero the ratio is one, as in the authors' code.
@rule(source="You et al. 2019, arXiv:1904.00962, Algorithm 2", ranges=SQUARES, title="LAMB")
def lamb(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0.0, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    u = m_hat / (sqrt(v_hat + eps_root) + eps) + weight_decay * w
    length, slope = norm(w), norm(u)
    ratio = length / slope if length > 0 and slope > 0 else 1.0
    w = w - lr * ratio * u
    return w, m, v


lamb.also("optax", source="optax.lamb, which has no default lr")


# The decay comes first and by itself, so that neither norm is that of the paper: it is out of u, and out of w.
@lamb.convention("keras", source="keras.optimizers.Lamb", ranges=SQUARES)
def lamb_keras(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7, weight_decay=0.0, eps_root=0.0):
    w = w - w * weight_decay * lr
    m = m + (g - m) * (1 - beta1)
    v = v + (g**2 - v) * (1 - beta2)
    u = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t) + eps_root) + eps)
    length, slope = norm(w), norm(u)
    ratio = length / slope if length > 0 and slope > 0 else 1.0
    w = w - ratio * lr * u
    return w, m, v


# v is one number a tensor. Algorithm 1 starts m without eps; here it is added in the first step as in all others, so
# that a gradient of zeros is no division by zero.
@rule(
    source="Ginsburg et al. 2019, arXiv:1905.11286, Algorithm 1",
    state=V_IS_A_NUMBER,
    ranges=SQUARES,
    title="NovoGrad",
)
def novograd(w, g, m, v, *, t, lr=0.01, beta1=0.95, beta2=0.98, eps=1e-8, weight_decay=0.0, eps_root=0.0):
    squared = norm(g) ** 2
    v = squared if t == 1 else beta2 * v + (1 - beta2) * squared
    m = beta1 * m + (g / (sqrt(v + eps_root) + eps) + weight_decay * w)
    w = w - lr * m
    return w, m, v


novograd.also("optax", source="optax.novograd, which has no default lr", beta1=0.9, beta2=0.25, eps=1e-6)


# The division keeps the step from making the tensor longer; it is done to the old parameter and to the step apart.
@rule(
    convention="authors",
    source="Bernstein et al. 2020, arXiv:2002.03432, Algorithm 1; the authors' fromage.py, "
    "https://github.com/jxbz/fromage",
)
def fromage(w, g, *, lr=0.01):
    length, slope = norm(w), norm(g)
    ratio = length / slope if length > 0 and slope > 0 else 1.0
    shrink = sqrt(1 + lr**2)
    w = w / shrink
    w = w - lr * (g * ratio) / shrink
    return w


# No norm is taken to be less than min_norm, so that a tensor of zeros moves with a short step.
@fromage.convention(
    "optax",
    source="optax.fromage, which has no default lr",
    ranges={"min_norm": "[0, inf)"},
)
def fromage_optax(w, g, *, lr=0.01, min_norm=1e-6):
    length, slope = maximum(norm(w), min_norm), maximum(norm(g), min_norm)
    ratio = length / slope if length > 0 and slope > 0 else 1.0
    shrink = 1 / sqrt(1 + lr**2)
    w = w - (lr * shrink * (g * ratio) - (shrink - 1) * w)
    return w
