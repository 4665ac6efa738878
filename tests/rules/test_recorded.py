"""What other projects published or put out when run, replayed: tests/data/recorded_*.json, each with its source.

A case states its conventions in words of its own ("canonical"); `made` finds what they are here.
eps_pos: "hat", after Adam's corrected root; "uncorrected", after the other one; "inside_hat", in the corrected root;
"outside" or "inside" of AdaGrad's and RMSprop's. wd_mode: "l2", into the gradient; "decoupled_lr", beside the step.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw

FILES = {p.stem.removeprefix("recorded_"): p for p in (Path(__file__).parents[1] / "data").glob("recorded_*.json")}
RECORDED = {source: json.loads(path.read_text("utf-8")) for source, path in FILES.items()}
CASES = {case["id"]: (source, case) for source, record in RECORDED.items() for case in record["cases"]}
# What is in the recordings: how many cases of each source and rule are replayed, and how many are left out.
REPLAYED = {
    "coursera": dict(adam=1, momentum=1, sgd=1),
    "cs231n": dict(adam=1, momentum=1, rmsprop=1),
    "keras": dict(adagrad=2, adam=2, adamw=2, rmsprop=2, sgd=2),
    "pennylane": dict(adagrad=3, adam=3, momentum=3, rmsprop=3, sgd=3),
    "tfjs": dict(adagrad=1, adam=1, momentum=1, nesterov=1, rmsprop=2),
    "tfkeras": dict(adagrad=1, adam=1, momentum=1, rmsprop=5, sgd=2),
    "torch": dict(adagrad=4, adam=4, adamw=1, momentum=4, nesterov=2, rmsprop=6, sgd=3),
}
LEFT_OUT = {"keras": 14, "tfjs": 2, "tfkeras": 10, "torch": 7}
# Words of the recordings that only describe a case, or are its defaults
SILENT = {"rule", "buf_init", "wd_mode"}


def made(words, source):
    """Return the optimizer that a case describes in its own words; the source decides where two would do."""
    given = {name: value for name, value in words.items() if name not in SILENT}
    maker = {"sgd": sgd, "adagrad": adagrad, "rmsprop": rmsprop}.get(words["rule"])
    maker = maker or (adam if "b1" in words else momentum)
    decay = given.pop("weight_decay", None)
    opt = maker(given, source, words)
    assert not given, f"not understood: {given}"
    if decay is None:
        return opt
    assert words["wd_mode"] in ("l2", "decoupled_lr")
    return tw.chain(tw.l2(decay), opt) if words["wd_mode"] == "l2" else tw.chain(opt, tw.decoupled_decay(decay))


def sgd(given, source, words):
    """Plain descent; Keras records it as momentum 0. lr_decay is that of the legacy Keras optimizers."""
    assert given.pop("momentum", 0.0) == 0
    return tw.SGD(lr=decaying(given), convention=source_or("sgd", source))


def momentum(given, source, words):
    """Heavy ball and Nesterov. Damped from the first gradient on, all steps are smaller by one factor."""
    lr, damped = given.pop("lr"), given.pop("dampening", 0.0)
    numbers = dict(momentum=given.pop("momentum"), convention=source_or(words["rule"], source))
    if words["rule"] == "nesterov":
        return tw.Nesterov(lr=lr, **numbers)
    if words.get("buf_init") == "first_grad":
        return tw.Momentum(lr=lr, dampening=damped, **numbers)
    return tw.Momentum(lr=lr * (1 - damped), **numbers)


def adagrad(given, source, words):
    """Eps outside of the root as in torch, or inside as in Keras."""
    place, numbers = given.pop("eps_pos"), {}
    if source == "torch" and place == "outside":
        numbers = dict(lr=given.pop("lr"), lr_decay=given.pop("lr_decay", 0.0))
    else:
        numbers["lr"] = decaying(given)
    numbers |= dict(eps=given.pop("eps"), initial_accumulator=given.pop("acc0", 0.0))
    outside = "tensorflow" if source == "tfkeras" else "torch"
    return tw.AdaGrad(convention={"inside": "keras", "outside": outside}[place], **numbers)


def rmsprop(given, source, words):
    """Torch's form with eps outside of the root, Keras's with eps inside; the centered ones are forms of their own."""
    form = {"outside": "torch", "inside": "keras"}[given.pop("eps_pos")]
    numbers = dict(lr=given.pop("lr"), decay_rate=given.pop("rho"), eps=given.pop("eps"))
    numbers["momentum"] = given.pop("momentum", 0.0)
    return tw.RMSprop(convention=f"{form}-centered" if given.pop("centered", False) else form, **numbers)


def adam(given, source, words):
    """The three places of eps; AdamW is Adam in a chain with decoupled decay."""
    place = given.pop("eps_pos")
    numbers = dict(lr=given.pop("lr"), beta1=given.pop("b1"), beta2=given.pop("b2"))
    if place == "inside_hat":
        return tw.Adam(convention="paper", eps=0.0, eps_root=given.pop("eps"), **numbers)
    form = {"hat": "torch" if source == "torch" else "paper", "uncorrected": "keras"}[place]
    return tw.Adam(convention=form, eps=given.pop("eps"), **numbers)


def decaying(given):
    """The rate, as a function of t if it decays."""
    lr, decay = given.pop("lr"), given.pop("lr_decay", 0.0)
    return (lambda t: lr / (1 + decay * (t - 1))) if decay else lr


def source_or(rule, source, default="paper"):
    """The convention that bears the name of a source, if there is one."""
    return source if source in tw.RULES[rule].conventions else default


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
WRONG = {
    "eps=1e-07": dict(eps=1e-7),
    "eps=1e-08": dict(eps=1e-8),
    "eps=1e-10": dict(eps=1e-10),
    "eps_pos=hat": dict(eps_pos="hat"),
    "eps_pos=uncorrected": dict(eps_pos="uncorrected"),
    "eps_pos=inside_hat": dict(eps_pos="inside_hat"),
    "wd l2": dict(wd_mode="l2"),
    "wd decoupled": dict(wd_mode="decoupled_lr"),
}


def changed(words, wrong):
    """Return the words of a case with one convention changed, or None if it is none of ours."""
    if wrong == "swap nesterov/momentum":
        return words | {"rule": "nesterov" if words["rule"] == "momentum" else "momentum"}
    if wrong == "EMA form (dampening=mu)" and words["rule"] == "momentum":
        return words | {"dampening": words["momentum"]}
    if wrong == "eps_pos swapped":
        return words | {"eps_pos": "inside" if words["eps_pos"] == "outside" else "outside"}
    return words | WRONG[wrong] if wrong in WRONG else None


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
    assert all(reason.startswith(("another rule: ", "faulty: ")) for reason in record["left_out"].values())
    assert record["recorded"] == len(record["cases"]) + len(record["left_out"])
    assert not record["left_out"].keys() & {case["id"] for case in record["cases"]}


def test_every_recording_is_here_with_its_source_and_licence():
    assert RECORDED.keys() == REPLAYED.keys()
    assert len(CASES) == sum(sum(rules.values()) for rules in REPLAYED.values()) == 71
    for record in RECORDED.values():
        assert all(record[key] for key in ("repository", "licence", "origin", "note"))
        assert ("commit" in record) != ("version" in record)
