"""Rules of whole matrices: `@`, `.T`, `qr` and `eigh` run as NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.language.texts import make
from thalweg.words import norm, qr, transpose


@tw.term
def newton_schulz(x):
    """Five steps are Muon's; three are enough to see the matrix words at work."""
    x = x / norm(x)
    a = x @ x.T
    x = 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x
    a = x @ transpose(x)
    x = 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x
    return x


@tw.rule(vectors=tw.RULES["momentum"].conventions["torch"])
def muon(w, g, b, *, lr=0.02, momentum=0.95):
    b = momentum * b + (1 - momentum) * g
    w = w - lr * newton_schulz((1 - momentum) * g + momentum * b)
    return w, b


@tw.rule
def rotated(w, g, q, *, lr=0.1):
    """The basis of the step before, orthonormal, as SOAP keeps it."""
    q, r = qr(g @ g.T @ q + q)
    w = w - lr * (q @ (q.T @ g)) + 0 * norm(r) * w
    return w, q


def orthogonal(x):
    x = x / np.sqrt((x.astype("f8") ** 2).sum())
    for _ in range(2):
        a = x @ x.T
        x = 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x
    return x


@pytest.mark.parametrize("dtype, close", [("float32", 1e-5), ("float64", 1e-13)])
def test_muon(dtype, close):
    rng = np.random.default_rng(0)
    w, v = rng.standard_normal((3, 5)).astype(dtype), rng.standard_normal(4).astype(dtype)
    params, b, bv = {"w": w.copy(), "v": v.copy()}, np.zeros_like(w), np.zeros_like(v)
    opt = tw.Optimizer(muon)
    for _ in range(4):
        g, gv = rng.standard_normal((3, 5)).astype(dtype), rng.standard_normal(4).astype(dtype)
        opt.update(params, {"w": g, "v": gv})
        b = 0.95 * b + 0.05 * g
        w = w - 0.02 * orthogonal(0.05 * g + 0.95 * b)
        bv = 0.95 * bv + gv
        v = v - 0.02 * bv
        assert np.allclose(params["w"], w, rtol=close, atol=close)
        assert np.allclose(params["v"], v, rtol=close, atol=close)
    assert params["w"].dtype == opt.state["w"]["b"].dtype == dtype
    assert muon.facts.matrix


def test_a_stack_of_matrices_is_one_after_the_other():
    w, g, b = np.random.default_rng(5).standard_normal((3, 4, 2, 3))
    whole = muon.function(w, g, b)
    for k in range(4):
        x = 0.05 * g[k] + 0.95 * (0.95 * b[k] + 0.05 * g[k])
        x = x / np.sqrt(((0.05 * g + 0.95 * (0.95 * b + 0.05 * g)) ** 2).sum())
        for _ in range(2):
            a = x @ x.T
            x = 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x
        assert np.allclose(whole[0][k], w[k] - 0.02 * x)


def test_a_factorization_in_two_names():
    rng = np.random.default_rng(1)
    params, q = {"w": rng.standard_normal((3, 3))}, np.zeros((3, 3))
    opt = tw.Optimizer(rotated)
    for _ in range(3):
        w, g = params["w"].copy(), rng.standard_normal((3, 3))
        opt.update(params, {"w": g})
        q, _ = np.linalg.qr(g @ g.T @ q + q)
        assert np.allclose(params["w"], w - 0.1 * (q @ (q.T @ g)))
        assert np.allclose(opt.state["w"]["q"], q)


def test_eigenvalues_in_a_branch():
    rule = make(
        "if t > 1:\n    values, q = eigh(g @ g.T)\n    x = q @ q.T @ g / sqrt(amax(values))\n"
        "else:\n    x = g\n    q = g\n    values = g\nw = w - lr * x",
        "w, g, *, t, lr=0.1",
    )
    g = np.random.default_rng(2).standard_normal((3, 3))
    assert np.allclose(rule.function(0 * g, g, t=2)[0], -0.1 * g / np.linalg.norm(g, 2))
    assert np.allclose(rule.function(0 * g, g, t=1)[0], -0.1 * g)


@pytest.mark.parametrize(
    "body, message",
    [
        ("w = w - lr * g.T", "operands could not be broadcast together"),
        ("w = (w - lr * g).T", "the new value of `w` has shape (3, 2), and `w` has shape (2, 3)"),
        ("w = w - lr * (g @ g)", "matmul"),
        ("w = lr * w.T @ g", "the new value of `w` has shape (3, 3)"),
        ("q, r = eigh(g)\nw = w - lr * q", "square"),
    ],
)
def test_shapes_that_do_not_fit(body, message):
    rule = make(body)
    params, g = {"w": np.ones((2, 3))}, {"w": np.ones((2, 3))}
    with pytest.raises(tw.NumberError) as caught:
        tw.Optimizer(rule).update(params, g)
    assert message in str(caught.value)
    assert str(caught.value).startswith("f, line ")
    assert params["w"].tolist() == np.ones((2, 3)).tolist()
