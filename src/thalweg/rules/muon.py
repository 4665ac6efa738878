"""Muon: momentum whose singular values are all brought near to one."""

from __future__ import annotations

from thalweg.rule import rule, term
from thalweg.words import maximum, ncols, norm, nrows, sqrt

JORDAN = "Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/"
AUTHORS = "https://github.com/KellerJordan/Muon"
NOT_NEGATIVE = "[0, inf)"
OWN_RATE = {"v": NOT_NEGATIVE, "lr_1d": NOT_NEGATIVE, "weight_decay_1d": NOT_NEGATIVE}
SHARED_RATE = {"v": NOT_NEGATIVE, "lr_ratio": NOT_NEGATIVE, "weight_decay_1d": NOT_NEGATIVE}

# In every form a matrix is (inputs, outputs), unless the layout is "out_in". torch and the authors iterate in bfloat16
# whatever the parameter is; here it is in the parameter's dtype.


@term
def length(x):
    return norm(norm(x, axis=-1), axis=-2)


@term
def newton_schulz(x):
    a = x @ x.T
    return 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x


# The smaller one of the two products x x^T and x^T x is what the iteration squares.
@term
def orthogonal(x, over):
    y = (x.T if nrows(x) > ncols(x) else x) / over
    y = newton_schulz(y)
    y = newton_schulz(y)
    y = newton_schulz(y)
    y = newton_schulz(y)
    y = newton_schulz(y)
    return y.T if nrows(x) > ncols(x) else y


# torch leaves vectors to another optimizer. This is its AdamW, with the numbers of the authors' code.
def _vectors_torch(
    w, g, m, v, *, t, lr_1d=3e-4, beta1=0.9, beta2=0.95, eps_1d=1e-10, weight_decay_1d=0.0, eps_root=0.0
):
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g * g
    root = sqrt(v + (1 - beta2**t) * eps_root) / sqrt(1 - beta2**t)
    w = w - (lr_1d * weight_decay_1d * w + lr_1d / (1 - beta1**t) * (m / (root + eps_1d)))
    return w, m, v


# torch takes parameters of two axes alone. Here vectors go by AdamW, and a tensor of more axes is a stack of matrices,
# in its last two, each of which is orthogonalized by itself.
@rule(
    convention="torch",
    source=f"{JORDAN}; torch.optim.Muon, and torch.optim.AdamW for vectors",
    vectors=rule(source="torch.optim.AdamW", ranges=OWN_RATE)(_vectors_torch),
)
def muon(w, g, b, *, lr=1e-3, momentum=0.95, eps=1e-7, weight_decay=0.1):
    b = b + (1 - momentum) * (g - b)
    u = b - (1 - momentum) * (b - g)
    x = orthogonal(u, maximum(length(u), eps))
    w = w - (lr * weight_decay * w + lr * sqrt(maximum(1.0, ncols(w) / nrows(w))) * x)
    return w, b


# With steps of the size of AdamW's, so that its rate and decay serve as they are. What is said of axes under "torch"
# holds here too.
@muon.convention(
    "torch-match-rms",
    source='Liu et al. 2025, arXiv:2502.16982, section 2.2; torch.optim.Muon(adjust_lr_fn="match_rms_adamw")',
)
def muon_torch_match_rms(w, g, b, *, lr=1e-3, momentum=0.95, eps=1e-7, weight_decay=0.1):
    b = b + (1 - momentum) * (g - b)
    u = b - (1 - momentum) * (b - g)
    x = orthogonal(u, maximum(length(u), eps))
    w = w - (lr * weight_decay * w + lr * (0.2 * sqrt(maximum(nrows(w), ncols(w)))) * x)
    return w, b


def _vectors_authors(
    w, g, m, v, *, t, lr_1d=3e-4, beta1=0.9, beta2=0.95, eps_1d=1e-10, weight_decay_1d=0.0, eps_root=0.0
):
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g * g - v)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - (lr_1d * weight_decay_1d * w + lr_1d * (m_hat / (sqrt(v_hat + eps_root) + eps_1d)))
    return w, m, v


# A tensor of more than two axes is a stack of matrices, in its last two. In the authors' code one of three is that as
# well, and one of four, a kernel, is one matrix with as many rows as its first axis has, under the factor of its last
# two.
@muon.convention(
    "authors",
    source=f"the authors' muon.py, {AUTHORS}; lr_1d and what follows is of their Adam for vectors",
    vectors=rule(source=f"the authors' muon.py, {AUTHORS}", ranges=OWN_RATE)(_vectors_authors),
)
def muon_authors(w, g, b, *, lr=0.02, momentum=0.95, eps=1e-7, weight_decay=0.0):
    b = b + (1 - momentum) * (g - b)
    u = b - (1 - momentum) * (b - g)
    x = orthogonal(u, length(u) + eps)
    w = w - (lr * weight_decay * w + lr * (x * sqrt(maximum(1.0, ncols(w) / nrows(w)))))
    return w, b


# eps_1d is added to the root of the uncorrected v, as in Keras' Adam; the decay is not multiplied by lr_ratio.
def _vectors_keras(
    w, g, m, v, *, t, lr=1e-3, lr_ratio=1.0, beta1=0.9, beta2=0.999, eps_1d=1e-7, weight_decay_1d=0.004, eps_root=0.0
):
    lr_t = lr * lr_ratio * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = m + (g - m) * (1 - beta1)
    v = v + (g**2 - v) * (1 - beta2)
    w = w - (w * weight_decay_1d * lr + m * lr_t / (sqrt(v + eps_root) + eps_1d))
    return w, m, v


# The momentum is a sum, 1 / (1 - momentum) times larger than an average, so that eps counts for less. Only
# parameters of two axes are matrices, and all others go by AdamW. Keras knows embeddings by their names and leaves them
# to AdamW too, which is not so here.
@muon.convention(
    "keras",
    source="keras.optimizers.Muon; eps_1d is its epsilon, the other numbers of vectors those that begin with adam_",
    ranges={"rms_rate": NOT_NEGATIVE},
    vectors=rule(source="keras.optimizers.Muon", ranges=SHARED_RATE)(_vectors_keras),
    only_matrices=True,
)
def muon_keras(w, g, b, *, lr=1e-3, momentum=0.95, eps=1e-7, weight_decay=0.004, rms_rate=0.2):
    b = b + (g + b * (momentum - 1))
    u = g + momentum * b
    x = orthogonal(u, length(u) + eps)
    w = w - (w * weight_decay * lr + lr * x * sqrt(maximum(nrows(w), ncols(w))) * rms_rate)
    return w, b


# Adam with Nesterov's momentum; eps is Muon's too.
def _vectors_optax(
    w, g, m, v, *, t, lr=1e-3, lr_ratio=1.0, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay_1d=0.0, eps_root=0.0
):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = beta1 * (m / (1 - beta1 ** (t + 1))) + (1 - beta1) * (g / (1 - beta1**t))
    v_hat = v / (1 - beta2**t)
    w = w - lr * lr_ratio * (m_hat / (sqrt(v_hat + eps_root) + eps) + weight_decay_1d * w)
    return w, m, v


# Only parameters of two axes are matrices, and all others go by Adam, as in optax where no
# muon_weight_dimension_numbers are given.
@muon.convention(
    "optax",
    source="optax.contrib.muon, which has no default lr; lr_ratio is its adam_learning_rate over its learning_rate",
    vectors=rule(source="optax.contrib.muon", ranges=SHARED_RATE)(_vectors_optax),
    only_matrices=True,
)
def muon_optax(w, g, b, *, t, lr=1e-3, momentum=0.95, eps=1e-8, weight_decay=0.0):
    b = momentum * b + (1 - momentum) * g
    u = momentum * (b / (1 - momentum ** (t + 1))) + (1 - momentum) * (g / (1 - momentum**t))
    x = orthogonal(u, length(u) + eps)
    w = w - lr * (sqrt(maximum(1.0, ncols(w) / nrows(w))) * x + weight_decay * w)
    return w, b
