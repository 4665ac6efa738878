"""Faults of other libraries in Adam and its relatives: `FAULTS` in test_known_faults.py is the table of them."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import through_the_meaning
from tests.rules.faults import adam, averages, corrected, decayed, forms, path, told_apart, walk

W = np.array([0.5, -0.3])
G = [np.array(g) for g in ([1.0, -0.5], [0.4, 0.2], [-0.3, 0.1])]
FALLING = [np.array([10.0, -5.0]), np.array([0.1, 0.2]), np.array([0.1, -0.1])]


@pytest.fixture(autouse=True)
def meaning():
    """Nothing is compiled: `tests/kernels` show that kernels do the same."""
    with through_the_meaning():
        yield


def test_adamw_multiplies_its_decay_by_lr():
    """Flux (#2433), TensorFlow Addons (#2282): lr is no factor of the decay (read). And L2, which is Adam's."""
    lr, decay, steps = 0.1, 0.5, adam(G, 0.1, 0.9, 0.999)
    l2, seen = [W], []
    for g in G:
        seen.append(g + decay * l2[-1])
        l2.append(l2[-1] - adam(seen, lr, 0.9, 0.999)[-1])
    for opt in forms("adamw", "paper", "mlx", lr=lr, weight_decay=decay, eps=0.0):
        ours = path(opt, W, G)
        told_apart(ours, decayed(W, steps, 1 - lr * decay), decayed(W, steps, 1 - decay), margin=0.28)
        told_apart(ours, decayed(W, steps, 1 - lr * decay), l2[1:], margin=0.04)


def test_adamw_of_the_paper_does_not():
    """optax (#292), apex (#1849): they cite Algorithm 2, and have lr in the decay, which has no alpha there (read)."""
    lr, decay, steps = 0.1, 0.5, adam(G, 0.1, 0.9, 0.999)
    ours = path(tw.AdamW(lr=lr, weight_decay=decay, eps=0.0, convention="paper"), W, G)
    told_apart(ours, decayed(W, steps, 1 - decay), decayed(W, steps, 1 - lr * decay), margin=0.28)


def test_decay_is_of_the_old_parameter():
    """Thinc, GaLore, bitsandbytes on CUDA (#2010): the decay is of what the step has moved already (read)."""
    lr, decay, steps = 0.1, 0.5, adam(G, 0.1, 0.9, 0.999)
    right, faulty = decayed(W, steps, 1 - lr * decay), [W]
    for u in steps:
        faulty.append((faulty[-1] - u) * (1 - lr * decay))
    chained = tw.chain(tw.Adam(lr=lr, eps=0.0), tw.decoupled_decay(decay))
    for opt in (chained, *forms("adamw", "paper", "mlx", lr=lr, weight_decay=decay, eps=0.0)):
        told_apart(path(opt, W, G), right, faulty[1:], margin=0.011)


def test_qhadam_is_adam_where_both_nu_are_one():
    """kozistr, QHAdam: 1.0 - beta2 * g**2 without brackets, so that v starts at one (run)."""
    faulty, m, v = [], 0.0, 0.0
    for t, g in enumerate(G, 1):
        beta1, beta2 = (beta * (1 - beta ** (t - 1)) / (1 - beta**t) for beta in (0.9, 0.99))
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + 1 - beta2 * g**2
        faulty.append(0.1 * m / np.sqrt(v))
    ours = path(tw.QHAdam(lr=0.1, beta1=0.9, beta2=0.99, nu1=1.0, nu2=1.0, eps=0.0), W, G)
    told_apart(ours, walk(W, adam(G, 0.1, 0.9, 0.99)), walk(W, faulty), margin=0.08)


def test_diffgrad_has_its_friction_and_its_correction():
    """kozistr, DiffGrad: neither xi nor 1 - beta2**t unless it rectifies (run)."""
    friction = [1 / (1 + np.exp(-np.abs(g - before))) for before, g in zip([0.0, *G], G, strict=False)]
    right = [xi * u for xi, u in zip(friction, adam(G, 0.1, 0.9, 0.999), strict=True)]
    squares = averages(0.999, [g**2 for g in G])
    faulty = [0.1 * m / np.sqrt(v) for m, v in zip(corrected(0.9, G), squares, strict=True)]
    for opt in forms("diffgrad", lr=0.1, eps=0.0):
        told_apart(path(opt, W, G), walk(W, right), walk(W, faulty), margin=5.0)


def test_grams_takes_steps_as_long_as_adams():
    """kozistr, Grams: lerp by beta1, and the root of v / sqrt(1 - beta2**t) (run)."""
    right = [np.abs(u) * np.sign(g) for u, g in zip(adam(G, 0.1, 0.9, 0.999), G, strict=True)]
    swapped, squares, faulty = averages(0.1, G), averages(0.999, [g**2 for g in G]), []
    for t, (m, v, g) in enumerate(zip(swapped, squares, G, strict=True), 1):
        u = m / (1 - 0.9**t) / np.sqrt(v / np.sqrt(1 - 0.999**t))
        faulty.append(0.1 * np.abs(u) * np.sign(g))
    for opt in forms("grams", lr=0.1, eps=0.0):
        told_apart(path(opt, W, G), walk(W, right), walk(W, faulty), margin=6.0)


def test_stableadamw_measures_with_the_new_v():
    """kozistr after 3.9.0, StableAdamW(foreach): the rate is made of v before the step (run)."""
    right, faulty, m, v = [W], [W], 0.0, 0.0 * W
    for t, g in enumerate(G, 1):
        beta1, beta2 = (beta * (1 - beta ** (t - 1)) / (1 - beta**t) for beta in (0.9, 0.99))
        old, m, v = v, beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        for found, squares in ((right, v), (faulty, old)):
            rate = 0.1 / max(1.0, np.sqrt(np.mean(g**2 / np.maximum(squares, 1e-16))))
            found.append(found[-1] * (1 - 0.01 * rate) - rate * m / (np.sqrt(v) + 1e-8))
    told_apart(path(tw.StableAdamW(lr=0.1), W, G), right[1:], faulty[1:], margin=0.09)


def test_nothing_is_added_under_the_root():
    """kozistr, AMSBound, and all that can have it, such as AdamC: 1e-15 beside v (run)."""
    grads = [1e-8 * g for g in G]
    right = adam(grads, 0.1, 0.9, 0.999)
    tops, squares = corrected(0.9, grads), averages(0.999, [g**2 for g in grads])
    faulty = [
        0.1 * m / np.sqrt((v + 1e-15) / (1 - 0.999**t)) for t, (m, v) in enumerate(zip(tops, squares, strict=True), 1)
    ]
    for opt in (tw.Adam(lr=0.1, eps=0.0), *forms("amsgrad", "paper", "optax", lr=0.1, eps=0.0)):
        told_apart(path(opt, W, grads), walk(W, right), walk(W, faulty), margin=0.2)


def test_padam_keeps_the_maximum():
    """kozistr, PAdam: v itself in the place of its maximum (run)."""
    m, v = averages(0.9, FALLING), averages(0.5, [g**2 for g in FALLING])
    rates = [0.1 * np.sqrt(1 - 0.5**t) / (1 - 0.9**t) for t in (1, 2, 3)]
    right = [lr * x / np.maximum.reduce(v[:t]) ** 0.25 for t, (lr, x) in enumerate(zip(rates, m, strict=True), 1)]
    faulty = [lr * x / y**0.25 for lr, x, y in zip(rates, m, v, strict=True)]
    ours = path(tw.Padam(lr=0.1, beta2=0.5, partial=0.25, eps=0.0, convention="authors"), W, FALLING)
    told_apart(ours, walk(W, right), walk(W, faulty), margin=0.07)


def test_radam_steps_from_the_start():
    """kozistr, RAdam: no step until rho >= 5, since degenerated_to_sgd=False (run)."""
    right = walk(W, [0.1 * m for m in corrected(0.9, G)])
    for opt in forms("radam", lr=0.1):
        told_apart(path(opt, W, G), right, [W, W, W], margin=0.2)


def test_radam_counts_a_step_once():
    """Thinc 9.1, RAdam: state["step"] is the number of the step, and is raised by one once more (read)."""
    right = walk(W, [0.1 * m for m in corrected(0.9, G)])
    faulty = walk(W, [0.1 * m / (1 - 0.9 ** (t + 1)) for t, m in enumerate(averages(0.9, G), 1)])
    for opt in forms("radam", lr=0.1):
        told_apart(path(opt, W, G), right, faulty, margin=0.07)


def test_amsgrad_differs_from_adam():
    """AMSGrad, golden tests of it in which v only grows: Adam passes them as well. Here v falls."""
    m, v = corrected(0.9, FALLING), averages(0.5, [g**2 for g in FALLING])
    roots = [np.sqrt(np.maximum.reduce(v[:t]) / (1 - 0.5**t)) for t in (1, 2, 3)]
    right = walk(W, [0.1 * x / root for x, root in zip(m, roots, strict=True)])
    faulty = walk(W, adam(FALLING, 0.1, 0.9, 0.5))
    for opt in forms("amsgrad", "paper", "optax", lr=0.1, beta2=0.5, eps=0.0):
        told_apart(path(opt, W, FALLING), right, faulty, margin=0.06)


def test_amsgrad_takes_the_maximum_of_the_raw_v():
    """optax 0.2, amsgrad (#1389): the maximum is of v / (1 - beta2**t), which the first steps rule for long (run)."""
    grads = [np.array([1.0]), np.array([0.1]), np.array([0.1])]
    m, v = corrected(0.9, grads), averages(0.999, [g**2 for g in grads])
    right = [0.1 * x * np.sqrt((1 - 0.999**t) / max(v[:t])) for t, x in enumerate(m, 1)]
    tops = [max(x / (1 - 0.999**s) for s, x in enumerate(v[:t], 1)) for t in (1, 2, 3)]
    faulty = [0.1 * x / np.sqrt(top) for x, top in zip(m, tops, strict=True)]
    for opt in forms("amsgrad", "paper", "optax", lr=0.1, eps=0.0):
        told_apart(path(opt, [0.5], grads), walk([0.5], right), walk([0.5], faulty), margin=0.04)


def test_adabelief_has_new_m_and_eps_inside():
    """AdaBelief elsewhere: (g - m)**2 of the old m; eps at the root alone; eps = 1e-8, as in its first versions."""
    m = [0.0, *averages(0.9, G)]

    def points(*, old=0, inside=1e-4, eps=1e-4):
        s, steps = 0.0, []
        for t, g in enumerate(G, 1):
            s = 0.999 * s + 0.001 * (g - m[t - old]) ** 2 + inside
            steps.append(0.1 * m[t] / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + eps))
        return walk(W, steps)

    ours = path(tw.AdaBelief(lr=0.1, eps=1e-4), W, G)
    told_apart(ours, points(), points(old=1), margin=0.02)
    told_apart(ours, points(), points(inside=0.0), margin=0.03)
    told_apart(ours, points(), points(inside=1e-2, eps=1e-2), margin=0.18)
    assert tw.AdaBelief().eps == 1e-16


def test_yogi_of_the_paper_starts_m_at_zero():
    """TensorFlow Addons, optax 0.2, kozistr's, Yogi: m too starts at 1e-6 (read); all else is the paper's here."""
    grads, found = [1e-5 * g for g in G], {}
    for first in (0.0, 1e-6):
        v, steps = 1e-6, []
        for g, m in zip(grads, averages(0.9, grads, first), strict=True):
            v = v - 0.001 * np.sign(v - g**2) * g**2
            steps.append(m / (np.sqrt(v) + 1e-3))
        found[first] = walk(W, steps)
    ours = path(tw.Yogi(lr=1.0, initial_accumulator=1e-6, convention="paper"), W, grads)
    told_apart(ours, found[0.0], found[1e-6], margin=0.001)


def test_adan_weighs_the_differences_with_beta2():
    """optax 0.2, adan: 1 - beta2 is the weight, right for the paper's 0.08 and 0.08 for the code's 0.92 (run)."""
    d = [0 * W, G[1] - G[0], G[2] - G[1]]
    found = {}
    for weight in (0.92, 1 - 0.92):
        n = corrected(0.99, [(g + weight * x) ** 2 for g, x in zip(G, d, strict=True)])
        tops = zip(corrected(0.98, G), corrected(0.92, d), n, strict=True)
        found[weight] = walk(W, [0.1 * (m + weight * u) / np.sqrt(v) for m, u, v in tops])
    right, faulty = found.values()
    for opt in forms("adan", "optax", lr=0.1, eps=0.0):
        told_apart(path(opt, W, G), right, faulty, margin=0.09)
