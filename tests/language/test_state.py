"""The six kinds of state, and numbers of tensors and of the model, against loops written out in the test."""

from __future__ import annotations

import math

import numpy as np
import pytest

import thalweg as tw
from tests.language.agreement import without_numba
from tests.language.texts import make
from thalweg.language.kinds import ARRAY, COLUMNS, MODEL, ROWS, STEP, TENSOR
from thalweg.words import amax, mean, norm, rms, sum  # noqa: A004

KINDS = {
    "a": tw.full(0.5),
    "b": tw.full("start"),
    "c": tw.copy("w"),
    "n": tw.number(0.25),
    "m": tw.number("start"),
    "s": tw.shared("start"),
    "r": tw.rows(),
    "k": tw.columns("start"),
}
BODY = """
z = z + g
a = a + g
b = b + g
n = n + norm(g)
m = m + lr
s = s + total(sum(g))
r = r + mean(g, axis=-1)
k = k + amax(g, axis=-2)
w = w - lr * (z + a + b + c + n + m + s + r + k)
return w, z, a, b, c, n, m, s, r, k"""


def six(**declared):
    args = "w, g, z, a, b, c, n, m, s, r, k, *, lr=0.1, start=2.0"
    return make(BODY.strip(), args, state=KINDS, **declared)


@pytest.fixture(autouse=True)
def way(request):
    """Rules run by their meaning, since to compile one takes a second, unless a test asks for kernels."""
    if getattr(request, "param", "meaning") == "kernels":
        yield
    else:
        with without_numba():
            yield


@pytest.mark.parametrize(
    "way, dtype", [("kernels", "float32"), ("meaning", "float32"), ("meaning", "float64")], indirect=["way"]
)
def test_shapes_and_starts(dtype):
    rng = np.random.default_rng(0)
    shapes = {"x": (2, 3), "y": (2, 4, 3)}
    old = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    params = {name: w.copy() for name, w in old.items()}
    grads = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    opt = tw.Optimizer(six(), start=3.0)
    opt.update(params, grads)
    number = sum(grads["x"]) + sum(grads["y"])
    for name, g in grads.items():
        state = opt.state[name]
        assert list(state) == ["z", "a", "b", "c", "n", "m", "r", "k"]
        expected = {
            "z": g, "a": np.full_like(g, 0.5) + g, "b": np.full_like(g, 3) + g, "c": old[name],
            "n": 0.25 + norm(g), "m": 3.1, "r": mean(g, axis=-1),
            "k": np.full((*g.shape[:-2], 1, 3), 3, dtype) + amax(g, axis=-2),
        }  # fmt: skip
        for slot, value in expected.items():
            assert np.array_equal(state[slot], value), slot
            assert np.asarray(state[slot]).dtype == (np.float64 if slot in "nm" else dtype)
    assert opt.shared["s"] == 3.0 + number
    assert type(opt.shared["s"]) is type(opt.state["x"]["n"]) is float
    assert state["r"].shape == (2, 4, 1)
    assert state["k"].shape == (2, 1, 3)


def test_a_slot_starts_at_zero_unless_it_is_told():
    assert [make(0).start for make in (tw.full, tw.number, tw.shared, tw.rows, tw.columns)] == [0.0] * 5
    assert [slot() for slot in (tw.number, tw.shared, tw.rows, tw.columns)] == [
        tw.number(0.0), tw.shared(0.0), tw.rows(0.0), tw.columns(0.0)
    ]  # fmt: skip
    assert six().slots["z"] == tw.full(0.0) != tw.copy("w")
    assert type(tw.full(1).start) is float


def test_kinds_of_slots_and_values():
    flat = six().flat
    expected = {"w": ARRAY, "z": ARRAY, "c": ARRAY, "n": TENSOR, "s": MODEL, "r": ROWS, "k": COLUMNS, "lr": STEP}
    assert {name: flat.kinds[name] for name in expected} == expected
    assert flat.outputs["c"] == "c"
    of_words = {step.word: step.kind for step in flat.steps if step.word}
    assert of_words == {"norm": TENSOR, "sum": TENSOR, "total": MODEL, "mean": ROWS, "amax": COLUMNS}


def test_a_name_assigned_from_numbers_only_is_a_number():
    rule = make(
        "a = lr * t\nb = a + norm(g)\nc = total(b)\nd = c if a > 1 else lr\ne = b if c > 1 else lr\nw = w - d * e * g",
        "w, g, *, t, lr=0.1",
    )
    kinds = {name.split("__")[0]: kind for name, kind in rule.flat.kinds.items()}
    assert (kinds["a"], kinds["b"], kinds["c"], kinds["d"], kinds["e"]) == (STEP, TENSOR, MODEL, MODEL, TENSOR)


def test_kinds_speak():
    assert str(STEP) == "a number known before the step"
    assert [str(k) for k in (MODEL, TENSOR, ARRAY)] == ["a number of the model", "a number of the tensor", "an array"]
    assert str(mean_of_means().flat.kinds["mean__2"]) == "one number a matrix"
    assert str(TENSOR.as_truth()) == "a number of the tensor that is true or false"
    assert str(ROWS.as_truth()) == "a mask (one number a row)"
    assert ROWS.join(COLUMNS) == ARRAY
    assert STEP.as_truth().join(MODEL).as_truth(truth=False) == MODEL


def mean_of_means():
    return make("w = w - lr * mean(mean(g, axis=-1), axis=-2)")


def test_a_number_a_matrix():
    params = {"w": np.ones((2, 2, 3))}
    g = np.arange(12.0).reshape(2, 2, 3)
    opt = tw.Optimizer(mean_of_means())
    opt.update(params, {"w": g})
    assert params["w"].tolist() == (1 - 0.1 * mean(mean(g, axis=-1), axis=-2) + 0 * g).tolist()
    assert (g.mean((1, 2)) == mean(mean(g, axis=-1), axis=-2).ravel()).all()


# Rules of a model, against loops --------------------------------------------------------------------------------------


def world(seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"a": (4, 3), "b": (7,), "c": ()}
    params = {k: np.array(rng.standard_normal(s)) for k, s in shapes.items()}
    grads = [{k: np.array(rng.standard_normal(s)) for k, s in shapes.items()} for _ in range(6)]
    return params, grads


def check(rule, step, **numbers):
    """Compare six steps with `step(w, g, state, t)` over dicts, to 1e-14 of the size."""
    params, grads = world()
    expected, state = {k: w.copy() for k, w in params.items()}, {}
    opt = tw.Optimizer(rule, **numbers)
    for t, g in enumerate(grads, 1):
        opt.update(params, g)
        step(expected, g, state, t)
        for name, w in params.items():
            assert np.allclose(w, expected[name], rtol=1e-14, atol=1e-14)


def test_global_norm():
    def step(w, g, state, t):
        length = math.sqrt(math.fsum(float((x * x).sum()) for x in g.values()))
        for k in w:
            w[k] -= 0.1 * g[k] / max(1, length)

    check(make("w = w - lr * g / maximum(1, sqrt(total(sum(g**2))))"), step)


def test_totals_of_totals():
    """The second total needs the first, so the meaning runs three times."""

    def step(w, g, state, t):
        center = sum_of(g, lambda x: x) / 20
        spread = math.sqrt(sum_of(g, lambda x: (x - center) ** 2) / 20)
        for k in w:
            w[k] -= 0.1 * (g[k] - center) / spread

    def sum_of(g, f):
        return math.fsum(float(f(x).sum()) for x in g.values())

    rule = make(
        "n = total(sum(0 * g + 1))\ncenter = total(sum(g)) / n\nspread = sqrt(total(sum((g - center)**2)) / n)\n"
        "w = w - lr * (g - center) / spread"
    )
    check(rule, step)


def test_lamb():
    def step(w, g, state, t):
        for k in w:
            m, v = state.get(k, (0, 0))
            m, v = 0.9 * m + 0.1 * g[k], 0.999 * v + 0.001 * g[k] ** 2
            state[k] = m, v
            u = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + 0.01 * w[k]
            lengths = np.sqrt((w[k] ** 2).sum()), np.sqrt((u**2).sum())
            w[k] -= 0.1 * (lengths[0] / lengths[1] if min(lengths) > 0 else 1) * u

    body = """
m = beta1 * m + (1 - beta1) * g
v = beta2 * v + (1 - beta2) * g**2
u = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps) + weight_decay * w
ratio = norm(w) / norm(u) if norm(w) > 0 and norm(u) > 0 else 1
w = w - lr * ratio * u
return w, m, v"""
    check(make(body.strip(), "w, g, m, v, *, t, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0.01"), step)


def test_distance_over_gradients():
    """DoG: the largest distance from the start over the root of the sum of squared gradients, of the whole model."""

    def step(w, g, state, t):
        if not state:
            state |= {"start": {k: x.copy() for k, x in w.items()}, "far": 1e-3, "squares": 0.0}
        state["far"] = max(state["far"], math.sqrt(sum_of((w[k] - state["start"][k]) ** 2 for k in w)))
        state["squares"] += sum_of(g[k] ** 2 for k in w)
        for k in w:
            w[k] -= state["far"] / math.sqrt(state["squares"] + 1e-8) * g[k]

    def sum_of(arrays):
        return math.fsum(float(x.sum()) for x in arrays)

    body = """
far = maximum(far, sqrt(total(sum((w - x0)**2))))
squares = squares + total(sum(g**2))
w = w - far / sqrt(squares + eps) * g
return w, x0, far, squares"""
    state = {"x0": tw.copy("w"), "far": tw.shared("reps"), "squares": tw.shared()}
    check(make(body.strip(), "w, g, x0, far, squares, *, eps=1e-8, reps=1e-3", state=state), step)


def test_momentum_products_of_nadam_are_numbers():
    def step(w, g, state, t):
        now, then = 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)), 0.9 * (1 - 0.5 * 0.96 ** ((t + 1) * 0.004))
        product = state["product"] = state.get("product", 1.0) * now
        for k in w:
            m, v = state.get(k, (0, 0))
            m, v = 0.9 * m + 0.1 * g[k], 0.999 * v + 0.001 * g[k] ** 2
            state[k] = m, v
            u = then * m / (1 - product * then) + (1 - now) * g[k] / (1 - product)
            w[k] -= 0.1 * u / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    body = """
now = beta1 * (1 - 0.5 * 0.96**(t * psi))
then = beta1 * (1 - 0.5 * 0.96**((t + 1) * psi))
product = product * now
m = beta1 * m + (1 - beta1) * g
v = beta2 * v + (1 - beta2) * g**2
u = then * m / (1 - product * then) + (1 - now) * g / (1 - product)
w = w - lr * u / (sqrt(v / (1 - beta2**t)) + eps)
return w, m, v, product"""
    args = "w, g, m, v, product, *, t, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8, psi=0.004"
    check(make(body.strip(), args, state={"product": tw.number(1.0)}), step)


def test_cover_of_rows_and_columns():
    """SM3-II."""
    rng = np.random.default_rng(4)
    w, r, c = rng.standard_normal((4, 3)), np.zeros((4, 1)), np.zeros((1, 3))
    params = {"w": w.copy()}
    body = """
v = minimum(r, c) + g**2
r = amax(v, axis=-1)
c = amax(v, axis=-2)
w = w - lr * g / sqrt(v + eps)
return w, r, c"""
    opt = tw.Optimizer(
        make(body.strip(), "w, g, r, c, *, lr=0.1, eps=1e-30", state={"r": tw.rows(), "c": tw.columns()})
    )
    for _ in range(5):
        g = rng.standard_normal((4, 3))
        opt.update(params, {"w": g})
        v = np.minimum(r, c) + g**2
        r, c = v.max(1, keepdims=True), v.max(0, keepdims=True)
        w -= 0.1 * g / np.sqrt(v + 1e-30)
        assert params["w"].tolist() == w.tolist()


def test_the_loss_of_the_step():
    """Polyak's step."""
    rule = make("w = w - value / total(sum(g**2)) * g", "w, g, *, value")
    assert rule.facts.needs_value
    params, g = {"w": np.array([3.0, 4.0])}, {"w": np.array([0.5, 1.0])}
    tw.Optimizer(rule).update(params, g, value=2.5)
    assert params["w"].tolist() == [3.0 - 2.5 / 1.25 * 0.5, 4.0 - 2.5 / 1.25]
    assert rule.function(np.array([3.0, 4.0]), g["w"], value=2.5)[0].tolist() == params["w"].tolist()


def test_reductions_of_the_word_rms_are_what_they_say():
    x = np.random.default_rng(5).standard_normal((3, 50))
    assert rms(x) == pytest.approx(math.sqrt((x**2).mean()), rel=1e-15)
