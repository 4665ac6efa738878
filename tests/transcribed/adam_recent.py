"""QHAdam, LaProp, ADOPT, AdEMAMix, Adan, Grams, Adam-atan2 and StableAdamW."""

from __future__ import annotations

from mpmath import atan2, exp, fsum, log, mpf, root, sign, sqrt

from tests.transcribed.base import paper


def average(s, name, x, beta):
    """Move the average s[name] towards x."""
    s[name] = beta * s[name] + (1 - beta) * x
    return s[name]


@paper(
    "qhadam",
    "paper",
    equation="Ma & Yarats 2019, arXiv:1810.06801, section 4.3, algorithm QHAdam",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, nu1=0.37, nu2=0.82, eps=5e-3, eps_root=4e-2),
)
def qhadam(w, g, s, t, lr, beta1, beta2, nu1, nu2, eps, eps_root):
    g_hat = average(s, "g", g, beta1) / (1 - beta1**t)
    s_hat = average(s, "s", g**2, beta2) / (1 - beta2**t)
    numerator = (1 - nu1) * g + nu1 * g_hat
    return w - lr * numerator / (sqrt((1 - nu2) * g**2 + nu2 * s_hat + eps_root) + eps)


LAPROP = dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, eps_root=4e-2)


@paper("laprop", "paper", equation="Ziyin, Wang & Ueda 2020, arXiv:2002.04839, Algorithm 1", other=LAPROP)
def laprop(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    n_hat = average(s, "n", g**2, beta2) / (1 - beta2**t)
    m = average(s, "m", g / (sqrt(n_hat + eps_root) + eps), beta1)
    return w - lr * m / (1 - beta1**t)


# lr is a factor of what m averages, and m is divided by the average of lr over lr, which is 1 where lr is zero.
@paper(
    "laprop",
    "authors",
    equation="Z-T-WANG/LaProp-Optimizer, laprop.py, step",
    other=LAPROP,
    later=dict(lr=0.08),
    edges=[dict(lr=0.0)],
)
def laprop_authors(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    n_hat = average(s, "n", g**2, beta2) / (1 - beta2**t)
    m = average(s, "m", lr * g / (sqrt(n_hat + eps_root) + eps), beta1)
    lr_average = average(s, "lr", lr, beta1)
    return w - m / (lr_average / lr if lr else 1)


# v_0 is the square of the first gradient, which is used for nothing else.
@paper(
    "adopt",
    "authors",
    "optax",
    equation="Taniguchi et al. 2024, arXiv:2411.02853v3, Algorithm 2, with c_t = t^(1/4)",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, eps=0.37, eps_root=0.08),
    decades=4.0,  # over more of them v is never below eps
)
def adopt(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    if t == 1:
        s["v"] = g**2
        return w
    k = t - 1
    c = root(k, 4)
    normed = g / max(sqrt(s["v"] + eps_root), eps)
    m = average(s, "m", min(max(normed, -c), c), beta1)
    average(s, "v", g**2, beta2)
    return w - lr * m


# Without a clip, and m starts as the first normed gradient, all of it.
@paper(
    "adopt",
    "paper",
    equation="Taniguchi et al. 2024, arXiv:2411.02853v1, Algorithm 2",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, eps_root=1e-5),
)
def adopt_first_version(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    if t == 1:
        s["v"] = g**2
        return w
    normed = g / max(sqrt(s["v"] + eps_root), eps)
    s["m"] = normed if t == 2 else beta1 * s["m"] + (1 - beta1) * normed
    average(s, "v", g**2, beta2)
    return w - lr * s["m"]


def mixed(w, g, s, t, lr, beta1, beta2, beta3, alpha, eps, weight_decay, eps_root):
    """AdEMAMix at the alpha and beta3 of this step."""
    m1_hat = average(s, "m1", g, beta1) / (1 - beta1**t)
    m2 = average(s, "m2", g, beta3)
    nu_hat = average(s, "nu", g**2, beta2) / (1 - beta2**t)
    return w - lr * ((m1_hat + alpha * m2) / (sqrt(nu_hat + eps_root) + eps) + weight_decay * w)


MIXED = dict(lr=0.23, beta1=0.71, beta2=0.964, beta3=0.985, alpha=3.7, eps=5e-3, weight_decay=0.19, eps_root=4e-2)


# No warm-up where its length is zero.
@paper(
    "ademamix",
    "paper",
    equation="Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137, section 3.1, Algorithm 1, eq. (2) and (3)",
    other=MIXED | dict(t_alpha=17.0, t_beta3=26.0),
    edges=[dict(beta1=0.93, beta3=0.58)],  # the warm-up of beta3 is at most beta3
)
def ademamix(w, g, s, t, lr, beta1, beta2, beta3, alpha, eps, weight_decay, t_alpha, t_beta3, eps_root):
    alpha_t = min(t * alpha / t_alpha, alpha) if t_alpha else alpha
    beta3_t = beta3
    if t_beta3:
        a = mpf(t) / t_beta3
        start, end = log(beta1), log(beta3)
        beta3_t = min(exp(start * end / ((1 - a) * end + a * start)), beta3) if a < 1 else beta3
    return mixed(w, g, s, t, lr, beta1, beta2, beta3_t, alpha_t, eps, weight_decay, eps_root)


paper("ademamix", "optax", equation="optax.contrib.ademamix: arXiv:2409.03137 without warm-up", other=MIXED)(mixed)


@paper(
    "ademamix",
    "simplified",
    equation="Morwani et al. 2025, arXiv:2502.02431, Algorithm 1",
    other=dict(lr=0.023, beta1=0.71, beta2=0.964, alpha=3.7, eps=5e-3, eps_root=4e-2),
)
def ademamix_simplified(w, g, s, t, lr, beta1, beta2, alpha, eps, eps_root):
    s["m"] = beta1 * s["m"] + g
    nu_hat = average(s, "nu", g**2, beta2) / (1 - beta2**t)
    return w - lr * (alpha * g + s["m"]) / (sqrt(nu_hat + eps_root) + eps)


ADAN = dict(lr=0.23, beta1=0.71, beta2=0.64, beta3=0.964, eps=5e-3, weight_decay=0.19, eps_root=4e-2)


def adan_direction(g, s, t, beta1, beta2, beta3, eps, eps_root, share):
    """The direction; betas are one less the paper's, and share is the weight of the difference."""
    difference = g - s["last"] if t > 1 else 0
    s["last"] = g
    m = average(s, "m", g, beta1) / (1 - beta1**t)
    v = average(s, "v", difference, beta2) / (1 - beta2**t)
    n = average(s, "n", (g + share * difference) ** 2, beta3) / (1 - beta3**t)
    return (m + share * v) / (sqrt(n + eps_root) + eps)


@paper("adan", "authors", equation="Xie et al. 2022, arXiv:2208.06677, Algorithm 1, eq. (11), 1 - beta", other=ADAN)
def adan(w, g, s, t, lr, beta1, beta2, beta3, eps, weight_decay, eps_root):
    u = adan_direction(g, s, t, beta1, beta2, beta3, eps, eps_root, beta2)
    return (w - lr * u) / (1 + lr * weight_decay)


@paper("adan", "authors-no-prox", equation="arXiv:2208.06677, eq. (11) as for AdamW; Adan(no_prox=True)", other=ADAN)
def adan_no_prox(w, g, s, t, lr, beta1, beta2, beta3, eps, weight_decay, eps_root):
    u = adan_direction(g, s, t, beta1, beta2, beta3, eps, eps_root, beta2)
    return (1 - lr * weight_decay) * w - lr * u


# optax takes one less the decay for the share, where Algorithm 1, in these betas, takes the decay.
@paper("adan", "optax", equation="optax.adan, update_fn of scale_by_adan", other=ADAN)
def adan_optax(w, g, s, t, lr, beta1, beta2, beta3, eps, weight_decay, eps_root):
    u = adan_direction(g, s, t, beta1, beta2, beta3, eps, eps_root, 1 - beta2)
    return w - lr * (u + weight_decay * w)


GRAMS = dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, weight_decay=0.19, eps_root=4e-2)


@paper("grams", "paper", equation="Cao, Li & Song 2024, arXiv:2412.17107, Definition 4.1, Algorithm 1", other=GRAMS)
def grams(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    m_hat = average(s, "m", g, beta1) / (1 - beta1**t)
    v_hat = average(s, "v", g**2, beta2) / (1 - beta2**t)
    u = m_hat / (sqrt(v_hat + eps_root) + eps)
    return (1 - lr * weight_decay) * w - lr * sign(g) * abs(u)


# eps is beside the root of the moment that is not corrected.
@paper("grams", "authors", equation="Gunale0926/Grams, step", other=GRAMS)
def grams_authors(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    m = average(s, "m", g, beta1)
    v = average(s, "v", g**2, beta2)
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return w - lr * weight_decay * w - rate * sign(g) * abs(m) / (sqrt(v + eps_root) + eps)


@paper(
    "adamatan2",
    "paper",
    equation="Everett et al. 2024, arXiv:2407.05872, section 4.3; decay as in arXiv:1711.05101",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, a=0.83, b=2.6, weight_decay=0.19, eps_root=4e-2),
)
def adamatan2(w, g, s, t, lr, beta1, beta2, a, b, weight_decay, eps_root):
    m_hat = average(s, "m", g, beta1) / (1 - beta1**t)
    v_hat = average(s, "v", g**2, beta2) / (1 - beta2**t)
    angle = atan2(m_hat, b * sqrt(v_hat + eps_root)) if m_hat or v_hat else 0
    return w - lr * weight_decay * w - lr * a * angle


@paper(
    "stableadamw",
    "paper",
    equation="Wortsman et al. 2023, arXiv:2304.13013, Algorithm 2",
    level="tensor",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, eps=0.37, weight_decay=0.19, eps_root=0.08),
    decades=4.0,  # over more of them v is never below the square of eps
)
def stableadamw(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    beta1_hat, beta2_hat = (beta * (1 - beta ** (t - 1)) / (1 - beta**t) for beta in (beta1, beta2))
    v, u = (s[name] or [mpf(0)] * len(w) for name in ("v", "u"))
    s["v"] = v = [beta1_hat * a + (1 - beta1_hat) * x for a, x in zip(v, g, strict=True)]
    s["u"] = u = [beta2_hat * a + (1 - beta2_hat) * x**2 for a, x in zip(u, g, strict=True)]
    rms = sqrt(fsum(x**2 / max(a, eps**2) for a, x in zip(u, g, strict=True)) / len(w))
    eta = lr / max(1, rms)
    return [p - eta * weight_decay * p - eta * m / (sqrt(a + eps_root) + eps) for p, m, a in zip(w, v, u, strict=True)]
