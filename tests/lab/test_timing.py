"""What an update costs: measured for all rules together, kept where it still holds, measured anew where it does not."""

from __future__ import annotations

import json

import pytest

from thalweg.lab import timing as module
from thalweg.lab.records import Store
from thalweg.lab.study import Study
from thalweg.lab.timing import ROUNDS, measure, timing

STUDY = Study.declare("ravine", ["sgd", "adam"], [0.1, 0.01], 1, 2)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def measured(monkeypatch):
    """How often something was measured; what is measured is made up."""
    calls = []

    def fake(study, rules):
        calls.append(list(rules))
        return {name: [1e-6] * ROUNDS for name in rules}

    monkeypatch.setattr(module, "measure", fake)
    return calls


def test_each_rule_has_one_time_a_round():
    taken = measure(STUDY, STUDY.rules, seconds=0.02)
    assert list(taken) == ["sgd", "adam"]
    for seconds in taken.values():
        assert len(seconds) == ROUNDS
        assert all(0 < s < 0.1 for s in seconds)


def test_the_rules_take_turns(monkeypatch):
    order = []
    take = module._Turn.take

    def noted(turn):
        order.append(turn.optimizer.rule.name)
        return take(turn)

    monkeypatch.setattr(module._Turn, "take", noted)
    measure(STUDY, STUDY.rules, seconds=0.01)
    assert order[-2 * ROUNDS :] == ["sgd", "adam"] * ROUNDS


def test_what_was_measured_is_stored_with_what_it_was_measured_on(store, measured):
    result = timing(STUDY, store, STUDY.rules)
    assert result["adam"]["params"] == 2
    assert result["adam"]["seconds_per_step"] == [1e-6] * ROUNDS
    assert store.read_json("timing.json") == json.loads(json.dumps(result))


def test_it_is_measured_once(store, measured):
    assert timing(STUDY, store, STUDY.rules) == timing(STUDY, store, STUDY.rules)
    assert len(measured) == 1


def test_the_numbers_that_a_step_updates_are_counted(store, measured):
    weights, biases = 64 * 100 + 3 * 100 * 100 + 100 * 10, 4 * 100 + 10
    found = timing(Study.declare(rules=["sgd"]), store, ["sgd"])["sgd"]
    assert (found["params"], found["arrays"]) == (weights + biases, 10)


@pytest.mark.parametrize(
    "change",
    [
        {"rule_digest": "0" * 64},
        {"convention": "paper"},
        {"problem_config": {}},
        {"version": "0.0.1"},
        {"machine": {}},
        {"seconds_per_step": []},
        {"seconds_per_step": [0.0] * ROUNDS},
        {"seconds_per_step": ["fast"] * ROUNDS},
        {"seconds_per_step": None},
    ],
)
def test_times_of_something_else_are_not_taken(store, measured, change):
    result = timing(STUDY, store, STUDY.rules)
    store.write_json("timing.json", result | {"adam": result["adam"] | change})
    assert timing(STUDY, store, STUDY.rules) == result
    assert len(measured) == 2


def test_another_rule_means_measuring_all_again(store, measured):
    timing(STUDY, store, STUDY.rules)
    more = Study.declare("ravine", ["sgd", "momentum", "adam"], [0.1], 1, 2)
    assert list(timing(more, store, more.rules)) == ["sgd", "momentum", "adam"]
    assert len(measured) == 2


def test_rules_of_which_nothing_is_known_are_left_out(store, measured):
    assert list(timing(STUDY, store, {"adam"})) == ["adam"]
    assert timing(STUDY, store, set()) == {}
    assert measured == [["adam"]]
