"""A checkpoint that is damaged, or another optimizer's, is refused by name, and nothing has changed."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import novograd, prodigy
from tests.state.runs import copied, picture, plain_step, some_params
from thalweg import schedules
from thalweg.checkpoint import CheckpointError, ParameterSnapshot, Snapshot, write


def adam():
    return tw.Adam(groups={"s": None, "b": {"lr": 0.5}})


def chained():
    return tw.chain(tw.noise(seed=3), tw.clip_norm(1.0), tw.Adam(), tw.ema(0.9))


MAKERS = {
    "adam": adam,
    "chain": chained,
    "novograd": lambda: tw.Optimizer(novograd),
    "prodigy": lambda: tw.Optimizer(prodigy),
    "scheduled": lambda: tw.SGD(lr=schedules.cosine(0.1, steps=20)),
    "drawn": lambda: tw.chain(tw.noise(), tw.SGD()),
    "master": lambda: tw.Momentum(master=True),
}
RULES_OF = {"novograd": novograd, "prodigy": prodigy}


def after(kind, steps):
    opt, params = MAKERS[kind](), some_params(np.float16 if kind == "master" else np.float32)
    for step in range(steps):
        plain_step(opt, params, step)
    return opt, params


def at(*path):
    """Return a damage: what stands at a path of keys is replaced, or taken out."""

    def to(new):
        def damage(state):
            *way, last = path
            for key in way:
                state = state[key]
            if new is GONE:
                del state[last]
            else:
                state[last] = new(state[last]) if callable(new) else new

        return damage

    return to


GONE = object()
W, M, V = ("parameters", "W"), ("parameters", "W", "slots", "m"), ("parameters", "W", "slots", "v")
NUMBERS = ("made", "hyperparams")


def negative(v):
    v[1, 2] = -1e-30
    return v


def with_more(**more):
    return lambda old: {**old, **more}


def without(name):
    return lambda old: {key: x for key, x in old.items() if key != name}


# kind of optimizer, damage, what the message names
DAMAGES = {
    "another shape": ("adam", at(*M)(lambda m: np.zeros((3, 5), m.dtype)), r"parameters.*W.*m.*\(3, 5\).*\(3, 4\)"),
    "a shape that would broadcast": ("adam", at(*M)(lambda m: np.zeros((1, 4), m.dtype)), r"W.*m.*\(1, 4\).*\(3, 4\)"),
    "another shape of as many": ("adam", at(*M)(lambda m: np.zeros((4, 3), m.dtype)), r"W.*m.*\(4, 3\).*\(3, 4\)"),
    "another shape of the parameter": ("adam", at(*W, "shape")([12]), r"W.*m.*\(3, 4\).*\(12,\)"),
    "a missing slot": ("adam", at(*M)(GONE), r"W.*'m'.*missing"),
    "an unknown slot": ("adam", at(*W, "slots")(with_more(x=np.zeros((3, 4), "f4"))), r"W.*'x'.*does not have"),
    "no rule of that name": ("adam", at("made", "rule")("adamant"), r"adamant"),
    "another rule": ("adam", at("made", "rule")("momentum"), r"momentum"),
    "another rule's state": ("adam", at(*W, "slots")(lambda s: {"h": s["v"]}), r"W.*'h'"),
    "another convention": ("adam", at("made", "convention")("torch"), r"adam\[torch\]"),
    "another text": ("adam", at("made", "digest")("0" * 64), r"text"),
    "a text that is no text": ("adam", at("made", "digest")(7), r"text"),
    "other texts with links": ("chain", at("made", "composed")(["0" * 64]), r"texts with links"),
    "a rate that is NaN": ("adam", at(*NUMBERS, "lr")(float("nan")), r"lr"),
    "a rate that is infinite": ("adam", at(*NUMBERS, "lr")(float("inf")), r"lr"),
    "a rate that is negative": ("adam", at(*NUMBERS, "lr")(-0.1), r"lr = -0.1"),
    "a beta out of range": ("adam", at(*NUMBERS, "beta1")(1.0), r"beta1 = 1.0"),
    "a number that is a text": ("adam", at(*NUMBERS, "beta1")("0.9"), r"beta1 = '0.9'"),
    "a number that is a bool": ("adam", at(*NUMBERS, "lr")(True), r"lr = True"),
    "a number that is a list": ("adam", at(*NUMBERS, "lr")([0.1]), r"lr = \[0.1\]"),
    "a number that was code": ("adam", at(*NUMBERS, "lr")(None), r"lr.*function of t"),
    "a missing number": ("adam", at(*NUMBERS, "beta2")(GONE), r"beta2"),
    "an unknown number": ("adam", at(*NUMBERS)(with_more(gamma=0.5)), r"gamma"),
    "a group's number out of range": ("adam", at("made", "groups", 1, 1, "hyperparams", "lr")(-1.0), r"lr = -1.0"),
    "a group's unknown number": ("adam", at("made", "groups", 1, 1, "hyperparams")({"x": 1.0}), r"x"),
    "a group without numbers": ("adam", at("made", "groups", 1, 1, "hyperparams")(GONE), r"hyperparams"),
    "numbers that are no dict": ("adam", at(*NUMBERS)([0.1]), r"hyperparams"),
    "no numbers": ("adam", at(*NUMBERS)(GONE), r"hyperparams"),
    "no groups": ("adam", at("made", "groups")(GONE), r"groups"),
    "no options": ("adam", at("made", "options")(GONE), r"options"),
    "an unknown key": ("adam", at("made")(with_more(extra=1)), r"extra"),
    "a negative second moment": ("adam", at(*V)(negative), r"W.*v holds -1\.\d*e-30.*v >= 0"),
    "a negative step": ("adam", at("counts", "t")(-1), r"counts.*t.*-1"),
    "a step that is no integer": ("adam", at("counts", "t")(3.0), r"counts.*t.*3\.0"),
    "no step": ("adam", at("counts")(without("t")), r"counts.*t"),
    "an unknown count": ("adam", at("counts")(with_more(u=1)), r"counts.*u"),
    "gathered without accumulate": ("adam", at("counts", "gathered")(2), r"gathered = 2"),
    "more steps missed than taken": ("adam", at(*W, "missed")(6), r"W.*missed = 6.*t = 5"),
    "another dtype": ("adam", at(*M)(lambda m: m.astype(np.float64)), r"W.*m.*float64.*float32"),
    "a dtype that no state has": ("adam", at(*M)(lambda m: m.astype(np.float16)), r"W.*m.*float16"),
    "integers": ("adam", at(*M)(lambda m: m.astype(int)), r"W.*m.*int64"),
    "another dtype of the parameter": ("adam", at(*W, "dtype")("float64"), r"W.*m.*float32.*float64"),
    "an unknown dtype of the parameter": ("adam", at(*W, "dtype")("float128"), r"W.*dtype.*float128"),
    "a number for an array": ("adam", at(*M)(0.5), r"W.*m is a number"),
    "an array for a number": ("novograd", at(*V)(lambda v: np.zeros((3, 4), "f4")), r"W.*v is an array"),
    "a frozen group with state": (
        "adam",
        at("parameters")(lambda p: {**p, "s": {**p["b"], "shape": [], "slots": {}}}),
        r"parameters.s.*'s' is frozen",
    ),
    "other links": ("chain", at("made", "links", "before", 1, "link")("clip_value"), r"clip_value|max_norm"),
    "no such link": ("chain", at("made", "links", "before", 1, "link")("clop"), r"clop"),
    "a link less": ("chain", at("made", "links", "after")([]), r"links|decay"),
    "another seed": ("chain", at("made", "links", "before", 0, "arguments", "seed")(4), r"seed"),
    "links that are no dict": ("chain", at("made", "links")(7), r"does not describe an optimizer|made"),
    "another pattern": ("adam", at("made", "groups", 0, 0)("t"), r"groups|'s'"),
    "a pattern less": ("adam", at("made", "groups")(lambda g: g[1:]), r"groups|frozen|shape"),
    "an unknown schedule": ("scheduled", at(*NUMBERS, "lr", "kind")("cosinus"), r"lr.*cosinus"),
    "a schedule without its steps": ("scheduled", at(*NUMBERS, "lr", "steps")(GONE), r"lr.*steps"),
    "no master": ("master", at(*W, "slots", "master")(GONE), r"W.*'master'"),
    "a master that is none": ("adam", at(*W, "slots")(with_more(master=np.zeros((3, 4), "f4"))), r"W.*'master'"),
    "master, where there is none": ("adam", at("made", "options", "master")(True), r"master"),
    "an option that is none": ("adam", at("made", "options", "nonfinite")("ignore"), r"nonfinite.*ignore"),
    "no shared number": ("prodigy", at("shared")({}), r"shared.*d, r"),
    "a shared number less": ("prodigy", at("shared", "d")(GONE), r"shared.*d"),
    "an unknown shared number": ("adam", at("shared")({"d": 1.0}), r"shared.*d"),
    "no counts": ("adam", at("counts")({}), r"counts has nothing"),
    "a shape that no array has": ("drawn", at(*W, "shape")([10**30]), r"W.*shape"),
    "a shape for which there is no memory": ("drawn", at(*W, "shape")([2**30, 2**30]), r"W.*shape"),
    "an order that a reduction does not have": ("prodigy", at(*W, "order")("F"), r"W.*order = 'F'"),
}
# What is a whole checkpoint of another optimizer: refused where the optimizer is there, and not where it is made of it.
ANOTHERS = {"another seed", "another pattern", "a pattern less", "master, where there is none"}


def altered(kind, damage):
    state = copy.deepcopy(after(kind, 5)[0].state_dict())
    damage(state)
    return state


def as_snapshot(state):
    """Return a state as a snapshot, unchecked."""
    parameters = {
        name: ParameterSnapshot(**{**one, "shape": tuple(one["shape"])}) for name, one in state["parameters"].items()
    }
    return Snapshot(state["made"], state["counts"], state["shared"], parameters, state["arrays"])


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("steps", [0, 3])
def test_a_damaged_state_is_refused_and_nothing_has_changed(damage, steps):
    kind, spoil, message = DAMAGES[damage]
    opt, params = after(kind, steps)
    twin, same = after(kind, steps)
    before, schedule = picture(opt, params), repr(opt.schedules)
    with pytest.raises(CheckpointError, match=message):
        opt.load_state_dict(altered(kind, spoil))
    assert picture(opt, params) == before
    assert repr(opt.schedules) == schedule
    for o, p in ((opt, params), (twin, same)):
        plain_step(o, p, 9)
    assert picture(opt, params) == picture(twin, same)


@pytest.mark.parametrize("damage", [damage for damage in DAMAGES if damage not in ANOTHERS])
def test_a_damaged_file_is_refused_and_no_parameter_has_changed(damage, tmp_path):
    """Also what the format itself can hold; what it cannot is refused when it is written."""
    kind, spoil, message = DAMAGES[damage]
    state = altered(kind, spoil)
    params = some_params(np.float16 if kind == "master" else np.float32)
    kept = copied(params)
    state["arrays"] = {name: np.ones_like(w) for name, w in params.items()}
    path = tmp_path / "checkpoint"

    def store_and_load():
        write(path, as_snapshot(state))
        tw.load(path, params=params, rule=[r for k, r in RULES_OF.items() if k == kind])

    with pytest.raises(CheckpointError, match=message):
        store_and_load()
    assert all(params[name].tobytes() == w.tobytes() for name, w in kept.items())


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_not_damaged_is_not_refused(kind, tmp_path):
    state = altered(kind, lambda state: None)
    for steps in (0, 3):
        opt, params = after(kind, steps)
        opt.load_state_dict(state)
        assert picture(opt, params)["state"] == picture(*after(kind, 5))["state"]
    write(tmp_path / "checkpoint", as_snapshot(state))
    rules = [r for k, r in RULES_OF.items() if k == kind]
    assert tw.load(tmp_path / "checkpoint", rule=rules).t == 5


def test_infinities_and_nans_that_steps_end_at_are_kept():
    opt = tw.Adam(nonfinite="allow")
    params = {"w": np.ones(3, np.float32)}
    opt.update(params, {"w": np.array([np.inf, np.nan, 1e30], np.float32)})
    other = tw.Adam()
    other.load_state_dict(opt.state_dict())
    assert picture(other, params)["state"] == picture(opt, params)["state"]


@pytest.mark.parametrize(
    "other, what",
    [
        (tw.SGD, r"rule = 'adam\[book\]'.*'sgd\[book\]'"),
        (lambda: tw.Adam(convention="torch"), r"rule = 'adam\[book\]'.*'adam\[torch\]'"),
        (tw.Adam, "groups"),
        (lambda: tw.Adam(groups={"b": {"lr": 0.5}, "s": None}), "groups"),
        (lambda: tw.Adam(groups={"s": None, "b": tw.SGD()}), "groups"),
        (lambda: tw.Adam(groups={"s": {}, "b": {}}), "groups"),
        (lambda: tw.Adam(groups={"s": None, "b": {}}, master=True), "master"),
        (lambda: tw.chain(tw.l2(0.1), adam()), "links"),
    ],
)
def test_another_optimizer_does_not_take_it(other, what):
    opt = other()
    with pytest.raises(CheckpointError, match=what):
        opt.load_state_dict(after("adam", 3)[0].state_dict())
    assert (opt.t, dict(opt.state)) == (0, {})


def test_links_in_another_order_or_place_do_not_take_it():
    state = tw.chain(tw.clip_value(1.0), tw.l2(0.1), tw.SGD()).state_dict()
    for other in (
        tw.chain(tw.l2(0.1), tw.clip_value(1.0), tw.SGD()),
        tw.chain(tw.l2(0.1), tw.SGD(), tw.clip_value(1.0)),
        tw.chain(tw.clip_value(1.0), tw.SGD()),
    ):
        with pytest.raises(CheckpointError, match="links"):
            other.load_state_dict(state)
    sharp = tw.chain(tw.sam(0.05), tw.SGD()).state_dict()
    with pytest.raises(CheckpointError, match=r"links.*rho"):
        tw.chain(tw.sam(0.1), tw.SGD()).load_state_dict(sharp)


def test_numbers_are_those_of_the_state_and_other_numbers_are_no_other_optimizer():
    state = tw.chain(tw.clip_norm(2.0), tw.Adam(lr=0.5)).state_dict()
    opt = tw.chain(tw.clip_norm(1.0), tw.Adam(lr=lambda t: 0.1))
    opt.load_state_dict(state)
    assert (opt.lr, opt.max_norm) == (0.5, 2.0)


@pytest.mark.parametrize("given", [None, 7, [], "state", {}, {"format": 2}, {"format": 1}])
def test_what_is_no_state_at_all(given):
    opt = tw.Adam()
    with pytest.raises((CheckpointError, TypeError)):
        opt.load_state_dict(given)
    assert opt.t == 0
