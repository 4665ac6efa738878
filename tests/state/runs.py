"""Runs of twenty steps that can be cut anywhere: optimizers of every kind, and the ways to carry one across a cut."""

from __future__ import annotations

import copy
import pickle
import struct
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy

STEPS = 20
FORMS = [form for rule in tw.RULES.values() for form in rule.conventions.values()] + [novograd, prodigy, adafactor]
DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
SHAPES = {"W": (3, 4), "V": (4, 2), "b": (5,), "s": ()}


def rng(*seed):
    return np.random.default_rng(seed)


def some_params(dtype=np.float32, names="WVbs"):
    """Parameters of several shapes and both layouts."""
    made = {name: rng(i).standard_normal(SHAPES[name]).astype(dtype) for i, name in enumerate(SHAPES) if name in names}
    return {name: np.array(w, order="F" if name == "V" else "C") for name, w in made.items()}


def gradient(name, w, step):
    """The gradient of one parameter in one step: known beforehand, and a little different for other parameters."""
    a = np.asarray(w) if isinstance(w, np.ndarray) else np.array(float(w))
    return np.array(rng(step, *name.encode()).standard_normal(a.shape) + 0.1 * a.astype(np.float64), a.dtype)


def plain_step(opt, params, step):
    grads = {name: gradient(name, w, step) for name, w in params.items()}
    opt.update(params, grads, value=1.0 + step if opt.rule.facts.needs_value else None)


@dataclass
class Run:
    """How an optimizer is made, what it works on, and what one step of it is.

    code: what `tw.load` is given again.
    """

    make: object
    params: object = field(default=some_params)
    step: object = field(default=plain_step)
    code: dict = field(default_factory=dict)


def names_for(rule):
    """Names of parameters that a rule can work on."""
    return "WV" if rule.facts.axes or rule.facts.matrix else "WVbs"


def run_of(rule, dtype="float32", *, master=False):
    """Return the run of a rule alone."""

    def params():
        return some_params(DTYPES[dtype], names_for(rule))

    if rule.name in tw.RULES and rule in tw.RULES[rule.name].conventions.values():
        return Run(lambda: getattr(tw, rule.title)(convention=rule.convention_name, master=master), params)
    return Run(lambda: tw.Optimizer(rule, master=master), params, code={"rule": rule})


def bits(x):
    if isinstance(x, np.ndarray | np.generic):
        return str(x.dtype), x.shape, x.tobytes()
    return struct.pack("<d", x)


def picture(opt, params):
    """Everything that the next step depends on, and everything that it changes, bit for bit."""
    state = {(name, slot): bits(x) for name, slots in opt.state.items() for slot, x in slots.items()}
    groups = {p: None if g is None else dict(g.hyperparams) for p, g in opt.groups.items()}
    return {
        "params": {name: bits(w) for name, w in params.items()},
        "state": state,
        "order": [(name, list(slots)) for name, slots in opt.state.items()],
        "shared": {name: bits(x) for name, x in opt.shared.items()},
        "counts": (opt.t, opt.skipped, opt.gathered),
        "numbers": {name: bits(x) for name, x in opt.hyperparams.items()},
        "groups": groups,
        "options": (opt.nonfinite, opt.master),
    }


def copied(params):
    return {name: np.array(w, order="K") if isinstance(w, np.ndarray) else w for name, w in params.items()}


# The ways across a cut. Each takes (opt, params, run, path) when the run is cut, and returns a function that makes the
# optimizer and its parameters once more.


def by_file(opt, params, run, path):
    opt.save(path, params)
    blank = {name: np.zeros_like(w) if isinstance(w, np.ndarray) else type(w)(0) for name, w in params.items()}

    def again():
        return tw.load(path, params=blank, **run.code), blank

    return again


def by_file_alone(opt, params, run, path):
    kept = copied(params)
    opt.save(path)
    return lambda: (tw.load(path, **run.code), kept)


def by_state_dict(opt, params, run, path):
    kept, state = copied(params), opt.state_dict()

    def again():
        other = run.make()
        other.load_state_dict(state)
        return other, kept

    return again


def by_way(way):
    def carry(opt, params, run, path):
        kept, other = copied(params), way(opt)
        return lambda: (other, kept)

    return carry


WAYS = {
    "file": by_file,
    "file without parameters": by_file_alone,
    "state_dict": by_state_dict,
    "copy": by_way(copy.copy),
    "deepcopy": by_way(copy.deepcopy),
    "pickle": by_way(lambda opt: pickle.loads(pickle.dumps(opt))),
}


def check(run, cuts, path):
    """Take twenty steps, cut the run here and there, and compare the ends of all runs bit for bit.

    cuts: pairs of the number of steps taken before it, and the way across it.
    """
    opt, params = run.make(), run.params()
    waiting = []
    for k in range(STEPS + 1):
        for way in [way for at, way in cuts if at == k]:
            again = WAYS[way](opt, params, run, path / f"{k} {way}")
            waiting.append((k, way, picture(opt, params), again))
        if k < STEPS:
            run.step(opt, params, k)
    end = picture(opt, params)
    assert len(waiting) == len(cuts)
    for k, way, there, again in waiting:
        other, own = again()
        assert type(other) is type(opt)
        assert picture(other, own) == there, f"at once after step {k}, by {way}"
        for step in range(k, STEPS):
            run.step(other, own, step)
        assert picture(other, own) == end, f"twenty steps, cut after {k}, by {way}"
    assert picture(opt, params) == end
