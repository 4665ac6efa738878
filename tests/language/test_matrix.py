"""Rules of whole matrices: `@`, `.T`, `qr`, `eigh` and their like, square matrices as state, and layouts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import thalweg as tw
from tests.language.texts import make, refusal
from thalweg.words import blocks, eigh, eye, ncols, norm, nrows, qr, sorting, transpose, unblocks


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


# Words by hand --------------------------------------------------------------------------------------------------------


def values_of(body, g, **numbers):
    """Return what `w = w - (...)` takes from zero: the value of the last line, of the shape of g."""
    rule = make(f"{body}\nw = w - lr * x", f"w, g, *, lr=1.0{', size=2' * ('size' in body)}")
    return -rule.function(0 * g, g, **numbers)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_eigenvalues_stand_over_their_vectors(dtype):
    """One a column, so that `vectors * values` scales each by its own; ascending."""
    a = np.random.default_rng(3).standard_normal((2, 4, 4)).astype(dtype)
    a = a + np.swapaxes(a, -1, -2)
    values, vectors = eigh(a)
    assert (values.shape, vectors.shape, values.dtype, vectors.dtype) == ((2, 1, 4), (2, 4, 4), dtype, dtype)
    assert (np.diff(values) >= 0).all()
    close = 1e-5 if dtype == np.float32 else 1e-13
    assert np.allclose(a @ vectors, vectors * values, atol=close)
    assert np.allclose(values_of("v, q = eigh(g)\nx = q * v @ q.T", a), a, atol=close)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_eye(shape, dtype):
    x = np.full(shape, 7, dtype)
    assert (eye(x).dtype, eye(x).shape) == (dtype, shape)
    assert (eye(x) == np.identity(3)).all()
    assert (values_of("x = 2 * eye(g)", x) == 2 * np.identity(3)).all()


def test_sorting_by_hand():
    x = np.diag([1.0, 5.0, -2.0, 5.0])
    x[0, 1] = 9.0
    p = sorting(x)
    # 5 comes first, that of the second row before that of the fourth; what is not on the diagonal does not count.
    assert p.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]]
    assert np.diagonal(p.T @ x @ p).tolist() == [5, 5, 1, -2]
    assert (values_of("x = sorting(g).T @ g @ sorting(g)", x) == p.T @ x @ p).all()


def test_sorting_of_a_stack():
    x = np.random.default_rng(4).standard_normal((3, 2, 5, 5)).astype(np.float32)
    p = sorting(x)
    assert (p.shape, p.dtype) == (x.shape, np.float32)
    assert set(p.ravel()) == {0, 1}
    assert (p.sum(-1) == 1).all()
    assert (p.sum(-2) == 1).all()
    for i in np.ndindex(3, 2):
        assert np.diagonal(p[i].T @ x[i] @ p[i]).tolist() == sorted(np.diagonal(x[i]), reverse=True)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (2, 3, 5)])
def test_numbers_of_rows_and_columns(shape):
    g = np.zeros(shape)
    n, m = shape[-2:]
    assert (nrows(g), ncols(g), type(nrows(g))) == (n, m, float)
    body = "x = 0 * g + sqrt(maximum(1.0, ncols(w) / nrows(w))) + nrows(g @ g.T)"
    assert (values_of(body, g) == np.sqrt(max(1, m / n)) + n).all()


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (2, 3, 5)])
def test_a_branch_on_rows_and_columns(shape):
    """Both branches have a shape of their own until the last line."""
    g = np.random.default_rng(6).standard_normal(shape)
    short = "y = g.T if nrows(g) > ncols(g) else g\nx = (y @ y.T @ y).T if nrows(g) > ncols(g) else y @ y.T @ y"
    long = "if nrows(g) > ncols(g):\n    y = g.T @ g\n    x = g @ y\nelse:\n    y = g @ g.T\n    x = y @ g"
    expected = g @ np.swapaxes(g, -1, -2) @ g
    for body in (short, long):
        assert np.allclose(values_of(body, g), expected, rtol=1e-13)


def test_blocks_by_hand():
    x = np.arange(15.0, dtype=np.float32).reshape(3, 5)
    cut = blocks(x, 2.0)
    assert (cut.shape, cut.dtype) == ((2, 3, 2, 2), np.float32)
    assert cut[0, 0].tolist() == [[0, 1], [5, 6]]
    assert cut[0, 2].tolist() == [[4, 0], [9, 0]]
    assert cut[1, 1].tolist() == [[12, 13], [0, 0]]
    assert cut[1, 2].tolist() == [[14, 0], [0, 0]]
    assert blocks(x, 4.0).shape == (1, 2, 3, 4)
    assert blocks(x, 1000.0).tolist() == [[x.tolist()]]
    assert blocks(np.stack([x, 2 * x]), 2.0).tolist() == [cut.tolist(), (2 * cut).tolist()]


@pytest.mark.parametrize("shape", [(3, 5), (1, 1), (6, 4), (2, 3, 5, 7)])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 100])
def test_blocks_and_back(shape, size):
    x = np.random.default_rng(5).standard_normal(shape)
    cut = blocks(x, float(size))
    assert unblocks(cut, x).tolist() == x.tolist()
    assert (cut != 0).sum() == x.size  # zeros at the edges, and nothing else
    assert values_of("x = unblocks(blocks(g, size), w)", x, size=size).tolist() == x.tolist()
    assert values_of("x = unblocks(2 * blocks(g, size + 1), w)", x, size=size).tolist() == (2 * x).tolist()


# Square matrices beside the parameter ---------------------------------------------------------------------------------

SQUARE = {
    "a": tw.left("start"),
    "b": tw.right(0.5),
    "c": tw.left(start="start", block="size"),
    "d": tw.right(block="size"),
}
BOTH = "a = a + g @ g.T\nb = b + g.T @ g\nx = blocks(g, size)\nc = c + x @ x.T\nd = d + x.T @ x\n"
BOTH += "w = w - lr * (a @ g @ b + unblocks(c @ x @ d, w))\nreturn w, a, b, c, d"


def squares():
    return make(BOTH, "w, g, a, b, c, d, *, lr=0.1, start=2.0, size=2", state=SQUARE)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", ["in_out", "out_in"])
def test_shapes_and_starts_of_squares(dtype, layout):
    """Sides are those of the matrix as the text sees it, which in the other layout is the transposed one."""
    shapes = {"x": (3, 5), "y": (2, 4, 3)}
    params = {name: np.ones(shape, dtype) for name, shape in shapes.items()}
    opt = tw.Optimizer(squares(), start=3.0, layout=layout)
    opt.update(params, {name: np.zeros_like(w) for name, w in params.items()})
    for name, (*stack, n, m) in shapes.items():
        rows, columns = (n, m) if layout == "in_out" else (m, n)
        grid = (*stack, -(-rows // 2), -(-columns // 2), 2, 2)
        expected = {"a": (*stack, rows, rows), "b": (*stack, columns, columns), "c": grid, "d": grid}
        for (slot, shape), first in zip(expected.items(), (3.0, 0.5, 3.0, 0.0), strict=True):
            value = opt.state[name][slot]
            assert (value.shape, value.dtype) == (shape, np.dtype(dtype)), slot
            assert (value == first * np.identity(shape[-1])).all(), slot
        assert (params[name] == 1).all()


def test_squares_by_hand():
    rng = np.random.default_rng(7)
    w, a, b = rng.standard_normal((3, 5)), 2.0 * np.identity(3), 0.5 * np.identity(5)
    c, d = np.broadcast_to(2.0 * np.identity(2), (2, 3, 2, 2)), np.zeros((2, 3, 2, 2))
    params, opt = {"w": w.copy()}, tw.Optimizer(squares())
    for _ in range(3):
        g = rng.standard_normal((3, 5))
        opt.update(params, {"w": g})
        a, b = a + g @ g.T, b + g.T @ g
        x = np.zeros((2, 3, 2, 2))
        for i, j in np.ndindex(3, 5):
            x[i // 2, j // 2, i % 2, j % 2] = g[i, j]
        c, d = c + x @ np.swapaxes(x, -1, -2), d + np.swapaxes(x, -1, -2) @ x
        inside = c @ x @ d
        for i, j in np.ndindex(3, 5):
            w[i, j] -= 0.1 * ((a @ g @ b)[i, j] + inside[i // 2, j // 2, i % 2, j % 2])
        assert np.allclose(params["w"], w, rtol=1e-13)
    assert squares().facts.matrix
    assert not squares().facts.elementwise
    state = [opt.state["w"][slot] for slot in "abcd"]
    assert squares().function(w, g, *state)[0].shape == (3, 5)
    with pytest.raises(ValueError, match=r"c is float64 of shape \(2, 3, 2, 2\); .* of shape \(1, 2, 3, 3\)"):
        squares().function(w, g, *state, size=3)


@pytest.mark.parametrize("shape", [(2, 3), (4, 4), (3,), ()])
def test_a_square_that_no_word_for_matrices_meets_runs_as_numpy(shape):
    """A kernel would take it to be like the parameter, and read and write beside it."""
    rule = make("a = 0.5 * a\nw = w - lr * g\nreturn w, a", "w, g, a, *, lr=0.1", state={"a": tw.left(1.0)})
    assert (rule.facts.matrix, rule.facts.elementwise, rule.facts.exact) == (True, False, False)
    params, g = {"w": np.ones(shape)}, {"w": np.ones(shape)}
    if len(shape) < 2:
        with pytest.raises(ValueError, match="F is a rule for matrices, with two axes or more, and 'w' has shape"):
            tw.Optimizer(rule).update(params, g)
        return
    opt = tw.Optimizer(rule)
    opt.update(params, g)
    assert opt.state["w"]["a"].tolist() == (0.5 * np.identity(shape[0])).tolist()
    assert (params["w"] == 0.9).all()


# The other layout -----------------------------------------------------------------------------------------------------


def test_the_other_layout_twice_is_the_rule_itself():
    rule = squares()
    other = rule.flipped
    assert (rule.layout, other.layout) == ("in_out", "out_in")
    assert other.flipped is rule
    assert rule.in_layout("in_out") is other.in_layout("in_out") is rule
    assert rule.in_layout("out_in") is other.in_layout("out_in") is other
    assert rule.digest != other.digest
    assert pickle.loads(pickle.dumps(muon.flipped)) is muon.flipped
    with pytest.raises(ValueError, match="layout = 'torch'; it is 'in_out'"):
        rule.in_layout("torch")
    with pytest.raises(ValueError, match="Adam is no rule of whole matrices, and has no layout"):
        tw.RULES["adam"].in_layout("out_in")


@tw.rule(state={"z": tw.copy("w")}, average="z")
def averaging(w, g, z, *, lr=0.1):
    w = w - lr * (g @ g.T @ g)
    z = 0.5 * z + 0.5 * w
    return w, z


@tw.rule(state={"z": tw.copy("w")}, average=tw.term("def point(w, z, lr):\n    return w + lr * z"))
def extrapolating(w, g, z, *, lr=0.1):
    step = g @ g.T @ g if ncols(g) > 2 else g
    w = w - lr * step
    z = 0.5 * z + 0.5 * w
    return w, z


@pytest.mark.parametrize("rule", [averaging, extrapolating])
def test_an_average_is_shown_in_the_layout_of_the_parameter(rule):
    g = np.random.default_rng(8).standard_normal((3, 5))
    params, other = {"w": np.ones((3, 5))}, {"w": np.ones((5, 3))}
    plain, turned = tw.Optimizer(rule), tw.Optimizer(rule, layout="out_in")
    plain.update(params, {"w": g})
    turned.update(other, {"w": np.array(g.T)})
    with plain.averaged(), turned.averaged():
        assert np.allclose(params["w"], other["w"].T, rtol=1e-13)
        assert not (params["w"] == 1).any()


@tw.rule(state={"estimate": tw.given("hessian")})
def newton(w, g, h, estimate, *, fresh, lr=0.1):
    h = estimate + 0 * (g @ g.T @ g) if fresh == 1 else h
    w = w - lr * g / (1 + h)
    return w, h, estimate


def test_a_hessian_is_given_in_the_layout_of_the_parameter():
    rng = np.random.default_rng(9)
    params = {"w": np.ones((2, 3)), "v": np.ones((2, 3))}
    plain, turned = tw.Optimizer(newton), tw.Optimizer(newton, layout="out_in")
    for step in range(4):
        g, h = rng.standard_normal((2, 2, 3)) ** 2
        diagonal = h if step % 2 == 0 else None
        plain.update({"w": params["w"]}, {"w": g}, hessian=None if diagonal is None else {"w": diagonal})
        turned.update({"v": params["v"].T}, {"v": g.T}, hessian=None if diagonal is None else {"v": diagonal.T})
        assert (params["w"] == params["v"]).all()
        turned.load_state_dict(turned.state_dict())
    assert (turned.state["v"]["h"] == plain.state["w"]["h"]).all()


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body, message",
    [
        ("x = eigh(g)", "line 2: the right side gives 2 values for 1 name on the left"),
        ("x = g + eigh(g)", "line 2: `eigh` gives 2 values; write `a, b = eigh(g)` on a line of its own"),
        (
            "x = eye(lr)",
            "line 2: `eye(lr)`: `lr` is a number known before the step, and words for matrices take arrays",
        ),
        (
            "x = sorting(sum(g))",
            "line 2: `sorting(sum(g))`: `sum(g)` is a number of the tensor, and words for matrices",
        ),
        ("x = nrows(2)", "line 2: `nrows(2)`: `2` is a number known before the step, and words for matrices"),
        ("x = ncols(nrows(g))", "line 2: `ncols(nrows(g))`: `nrows(g)` is a number of the tensor, and words for"),
        ("x = g * nrows(g) ** 3", "line 2: `nrows(g)**3`: numbers after a reduction know the powers 2, 0.5 and -1"),
        ("x = g * log(nrows(g))", "line 2: `log(nrows(g))`: numbers after a reduction know + - * /"),
        ("x = g * (nrows(g) // 2)", "line 2: `nrows(g) // 2`: `//` works on numbers that are known before the step"),
        ("x = sum(nrows(g)) * g", "line 2: `sum(nrows(g))`: `nrows(g)` is a number of the tensor already"),
        ("x = blocks(g)", "line 2: `blocks` takes 2 arguments, not 1"),
        ("x = blocks(g, g)", "line 2: `blocks(g, g)`: `g` is an array, and has to be known before the step"),
        (
            "x = blocks(g, ncols(g))",
            "line 2: `blocks(g, ncols(g))`: `ncols(g)` is a number of the tensor, and has to be",
        ),
        ("x = blocks(2, lr)", "line 2: `blocks(2, lr)`: `2` is a number known before the step, and words for"),
        ("x = unblocks(g)", "line 2: `unblocks` takes 2 arguments, not 1"),
        (
            "x = unblocks(blocks(g, lr), lr)",
            "`lr` is a number known before the step, and words for matrices take arrays",
        ),
        ("x = g if eye(g) else w", "line 2: the condition `eye(g)` is an array, and a condition is a number"),
        ("x = eye(g > 0)", "line 2: `g > 0` is a mask (an array); to compute with it write `where(mask, a, b)`"),
        ("x = blocks(g, size=lr)", "line 2: `blocks`: words take arguments by position, not `size=`"),
    ],
)
def test_uses_that_are_refused(body, message):
    assert message in refusal(f"{body}\nw = w - lr * x")


@pytest.mark.parametrize(
    "state, message",
    [
        (
            {"a": tw.left("first")},
            "the slot `a` starts at `first`, which is no hyper-parameter of this text; it has: lr",
        ),
        (
            {"a": tw.right(block="size")},
            "the slot `a` is in blocks of `size`, which is no hyper-parameter of this text",
        ),
        (
            {"a": tw.left()},
            "the new value of `a` is a number of the tensor, and has to be an array; `g @ g.T` is a square",
        ),
        ({"a": tw.right()}, "the new value of `a` is a number of the tensor, and has to be an array; `g.T @ g` is a"),
        (
            {"a": tw.left},
            'use full(start), copy("w"), number(start), shared(start), rows(), columns(), left() or right()',
        ),
    ],
)
def test_squares_that_are_refused(state, message):
    value = "sum(a) * lr" if "number of the tensor" in message else "a + g @ g.T"
    assert message in refusal(f"a = {value}\nw = w - lr * g\nreturn w, a", "w, g, a, *, lr=0.1", state=state)


def test_a_size_of_blocks_is_a_whole_number():
    message = "the default `size = 0.5` is out of range, size >= 1, a whole number; `ranges=` declares another"
    body = "a = a + blocks(g, size)\nw = w - lr * g\nreturn w, a"
    assert message in refusal(body, "w, g, a, *, lr=0.1, size=0.5", state={"a": tw.left(block="size")})
    with pytest.raises(ValueError, match=r"size = 1\.5 is out of range; legal is size >= 1, a whole number"):
        tw.Optimizer(squares(), size=1.5)
    with pytest.raises(ValueError, match="a slot starts at a finite number"):
        tw.left(float("nan"))


@pytest.mark.parametrize(
    "body, message",
    [
        ("w = w - lr * eye(g)", "eye takes a square matrix, and this one has shape (2, 3)"),
        ("w = w - lr * sorting(g)", "sorting takes a square matrix, and this one has shape (2, 3)"),
        (
            "w = w - lr * unblocks(g, w)",
            "unblocks takes what blocks has cut, which has four axes or more; this has shape",
        ),
        ("w = w - lr * unblocks(blocks(g, 1), g.T)", "operands could not be broadcast together"),
        ("w = w - blocks(g, lr)", "a whole number from 1 on, and not 0.1, at lr = 0.1"),
        ("w = blocks(g, 2) + 0 * lr", "the new value of `w` has shape (1, 2, 2, 2), and `w` has shape (2, 3)"),
    ],
)
def test_matrices_that_do_not_fit(body, message):
    params = {"w": np.ones((2, 3))}
    with pytest.raises(tw.NumberError) as caught:
        tw.Optimizer(make(body)).update(params, {"w": np.ones((2, 3))})
    assert message in str(caught.value)
    assert (params["w"] == 1).all()
