"""The recorded cases of tests/data/schedules.json: every one is replayed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from tests.schedules.tables import EPS
from thalweg import schedules as s

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "schedules.json").read_text())
CASES = {case["id"]: case for case in RECORDED["cases"]}

OURS = {
    "torch/StepLR": lambda lr, h: s.step(lr, every=h["step_size"], gamma=h["gamma"]),
    "torch/MultiStepLR": lambda lr, h: s.multi_step(lr, milestones=h["milestones"], gamma=h["gamma"]),
    "torch/ExponentialLR": lambda lr, h: s.exponential(lr, gamma=h["gamma"]),
    "torch/CosineAnnealingLR": lambda lr, h: s.cosine(lr, steps=h["T_max"], final=h["eta_min"]),
    "torch/CosineAnnealingWarmRestarts": lambda lr, h: s.warm_restarts(
        lr, period=h["T_0"], growth=h["T_mult"], final=h["eta_min"]
    ),
    "torch/LinearLR": lambda lr, h: s.warmup(lr, steps=h["total_iters"], start=lr * h["start_factor"]),
    "torch/PolynomialLR": lambda lr, h: s.polynomial(lr, steps=h["total_iters"], power=h["power"]),
    "torch/OneCycleLR_cos": lambda lr, h: s.one_cycle(
        h["max_lr"],
        steps=h["total_steps"],
        pct_start=h["pct_start"],
        div_factor=h["div_factor"],
        final_div_factor=h["final_div_factor"],
        anneal=h["anneal"],
    ),
    "torch/CyclicLR_triangular2": lambda lr, h: s.cyclic(
        h["base_lr"], h["max_lr"], up=h["step_size_up"], mode="triangular2"
    ),
    "thinc/warmup_linear": lambda lr, h: s.polynomial(
        h["initial"], steps=h["total_steps"], warmup=h["warmup_steps"]
    ),
}  # fmt: skip
PLATEAU, CLOSED_LOOP = "torch/ReduceLROnPlateau", "keras/fit_exponential_decay_adam"


def test_none_is_left_out():
    assert set(CASES) == {*OURS, PLATEAU, CLOSED_LOOP}


@pytest.mark.parametrize("name", OURS)
def test_replay(name):
    case = CASES[name]
    schedule = OURS[name](case.get("lr0"), case["hyper"])
    found = np.array([schedule(t) for t in range(1, len(case["lrs"]) + 1)])
    recorded = np.array(case["lrs"])
    assert len(set(found)) > 2
    # Recorded step by step: at most 8 roundings of half an ulp of the largest value in each (see test_against_torch).
    assert np.abs(found - recorded).max() <= 4 * len(recorded) * EPS * recorded.max()


def test_replay_plateau():
    case = CASES[PLATEAU]
    schedule = s.reduce_on_plateau(case["lr0"], **case["hyper"])
    assert [schedule.feed(metric) for metric in case["metrics"]] == case["lrs"]


def test_replay_of_a_training():
    case = CASES[CLOSED_LOOP]
    rate = s.exponential(
        case["hyper"]["initial_learning_rate"], gamma=case["hyper"]["decay_rate"], every=case["hyper"]["decay_steps"]
    )
    opt, x = tw.Adam(lr=rate, eps=1e-7), np.arange(32.0).reshape(16, 2)
    params = {"W": np.ones((2, 2)), "b": np.ones(2)}
    losses = []
    for _ in range(3):
        epoch = []
        for batch in np.split(x, 4):
            error = batch @ params["W"] + params["b"] - batch
            epoch.append(np.mean(error**2))
            g = 2 * error / error.size
            opt.update(params, {"W": batch.T @ g, "b": g.sum(axis=0)})
        losses.append(np.mean(epoch))
    assert losses == pytest.approx(case["expected_loss"], rel=case["rtol"])
    assert opt.lr == pytest.approx(0.05 * 0.9**11)
