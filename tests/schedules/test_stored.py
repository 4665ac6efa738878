"""Schedules as JSON and back."""

from __future__ import annotations

import copy
import json
import math

import pytest

from tests.schedules.every import EVERY, PLATEAU
from tests.schedules.tables import draws
from thalweg import schedules as s
from thalweg.schedules.stored import KINDS


def there_and_back(schedule):
    """Through strict JSON text, which has no NaN and no infinity."""
    return s.from_json(json.loads(json.dumps(s.to_json(schedule), allow_nan=False)))


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_round_trip(schedule):
    assert s.is_known(schedule)
    again = there_and_back(schedule)
    assert again == schedule
    assert type(again) is type(schedule)
    assert [again(t) for t in range(1, 200)] == [schedule(t) for t in range(1, 200)]


def test_what_is_written():
    assert s.to_json(s.warmup(s.step(0.1, every=3), steps=2)) == {
        "kind": "warmup",
        "schedule": {"kind": "step", "value": 0.1, "every": 3, "gamma": 0.1},
        "steps": 2,
        "start": 0.0,
    }


@pytest.mark.parametrize("rng", draws(5), ids=range(5))
def test_floats_are_exact(rng):
    value = math.ldexp(rng.random(), rng.randint(-1070, 1000))
    assert there_and_back(s.constant(value)).value == value


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_a_plateau_goes_on(cut):
    rng = draws(1)[0]
    metrics = [rng.gauss(0, 1) + min(i, 20) / 5 for i in range(60)]
    whole, first = s.reduce_on_plateau(0.3, **PLATEAU), s.reduce_on_plateau(0.3, **PLATEAU)
    values = [whole.feed(metric) for metric in metrics]
    for metric in metrics[:cut]:
        first.feed(metric)
    again = there_and_back(first)
    assert again == first
    assert [again.feed(metric) for metric in metrics[cut:]] == values[cut:]
    assert again == whole
    assert len(set(values)) > 2


def own(t):
    return 0.1 / t


@pytest.mark.parametrize(
    "unknown",
    [own, lambda t: 0.1, s.warmup(own, steps=3), s.join([0.1, s.warmup(own, steps=3)], milestones=[2])],
)
def test_functions_of_ones_own_cannot_be_written(unknown):
    assert not s.is_known(unknown)
    with pytest.raises(
        TypeError, match=r"<function .*> cannot be written: it is not one of thalweg's .* give it again"
    ):
        s.to_json(unknown)


@pytest.mark.parametrize("other", [0.1, None, "cosine", s.cosine, {"kind": "constant", "value": 1.0}, s.Schedule])
def test_only_schedules_are_known(other):
    assert not s.is_known(other)
    with pytest.raises(TypeError, match=r"cannot be written"):
        s.to_json(other)


STORED = [s.to_json(schedule) for schedule in EVERY]
IDS = [f"{i}-{d['kind']}" for i, d in enumerate(STORED)]
JUNK = [None, True, "1", -1, -0.5, math.nan, math.inf, 10**400, [], {}, [[1]], {"kind": "os.system"}, "__import__"]


@pytest.mark.parametrize("d", STORED, ids=IDS)
def test_keys_that_are_missing_or_unexpected(d):
    for key in d:
        with pytest.raises(ValueError, match=rf"{key!r} is missing|kind = None is no schedule"):
            s.from_json({name: value for name, value in d.items() if name != key})
    with pytest.raises(ValueError, match=r"there is no key 'extra'; the keys are kind, "):
        s.from_json(d | {"extra": 1})
    with pytest.raises(ValueError, match=r"there is no key 7"):
        s.from_json(d | {7: 1})


@pytest.mark.parametrize("d", STORED, ids=IDS)
def test_junk_is_refused_by_key_or_is_another_legal_schedule(d):
    """Every value of every key replaced: an error that names the key, or a schedule that is written as it was read."""
    refused = 0
    for key in d:
        for junk in JUNK:
            damaged = copy.deepcopy(d) | {key: junk}
            try:
                found = s.from_json(damaged)
            except ValueError as error:
                assert key in str(error)  # noqa: PT017  (an error or a result, both are looked at)
                refused += 1
            else:
                assert there_and_back(found) == found
                assert all(type(found(t)) is float for t in (1, 5, 1000))
    assert refused >= 5 * len(d)


@pytest.mark.parametrize("junk", JUNK)
def test_junk_in_the_state_of_a_plateau(junk):
    d = s.to_json(s.reduce_on_plateau(0.3, **PLATEAU))
    for key in d["state"]:
        if (key, junk) in (("best", None), ("best", -1), ("best", -0.5)):
            continue
        with pytest.raises(ValueError, match=rf"state: .*{key}"):
            s.from_json(d | {"state": d["state"] | {key: junk}})
    for state in ({}, [], 3, None, {"current": 0.3}, d["state"] | {"x": 1}):
        with pytest.raises(ValueError, match=r"state"):
            s.from_json(d | {"state": state})


@pytest.mark.parametrize(
    "name", ["Cosine", "__init__", "Schedule", "from_json", "thalweg.schedules.cosine", "eval", ""]
)
def test_only_names_of_the_table(name):
    with pytest.raises(ValueError, match=r"^schedule: kind = .* is no schedule; there are constant, step"):
        s.from_json({"kind": name, "value": 0.1, "steps": 9})
    assert name not in KINDS


@pytest.mark.parametrize("d", [None, [], "cosine", 0.1, ["kind"]])
def test_only_dicts(d):
    with pytest.raises(ValueError, match=r"is no dict of a schedule"):
        s.from_json(d)


def test_the_error_shows_the_way_to_the_key():
    d = s.to_json(s.join([0.1, s.warmup(s.step(0.1, every=3), steps=2)], milestones=[5]))
    d["schedules"][1]["schedule"]["every"] = 0
    with pytest.raises(
        ValueError, match=r"^schedule: schedules\[1\]: schedule: step: every = 0 is out of range; give a"
    ):
        s.from_json(d)


def test_too_deep():
    d = s.to_json(s.constant(0.1))
    for _ in range(20_000):
        d = {"kind": "warmup", "schedule": d, "steps": 1, "start": 0.0}
    with pytest.raises(ValueError, match=r"too many schedules inside each other"):
        s.from_json(d)
    while isinstance(d, dict):  # freed from the outside in, or the destructors would nest as deeply
        d = d.pop("schedule", None)
