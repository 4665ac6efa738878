"""Adam and its relatives: momentum, divided by the root of past squared gradients."""

from __future__ import annotations

from thalweg.rule import rule
from thalweg.words import sqrt


@rule(source="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1", default="book")
def adam(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * m_hat / (sqrt(v_hat) + eps)
    return w, m, v


# Both corrections are in the rate, and eps is added to the root of the uncorrected v.
@adam.convention(
    "book", source="Deep Learning from Scratch, common/optimizer.py; Kingma & Ba 2015, section 2, last paragraph"
)
def adam_book(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7):
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g**2 - v)
    w = w - lr_t * m / (sqrt(v) + eps)
    return w, m, v


@adam.convention("torch", source="torch.optim.Adam")
def adam_torch(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g * g
    w = w - lr / (1 - beta1**t) * (m / (sqrt(v) / sqrt(1 - beta2**t) + eps))
    return w, m, v
