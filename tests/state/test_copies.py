"""Copies and pickles: the same optimizer once more, which shares nothing with the first."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import novograd, prodigy
from tests.state.cases import cases, falling
from tests.state.runs import STEPS, bits, copied, picture, plain_step, some_params
from thalweg import schedules


def unpickled(opt):
    return pickle.loads(pickle.dumps(opt))


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": unpickled}


@pytest.fixture(params=COPIES)
def copying(request):
    return COPIES[request.param]


def after(opt, steps):
    params = some_params()
    for step in range(steps):
        plain_step(opt, params, step)
    return params


@pytest.mark.parametrize("case", cases())
def test_no_memory_is_shared_and_neither_sees_the_other_step(case, copying):
    run = cases()[case]
    opt, params = run.make(), run.params()
    for step in range(7):
        run.step(opt, params, step)
    before, kept = picture(opt, params), copied(params)
    other, own = copying(opt), copied(params)
    arrays = [a for slots in opt.state.values() for a in slots.values() if isinstance(a, np.ndarray)]
    others = [a for slots in other.state.values() for a in slots.values() if isinstance(a, np.ndarray)]
    assert not any(np.shares_memory(a, b) for a in arrays for b in others)
    for step in range(7, 10):
        run.step(other, own, step)
    assert picture(opt, kept) == before
    there = picture(other, own)
    for step in range(7, 10):
        run.step(opt, params, step)
    assert picture(other, own) == there == picture(opt, params)


def test_the_class_is_the_same(copying):
    for opt in (tw.Adam(), tw.SGD(), tw.Momentum(), tw.chain(tw.l2(0.1), tw.Adam()), tw.Optimizer(prodigy)):
        assert type(copying(opt)) is type(opt)
    assert type(copying(tw.Adam(convention="torch"))) is tw.Adam
    assert copying(tw.Adam(convention="torch")).rule is tw.RULES["adam"].conventions["torch"]
    assert copying(tw.Optimizer(prodigy)).rule is prodigy

    class Mine(tw.Optimizer):
        pass

    assert type(copy.deepcopy(Mine("adam"))) is Mine


def test_numbers_that_were_changed_live(copying):
    groups = {"W": {"lr": 0.5}, "b": tw.SGD(lr=0.25), "V": None}
    opt = tw.chain(tw.clip_norm(1.0), tw.Adam(groups=groups), tw.ema(0.5))
    params = after(opt, 3)
    opt.lr, opt.max_norm, opt.decay = 0.125, 2.0, 0.75
    opt.groups["W"].lr = 0.375
    opt.groups["W"].beta1 = 0.5
    opt.groups["b"].lr = schedules.exponential(0.1, gamma=0.5)
    opt.nonfinite = "skip"
    other = copying(opt)
    assert (other.lr, other.max_norm, other.decay, other.nonfinite) == (0.125, 2.0, 0.75, "skip")
    assert (other.groups["W"].lr, other.groups["W"].beta1, other.groups["b"].lr) == (0.375, 0.5, 0.025)
    assert picture(other, params) == picture(opt, params)
    other.lr = 0.0625
    other.groups["W"].lr = 0.75
    assert (opt.lr, opt.groups["W"].lr, opt.groups["b"].lr) == (0.125, 0.375, 0.025)
    assert opt.groups["W"].beta2 == other.groups["W"].beta2 == 0.999
    other.beta2 = 0.5
    assert (opt.groups["W"].beta2, other.groups["W"].beta2) == (0.999, 0.5)


def test_a_schedule_that_is_fed_is_not_shared(copying):
    opt = tw.SGD(lr=schedules.reduce_on_plateau(0.5, patience=0, factor=0.5))
    opt.schedules["lr"].feed(1.0)
    other = copying(opt)
    opt.schedules["lr"].feed(1.0)
    assert (opt.lr, other.lr) == (0.25, 0.5)
    other.schedules["lr"].feed(0.1)
    other.schedules["lr"].feed(1.0)
    other.schedules["lr"].feed(1.0)
    assert (opt.lr, other.lr) == (0.25, 0.125)


def test_a_copy_of_a_copy(copying):
    opt = tw.Adam()
    params = after(opt, 3)
    other = copying(copying(opt))
    assert picture(other, params) == picture(opt, params)


@pytest.mark.parametrize("way", ["copy", "deepcopy"])
def test_functions_are_copied_with_it(way):
    opt = tw.Adam(lr=lambda t: 0.1 / t, groups={"W": {"eps": lambda t: 1e-3}})
    params = after(opt, 3)
    other = COPIES[way](opt)
    assert other.lr == 0.1 / 3
    assert picture(other, params) == picture(opt, params)


def test_a_function_that_is_not_in_a_module_cannot_be_pickled_and_the_error_names_it():
    opt = tw.Adam(lr=lambda t: 0.1 / t)
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError), match=r"<lambda>"):
        pickle.dumps(opt)
    assert opt.lr == 0.1


def test_a_rule_that_is_not_in_a_module_cannot_be_pickled_and_the_error_says_what_to_do():
    rule = tw.rule("def mine(w, g, *, lr=0.1):\n    w = w - lr * g\n    return w")
    opt = tw.Optimizer(rule)
    params = after(opt, 2)
    with pytest.raises(pickle.PicklingError, match=r"mine\[paper\].*top level of a module"):
        pickle.dumps(opt)
    for other in (copy.copy(opt), copy.deepcopy(opt)):
        assert picture(other, params) == picture(opt, params)
        assert other.rule is rule


def test_a_pickle_is_read_by_another_process(tmp_path):
    opts = [tw.Adam(lr=falling), tw.Optimizer(novograd), tw.chain(tw.noise(), tw.Momentum(groups={"b": tw.SGD()}))]
    runs = [(opt, after(opt, 5)) for opt in opts]
    (tmp_path / "runs").write_bytes(pickle.dumps(runs))
    code = """
        import pickle, sys
        from pathlib import Path

        sys.modules["numba"] = None  # nothing is compiled for so few steps
        folder = Path(sys.argv[1])
        runs = pickle.loads((folder / "runs").read_bytes())
        from tests.state.runs import plain_step

        for opt, params in runs:
            for step in range(5, 8):
                plain_step(opt, params, step)
        (folder / "ends").write_bytes(pickle.dumps(runs))
    """
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=True, timeout=120, cwd=root)
    for (opt, params), (other, own) in zip(runs, pickle.loads((tmp_path / "ends").read_bytes()), strict=True):
        for step in range(5, 8):
            plain_step(opt, params, step)
        assert picture(other, own) == picture(opt, params)


def test_while_a_step_is_under_way_there_is_no_copy(copying):
    opt, refused = tw.SGD(), []

    def closure(params):
        for attempt in (lambda: copying(opt), opt.state_dict, lambda: opt.load_state_dict(tw.SGD().state_dict())):
            with pytest.raises(RuntimeError, match="under way"):
                attempt()
            refused.append(1)
        return 0.0, {"w": np.ones(2)}

    opt.update({"w": np.ones(2)}, closure=closure)
    assert (len(refused), opt.t) == (3, 1)


def test_the_average_can_be_shown_by_a_copy(copying):
    opt = tw.chain(tw.SGD(lr=0.5), tw.polyak())
    params = after(opt, 4)
    other, own = copying(opt), copied(params)
    with opt.averaged(params), other.averaged(own):
        assert {name: bits(w) for name, w in own.items()} == {name: bits(w) for name, w in params.items()}
    assert opt.t == 4 < STEPS
