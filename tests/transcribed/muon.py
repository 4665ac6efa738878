"""Muon: the momentum of a matrix, brought near to the next orthogonal one; vectors take steps of Adam.

A matrix is (inputs, outputs). Where a library's is (outputs, inputs), rows and columns change places: five steps of
X (a + b X'X + c X'X X'X) are those of (a + b XX' + c XX'XX') X, so that nothing but the factor of the shape is
concerned. Which of both products is smaller does not matter either.

What five steps make of a rounding error: singular values are at most one at first, and at most 1.2024 after each step.
A step may be as steep as 3.97 there, at the largest of them. But such a value is near one again after the next step,
where a step is flat, so that k steps in a row are steepest at zero, for any k > 1: a^k, a = 3.4445, which is 485 for
all five (computed on a fine grid; a difference of two values, or a sum, as it comes in where the vectors turn, is no
steeper). 1e-16 of the norm of the momentum becomes 5e-14 of a step at most; lr = 0.23 and 40 steps allow 5e-13 in the
end.
"""

from __future__ import annotations

from mpmath import matrix, mnorm, mpf, sqrt

from tests.transcribed.base import paper

A, B, C = mpf("3.4445"), mpf("-4.7750"), mpf("2.0315")
BLOG = "Jordan et al. 2024, kellerjordan.github.io/posts/muon, Newton-Schulz in five steps"


def average(old, new, beta):
    """The moving averages of some numbers; what there is at the start is zero."""
    return [beta * a + (1 - beta) * b for a, b in zip(old or [mpf(0)] * len(new), new, strict=True)]


def folded(x, shape):
    """The matrix whose elements stand in C order."""
    return matrix([x[i : i + shape[1]] for i in range(0, len(x), shape[1])])


def norm(x):
    return mnorm(x, "f")


def near_orthogonal(x):
    """Five steps towards the matrix of the same singular vectors whose singular values are one."""
    for _ in range(5):
        square = x * x.T
        x = A * x + (B * square + C * square * square) * x
    return x


def adam(w, g, s, t, rate, decay, beta1, beta2, eps, eps_root):
    """The step of Adam; decay: the part of the parameter that goes."""
    s["m"], s["v"] = average(s["m"], g, beta1), average(s["v"], [x**2 for x in g], beta2)
    steps = [
        m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t) + eps_root) + eps) for m, v in zip(s["m"], s["v"], strict=True)
    ]
    return [p - decay * p - rate * x for p, x in zip(w, steps, strict=True)]


NUMBERS = dict(lr=0.23, momentum=0.71, eps=6.3, weight_decay=0.19)
OF_VECTORS = dict(lr_1d=0.31, beta1=0.63, beta2=0.92, eps_1d=5e-2, weight_decay_1d=0.13, eps_root=8e-2)


# Momentum is averaged, and Nesterov's is the average of it and the gradient. Vectors, which torch.optim.Muon refuses,
# are AdamW's; their numbers are by default those of the authors' code.
@paper(
    "muon",
    "torch",
    equation=f"{BLOG}; torch.optim.Muon, the algorithm of its documentation; torch.optim.AdamW",
    level="tensor",
    decades=2.0,
    other=NUMBERS | OF_VECTORS,
)
def muon_torch(w, g, s, t, shape, **numbers):
    return muon_clamped(w, g, s, t, shape, lambda fan_in, fan_out: sqrt(max(mpf(1), mpf(fan_out) / fan_in)), **numbers)


@paper(
    "muon",
    "torch-match-rms",
    equation='Liu et al. 2025, arXiv:2502.16982, eq. (4); torch.optim.Muon(adjust_lr_fn="match_rms_adamw")',
    level="tensor",
    decades=2.0,
    other=NUMBERS | OF_VECTORS,
)
def muon_torch_match_rms(w, g, s, t, shape, **numbers):
    return muon_clamped(w, g, s, t, shape, lambda fan_in, fan_out: mpf("0.2") * sqrt(max(fan_in, fan_out)), **numbers)


def muon_clamped(
    w, g, s, t, shape, factor, lr, momentum, eps, weight_decay, lr_1d, beta1, beta2, eps_1d, weight_decay_1d,
    eps_root,
):  # fmt: skip
    """The norm counts for eps at least."""
    if len(shape) < 2:
        return adam(w, g, s, t, lr_1d, lr_1d * weight_decay_1d, beta1, beta2, eps_1d, eps_root)
    s["b"] = average(s["b"], g, momentum)
    u = folded(average(s["b"], g, momentum), shape)
    x = near_orthogonal(u / max(norm(u), eps))
    return [p - lr * weight_decay * p - lr * factor(*shape) * a for p, a in zip(w, x, strict=True)]


@paper(
    "muon",
    "authors",
    equation=f"{BLOG}; KellerJordan/Muon, muon.py, muon_update and adam_update",
    level="tensor",
    decades=2.0,
    other=NUMBERS | OF_VECTORS,
)
def muon_authors(
    w, g, s, t, shape, lr, momentum, eps, weight_decay, lr_1d, beta1, beta2, eps_1d, weight_decay_1d, eps_root
):
    if len(shape) < 2:
        return adam(w, g, s, t, lr_1d, lr_1d * weight_decay_1d, beta1, beta2, eps_1d, eps_root)
    s["b"] = average(s["b"], g, momentum)
    u = folded(average(s["b"], g, momentum), shape)
    x = near_orthogonal(u / (norm(u) + eps))
    fan_in, fan_out = shape
    rate = lr * sqrt(max(mpf(1), mpf(fan_out) / fan_in))
    return [p - lr * weight_decay * p - rate * a for p, a in zip(w, x, strict=True)]


# Momentum is summed. Of vectors, and of all else that has not two axes, eps stands beside the root that is not
# corrected; the decay of all takes the rate of matrices.
@paper(
    "muon",
    "keras",
    equation="keras/src/optimizers/muon.py: _muon_update_step, lr_adjust, _adamw_update_step, _apply_weight_decay",
    level="tensor",
    decades=2.0,
    other=NUMBERS
    | dict(rms_rate=0.37, lr_ratio=1.7, beta1=0.63, beta2=0.92, eps_1d=5e-2, weight_decay_1d=0.13, eps_root=8e-2),
)
def muon_keras(
    w, g, s, t, shape, lr, momentum, eps, weight_decay, rms_rate, lr_ratio, beta1, beta2, eps_1d, weight_decay_1d,
    eps_root,
):  # fmt: skip
    if len(shape) != 2:
        corrected = 1 - beta2**t
        return adam(
            w,
            g,
            s,
            t,
            lr * lr_ratio,
            lr * weight_decay_1d,
            beta1,
            beta2,
            eps_1d / sqrt(corrected),
            eps_root / corrected,
        )
    s["m"] = [momentum * m + x for m, x in zip(s["m"] or [mpf(0)] * len(g), g, strict=True)]
    u = folded([x + momentum * m for m, x in zip(s["m"], g, strict=True)], shape)
    x = near_orthogonal(u / (norm(u) + eps))
    rate = lr * sqrt(max(shape)) * rms_rate
    return [p - lr * weight_decay * p - rate * a for p, a in zip(w, x, strict=True)]


def nesterov(m, g, beta, t):
    """Dozat's average of what will be the average of the gradients and the gradient, both corrected."""
    return [beta * a / (1 - beta ** (t + 1)) + (1 - beta) * b / (1 - beta**t) for a, b in zip(m, g, strict=True)]


# Vectors have the same momentum, and what is divided by is corrected; their decay takes their own rate.
@paper(
    "muon",
    "optax",
    equation="optax.contrib.muon: scale_by_muon, scale_by_shape; optax.nadamw",
    level="tensor",
    decades=2.0,
    other=NUMBERS | dict(lr_ratio=1.7, beta1=0.63, beta2=0.92, weight_decay_1d=0.13, eps_root=8e-2),
)
def muon_optax(w, g, s, t, shape, lr, momentum, eps, weight_decay, lr_ratio, beta1, beta2, weight_decay_1d, eps_root):
    if len(shape) != 2:
        s["m"], s["v"] = average(s["m"], g, beta1), average(s["v"], [x**2 for x in g], beta2)
        u = [
            m / (sqrt(v / (1 - beta2**t) + eps_root) + eps)
            for m, v in zip(nesterov(s["m"], g, beta1, t), s["v"], strict=True)
        ]
        return [p - lr * lr_ratio * (x + weight_decay_1d * p) for p, x in zip(w, u, strict=True)]
    s["m"] = average(s["m"], g, momentum)
    u = folded(nesterov(s["m"], g, momentum, t), shape)
    x = near_orthogonal(u / (norm(u) + eps))
    fan_in, fan_out = shape
    scale = sqrt(max(mpf(1), mpf(fan_out) / fan_in))
    return [p - lr * (scale * a + weight_decay * p) for p, a in zip(w, x, strict=True)]
