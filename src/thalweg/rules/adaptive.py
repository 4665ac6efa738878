"""Rules that divide by the root of past squared gradients, without momentum."""

from __future__ import annotations

from thalweg.language.state import full
from thalweg.rule import rule
from thalweg.words import sqrt

BOOK = "Saito, Deep Learning from Scratch, O'Reilly Japan 2016, section 6.1"


# eps is the paper's delta, which is added to the root and may be zero there.
@rule(source="Duchi, Hazan & Singer 2011, JMLR 12, figure 1 (diagonal)", title="AdaGrad", default="book")
def adagrad(w, g, h, *, lr=0.01, eps=1e-8):
    h = h + g**2
    w = w - lr * g / (eps + sqrt(h))
    return w, h


@adagrad.convention("book", source=f"{BOOK}, eq. (6.5) and (6.6)")
def adagrad_book(w, g, h, *, lr=0.01, eps=1e-7):
    h = h + g * g
    w = w - lr * g / (sqrt(h) + eps)
    return w, h


@adagrad.convention("torch", source="torch.optim.Adagrad", state={"h": full("initial_accumulator")})
def adagrad_torch(w, g, h, *, t, lr=0.01, lr_decay=0.0, initial_accumulator=0.0, eps=1e-10):
    h = h + g * g
    w = w - lr / (1 + (t - 1) * lr_decay) * (g / (sqrt(h) + eps))
    return w, h


# The lecture divides by the bare root; eps is outside of it, as nearly everybody writes it.
@rule(
    source="Tieleman & Hinton 2012, lecture 6e of Neural Networks for Machine Learning, slide 29",
    title="RMSprop",
    default="book",
)
def rmsprop(w, g, v, *, lr=0.01, decay_rate=0.9, eps=1e-8):
    v = decay_rate * v + (1 - decay_rate) * g**2
    w = w - lr * g / (sqrt(v) + eps)
    return w, v


@rmsprop.convention("book", source="Deep Learning from Scratch, common/optimizer.py")
def rmsprop_book(w, g, h, *, lr=0.01, decay_rate=0.99, eps=1e-7):
    h = decay_rate * h + (1 - decay_rate) * g * g
    w = w - lr * g / (sqrt(h) + eps)
    return w, h


@rmsprop.convention("torch", source="torch.optim.RMSprop; decay_rate is its alpha")
def rmsprop_torch(w, g, v, *, lr=0.01, decay_rate=0.99, eps=1e-8):
    v = decay_rate * v + (1 - decay_rate) * g**2
    w = w - lr * (g / (sqrt(v) + eps))
    return w, v
