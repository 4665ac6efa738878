"""Adam with another norm, with Nesterov's momentum, with a maximum of v, and with a warm-up of its own."""

from __future__ import annotations

from thalweg.language.state import number
from thalweg.rule import rule, term
from thalweg.rules.adam import at_most, powers
from thalweg.words import abs, maximum, sqrt, where  # noqa: A004

SQUARES = {"v": "[0, inf)"}
NORMS = {"u": "[0, inf)"}
MAXIMA = {"v": "[0, inf)", "v_max": "[0, inf)"}
PRODUCT = {"mu_product": number(1.0)}


# u is at least beta2**k times the gradient of k steps ago, so that m, in which it has the weight (1 - beta1) beta1**k,
# is at most u times the sum of (1 - beta1) (beta1 / beta2)**k. As for Adam there is no bound at beta2 = 0, and none is
# promised below 1e-3. The paper's own bound is lr, which holds for beta2 = 1.
@term
def adamax_at_most(lr, beta1, beta2, t):
    series = powers(beta1 / maximum(beta2, 1e-3), t)
    ratio = (1 - beta1) / (1 - beta1**t) * series
    ratio = 1e300 * 1e300 if beta2 < 1e-3 and t > 1 else ratio
    bound = lr * ratio if lr > 0 else 0.0
    return bound


# As printed, without an eps. Where there has been no gradient yet, 0/0 is taken for no step.
@rule(
    source="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 2",
    ranges=NORMS,
    title="AdaMax",
    default="torch",
    bound=adamax_at_most,
)
def adamax(w, g, m, u, *, t, lr=2e-3, beta1=0.9, beta2=0.999):
    m = beta1 * m + (1 - beta1) * g
    u = maximum(beta2 * u, abs(g))
    w = w - lr / (1 - beta1**t) * where(u > 0, m / u, 0.0)
    return w, m, u


# eps goes into u by way of every gradient.
@adamax.convention("torch", source="torch.optim.Adamax", ranges=NORMS, bound=adamax_at_most)
def adamax_torch(w, g, m, u, *, t, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m = m + (1 - beta1) * (g - m)
    u = maximum(beta2 * u, abs(g) + eps)
    w = w - lr / (1 - beta1**t) * (m / u)
    return w, m, u


@adamax.convention("keras", source="keras.optimizers.Adamax", ranges=NORMS, bound=adamax_at_most)
def adamax_keras(w, g, m, u, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7):
    m = m + (1 - beta1) * (g - m)
    u = maximum(beta2 * u, abs(g))
    w = w - lr * m / ((1 - beta1**t) * (u + eps))
    return w, m, u


@adamax.convention("optax", source="optax.adamax, which has no default lr", ranges=NORMS, bound=adamax_at_most)
def adamax_optax(w, g, m, u, *, t, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    u = maximum(abs(g) + eps, beta2 * u)
    w = w - lr * (m / (1 - beta1**t) / u)
    return w, m, u


@adamax.convention("mlx", source="mlx.optimizers.Adamax, which corrects no bias and has no default lr", ranges=NORMS)
def adamax_mlx(w, g, m, u, *, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    u = maximum(beta2 * u, abs(g))
    w = w - lr * m / (u + eps)
    return w, m, u


# The momentum is constant here, which the paper lets depend on t. The factor beta2 of v_hat is the paper's alone.
@rule(
    source="Dozat 2016, ICLR workshop, Incorporating Nesterov Momentum into Adam, Algorithm 2",
    ranges=SQUARES,
    title="NAdam",
    default="torch",
)
def nadam(w, g, m, v, *, t, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = beta1 * m / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)
    v_hat = beta2 * v / (1 - beta2**t)
    w = w - lr / (sqrt(v_hat + eps_root) + eps) * m_hat
    return w, m, v


# The step's momentum mu grows towards beta1; m is averaged with beta1 from the start, where the paper has mu. torch
# subtracts the share of the gradient and that of m one after the other.
@nadam.convention("torch", source="torch.optim.NAdam", state=PRODUCT, ranges=SQUARES)
def nadam_torch(
    w, g, m, v, mu_product, *, t, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8, momentum_decay=4e-3, eps_root=0.0
):
    mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
    mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
    mu_product = mu_product * mu
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g * g
    root = sqrt(v / (1 - beta2**t) + eps_root) + eps
    of_g = lr * (1 - mu) / (1 - mu_product) * (g / root)
    of_m = lr * mu_next / (1 - mu_product * mu_next) * (m / root)
    w = w - (of_g + of_m)
    return w, m, v, mu_product


# Keras has no momentum_decay, and is at 1: its mu is all but beta1 after a hundred steps.
@nadam.convention("keras", source="keras.optimizers.Nadam", state=PRODUCT, ranges=SQUARES)
def nadam_keras(
    w, g, m, v, mu_product, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7, momentum_decay=1.0, eps_root=0.0
):
    mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
    mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
    mu_product = mu_product * mu
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g**2 - v)
    m_hat = mu_next * m / (1 - mu_product * mu_next) + (1 - mu) * g / (1 - mu_product)
    w = w - lr * m_hat / (sqrt(v / (1 - beta2**t) + eps_root) + eps)
    return w, m, v, mu_product


@nadam.convention("optax", source="optax.nadam, which has no default lr", ranges=SQUARES)
def nadam_optax(w, g, m, v, *, t, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = beta1 * (m / (1 - beta1 ** (t + 1))) + (1 - beta1) * (g / (1 - beta1**t))
    w = w - lr * (m_hat / (sqrt(v / (1 - beta2**t) + eps_root) + eps))
    return w, m, v


# As printed: no bias is corrected, and there is no eps; 0/0, before the first gradient, is taken for no step. lr and
# beta1 are constant here, which the paper lets depend on t.
@rule(
    source="Reddi, Kale & Kumar 2018, arXiv:1904.09237, Algorithm 2",
    ranges=MAXIMA,
    title="AMSGrad",
    default="torch",
)
def amsgrad(w, g, m, v, v_max, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=0.0, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_max = maximum(v_max, v)
    root = sqrt(v_max + eps_root) + eps
    w = w - lr * where(root > 0, m / root, 0.0)
    return w, m, v, v_max


# The maximum is of the uncorrected v, and is corrected then; eps_root stands beside the corrected one.
@amsgrad.convention("torch", source="torch.optim.Adam(amsgrad=True)", ranges=MAXIMA, bound=at_most)
def amsgrad_torch(w, g, m, v, v_max, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g * g
    v_max = maximum(v_max, v)
    root = sqrt(v_max + (1 - beta2**t) * eps_root) / sqrt(1 - beta2**t)
    w = w - lr / (1 - beta1**t) * (m / (root + eps))
    return w, m, v, v_max


@amsgrad.convention("keras", source="keras.optimizers.Adam(amsgrad=True)", ranges=MAXIMA, bound=at_most)
def amsgrad_keras(w, g, m, v, v_max, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7, eps_root=0.0):
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g**2 - v)
    v_max = maximum(v_max, v)
    w = w - lr_t * m / (sqrt(v_max + eps_root) + eps)
    return w, m, v, v_max


# The maximum is of the corrected v, which weighs the first steps more.
@amsgrad.convention("optax", source="optax.amsgrad, which has no default lr", ranges=MAXIMA)
def amsgrad_optax(w, g, m, v, v_max, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_max = maximum(v_max, v / (1 - beta2**t))
    w = w - lr * (m_hat / (sqrt(v_max + eps_root) + eps))
    return w, m, v, v_max


# As printed, without an eps; 0/0, before the first gradient, is taken for no step.
@rule(
    source="Liu et al. 2020, arXiv:1908.03265, Algorithm 2",
    ranges=SQUARES,
    title="RAdam",
    default="torch",
)
def radam(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=0.0, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    root = sqrt(v / (1 - beta2**t) + eps_root) + eps
    if rho > 4:
        r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        u = where(root > 0, m_hat / root, 0.0)
    else:
        r = 1.0
        u = m_hat
    w = w - lr * (r * u)
    return w, m, v


# torch waits until rho is above 5, and adds eps to the root of the uncorrected v.
@radam.convention("torch", source="torch.optim.RAdam", ranges=SQUARES)
def radam_torch(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g * g
    m_hat = m / (1 - beta1**t)
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho > 5:
        r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        u = m_hat * lr * (sqrt(1 - beta2**t) / (sqrt(v + eps_root) + eps))
    else:
        r = 1.0
        u = m_hat * lr
    w = w - r * u
    return w, m, v


# Below 4 there is no r, so that a smaller threshold has no meaning.
@radam.convention("optax", source="optax.radam, which has no default lr", ranges={**SQUARES, "threshold": "[4, inf)"})
def radam_optax(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, threshold=5.0, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    rho_inf = 2 / (1 - beta2) - 1
    rho = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho >= threshold:
        r = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        u = m_hat / (sqrt(v_hat + eps_root) + eps)
    else:
        r = 1.0
        u = m_hat
    w = w - lr * (r * u)
    return w, m, v
