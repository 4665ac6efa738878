"""The recorded cases of tests/data/mechanics.json: every one is replayed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw

pytestmark = pytest.mark.usefixtures("meaning")
RECORDED = json.loads((Path(__file__).parents[1] / "data" / "mechanics.json").read_text())
CASES = {case["id"]: case for case in RECORDED["cases"]}
LOOKAHEAD = [name for name in CASES if name.startswith("optax/lookahead")]


def arrays(given):
    return {name: np.array(value, float) for name, value in given.items()}


def test_each_has_its_source_and_licence_and_a_test():
    for case in CASES.values():
        assert case["source"]
        assert case["license"] in ("Apache-2.0", "MIT")
    replayed = {
        "keras/ema", "keras/gradient_accumulation", "keras/clipnorm", "keras/clipvalue", "tfkeras/global_clipnorm",
        "tfkeras/moving_average_optimizer", "keras/missing_gradient", "keras/loss_scale_dynamic", "mlx/dtype_preserved",
    }  # fmt: skip
    assert set(CASES) == replayed | set(LOOKAHEAD)


def test_ema_that_is_put_in_the_place_of_the_parameters():
    """Its numbers are recorded with two decimals; the sums of a few such numbers are exact to 1e-15 or so."""
    case = CASES["keras/ema"]
    params = arrays(case["params0"])
    opt = tw.chain(tw.SGD(lr=1.0), tw.ema(0.9, overwrite=3))
    recorded = iter(case["asserts_in_order"])
    for _ in range(3):
        opt.update(params, arrays(case["grad_repeat"]))
        for found in (params["v"], opt.state["v"]["ema_average"]):
            np.testing.assert_allclose(found, next(recorded)[1], rtol=0, atol=4e-15)
    assert next(recorded, None) is None


def test_gradient_accumulation():
    case = CASES["keras/gradient_accumulation"]
    params = arrays(case["params0"])
    opt = tw.chain(tw.accumulate(3), tw.SGD(lr=1.0))
    ours = {
        "v": lambda: params["v"],
        "optimizer._accumulated_gradients[0]": lambda: opt.state["v"]["accumulate_gathered"],
        "optimizer._iterations": lambda: 3 * opt.t + opt.gathered,
        "optimizer.iterations": lambda: opt.t,
    }
    recorded = case["asserts_in_order"]
    for k in range(4):
        opt.update(params, arrays(case["grad_repeat"]))
        for what, value in recorded[4 * k : 4 * k + 4]:
            assert np.array_equal(ours[what](), value), (k, what)
    assert len(recorded) == 16


@pytest.mark.parametrize(
    "name, link",
    [
        ("keras/clipnorm", tw.clip_norm),
        ("keras/clipvalue", tw.clip_value),
        ("tfkeras/global_clipnorm", tw.clip_global_norm),
    ],
)
def test_limits(name, link):
    """One rounding of the norm, and one of the quotient."""
    case = CASES[name]
    given = [np.array(g) for g in case["input"]] if "global" in name else [np.array(case["input"])]
    wanted = case["expected"] if "global" in name else [case["expected"]]
    params = [np.zeros(g.shape) for g in given]
    tw.chain(link(1.0), tw.SGD(lr=1.0)).update(params, given)
    for w, g in zip(params, wanted, strict=True):
        np.testing.assert_allclose(-w, g, rtol=4 * 2.0**-53)


def test_an_average_that_starts_at_the_initial_parameters():
    case = CASES["tfkeras/moving_average_optimizer"]
    params = arrays(case["params0"])
    opt = tw.chain(tw.SGD(lr=1.0), tw.ema(0.5, overwrite=3, start="initial"))
    for expected in case["expected"]:
        opt.update(params, arrays(case["grad_repeat"]) | {"var2": None})
        assert [float(w) for w in params.values()] == expected


def test_a_missing_gradient():
    case = CASES["keras/missing_gradient"]
    params = arrays(case["params0"])
    (grads,) = case["grads"]
    opt = tw.chain(tw.clip_value(5.0), tw.SGD(lr=1.0))
    opt.update(params, {name: None if g is None else np.array(g) for name, g in grads.items()})
    assert {name: w.tolist() for name, w in params.items()} == case["expected"]


def test_an_infinite_gradient_leaves_the_step_out():
    case = CASES["keras/loss_scale_dynamic"]
    params = arrays(case["params0"])
    opt = tw.chain(tw.clip_global_norm(1.0), tw.SGD(lr=1.0, nonfinite="skip"))
    opt.update(params, {"v": np.full(4, np.inf)})
    assert (params["v"].tolist(), opt.skipped, opt.t) == (case["expected"]["v"], 1, 0)


@pytest.mark.parametrize("name", LOOKAHEAD)
def test_lookahead(name):
    case = CASES[name]
    params = {key: float(w) for key, w in case["params0"].items()}
    lr = float(case["inner"].split("lr=")[1])
    opt = tw.chain(tw.SGD(lr=lr), tw.lookahead(case["sync_period"], case["slow_step_size"]))
    for _ in range(case["steps"]):
        opt.update(params, case["grad_repeat"])
    # Two times a third of 3 - 0 is rounded twice; the other cases are exact.
    assert params == pytest.approx(case["expected"], rel=0, abs=2e-15 if case["sync_period"] == 3 else 0)


def test_dtypes_stay_as_they_are():
    assert "float16" in CASES["mlx/dtype_preserved"]["what"]
    params = {"a": np.ones(3, np.float16), "b": np.ones((2, 2), np.float16)}
    grads = {name: np.full(w.shape, 0.5, np.float16) for name, w in params.items()}
    links = (
        (tw.clip_global_norm(0.5), tw.accumulate(1)),
        (tw.cautious(), tw.decoupled_decay(0.1), tw.lookahead(1), tw.ema(0.5)),
    )
    opt = tw.chain(*links[0], tw.Adam(lr=0.1), *links[1])
    opt.update(params, grads)
    for w in params.values():
        assert w.dtype == np.float16
        assert (w < 1).all()
