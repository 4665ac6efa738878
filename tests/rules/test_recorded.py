"""What other projects published or put out when run, replayed: tests/data/recorded_*.json, each with its source.

A case states its conventions in words of its own ("canonical"); `tests/rules/words.py` finds what they are here.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from tests.rules.words import changed, made

FILES = {p.stem.removeprefix("recorded_"): p for p in (Path(__file__).parents[1] / "data").glob("recorded_*.json")}
RECORDED = {source: json.loads(path.read_text("utf-8")) for source, path in FILES.items()}
CASES = {case["id"]: (source, case) for source, record in RECORDED.items() for case in record["cases"]}
# What is in the recordings: how many cases of each source and rule are replayed, and how many are left out.
REPLAYED = {
    "coursera": dict(adam=1, momentum=1, sgd=1),
    "cs231n": dict(adam=1, momentum=1, rmsprop=1),
    "keras": dict(
        adadelta=2, adafactor_keras=3, adagrad=2, adam=2, adamax=2, adamw=2, ftrl=1, lamb=2, lion=2, nadam=2,
        rmsprop=2, sgd=2,
    ),
    "pennylane": dict(adagrad=3, adam=3, momentum=3, rmsprop=3, sgd=3),
    "tfjs": dict(adagrad=1, adam=1, adamax=1, momentum=1, nesterov=1, rmsprop=2),
    "tfkeras": dict(adagrad=1, adam=1, adamax=1, amsgrad=1, ftrl=7, momentum=1, nadam=1, rmsprop=5, sgd=2),
    "torch": dict(
        adadelta=2, adafactor_torch=1, adagrad=4, adam=4, adamax=2, adamw=1, amsgrad=2, momentum=4, nesterov=2,
        rmsprop=6, sgd=3,
    ),
}  # fmt: skip
LEFT_OUT = {"tfjs": 1}


def seeded(opt, params, case):
    """Put an optimizer where the case starts: after t0 steps, with its state or with zeros."""
    first = case.get("t0", 0)
    if first or "state" in case:
        other = tw.Optimizer(opt.rule, **opt.hyperparams)
        other.update({k: w.copy() for k, w in params.items()}, {k: np.zeros_like(w) for k, w in params.items()})
        state = other.state_dict()
        state["counts"]["t"] = first
        for name, entry in state["parameters"].items():
            for slot, array in entry["slots"].items():
                entry["slots"][slot] = np.array(case.get("state", {}).get(name, {}).get(slot, 0 * array), array.dtype)
        opt.load_state_dict(state)
    return opt


def gradients(source, case, params, step):
    """Return the gradients of a step: listed, the same in each, or a function of the parameters."""
    if "gradient" in case:
        assert case["gradient"] == "2 * x"
        return {name: 2 * w for name, w in params.items()}
    record = RECORDED[source]
    found = case["repeated"] if "repeated" in case else case.get("grads", record.get("grads"))[step]
    return {name: np.array(g, params[name].dtype) for name, g in found.items()}


def play(source, case, opt, dtype):
    """Take the steps of a case; return for each record its largest distance, in units of the tolerance."""
    params = {name: np.array(w, dtype) for name, w in case.get("params", RECORDED[source].get("params")).items()}
    opt, records, apart = seeded(opt, params, case), dict(case["expected"]), []
    for step in range(max(records)):
        opt.update(params, gradients(source, case, params, step))
        for name, expected in records.get(step + 1, {}).items():
            allowed = case["atol"] + case["rtol"] * np.abs(expected) + 1e-15
            apart.append(np.max(np.abs(params[name].astype(float) - expected) / allowed))
            assert params[name].dtype == dtype
    assert len(apart) == sum(map(len, records.values())) > 0
    return max(apart)


ROWS = [
    pytest.param(source, case, dtype, id=f"{name}-{dtype}")
    for name, (source, case) in CASES.items()
    for dtype in case["dtypes"]
]


@pytest.mark.parametrize("source, case, dtype", ROWS)
def test_a_recorded_case(source, case, dtype):
    assert play(source, case, made(case["canonical"], source), dtype) <= 1


# What a case was recorded to tell apart: with that one thing changed in it, it is no longer met.
DIFFERENT = [
    pytest.param(source, case, other, id=f"{name}-{wrong}")
    for name, (source, case) in CASES.items()
    for wrong in case.get("discriminates", ())
    if (other := changed(case["canonical"], wrong)) is not None
]


@pytest.mark.parametrize("source, case, words", DIFFERENT)
def test_a_case_tells_another_convention_apart(source, case, words):
    assert play(source, case, made(words, source), case["dtypes"][0]) > 1


@pytest.mark.parametrize("case", [n for n, (_, case) in CASES.items() if "expected_state" in case])
def test_the_state_after_the_step(case):
    source, case = CASES[case]
    opt, params = made(case["canonical"], source), {k: np.array(w) for k, w in case["params"].items()}
    seeded(opt, params, case).update(params, gradients(source, case, params, 0))
    assert opt.t == case.get("t0", 0) + 1
    for name, slots in case["expected_state"].items():
        for slot, expected in slots.items():
            # The average of gradients is the step without lr, since our lr holds the factor 1 - dampening.
            own = opt.state[name]
            found = -own["v"] / case["canonical"]["lr"] if slot == "average" else own[slot]
            assert np.abs(found - expected).max() <= 6e-9


@pytest.mark.parametrize("source", RECORDED)
def test_nothing_is_left_out_silently(source):
    record = RECORDED[source]
    assert Counter(case["canonical"]["rule"] for case in record["cases"]) == REPLAYED[source]
    assert len(record["left_out"]) == LEFT_OUT.get(source, 0)
    assert all(reason.startswith("faulty: ") for reason in record["left_out"].values())
    assert record["recorded"] == len(record["cases"]) + len(record["left_out"])
    assert not record["left_out"].keys() & {case["id"] for case in record["cases"]}


def test_every_recording_is_here_with_its_source_and_licence():
    assert RECORDED.keys() == REPLAYED.keys()
    assert len(CASES) == sum(sum(rules.values()) for rules in REPLAYED.values()) == 103
    for record in RECORDED.values():
        assert all(record[key] for key in ("repository", "licence", "origin", "note"))
        assert ("commit" in record) != ("version" in record)
