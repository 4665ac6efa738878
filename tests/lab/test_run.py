"""One run: its record says what happened, diverging included, and nothing else is said."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from thalweg import problems
from thalweg.lab.records import CURVES, check_record
from thalweg.lab.run import run
from thalweg.lab.study import Study


def config(problem="ravine", rule="sgd", lr=0.1, epochs=5, seed=0):
    return Study.declare(problem, [rule], [lr], [seed], epochs).runs()[0]


def test_a_record_is_complete_and_is_json():
    record = run(config())
    assert check_record(json.loads(json.dumps(record, allow_nan=False)), config().key) == record
    assert record["status"] == "ok"
    assert record["curve"]["epoch"] == [0, 1, 2, 3, 4, 5]
    assert set(record["curve"]) == {"epoch", *CURVES}
    assert record["hyperparams"] == {"lr": 0.1}
    assert 0 < record["seconds"]["update"] + record["seconds"]["gradient"] < record["seconds"]["total"]


def test_the_curve_is_the_descent_worked_by_hand():
    """f = x^2/20 + y^2 from (-7, 2): a step of SGD multiplies x by 1 - lr/10 and y by 1 - 2 lr."""
    curve = run(config(lr=0.1))["curve"]
    expected = [(7 * 0.99**t) ** 2 / 20 + (2 * 0.8**t) ** 2 for t in range(6)]
    for name in CURVES:
        assert curve[name] == pytest.approx(expected, rel=1e-13)


def test_the_same_run_gives_the_same_curve_and_another_seed_another():
    first, again, other = (run(config(seed=seed))["curve"] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_network_learns_the_digits_and_every_part_is_evaluated():
    record = run(config("digits", "adam", 0.003, epochs=2))
    assert record["status"] == "ok"
    assert record["steps_per_epoch"] == 11
    for name in ("train_metric", "val_metric", "test_metric"):
        assert record["curve"][name][0] < 0.4
        assert 0.7 < record["curve"][name][-1] < 1
    assert len({tuple(record["curve"][name]) for name in CURVES}) == 6


def test_a_diverged_run_stops_early_says_where_and_keeps_its_curve():
    record = run(config("digits", "sgd", 1e6, epochs=3))
    assert record["status"] == "diverged"
    assert record["diverged_at"]["epoch"] == 1
    assert 1 <= record["diverged_at"]["step"] <= 11
    assert record["diverged_at"]["reason"]
    assert record["curve"]["epoch"] == [0]
    check_record(json.loads(json.dumps(record, allow_nan=False)), record["key"])


class Scripted(problems.Trial):
    """A trial whose losses, gradients and evaluations are told beforehand."""

    def __init__(self, losses, gradients=None, evaluations=None):
        self.params = {"w": np.ones(1)}
        self.left = list(zip(losses, gradients or [0.0] * len(losses), strict=True))
        self.evaluations = evaluations or [1.0] * (len(losses) + 1)

    def epoch(self):
        loss, gradient = self.left.pop(0)
        yield lambda: (loss, {"w": np.array([gradient])})

    def evaluate(self):
        return dict.fromkeys(CURVES, self.evaluations.pop(0))


def scripted(monkeypatch, trial, steps_per_epoch=1, epochs=3):
    monkeypatch.setattr(problems.Ravine, "start", lambda self, seed: trial)
    monkeypatch.setattr(problems.Ravine, "steps_per_epoch", steps_per_epoch)
    return run(config(epochs=epochs))


@pytest.mark.parametrize("loss, word", [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_a_loss_that_is_no_number_is_divergence(monkeypatch, loss, word):
    record = scripted(monkeypatch, Scripted([1.0, loss, 1.0]))
    assert record["diverged_at"] == {"epoch": 2, "step": 2, "reason": f"the loss is {word}"}
    assert record["curve"]["epoch"] == [0, 1]


@pytest.mark.parametrize("gradient", [np.nan, np.inf])
def test_a_gradient_that_is_no_number_is_divergence(monkeypatch, gradient):
    record = scripted(monkeypatch, Scripted([1.0, 1.0, 1.0], [0.0, 0.0, gradient]))
    assert record["status"] == "diverged"
    assert (record["diverged_at"]["epoch"], record["diverged_at"]["step"]) == (3, 3)
    assert "w" in record["diverged_at"]["reason"]
    assert record["curve"]["epoch"] == [0, 1, 2]


def test_an_overflow_of_a_python_number_is_divergence(monkeypatch):
    trial = Scripted([1.0])

    def overflow():
        return 10.0**400, {}

    trial.epoch = lambda: iter([overflow])
    record = scripted(monkeypatch, trial)
    assert record["diverged_at"]["step"] == 1
    assert record["diverged_at"]["reason"]


def test_an_overflow_of_numpy_on_the_way_is_neither_divergence_nor_a_warning(monkeypatch):
    trial = Scripted([1.0])
    huge = np.array([1e300])

    def overflow():
        return float(1 / (huge * huge)[0]), {"w": np.ones(1)}

    trial.epoch = lambda: iter([overflow])
    assert scripted(monkeypatch, trial, epochs=1)["status"] == "ok"


def test_an_evaluation_that_is_no_number_is_divergence_after_the_epoch(monkeypatch):
    record = scripted(monkeypatch, Scripted([1.0] * 3, evaluations=[1.0, 2.0, np.inf, 1.0]))
    assert record["diverged_at"]["epoch"] == 2
    assert "train_loss is inf" in record["diverged_at"]["reason"]
    assert record["curve"]["epoch"] == [0, 1]


@pytest.mark.parametrize("last, status", [(30.0, "ok"), (30.1, "diverged")])
def test_ten_times_the_loss_before_training_is_divergence(monkeypatch, last, status):
    record = scripted(monkeypatch, Scripted([1.0] * 3, evaluations=[3.0, 3.0, last, 3.0]), steps_per_epoch=2)
    assert record["status"] == status
    # The epoch was trained to its end, so it belongs to the curve.
    assert record["curve"]["train_loss"][:3] == [3.0, 3.0, last]
    assert len(record["curve"]["epoch"]) == (4 if status == "ok" else 3)


@pytest.mark.parametrize("values, status", [([3.0, 3.0, 99.0, 3.0], "ok"), ([3.0, 3.0, 3.0, 99.0], "diverged")])
def test_a_single_step_may_overshoot_and_come_back(monkeypatch, values, status):
    record = scripted(monkeypatch, Scripted([1.0] * 3, evaluations=values), steps_per_epoch=1)
    assert record["status"] == status
    assert record["curve"]["epoch"] == [0, 1, 2, 3]


@pytest.mark.parametrize("field", ["version", "rule_digest", "problem_config"])
def test_a_run_made_for_other_code_is_refused(field):
    made = dataclasses.replace(config(), **{field: {"f": "x"} if field == "problem_config" else "0"})
    with pytest.raises(ValueError, match=f"{field} of this run"):
        run(made)
