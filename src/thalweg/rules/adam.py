"""Adam and its relatives: momentum, divided by the root of past squared gradients."""

from __future__ import annotations

from thalweg.rule import rule, term
from thalweg.words import sqrt

SQUARES = {"v": "[0, inf)"}


# |m_hat| / sqrt(v_hat) by the inequality of Cauchy and Schwarz, for whatever gradients up to t. Section 2.1 of Kingma &
# Ba has its limit for many steps and sparse gradients, and 1 for others, which steps exceed by little.
@term
def at_most(lr, beta1, beta2, t):
    ratio = beta1 * beta1 / beta2 if beta2 > 0 else 1e150
    series = t if ratio == 1 else (1 - ratio**t) / (1 - ratio)
    bound = lr * (1 - beta1) / (1 - beta1**t) * sqrt((1 - beta2**t) / (1 - beta2) * series)
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
