"""LBFGS at rest: every way to carry it across a cut, and what is not taken for one."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import thalweg as tw
from tests.quasi_newton.functions import PROBLEMS, Counted, bits, picture, run

F, START, _ = PROBLEMS["rosenbrock in 10"]
ARGUMENTS = dict(lr=0.9, max_iter=3, max_eval=8, tolerance_grad=1e-8, tolerance_change=1e-11, history_size=4)


def through_file(opt, params, path):
    opt.save(path / "run.safetensors", params)
    fresh = {"w": np.zeros_like(START)}
    loaded = tw.load(path / "run.safetensors", params=fresh)
    assert bits(fresh) == bits(params)
    return loaded


def through_dict(opt, params, path):
    other = tw.LBFGS()
    other.load_state_dict(opt.state_dict())
    return other


CARRIERS = {
    "file": through_file,
    "dict": through_dict,
    "copy": lambda opt, params, path: copy.copy(opt),
    "deepcopy": lambda opt, params, path: copy.deepcopy(opt),
    "pickle": lambda opt, params, path: pickle.loads(pickle.dumps(opt)),
}


@pytest.mark.parametrize("cut", [0, 1, 4])
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("line_search", ["strong_wolfe", None])
def test_a_run_goes_on_bit_for_bit(carrier, cut, line_search, tmp_path):
    arguments = ARGUMENTS | dict(line_search=line_search, lr=0.9 if line_search else 0.2)
    expected = picture(*run(F, START, 7, **arguments)[:2])
    opt, params, _ = run(F, START, cut, **arguments)
    before = picture(opt, params)
    other, own = CARRIERS[carrier](opt, params, tmp_path), copy.deepcopy(params)
    assert picture(other, own) == before
    assert type(other) is tw.LBFGS
    for _ in range(cut, 7):
        other.update(own, closure=Counted(F))
    assert picture(other, own) == expected
    assert picture(opt, params) == before


def test_a_call_without_an_iteration_is_kept(tmp_path):
    opt = tw.LBFGS()
    opt.update({"w": np.ones(2)}, closure=lambda p: (1.0, {"w": np.zeros(2)}))
    opt.save(tmp_path / "c")
    other = tw.load(tmp_path / "c")
    assert (other.t, other.n_iter, other.func_evals) == (1, 0, 1)


def test_a_history_without_a_pair_is_kept(tmp_path):
    """A line: no curvature, so no pair, after any number of iterations."""
    line = lambda p: (float(p["w"].sum()), {"w": np.ones((1, 2))})  # noqa: E731
    opt, params = tw.LBFGS(line_search=None, max_iter=3), {"w": np.ones((1, 2))}
    opt.update(params, closure=line)
    assert opt.state_dict()["parameters"]["w"]["slots"]["s"].shape == (0, 1, 2)
    opt.save(tmp_path / "c", params)
    other, own = tw.load(tmp_path / "c"), copy.deepcopy(params)
    for one, w in ((opt, params), (other, own)):
        one.update(w, closure=line)
    assert picture(opt, params) == picture(other, own)


def test_several_parameters_of_both_dtypes(tmp_path):
    def closure(p):
        w = np.concatenate([p["a"].astype(float).ravel(), [p["n"]], p["b"].ravel()])
        value, g = F(w)
        return value, {"a": g[:4].reshape(2, 2).astype(np.float32), "n": g[4], "b": g[5:]}

    params = {"a": START[:4].reshape(2, 2).astype(np.float32), "n": float(START[4]), "b": START[5:].copy()}
    opt = tw.LBFGS(max_iter=4)
    for _ in range(3):
        opt.update(params, closure=closure)
    opt.save(tmp_path / "c")
    other, own = tw.load(tmp_path / "c"), copy.deepcopy(params)
    for one, p in ((opt, params), (other, own)):
        one.update(p, closure=closure)
    assert picture(opt, params) == picture(other, own)


def test_no_memory_is_shared():
    opt, _, _ = run(F, START, 2, **ARGUMENTS)
    state = opt.state_dict()
    before = bits(state)
    for slots in (one["slots"] for one in state["parameters"].values()):
        for array in slots.values():
            array[...] = 7
    assert bits(opt.state_dict()) == before
    other = tw.LBFGS()
    good = opt.state_dict()
    other.load_state_dict(good)
    good["parameters"]["w"]["slots"]["s"][...] = 7
    assert bits(other.state_dict()) == before


def test_hyper_parameters_are_those_of_the_file_or_those_that_are_given(tmp_path):
    opt, _, _ = run(F, START, 2, **ARGUMENTS)
    opt.history_size = 6
    opt.save(tmp_path / "c")
    assert tw.load(tmp_path / "c").hyperparams == opt.hyperparams
    other = tw.load(tmp_path / "c", lr=0.5, line_search=None)
    assert other.hyperparams == opt.hyperparams | {"lr": 0.5, "line_search": None}
    assert other.t == 2
    with pytest.raises(TypeError, match="`momentum`"):
        tw.load(tmp_path / "c", momentum=0.9)
    with pytest.raises(ValueError, match="lr = -1"):
        tw.load(tmp_path / "c", lr=-1.0)


def test_files_of_other_kinds(tmp_path):
    opt, params, _ = run(F, START, 2)
    adam = tw.Adam()
    adam.update({"w": np.ones(10)}, {"w": np.ones(10)})
    before = bits(opt.state_dict()), bits(adam.state_dict())
    with pytest.raises(tw.CheckpointError, match="a checkpoint of adam, and the optimizer is LBFGS"):
        opt.load_state_dict(adam.state_dict())
    with pytest.raises(tw.CheckpointError):
        adam.load_state_dict(opt.state_dict())
    assert (bits(opt.state_dict()), bits(adam.state_dict())) == before
    adam.save(tmp_path / "adam")
    assert type(tw.load(tmp_path / "adam")) is tw.Adam
    opt.save(tmp_path / "lbfgs")
    with pytest.raises(TypeError, match="no rule and no groups"):
        tw.load(tmp_path / "lbfgs", rule=tw.RULES["adam"])
    with pytest.raises(tw.CheckpointError, match="holds no parameters"):
        tw.load(tmp_path / "lbfgs", params=params)
    opt.save(tmp_path / "lbfgs", params)
    with pytest.raises(tw.CheckpointError, match="'w' is float64 of shape"):
        tw.load(tmp_path / "lbfgs", params={"w": np.zeros(3)})


def changed(*path, to):
    def damage(state):
        node = state
        for key in path[:-1]:
            node = node[key]
        if to is None:
            del node[path[-1]]
        else:
            node[path[-1]] = to(node[path[-1]]) if callable(to) else to

    return damage


W = "parameters", "w", "slots"
DAMAGE = {
    "no method": (changed("made", "method", to=None), "a checkpoint of something else"),
    "more": (changed("made", "rule", to="adam"), "made has the keys"),
    "no numbers": (changed("made", "hyperparams", to=3), "hyperparams = 3"),
    "a number less": (changed("made", "hyperparams", "lr", to=None), "hyperparams = "),
    "a rate below zero": (changed("made", "hyperparams", "lr", to=-1.0), "hyperparams: LBFGS: lr = -1.0"),
    "another search": (changed("made", "hyperparams", "line_search", to="armijo"), "line_search = 'armijo'"),
    "a count less": (changed("counts", "n_iter", to=None), "counts has t, func_evals"),
    "a count too large": (changed("counts", "t", to=2**60), "2\\*\\*53"),
    "calls without evaluations": (changed("counts", "func_evals", to=1), "counts.func_evals = 1"),
    "no iterations": (changed("counts", "n_iter", to=0), "counts.n_iter = 0"),
    "no step": (changed("shared", "step", to=None), "shared has nothing"),
    "a step back": (changed("shared", "step", to=-1.0), "shared.step = -1.0"),
    "half": (changed("parameters", "w", "dtype", to="float16"), "dtype = float16"),
    "a missed step": (changed("parameters", "w", "missed", to=1), "missed = 1"),
    "a slot less": (changed(*W, "y", to=None), "slots has "),
    "a NaN": (changed(*W, "direction", to=lambda x: x * np.nan), "direction is no array of finite numbers of float64"),
    "float32": (changed(*W, "gradient", to=lambda x: x.astype(np.float32)), "gradient is no array"),
    "a number": (changed(*W, "gradient", to=1.0), "gradient is no array"),
    "a pair less": (changed(*W, "y", to=lambda x: x[1:].copy()), r"slots.y has shape \(.*it has to be"),
    "no axis of pairs": (changed(*W, "s", to=lambda x: x[0].copy()), "slots.s has shape"),
    "another shape": (changed("parameters", "w", "shape", to=[2, 5]), "slots.* has shape"),
    "curved down": (changed(*W, "y", to=lambda x: -x), "y . s <= 1e-10"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_and_changes_nothing(damage):
    change, message = DAMAGE[damage]
    opt, params, _ = run(F, START, 3, **ARGUMENTS)
    state, before = opt.state_dict(), picture(opt, params)
    change(state)
    with pytest.raises(tw.CheckpointError, match=message):
        opt.load_state_dict(state)
    assert picture(opt, params) == before
