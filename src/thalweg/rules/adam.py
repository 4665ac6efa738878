"""Adam and its relatives: momentum, divided by the root of past squared gradients."""

from __future__ import annotations

from thalweg.rule import rule, term
from thalweg.words import abs, log, maximum, sqrt  # noqa: A004

SQUARES = {"v": "[0, inf)"}


# 1 + r + ... + r**(t - 1), rounded up. Near r = 1 the quotient of differences is lost in rounding, and t terms of the
# largest one are as good. The product at the end is how a text says infinity: a power that large would be an error.
@term
def powers(r, t):
    if abs(1 - r) * t < 1e-6:
        series = t * maximum(1.0, r) ** (t - 1)
    elif r < 1 or t * log(r) < 700:
        series = (1 - r**t) / (1 - r)
    else:
        series = 1e300 * 1e300
    return series


# |m_hat| / sqrt(v_hat), for whatever gradients up to t. With a for beta1, b for beta2, g_k for the gradient of k steps
# ago, and sums over k = 0 ... t - 1, the inequality of Cauchy and Schwarz says
#
#     sum(a**k |g_k|)  =  sum((a**2 / b)**(k/2) b**(k/2) |g_k|)  <=  sqrt(sum((a**2 / b)**k) sum(b**k g_k**2)),
#
# where the left side is |m| / (1 - a), or more, and the last sum is v / (1 - b); the rest are the corrections. It holds
# with equality for g_k proportional to (a / b)**k. The series stays bounded for a**2 < b, and grows with t otherwise.
# For b = 0 and a > 0 there is no bound: v has forgotten the large gradient that m remembers. In floats it has above 0
# already, where g**2 is rounded beside an older v; below 1e-3 nothing is promised but for the first step.
# Section 2.1 of Kingma & Ba has the limit for many steps and sparse gradients, and 1 for others, which steps exceed by
# little.
@term
def at_most(lr, beta1, beta2, t):
    series = powers(beta1 * beta1 / maximum(beta2, 1e-3), t)
    ratio = (1 - beta1) / (1 - beta1**t) * sqrt((1 - beta2**t) / (1 - beta2) * series)
    ratio = 1e300 * 1e300 if beta2 < 1e-3 and t > 1 else ratio
    bound = lr * ratio if lr > 0 else 0.0
    return bound


@rule(source="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1", ranges=SQUARES, default="book", bound=at_most)
def adam(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * m_hat / (sqrt(v_hat + eps_root) + eps)
    return w, m, v


# Both corrections are in the rate, and eps is added to the root of the uncorrected v.
@adam.convention(
    "book",
    source="Deep Learning from Scratch, common/optimizer.py; Kingma & Ba 2015, section 2, last paragraph",
    ranges=SQUARES,
    bound=at_most,
)
def adam_book(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7, eps_root=0.0):
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g**2 - v)
    w = w - lr_t * m / (sqrt(v + eps_root) + eps)
    return w, m, v


# eps_root stands beside the corrected v, as in Algorithm 1 and optax.
@adam.convention("torch", source="torch.optim.Adam", ranges=SQUARES, bound=at_most)
def adam_torch(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g * g
    root = sqrt(v + (1 - beta2**t) * eps_root) / sqrt(1 - beta2**t)
    w = w - lr / (1 - beta1**t) * (m / (root + eps))
    return w, m, v


adam_book.also("keras", source="keras.optimizers.Adam")
adam_book.also("tensorflow", source="TensorFlow's keras.optimizers.legacy.Adam")


@adam.convention("optax", source="optax.adam, which has no default lr", ranges=SQUARES, bound=at_most)
def adam_optax(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * (m_hat / (sqrt(v_hat + eps_root) + eps))
    return w, m, v


@adam.convention(
    "sklearn", source="scikit-learn, neural_network.MLPClassifier(solver='adam')", ranges=SQUARES, bound=at_most
)
def adam_sklearn(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    w = w - lr_t * m / (sqrt(v + eps_root) + eps)
    return w, m, v


adam_sklearn.also("pennylane", source="PennyLane, AdamOptimizer; stepsize is lr", lr=0.01, beta2=0.99)


@adam.convention(
    "mlx", source="mlx.optimizers.Adam, which corrects no bias by default and has no default lr", ranges=SQUARES
)
def adam_mlx(w, g, m, v, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    w = w - lr * m / (sqrt(v + eps_root) + eps)
    return w, m, v
