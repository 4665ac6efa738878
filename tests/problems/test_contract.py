"""What every problem promises, tested on all of them."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from thalweg import problems

pytest.importorskip("sklearn", reason="scikit-learn, of the extra `lab`, is not installed")

KEYS = {"train_loss", "train_metric", "val_loss", "val_metric", "test_loss", "test_metric"}


@pytest.fixture(params=problems.NAMES)
def problem(request):
    return problems.get(request.param)


def test_the_names():
    assert problems.NAMES == ("digits", "ravine")
    assert [problems.get(name).name for name in problems.NAMES] == list(problems.NAMES)


@pytest.mark.parametrize("name, hint", [("digts", "; did you mean 'digits'?"), ("mnist", "")])
def test_another_name_is_refused_with_the_legal_ones(name, hint):
    message = f"there is no problem {name!r}: it can be 'digits', 'ravine'{hint}"
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        problems.get(name)


def test_what_is_declared_fits_together(problem):
    assert problem.metric in ("accuracy", "value")
    assert problem.target in problem.targets
    assert len(set(problem.targets)) == len(problem.targets) >= 3
    assert list(problem.targets) == sorted(problem.targets, reverse=not problem.higher_is_better), "from easy to hard"
    first = problem.targets[0]
    assert problem.chance < first if problem.higher_is_better else problem.chance > first
    for text in (problem.title, problem.description, problem.metric_title):
        assert text
        assert text == text.strip()
    assert problem.epochs >= 1


def test_the_config_is_json(problem):
    assert json.loads(json.dumps(problem.config, allow_nan=False)) == problem.config
    assert problem.config == problems.get(problem.name).config


def test_an_epoch_has_its_steps_and_each_gives_a_loss_and_a_gradient_per_parameter(problem):
    trial = problem.start(0)
    for _ in range(2):
        steps = list(trial.epoch())
        assert len(steps) == problem.steps_per_epoch
        for step in steps:
            loss, grads = step()
            assert type(loss) is float
            assert grads.keys() == trial.params.keys()
            for name, array in trial.params.items():
                assert (grads[name].shape, grads[name].dtype) == (array.shape, array.dtype)
                assert not np.shares_memory(grads[name], array)


def test_a_step_uses_the_parameters_as_they_are_when_it_is_called(problem):
    trial = problem.start(0)
    step = next(iter(trial.epoch()))
    before, again = step()[0], step()[0]
    for name in trial.params:
        trial.params[name] *= 0.5
    assert before == again != step()[0]


def test_evaluate_gives_six_floats_and_changes_nothing(problem):
    trial, other = problem.start(1), problem.start(1)
    result = trial.evaluate()
    assert result.keys() == KEYS
    assert all(type(value) is float for value in result.values())
    assert trial.evaluate() == result
    assert [step()[0] for step in trial.epoch()] == [step()[0] for step in other.epoch()]


def train(trial, epochs, lr):
    losses = []
    for _ in range(epochs):
        for step in trial.epoch():
            loss, grads = step()
            losses.append(loss)
            for name, grad in grads.items():
                trial.params[name] -= lr * grad
    return losses


def test_the_same_seed_gives_the_same_run_to_the_last_bit(problem):
    first, second, other = problem.start(2), problem.start(2), problem.start(3)
    assert train(first, 3, 0.1) == train(second, 3, 0.1) != train(other, 3, 0.1)
    assert first.evaluate() == second.evaluate()
    for name, array in first.params.items():
        assert np.array_equal(array, second.params[name])
        assert not np.shares_memory(array, second.params[name])


def test_a_diverged_run_is_evaluated_without_a_warning(problem):
    trial = problem.start(0)
    for name, array in trial.params.items():
        trial.params[name] += 1e200 if array.dtype == np.float64 else 1e25
    assert not math.isfinite(trial.evaluate()["train_loss"])
    for step in trial.epoch():
        step()


@pytest.mark.parametrize("seed", [-1, 1.0, True, None, "1"])
def test_another_seed_is_refused(problem, seed):
    with pytest.raises(ValueError, match="give an integer >= 0"):
        problem.start(seed)


def test_a_numpy_integer_is_a_seed(problem):
    assert problem.start(np.int64(4)).evaluate() == problem.start(4).evaluate()
