"""Muon, Shampoo and SOAP: steps known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import bits
from tests.rules.matrices import cut, gradients, rng, start
from thalweg.words import sqrt


@pytest.mark.parametrize("convention", tw.RULES["muon"].conventions)
@pytest.mark.parametrize("shape", [(6, 6), (3, 8), (8, 3), (4, 5, 2)])
def test_singular_values_of_muons_step_are_near_one(convention, shape):
    """Of gradients whose own are up to a thousand times apart."""
    if len(shape) > 2 and tw.RULES["muon"].conventions[convention].only_matrices:
        shape = shape[1:]
    w, n, m = {"W": np.zeros(shape)}, shape[-2], shape[-1]
    tw.Muon(lr=1.0, weight_decay=0.0, convention=convention).update(w, gradients(w, 3))
    scale = {"torch-match-rms": 0.2 * max(n, m) ** 0.5, "keras": 0.2 * max(n, m) ** 0.5}
    values = np.linalg.svd(w["W"])[1] / scale.get(convention, max(1.0, m / n) ** 0.5)
    assert ((values > 0.5) & (values < 1.5)).all()
    rotation = np.linalg.svd(gradients(w, 3)["W"], full_matrices=False)
    assert np.linalg.norm(w["W"] / scale.get(convention, max(1.0, m / n) ** 0.5) + rotation[0] @ rotation[2]) < 1.0


def test_five_steps_of_the_iteration_by_hand():
    """On a diagonal matrix it works on each element, divided by the norm, with the polynomial alone."""
    x = np.array([3.0, 2.0, 0.5, 1e-3])
    w = {"W": np.zeros((4, 4))}
    tw.Muon(lr=1.0, weight_decay=0.0, momentum=0.0).update(w, {"W": np.diag(x)})
    s = x / np.linalg.norm(x)
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    assert np.allclose(w["W"], -np.diag(s), rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("shape", [(5, 5), (3, 5), (5, 3)])
def test_shampoo_on_an_orthogonal_gradient(shape):
    """Both matrices are multiples of one on its space then: t times the same gradient makes steps 1 / sqrt(t + eps)."""
    q = np.linalg.qr(rng(7).standard_normal((5, 5)))[0][: shape[0], : shape[1]]
    q = np.linalg.svd(q, full_matrices=False)
    q = q[0] @ q[2]
    w, expected = {"W": np.zeros(shape)}, np.zeros(shape)
    opt = tw.Shampoo(lr=0.5, eps=0.01)
    for t in range(1, 6):
        opt.update(w, {"W": q})
        expected -= 0.5 * q / np.sqrt(t + 0.01)
        assert np.allclose(w["W"], expected, rtol=1e-13, atol=1e-14)


def test_shampoo_on_a_diagonal_gradient_is_adagrad():
    """The roots of both sides make one root of the sum of squares."""
    w = {"W": np.zeros((3, 3))}
    opt, h, expected = tw.Shampoo(lr=0.5, eps=0.01), np.full(3, 0.01), np.zeros(3)
    for t in range(1, 6):
        g = np.array([1.0, -2.0, 0.1]) * t
        opt.update(w, {"W": np.diag(g)})
        h += g * g
        expected -= 0.5 * g / np.sqrt(h)
        assert np.allclose(w["W"], np.diag(expected), rtol=1e-13, atol=1e-15)


def test_shampoo_on_vectors_has_one_matrix_and_its_square_root():
    """t times one gradient makes steps of its direction, with the root of t times its squares; in blocks, of each."""
    g = np.array([3.0, -1.0, 0.5, 2.0, 1e-3])
    for size, lengths in ((5, [g @ g] * 5), (2, [10.0, 10.0, 4.25, 4.25, 1e-6]), (1, g * g)):
        params, expected = {"b": np.zeros(5), "s": np.zeros(())}, np.zeros(5)
        opt = tw.Shampoo(lr=0.5, eps=0.01, block_size=size)
        for t in range(1, 6):
            opt.update(params, {"b": g, "s": g[3]})
            expected -= 0.5 * g / np.sqrt(t * np.asarray(lengths) + 0.01)
            assert np.allclose(params["b"], expected, rtol=1e-13, atol=1e-15)
        assert np.isclose(
            params["s"], expected[3] if size == 1 else -0.5 * sum(2 / (4 * t + 0.01) ** 0.5 for t in range(1, 6))
        )


@tw.rule
def averaged_adagrad(w, g, m, v, *, t, lr=1.0, beta1=0.7):
    v = v + g * g
    m = m + (1 - beta1) * (g - m)
    w = w - lr * (m / (1 - beta1**t) / (sqrt(v) + 1e-10))
    return w, m, v


@pytest.mark.parametrize("convention", ["facebook-adagrad", "facebook-adam"])
def test_a_graft_has_the_length_of_the_other_step(convention):
    """Block by block, and of the direction of what is not grafted."""
    numbers = dict(lr=1.0, beta1=0.7, block_size=3)
    params, same = {"W": np.zeros((5, 7))}, {"W": np.zeros((5, 7))}
    other = {"W": np.zeros((5, 7))}
    more = {"eps": 1e-8, "beta2": 0.999} if convention == "facebook-adam" else {"eps": 1e-12}
    grafted = tw.Shampoo(convention=convention, **numbers)
    plain = tw.Shampoo(convention="facebook", **numbers, **more)
    if convention == "facebook-adam":
        length = tw.Adam(lr=1.0, beta1=0.7, beta2=0.999, eps=1e-8, convention="torch")
    else:
        length = tw.Optimizer(averaged_adagrad)
    for step in range(5):
        grads = gradients(params, step)
        before = [p["W"].copy() for p in (params, same, other)]
        grafted.update(params, grads)
        plain.update(same, grads)
        length.update(other, grads)
        steps = [cut({"": p["W"] - b}, 3) for p, b in zip((params, same, other), before, strict=True)]
        for name, u in steps[0].items():
            assert np.isclose(np.linalg.norm(u), np.linalg.norm(steps[2][name]), rtol=1e-12)
            v = steps[1][name]
            assert np.allclose(u / np.linalg.norm(u), v / np.linalg.norm(v), rtol=1e-11, atol=1e-12)


def test_soap_in_one_basis_is_adam_there():
    """The first step finds the basis; where no other one follows, Adam takes the rest in it."""
    params, turned = {"W": start()["W"]}, {}
    opt = tw.SOAP(every=10**9, weight_decay=0.0, lr=0.1, beta1=0.7, beta2=0.9, eps=1e-3)
    before = bits(params["W"])
    first = gradients(params, 0)["W"]
    opt.update(params, {"W": first})
    assert bits(params["W"]) == before
    a, b = (opt.state["W"][f"{side}_basis"].copy() for side in ("left", "right"))
    for q, x in ((a, first @ first.T), (b, first.T @ first)):
        assert np.allclose(q.T @ q, np.eye(len(q)), atol=1e-14)
        found = np.diagonal(q.T @ x @ q)
        assert np.allclose(q.T @ x @ q, np.diag(found), atol=1e-13)
        assert (np.diff(found) <= 1e-13).all()
    turned["W"] = a.T @ params["W"] @ b
    adam = tw.Adam(lr=0.1, beta1=0.7, beta2=0.9, eps=1e-3, convention="sklearn")
    for step in range(1, 15):
        g = gradients(params, step)["W"]
        opt.update(params, {"W": g})
        adam.update(turned, {"W": a.T @ g @ b})
        assert np.allclose(params["W"], a @ turned["W"] @ b.T, rtol=1e-12, atol=1e-12)
        assert bits(opt.state["W"]["left_basis"]) == bits(a)


def test_soap_keeps_its_bases_orthogonal_and_sorted_and_its_momentum_in_place():
    """At a turn m outside of the basis stays what it was, and v is sorted; every third step is one."""
    params = {"W": start()["W"]}
    opt = tw.SOAP(every=3)
    kept = None
    for step in range(1, 14):
        g = gradients(params, step)["W"]
        opt.update(params, {"W": g})
        s = {name: np.array(x) for name, x in opt.state["W"].items()}
        if kept is not None:
            projected = kept["left_basis"].T @ g @ kept["right_basis"]
            m, v = 0.95 * kept["m"] + 0.05 * projected, 0.95 * kept["v"] + 0.05 * projected**2
            is_turn = (step - 1) % 3 == 0
            assert (bits(s["left_basis"]) == bits(kept["left_basis"])) != is_turn
            outside = kept["left_basis"] @ m @ kept["right_basis"].T
            assert np.allclose(s["left_basis"] @ s["m"] @ s["right_basis"].T, outside, atol=1e-13)
            assert np.allclose(np.sort(s["v"], axis=None), np.sort(v, axis=None), rtol=1e-13)
            if not is_turn:
                assert np.allclose(s["v"], v, rtol=1e-13)
        for side in ("left", "right"):
            q = s[f"{side}_basis"]
            assert np.allclose(q.T @ q, np.eye(len(q)), atol=1e-13)
        kept = s
