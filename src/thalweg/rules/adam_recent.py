"""Adam's descendants since 2018: other momenta, other orders of normalising and averaging, other denominators."""

from __future__ import annotations

from thalweg.language.state import number
from thalweg.rule import rule, term
from thalweg.rules.adam import at_most
from thalweg.words import abs, atan2, clip, exp, log, maximum, mean, minimum, sign, sqrt  # noqa: A004

FRACTION = "[0, 1]"
NOT_NEGATIVE = "[0, inf)"
SQUARES = {"v": NOT_NEGATIVE}


# At nu1 = nu2 = 1 this is Adam. The authors' code keeps corrected averages instead of correcting them; the numbers are
# the same. eps_root stands beside the mixture.
@rule(
    source="Ma & Yarats 2019, arXiv:1810.06801, section 4, eq. (15)-(19)",
    ranges=SQUARES | {"nu1": FRACTION, "nu2": FRACTION},
    title="QHAdam",
    contains={"adam[paper]": {"nu1": 1.0, "nu2": 1.0}},
)
def qhadam(w, g, m, v, *, t, lr=1e-3, beta1=0.995, beta2=0.999, nu1=0.7, nu2=1.0, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    top = (1 - nu1) * g + nu1 * m_hat
    bottom = sqrt((1 - nu2) * g**2 + nu2 * v_hat + eps_root) + eps
    w = w - lr * (top / bottom)
    return w, m, v


# The gradient is normalised first, and averaged then.
@rule(
    source="Ziyin, Wang & Ueda 2020, arXiv:2002.04839, Algorithm 1",
    ranges=SQUARES,
    title="LaProp",
    default="authors",
)
def laprop(w, g, m, v, *, t, lr=4e-4, beta1=0.9, beta2=0.999, eps=1e-15, eps_root=0.0):
    v = beta2 * v + (1 - beta2) * g**2
    v_hat = v / (1 - beta2**t)
    m = beta1 * m + (1 - beta1) * (g / (sqrt(v_hat + eps_root) + eps))
    w = w - lr * (m / (1 - beta1**t))
    return w, m, v


# lr is inside of the average, so that a change of it comes into effect as slowly as a gradient does: the correction
# divides by the average of lr itself, over lr. At a constant lr this is the paper's form.
@laprop.convention(
    "authors",
    source="the authors' laprop.py, https://github.com/Z-T-WANG/LaProp-Optimizer",
    state={"lr_average": number()},
    ranges=SQUARES | {"lr_average": NOT_NEGATIVE},
)
def laprop_authors(w, g, m, v, lr_average, *, t, lr=4e-4, beta1=0.9, beta2=0.999, eps=1e-15, eps_root=0.0):
    v = beta2 * v + (1 - beta2) * g * g
    lr_average = beta1 * lr_average + (1 - beta1) * lr
    correction = lr_average / lr if lr > 0 else 1.0
    m = beta1 * m + (1 - beta1) * lr * (g / (sqrt(v / (1 - beta2**t) + eps_root) + eps))
    w = w - 1 / correction * m
    return w, m, v, lr_average


# The first version of the paper, and of the code: no bound, the first gradient fills v, and the second one alone is the
# first m. The paper counts these two as steps 0 and 1.
@rule(
    source="Taniguchi et al. 2024, arXiv:2411.02853v1, Algorithm 2",
    ranges=SQUARES,
    title="ADOPT",
    default="authors",
)
def adopt(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.9999, eps=1e-6, eps_root=0.0):
    beta1_t = 0.0 if t == 2 else beta1
    m = beta1_t * m + (1 - beta1_t) * (g / maximum(sqrt(v + eps_root), eps)) if t > 1 else m
    v = beta2 * v + (1 - beta2) * g**2 if t > 1 else g**2
    w = w - lr * m
    return w, m, v


@term
def adopt_at_most(lr, t):
    bound = lr * (t - 1) ** 0.25
    return bound


# Later versions bound the normalised gradient by (t - 1)**0.25 and start m at zero. The gradient is divided by what was
# known before it, which is nothing at t = 1: there is no step.
@adopt.convention(
    "authors",
    source="the authors' package torch-adopt, https://github.com/iShohei220/adopt; arXiv:2411.02853v3, Algorithm 2",
    ranges=SQUARES,
    bound=adopt_at_most,
)
def adopt_authors(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.9999, eps=1e-6, eps_root=0.0):
    bound = (t - 1) ** 0.25
    m = m + (1 - beta1) * (clip(g / maximum(sqrt(v + eps_root), eps), -bound, bound) - m) if t > 1 else m
    v = beta2 * v + (1 - beta2) * g * g if t > 1 else g * g
    w = w - lr * m
    return w, m, v


# The same numbers without a branch: at t = 1 the bound is zero.
@adopt.convention("optax", source="optax.contrib.adopt, which has no default lr", ranges=SQUARES, bound=adopt_at_most)
def adopt_optax(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.9999, eps=1e-6, eps_root=0.0):
    bound = (t - 1) ** 0.25
    beta1_t = beta1 if t > 1 else 1.0
    beta2_t = beta2 if t > 1 else 0.0
    m = (1 - beta1_t) * clip(g / maximum(sqrt(v + eps_root), eps), -bound, bound) + beta1_t * m
    v = (1 - beta2_t) * g**2 + beta2_t * v
    w = w - lr * m
    return w, m, v


# Its half-life, -log(2) / log(beta), grows linearly from that of `start` to that of `end`.
@term
def warmed_up(start, end, share):
    return minimum(exp(log(start) * log(end) / ((1 - share) * log(end) + share * log(start))), end)


# m2 is the slow average, and is not corrected: it fills as it goes. t_alpha and t_beta3 are the steps over which alpha
# and beta3 grow to what they are, the paper's T_alpha and T_beta3; zero for none.
@rule(
    source="Pagliardini, Ablin & Grangier 2024, arXiv:2409.03137, Algorithm 1",
    ranges=SQUARES | {"alpha": NOT_NEGATIVE, "t_alpha": NOT_NEGATIVE, "t_beta3": NOT_NEGATIVE},
    title="AdEMAMix",
    contains={"adam[paper]": {"alpha": 0.0, "weight_decay": 0.0}},
)
def ademamix(
    w, g, m1, m2, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, beta3=0.9999, alpha=5.0, eps=1e-8, weight_decay=0.0,
    t_alpha=0.0, t_beta3=0.0, eps_root=0.0,
):  # fmt: skip
    alpha_t = alpha * (t / t_alpha) if t < t_alpha else alpha
    beta3_t = warmed_up(beta1, beta3, t / t_beta3) if t < t_beta3 else beta3
    m1 = beta1 * m1 + (1 - beta1) * g
    m2 = beta3_t * m2 + (1 - beta3_t) * g
    v = beta2 * v + (1 - beta2) * g**2
    m1_hat = m1 / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * ((m1_hat + alpha_t * m2) / (sqrt(v_hat + eps_root) + eps) + weight_decay * w)
    return w, m1, m2, v


@ademamix.convention(
    "optax",
    source="optax.contrib.ademamix, which has no default lr and takes schedules instead of warm-up steps",
    ranges=SQUARES | {"alpha": NOT_NEGATIVE},
    contains={"adam[optax]": {"alpha": 0.0, "weight_decay": 0.0}},
)
def ademamix_optax(
    w, g, m1, m2, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, beta3=0.9999, alpha=5.0, eps=1e-8, weight_decay=0.0,
    eps_root=0.0,
):  # fmt: skip
    m1 = (1 - beta1) * g + beta1 * m1
    m2 = (1 - beta3) * g + beta3 * m2
    v = (1 - beta2) * g**2 + beta2 * v
    m1_hat = m1 / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * ((m1_hat + alpha * m2) / (sqrt(v_hat + eps_root) + eps) + weight_decay * w)
    return w, m1, m2, v


# The gradient itself takes the place of the fast average; m is a sum and no average, so that lr is about 1 - beta1
# times that of the others.
@ademamix.convention(
    "simplified",
    source="Morwani et al. 2025, arXiv:2502.02431, section 5; optax.contrib.simplified_ademamix",
    ranges=SQUARES | {"alpha": NOT_NEGATIVE},
)
def ademamix_simplified(w, g, m, v, *, t, lr=1e-5, beta1=0.99, beta2=0.95, alpha=0.0, eps=1e-8, eps_root=0.0):
    m = g + beta1 * m
    v = g * g + beta2 * (v - g * g)
    v_hat = v / (1 - beta2**t)
    w = w - lr * ((m + alpha * g) / (sqrt(v_hat + eps_root) + eps))
    return w, m, v


# beta1, beta2 and beta3 are those of the authors' code, one minus those of the paper. u averages differences of
# gradients, the first of which is zero.
@rule(
    convention="authors",
    source="Xie et al. 2022, arXiv:2208.06677, Algorithm 1; the authors' adan.py, https://github.com/sail-sg/Adan",
    ranges={"n": NOT_NEGATIVE},
)
def adan(
    w, g, m, u, n, g_before, *, t, lr=1e-3, beta1=0.98, beta2=0.92, beta3=0.99, eps=1e-8, weight_decay=0.0,
    eps_root=0.0,
):  # fmt: skip
    d = g - g_before if t > 1 else 0 * g
    m = beta1 * m + (1 - beta1) * g
    u = beta2 * u + (1 - beta2) * d
    n = beta3 * n + (1 - beta3) * (beta2 * d + g) ** 2
    correction3 = 1 - beta3**t
    bottom = sqrt(n + correction3 * eps_root) / sqrt(correction3) + eps
    step = lr / (1 - beta1**t) * (m / bottom) + lr * beta2 / (1 - beta2**t) * (u / bottom)
    g_before = g
    w = w / (1 + lr * weight_decay)
    w = w - step / (1 + lr * weight_decay)
    return w, m, u, n, g_before


@adan.convention("authors-no-prox", source="the authors' adan.py, Adan(no_prox=True)", ranges={"n": NOT_NEGATIVE})
def adan_no_prox(
    w, g, m, u, n, g_before, *, t, lr=1e-3, beta1=0.98, beta2=0.92, beta3=0.99, eps=1e-8, weight_decay=0.0,
    eps_root=0.0,
):  # fmt: skip
    d = g - g_before if t > 1 else 0 * g
    m = beta1 * m + (1 - beta1) * g
    u = beta2 * u + (1 - beta2) * d
    n = beta3 * n + (1 - beta3) * (beta2 * d + g) ** 2
    correction3 = 1 - beta3**t
    bottom = sqrt(n + correction3 * eps_root) / sqrt(correction3) + eps
    step = lr / (1 - beta1**t) * (m / bottom) + lr * beta2 / (1 - beta2**t) * (u / bottom)
    g_before = g
    w = w * (1 - lr * weight_decay)
    w = w - step
    return w, m, u, n, g_before


# optax weighs the differences with 1 - beta2, which is right for the paper's betas; but it takes the code's, and the
# weight is 0.08 where the paper and the authors have 0.92.
@adan.convention("optax", source="optax.adan, which has no default lr", ranges={"n": NOT_NEGATIVE})
def adan_optax(
    w, g, m, u, n, g_before, *, t, lr=1e-3, beta1=0.98, beta2=0.92, beta3=0.99, eps=1e-8, weight_decay=0.0,
    eps_root=1e-8,
):  # fmt: skip
    d = g - g_before if t > 1 else 0 * g
    m = (1 - beta1) * g + beta1 * m
    u = (1 - beta2) * d + beta2 * u
    n = (1 - beta3) * (g + (1 - beta2) * d) ** 2 + beta3 * n
    m_hat = m / (1 - beta1**t)
    u_hat = u / (1 - beta2**t)
    n_hat = n / (1 - beta3**t)
    g_before = g
    w = w - lr * ((m_hat + (1 - beta2) * u_hat) / (sqrt(n_hat + eps_root) + eps) + weight_decay * w)
    return w, m, u, n, g_before


# The length of Adam's step in the direction of the gradient; no step where it is zero.
@rule(source="Cao, Li & Song 2024, arXiv:2412.17107, Algorithm 1", ranges=SQUARES, default="authors", bound=at_most)
def grams(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w * (1 - lr * weight_decay)
    w = w - lr * (abs(m_hat / (sqrt(v_hat + eps_root) + eps)) * sign(g))
    return w, m, v


# Both corrections are in the rate, and eps is added to the root of the uncorrected v.
@grams.convention(
    "authors", source="the authors' grams.py, https://github.com/Gunale0926/Grams", ranges=SQUARES, bound=at_most
)
def grams_authors(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0.0, eps_root=0.0):
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    w = w - lr * weight_decay * w
    w = w - lr_t * (sign(g) * abs(m) / (sqrt(v + eps_root) + eps))
    return w, m, v


@term
def quarter_turn(lr, a):
    bound = lr * a * 1.5707963267948966
    return bound


# There is no eps: the angle of (0, 0) is zero, and a and b do what lr and eps did.
@rule(
    source="Everett et al. 2024, arXiv:2407.05872, section 4.3; the decay is AdamW's",
    ranges=SQUARES | {"a": "[0, inf)", "b": "(0, inf)"},
    title="AdamAtan2",
    bound=quarter_turn,
)
def adamatan2(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, a=1.27, b=1.0, weight_decay=0.0, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w * (1 - lr * weight_decay)
    w = w - lr * a * atan2(m_hat, b * sqrt(v_hat + eps_root))
    return w, m, v


# A tensor whose gradients are large for its v takes a shorter step. beta1_t and beta2_t keep m and v corrected.
@rule(
    source="Wortsman et al. 2023, arXiv:2304.13013, Algorithm 2",
    ranges=SQUARES | {"eps": "(0, inf)"},
    title="StableAdamW",
)
def stableadamw(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.01, eps_root=0.0):
    beta1_t = beta1 * (1 - beta1 ** (t - 1)) / (1 - beta1**t)
    beta2_t = beta2 * (1 - beta2 ** (t - 1)) / (1 - beta2**t)
    m = beta1_t * m + (1 - beta1_t) * g
    v = beta2_t * v + (1 - beta2_t) * g**2
    rms_t = sqrt(mean(g**2 / maximum(v, eps**2)))
    lr_t = lr / maximum(1.0, rms_t)
    w = w - lr_t * weight_decay * w
    w = w - lr_t * (m / (sqrt(v + eps_root) + eps))
    return w, m, v
