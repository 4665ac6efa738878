"""Faults of other libraries in rules of whole tensors, rates that are found, and averages.

`FAULTS` in test_known_faults.py is the table of them.
"""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import through_the_meaning
from tests.rules.faults import (
    averages,
    corrected,
    forms,
    orthogonal,
    path,
    power_of,
    root_mean_square,
    told_apart,
    walk,
)

W = np.array([3.0, 4.0])
G = [np.array(g) for g in ([1.0, -0.5], [0.4, 0.2], [-0.3, 0.1])]
WIDE = np.array([[1.0, -0.5, 0.3, 0.2, 0.0, 0.7, -0.1, 0.4], [0.2, 0.6, -0.4, 0.1, 0.9, -0.3, 0.8, 0.5]])
norm = np.linalg.norm


@pytest.fixture(autouse=True)
def meaning():
    """Nothing is compiled: `tests/kernels` show that kernels do the same."""
    with through_the_meaning():
        yield


# Norms of layers ------------------------------------------------------------------------------------------------------


def test_novograd_counts_the_first_gradient_once():
    """kozistr, NovoGrad: m starts at g / |g| and has it added once more; Adam's corrections of lr (run)."""
    first = norm(G[0]) ** 2
    squares, right, faulty = averages(0.98, [norm(g) ** 2 for g in G], first), [], []
    m, theirs = 0.0, G[0] / norm(G[0])
    for t, (g, v) in enumerate(zip(G, squares, strict=True), 1):
        m, theirs = 0.95 * m + g / np.sqrt(v), 0.95 * theirs + g / np.sqrt(v)
        right.append(0.1 * m)
        faulty.append(0.1 * np.sqrt(1 - 0.98**t) / (1 - 0.95**t) * theirs)
    for opt in forms("novograd", lr=0.1, beta1=0.95, beta2=0.98, eps=0.0):
        told_apart(path(opt, W, G), walk(W, right), walk(W, faulty), margin=0.8)


def test_lamb_takes_whole_norms_of_corrected_steps():
    """kozistr, Lamb: v as it is, |w| of 10 at most, eps beside |u|, lr over 1 - beta1**t (run)."""
    right, faulty, eps = [10 * W], [10 * W], 0.1
    m, v = averages(0.9, G), averages(0.999, [g**2 for g in G])
    for t, (x, y) in enumerate(zip(m, v, strict=True), 1):
        u = x / (1 - 0.9**t) / (np.sqrt(y / (1 - 0.999**t)) + eps)
        right.append(right[-1] - 0.1 * norm(right[-1]) / norm(u) * u)
        u = x / (np.sqrt(y) + eps)
        faulty.append(faulty[-1] - 0.1 / (1 - 0.9**t) * min(norm(faulty[-1]), 10.0) / (norm(u) + eps) * u)
    for opt in forms("lamb", lr=0.1, eps=eps):
        told_apart(path(opt, 10 * W, G), right[1:], faulty[1:], margin=4.0)


def test_lamb_measures_the_step_with_its_decay():
    """keras 3, Lamb, and kozistr's: w is decayed first, and u has no decay in it; our "keras" has it too."""
    lr, decay, r = 0.1, 0.5, np.sign(G[0])
    u, small = r + decay * W, W - lr * decay * W
    right = W - lr * norm(W) / norm(u) * u
    faulty = small - lr * norm(small) / norm(r) * r
    for opt in forms("lamb", "keras", lr=lr, weight_decay=decay, eps=0.0):
        told_apart(path(opt, W, G[:1]), [right], [faulty], margin=0.3)
    theirs = tw.LAMB(lr=lr, weight_decay=decay, eps=0.0, convention="keras")
    told_apart(path(theirs, W, G[:1]), [faulty], [right], margin=0.3)


def test_lars_has_the_decay_in_its_ratio():
    """kozistr, LARS: |w| / |g| alone, and nothing of it for vectors; momentum starts at a gradient without it (run)."""
    numbers = dict(lr=10.0, weight_decay=0.5, trust=0.01)
    found = {"right": [W], "matrix": [W], "vector": [W]}
    v = {"right": 0.0, "matrix": 10.0 * G[0], "vector": 10.0 * G[0]}
    for g in G:
        for which, points in found.items():
            w = points[-1]
            slope = norm(g) + (0.5 * norm(w) if which == "right" else 0.0)
            u = g if which == "vector" else 0.01 * norm(w) / slope * (g + 0.5 * w)
            v[which] = 0.9 * v[which] + 10.0 * u
            points.append(w - v[which])
    right, matrix, vector = (np.array(points[1:]) for points in found.values())
    ours = path(tw.LARS(**numbers), W[None], [g[None] for g in G])
    told_apart(ours, right[:, None], matrix[:, None], margin=10.0)
    told_apart(path(tw.LARS(**numbers), W, G), right, vector, margin=50.0)


def test_lars_lengthens_short_steps_too():
    """bitsandbytes, LARS and LAMB: |u| is held below max_unorm * |w|, and short steps stay as they are (read)."""
    g, lr, trust = 1e-3 * G[0], 1.0, 0.02
    ours = path(tw.LARS(lr=lr, trust=trust), W, [g])
    told_apart(ours, [W - lr * trust * norm(W) / norm(g) * g], [W - lr * g], margin=0.08)
    u = np.sign(g)
    ours = path(tw.LAMB(lr=lr, eps=0.0), 10 * W, [g])
    told_apart(ours, [10 * W - lr * norm(10 * W) / norm(u) * u], [10 * W - lr * u], margin=30.0)


# Factored second moments ----------------------------------------------------------------------------------------------


def test_adafactor_clips_large_updates_alone():
    """kozistr after 3.9.0, timm (#2790): over min(1, RMS) instead of max(1, RMS / d) (run).

    After a gradient of 1 one of 10 has an update of RMS 1.32, which is cut to 1; one of 0.001 stays short.
    """
    sign = np.array([1.0, -1.0])
    for size, margin in ((10.0, 0.003), (1e-3, 0.009)):
        grads, right, faulty, v = [sign, size * sign], [sign], [sign], 0.0
        for t, g in enumerate(grads, 1):
            v = (1 - t**-0.8) * v + t**-0.8 * g**2
            u = g / np.sqrt(v)
            long = root_mean_square(u)
            right.append(right[-1] - 0.01 * root_mean_square(right[-1]) * u / max(1.0, long))
            faulty.append(faulty[-1] - 0.01 * root_mean_square(faulty[-1]) * u / min(1.0, long))
        for shaped in (np.asarray, lambda x: np.outer([1.0, -1.0], x)):
            expected, wrong = ([shaped(w) for w in points[1:]] for points in (right, faulty))
            for opt in (tw.Adafactor(convention="paper"), *forms("adafactor", "paper", "optax", lr=0.01)):
                told_apart(path(opt, shaped(sign), [shaped(g) for g in grads]), expected, wrong, margin)


def test_adafactor_scales_with_the_parameter():
    """kozistr, AdaFactor: scale_parameter=True does not; v of vectors is cut at 0.999 (run)."""
    w, g = np.array([10.0, -20.0]), np.array([10.0, 0.1])
    u = g / np.sqrt(np.minimum(g**2, 0.999))
    right = w - 0.01 * root_mean_square(w) * np.sign(g)
    told_apart(path(tw.Adafactor(lr=0.01), w, [g]), [right], [w - 0.01 * u / root_mean_square(u)], margin=0.15)


def test_adafactor_keeps_rows_and_columns_alone():
    """keras 3, Adafactor: each matrix has a v of its own size, which nothing reads (read)."""
    for opt in forms("adafactor"):
        path(opt, np.ones((40, 60)), [np.ones((40, 60))])
        kept = sum(np.size(x) for x in opt.state["w"].values())
        told_apart(kept, 40 + 60, 40 * 60 + 40 + 60, margin=2400)


# Matrices -------------------------------------------------------------------------------------------------------------


def test_shampoo_takes_fourth_roots_of_both_sides():
    """kozistr, jettify (#502), moskomule (#2): exponents of -1/2, and R of what L has preconditioned already (run)."""
    grads, eps = [WIDE[:, :3], WIDE[:, 3:6]], 0.01
    right, faulty = [0 * grads[0]], [0 * grads[0]]
    left, side = eps * np.eye(2), eps * np.eye(3)
    theirs = eps * np.eye(3)
    for g in grads:
        left, side = left + g @ g.T, side + g.T @ g
        half = power_of(left, -0.5) @ g
        theirs = theirs + half.T @ half
        right.append(right[-1] - 0.1 * power_of(left, -0.25) @ g @ power_of(side, -0.25))
        faulty.append(faulty[-1] - 0.1 * half @ power_of(theirs, -0.5))
    told_apart(path(tw.Shampoo(lr=0.1, eps=eps), right[0], grads), right[1:], faulty[1:], margin=0.017)


def soap(grads, *, turned=True, late=0):
    """Return the points of SOAP that finds another basis at every step. late: steps counted that were not taken."""
    left = right = m = v = w = np.zeros((2, 2))
    a = b = np.eye(2)
    points = []
    for k, g in enumerate(grads):
        if k:
            x, t = a.T @ g @ b, k + late
            m, v = 0.9 * m + 0.1 * x, 0.95 * v + 0.05 * x**2
            w = w - 0.1 * np.sqrt(1 - 0.95**t) / (1 - 0.9**t) * a @ (m / (np.sqrt(v) + 1e-8)) @ b.T
        left, right = 0.95 * left + 0.05 * g @ g.T, 0.95 * right + 0.05 * g.T @ g
        outside = a @ m @ b.T
        if k:
            first, last = (np.argsort(-np.diag(q.T @ s @ q)) for q, s in ((a, left), (b, right)))
            v = v[first][:, last]
            a, b = np.linalg.qr(left @ a[:, first])[0], np.linalg.qr(right @ b[:, last])[0]
        else:
            a, b = np.linalg.eigh(-left)[1], np.linalg.eigh(-right)[1]
        m = a.T @ outside @ b if turned else m
        points.append(w)
    return points


SQUARE = [WIDE[:, i : i + 2] for i in range(0, 8, 2)]


def test_soap_turns_m_into_the_new_basis():
    """HeavyBall, ForeachSOAP (#42): m stays what it was in the old basis, and is not even sorted as v is (read)."""
    opt = tw.SOAP(lr=0.1, beta1=0.9, beta2=0.95, every=1, weight_decay=0.0)
    told_apart(path(opt, 0 * SQUARE[0], SQUARE), soap(SQUARE), soap(SQUARE, turned=False), margin=0.1)


def test_soap_does_not_count_its_first_call():
    """kozistr, SOAP: the call that only finds the basis is counted by the corrections (run)."""
    opt = tw.SOAP(lr=0.1, beta1=0.9, beta2=0.95, every=1, weight_decay=0.0)
    told_apart(path(opt, 0 * SQUARE[0], SQUARE), soap(SQUARE), soap(SQUARE, late=1), margin=0.03)


def test_muon_lengthens_steps_that_fan_out():
    """torch and the authors' Muon, given (inputs, outputs): rows / columns is one over what is meant (read)."""
    step = 0.1 * orthogonal(WIDE)
    for opt in forms("muon", "keras", "torch-match-rms", lr=0.1, weight_decay=0.0, eps=0.0):
        told_apart(path(opt, 0 * WIDE, [WIDE]), [-2.0 * step], [-step], margin=0.07)
    turned = tw.Muon(lr=0.1, weight_decay=0.0, eps=0.0, layout="out_in")
    told_apart(path(turned, 0 * WIDE.T, [WIDE.T]), [-2.0 * step.T], [-step.T], margin=0.07)


def test_muon_is_not_adjusted_unless_asked():
    """kozistr, Muon: use_adjusted_lr=False takes 0.2 * sqrt(max(rows, columns)) (run)."""
    ours = path(tw.Muon(lr=0.1, weight_decay=0.0), 0 * WIDE, [WIDE])
    told_apart(ours, [-0.2 * orthogonal(WIDE)], [-0.1 * 0.2 * np.sqrt(8) * orthogonal(WIDE)], margin=0.1)


def test_muon_decays_outside_of_the_momentum():
    """MLX 0.32, Muon: weight_decay * w is added to the gradient (run); tinygrad (#17709): there was no decay (read)."""
    w, g, lr, decay = np.array([[3.0, 1.0], [-1.0, 2.0]]), WIDE[:, :2], 0.1, 0.5
    right = w - lr * decay * w - lr * orthogonal(g)
    for opt in forms("muon", "keras", "torch-match-rms", lr=lr, weight_decay=decay, eps=0.0):
        ours = path(opt, w, [g])
        told_apart(ours, [right], [w - lr * orthogonal(g + decay * w)], margin=0.12)
        told_apart(ours, [right], [w - lr * orthogonal(g)], margin=0.14)


def test_sophia_clips_at_one():
    """kozistr, SophiaH: p = 0.01 bounds m / h itself, and there is no gamma (run)."""
    h, ratio = np.array([8.0, 4.0]), np.array([0.5, -0.5])
    for opt in forms("sophia", "optax", lr=0.1, beta1=0.96, gamma=1.0, weight_decay=0.0):
        told_apart(path(opt, W, G[:1], hessian={"w": h}), [W - 0.1 * ratio], [W - 0.001 * np.sign(ratio)], margin=0.04)


def test_sophia_uses_the_new_estimate():
    """optax 0.2, contrib.sophia: the step has the h of before, which is 0 at first (read); our "optax" has it too."""
    numbers, more = dict(lr=0.1, beta1=0.0, gamma=1.0, weight_decay=0.0), {"hessian": {"w": np.array([200.0, 200.0])}}
    right, faulty = [W - 0.1 * G[0] / 2.0], [W - 0.1 * np.sign(G[0])]
    for opt in forms("sophia", "optax", **numbers):
        told_apart(path(opt, W, G[:1], **more), right, faulty, margin=0.07)
    told_apart(path(tw.Sophia(convention="optax", **numbers), W, G[:1], **more), faulty, right, margin=0.07)


# Averages, and rates that are found -----------------------------------------------------------------------------------


def averaged_at(lrs, weights, steps, decay=0.0):
    """Return y of schedule-free descent at each step; steps: y -> what lr multiplies. decay: of y alone."""
    y, points = W, []
    z = x = W
    for t, (lr, step) in enumerate(zip(lrs, steps, strict=True), 1):
        share = weights[t - 1] / sum(weights[:t])
        if decay:
            y = y * (1 - decay)
            x = (y - 0.1 * z) / 0.9
        z = z - lr * step(y)
        x = (1 - share) * x + share * z
        y = 0.1 * z + 0.9 * x
        points.append(y)
    return points


def test_schedule_free_weighs_steps_alike():
    """kozistr, ScheduleFreeWrapper: step ** lr where step ** r is meant, with r = 0 (run)."""
    grads = [x * G[0] for x in (1, 2, 4, 3)]
    steps = [lambda y, g=g: g for g in grads]
    right, faulty = (averaged_at([1.0] * 4, [t**r for t in (1, 2, 3, 4)], steps) for r in (0.0, 1.0))
    told_apart(path(tw.ScheduleFreeSGD(lr=1.0, momentum=0.9), W, grads), right, faulty, margin=1.3)


def test_schedule_free_weighs_by_lr_and_decays_z():
    """keras 3, ScheduleFreeAdamW: 1/t where lr**2 counts in the warm-up, decay of y alone; our "keras" has it too."""
    numbers = dict(lr=0.1, weight_decay=0.5, warmup=3.0, eps=0.0)
    lrs = [0.1 / 3, 0.2 / 3, 0.1]
    u = [g / np.sqrt(v) for g, v in zip(G, corrected(0.999, [g**2 for g in G]), strict=True)]
    right = averaged_at(lrs, [lr**2 for lr in lrs], [lambda y, x=x: x + 0.5 * y for x in u])
    faulty = averaged_at(lrs, [1, 1, 1], [lambda y, x=x: x for x in u], decay=0.05)
    told_apart(path(tw.ScheduleFreeAdamW(**numbers), W, G), right, faulty, margin=0.13)
    told_apart(path(tw.ScheduleFreeAdamW(**numbers, convention="keras"), W, G), faulty, right, margin=0.13)


def test_dadaptadam_finds_its_rate():
    """kozistr, DAdaptAdam: times |s| instead of over it, and d stays 1e-6 (run)."""
    beta, found = np.sqrt(0.999), {}
    for divides in (True, False):
        d, r, s, v = 1e-6, 0.0, 0.0 * W, 0.0 * W
        for _ in range(5):
            r = beta * r + (1 - beta) * d * np.sum(G[0] * s / (np.sqrt(v) + 1e-8))
            v, s = 0.999 * v + 0.001 * G[0] ** 2, beta * s + (1 - beta) * d * G[0]
            length = np.abs(s).sum()
            d = max(d, r / (1 - beta) / length if divides else r / (1 - beta) * length)
        found[divides] = d / 1e-6
    opt = tw.DAdaptAdam()
    path(opt, W, [G[0]] * 5)
    told_apart(opt.shared["d"] / 1e-6, found[True], found[False], margin=700.0)
    assert found[False] == 1.0


def test_prodigy_waits_for_a_gradient():
    """optax 0.2, contrib.prodigy and dadapt_adamw: d is 0/0 where all gradients are zero, and NaN for ever (run)."""
    with np.errstate(invalid="ignore"):
        assert np.isnan(np.maximum(1e-6, np.float64(0.0) / np.float64(0.0)))
    for opt in (*forms("prodigy"), *forms("dadaptadam"), *forms("dadaptsgd")):
        points = path(opt, W, [0 * W, 0 * W])
        assert (opt.shared["d"], *points[1]) == (1e-6, *W)
        assert np.isfinite(path(opt, W, [G[0]] * 3)).all()
        assert opt.shared["d"] >= 1e-6


def test_prodigy_counts_a_step_once():
    """kozistr, Prodigy: corrections of steps 1, 3, 5 in the steps 1, 2, 3 (run)."""
    beta, found = np.sqrt(0.999), {}
    for every in (1, 2):
        w, d, r, s, m, v, points = W, 0.1, 0.0, 0.0, 0.0, 0.0, []
        for k, g in enumerate(G):
            t = 1 + every * k
            rate = d * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            r = beta * r + d / 0.1 * rate * np.sum(g * (W - w))
            m, v, s = 0.9 * m + 0.1 * d * g, 0.999 * v + 0.001 * (d * g) ** 2, beta * s + d / 0.1 * rate * g
            d = max(d, r / np.abs(s).sum())
            w = w - rate * m / (np.sqrt(v) + d * 1e-8)
            points.append(w)
        found[every] = points
    told_apart(path(tw.Prodigy(d0=0.1, convention="optax"), W, G), found[1], found[2], margin=0.019)
