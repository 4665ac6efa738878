"""AdaMax, NAdam, AMSGrad and RAdam. Where numerator and denominator are both zero there is no step."""

from __future__ import annotations

from mpmath import mpf, sqrt

from tests.transcribed.base import ONE, ZERO, paper

# AdaMax ---------------------------------------------------------------------------------------------------------------

INFINITE = dict(lr=0.23, beta1=0.71, beta2=0.964)


@paper("adamax", "paper", equation="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 2", other=INFINITE)
def adamax(w, g, s, t, lr, beta1, beta2):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["u"] = max(beta2 * s["u"], abs(g))
    return w - (lr / (1 - beta1**t) * s["m"] / s["u"] if s["u"] else ZERO)


@paper(
    "adamax",
    "torch",
    "optax",
    equation="torch.optim.Adamax, the algorithm of its documentation; optax.adamax, the same",
    other=INFINITE | dict(eps=5e-3),
)
def adamax_eps_in_maximum(w, g, s, t, lr, beta1, beta2, eps):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["u"] = max(beta2 * s["u"], abs(g) + eps)
    return w - lr * s["m"] / ((1 - beta1**t) * s["u"])


@paper("adamax", "keras", equation="keras.optimizers.Adamax, update_step", other=INFINITE | dict(eps=5e-3))
def adamax_eps_outside(w, g, s, t, lr, beta1, beta2, eps):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["u"] = max(beta2 * s["u"], abs(g))
    return w - lr * s["m"] / ((1 - beta1**t) * (s["u"] + eps))


@paper("adamax", "mlx", equation="MLX, documentation of mlx.optimizers.Adamax", other=INFINITE | dict(eps=5e-3))
def adamax_uncorrected(w, g, s, t, lr, beta1, beta2, eps):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["u"] = max(beta2 * s["u"], abs(g))
    return w - lr * s["m"] / (s["u"] + eps)


# NAdam ----------------------------------------------------------------------------------------------------------------

NESTEROV = dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, eps_root=8e-2)


# n hat has the factor beta2 as it is printed; mu is the same at all steps.
@paper("nadam", "paper", equation="Dozat 2016, Algorithm 2, with mu constant", other=NESTEROV)
def nadam(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["n"] = beta2 * s["n"] + (1 - beta2) * g**2
    m_hat = beta1 * s["m"] / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)
    n_hat = beta2 * s["n"] / (1 - beta2**t)
    return w - lr / (sqrt(n_hat + eps_root) + eps) * m_hat


@paper("nadam", "optax", equation="optax.nadam, the equations of its documentation", other=NESTEROV)
def nadam_plain_root(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    m_hat = beta1 * s["m"] / (1 - beta1 ** (t + 1)) + (1 - beta1) * g / (1 - beta1**t)
    v_hat = s["v"] / (1 - beta2**t)
    return w - lr * m_hat / (sqrt(v_hat + eps_root) + eps)


@paper(
    "nadam",
    "torch",
    "keras",
    equation="torch.optim.NAdam, the algorithm of its documentation; keras.optimizers.Nadam, with momentum_decay = 1",
    other=NESTEROV | dict(momentum_decay=0.37),
)
def nadam_scheduled(w, g, s, t, lr, beta1, beta2, eps, momentum_decay, eps_root):
    def mu(i):
        return beta1 * (1 - (mpf(96) / 100) ** (i * momentum_decay) / 2)

    product = ONE
    for i in range(1, t + 1):
        product *= mu(i)
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    m_hat = mu(t + 1) * s["m"] / (1 - product * mu(t + 1)) + (1 - mu(t)) * g / (1 - product)
    v_hat = s["v"] / (1 - beta2**t)
    return w - lr * m_hat / (sqrt(v_hat + eps_root) + eps)


# AMSGrad --------------------------------------------------------------------------------------------------------------

LARGEST = dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, eps_root=8e-2)


def moments(g, s, beta1, beta2):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    return s["m"], s["v"]


# The paper has neither eps: both are zero by default.
@paper("amsgrad", "paper", equation="Reddi, Kale & Kumar 2018, arXiv:1904.09237, Algorithm 2", other=LARGEST)
def amsgrad(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    s["largest"] = max(s["largest"], v)
    root = sqrt(s["largest"] + eps_root) + eps
    return w - (lr * m / root if root else ZERO)


@paper("amsgrad", "torch", equation="torch.optim.Adam(amsgrad=True), the algorithm of its documentation", other=LARGEST)
def amsgrad_corrected_afterwards(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    s["largest"] = max(s["largest"], v)
    return w - lr * m / (1 - beta1**t) / (sqrt(s["largest"] / (1 - beta2**t) + eps_root) + eps)


@paper("amsgrad", "keras", equation="keras.optimizers.Adam(amsgrad=True), update_step", other=LARGEST)
def amsgrad_epsilon_hat(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    s["largest"] = max(s["largest"], v)
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return w - rate * m / (sqrt(s["largest"] + eps_root) + eps)


@paper("amsgrad", "optax", equation="optax.amsgrad, the equations of its documentation", other=LARGEST)
def amsgrad_corrected_before(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    s["largest"] = max(s["largest"], v / (1 - beta2**t))
    return w - lr * m / (1 - beta1**t) / (sqrt(s["largest"] + eps_root) + eps)


# RAdam ----------------------------------------------------------------------------------------------------------------

# The first steps are as long as gradients are: an eps has to be large to be seen beside them.
RECTIFIED = dict(lr=0.23, beta1=0.71, beta2=0.964, eps=37.0, eps_root=850.0)


def rectification(t, beta2):
    """Return the length of the average at step t, and a function for the factor r of that length."""
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)

    def r():
        return sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))

    return length, r


# The paper has neither eps: both are zero by default.
@paper("radam", "paper", equation="Liu et al. 2020, arXiv:1908.03265, Algorithm 2", other=RECTIFIED)
def radam(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    m_hat = m / (1 - beta1**t)
    length, r = rectification(t, beta2)
    if length <= 4:
        return w - lr * m_hat
    root = sqrt(v / (1 - beta2**t) + eps_root) + eps
    return w - (lr * r() * m_hat / root if root else ZERO)


# eps is added to the root of the uncorrected v.
@paper("radam", "torch", equation="torch.optim.RAdam, the algorithm of its documentation", other=RECTIFIED)
def radam_above_five(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    m_hat = m / (1 - beta1**t)
    length, r = rectification(t, beta2)
    if length <= 5:
        return w - lr * m_hat
    return w - lr * m_hat * r() * sqrt(1 - beta2**t) / (sqrt(v + eps_root) + eps)


@paper("radam", "optax", equation="optax.radam, scale_by_radam", other=RECTIFIED | dict(threshold=7.3))
def radam_from_threshold(w, g, s, t, lr, beta1, beta2, eps, threshold, eps_root):
    m, v = moments(g, s, beta1, beta2)
    m_hat = m / (1 - beta1**t)
    length, r = rectification(t, beta2)
    if length < threshold:
        return w - lr * m_hat
    return w - lr * r() * m_hat / (sqrt(v / (1 - beta2**t) + eps_root) + eps)
