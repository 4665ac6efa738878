"""Rules that take the sign of the gradient or of its average, so that all elements move equally far, and Rprop."""

from __future__ import annotations

from thalweg.language.state import full
from thalweg.rule import rule, term
from thalweg.words import clip, sign, where


@term
def rate(lr):
    return lr


@term
def largest(max_step_size):
    return max_step_size


# Where the gradient is zero its sign is zero.
@rule(
    source="Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, arXiv:1802.04434, Algorithm 1",
    title="SignSGD",
    bound=rate,
)
def signsgd(w, g, *, lr=1e-3):
    w = w - lr * sign(g)
    return w


signsgd.also("optax", source="optax.sign_sgd, which has no default lr")


@rule(
    source="Bernstein, Wang, Azizzadenesheli & Anandkumar 2018, arXiv:1802.04434, Algorithm 2",
    title="Signum",
    bound=rate,
    contains={"signsgd[paper]": {"momentum": 0.0}},
)
def signum(w, g, m, *, lr=1e-3, momentum=0.9):
    m = momentum * m + (1 - momentum) * g
    w = w - lr * sign(m)
    return w, m


signum.also("optax", source="optax.signum, which has no default lr; momentum is its beta")


# The step looks ahead with beta1; what is kept decays more slowly, with beta2.
@rule(
    source="Chen et al. 2023, arXiv:2302.06675, Algorithm 2",
    title="Lion",
    bound=rate,
    contains={"signum[paper]": {"beta1": 0.9, "beta2": 0.9, "weight_decay": 0.0}},
)
def lion(w, g, m, *, lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0.0):
    c = beta1 * m + (1 - beta1) * g
    m = beta2 * m + (1 - beta2) * g
    w = w - lr * (sign(c) + weight_decay * w)
    return w, m


# Keras decays the parameter before the step, which is the same number up to rounding.
@lion.convention("keras", source="keras.optimizers.Lion(weight_decay=)", bound=rate)
def lion_keras(w, g, m, *, lr=1e-3, beta1=0.9, beta2=0.99, weight_decay=0.0):
    w = w - w * weight_decay * lr
    c = beta1 * m + (1 - beta1) * g
    w = w - lr * sign(c)
    m = beta2 * m + (1 - beta2) * g
    return w, m


lion.also("optax", source="optax.lion, which has no default lr", weight_decay=1e-3)


# Lion with beta1 = beta2. Su's own code multiplies lr by the root mean square of each matrix, halves it for biases and
# does not decay these; that is a choice of lr for each tensor and not part of the rule.
@rule(
    source="Su 2023, github.com/bojone/tiger; momentum is its beta",
    title="Tiger",
    bound=rate,
    contains={"signum[paper]": {"weight_decay": 0.0}},
)
def tiger(w, g, m, *, lr=1e-3, momentum=0.965, weight_decay=0.01):
    m = momentum * m + (1 - momentum) * g
    w = w - lr * (sign(m) + weight_decay * w)
    return w, m


# Each element has a step size of its own, which starts at lr. After a change of sign the gradient counts as zero, so
# that nothing moves and the step size is not shortened twice (iRprop-: Igel & Huesken 2000).
@rule(
    source="torch.optim.Rprop; Riedmiller & Braun 1993",
    state={"delta": full("lr")},
    ranges={
        "eta_minus": "(0, 1)",
        "eta_plus": "(1, inf)",
        "min_step_size": "[0, inf)",
        "max_step_size": "(0, inf)",
        "delta": "[0, inf)",
    },
    title="Rprop",
    convention="torch",
    bound=largest,
)
def rprop(w, g, prev, delta, *, lr=0.01, eta_minus=0.5, eta_plus=1.2, min_step_size=1e-6, max_step_size=50.0):
    agreement = g * prev
    delta = where(agreement > 0, eta_plus * delta, where(agreement < 0, eta_minus * delta, delta))
    delta = clip(delta, min_step_size, max_step_size)
    prev = where(agreement < 0, 0.0, g)
    w = w - sign(prev) * delta
    return w, prev, delta
