"""`with opt.averaged()`: the averages in the place of the parameters, which are back on any way out."""

from __future__ import annotations

import contextlib
import signal
import threading

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import copied
from tests.transforms.chains import gradients, start
from thalweg.averages import Swap

pytestmark = pytest.mark.usefixtures("meaning")


def stepped(*links, params=None, steps=4):
    """A chain after some steps, and its parameters."""
    params = start() if params is None else params
    opt = tw.chain(tw.SGD(lr=0.1), *(links or (tw.ema(0.5),)))
    shapes = {name: np.shape(w) for name, w in params.items()}
    for grads in gradients(steps, shapes=shapes):
        opt.update(params, grads)
    return opt, params


def bits(params):
    return {name: w.tobytes() for name, w in params.items()}


def leave_by(way):
    """Leave a block in some way."""
    if way == "return":
        return
    raise {
        "exception": ValueError("x"),
        "interrupt": KeyboardInterrupt(),
        "exit": SystemExit(),
        "close": GeneratorExit(),
    }[way]


@pytest.mark.parametrize("way", ["return", "exception", "interrupt", "exit", "close"])
def test_parameters_are_back_on_any_way_out(way):
    opt, params = stepped()
    objects, before = {name: id(w) for name, w in params.items()}, bits(params)
    averages = {name: slots["ema_average"].copy() for name, slots in opt.state.items()}
    with contextlib.suppress(ValueError, KeyboardInterrupt, SystemExit, GeneratorExit), opt.averaged() as shown:
        assert shown is params
        assert bits(params) == bits(averages) != before
        params["W1"][0] = 99.0
        params["b1"] += 1
        leave_by(way)
    assert bits(params) == before
    assert {name: id(w) for name, w in params.items()} == objects
    assert bits({name: slots["ema_average"] for name, slots in opt.state.items()}) == bits(averages)
    opt.update(params, gradients(1)[0])
    assert opt.t == 5


def test_training_goes_on_as_if_nobody_had_looked():
    (opt, params), (other, twin) = stepped(), stepped()
    for grads in gradients(3, seed=7):
        with opt.averaged():
            pass
        opt.update(params, grads)
        other.update(twin, grads)
    assert bits(params) == bits(twin)


@pytest.mark.parametrize("name", ["update", "state_dict", "save", "averaged"])
def test_inside_of_it_is_no_place_for_anything_else(name, tmp_path):
    opt, params = stepped()
    before = bits(params)
    calls = {
        "update": lambda: opt.update(params, gradients(1)[0]),
        "state_dict": opt.state_dict,
        "save": lambda: opt.save(tmp_path / "x.safetensors"),
        "averaged": lambda: opt.averaged().__enter__(),
    }
    with opt.averaged():
        shown = bits(params)
        with pytest.raises(RuntimeError, match=r"averaged|outside"):
            calls[name]()
        assert bits(params) == shown
    assert bits(params) == before
    assert opt.t == 4
    opt.update(params, gradients(1)[0])


def test_another_thread_cannot_step_meanwhile():
    opt, params = stepped()
    errors = []

    def other():
        try:
            opt.update(params, gradients(1)[0])
        except RuntimeError as error:
            errors.append(error)

    with opt.averaged():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1
    assert opt.t == 4


def test_of_several_averages_one_is_named():
    opt, params = stepped(tw.ema(0.5), tw.polyak(), tw.swa(2), tw.ema(0.9, start="initial"))
    with pytest.raises(ValueError, match=r"4 averages; say which.*'ema'.*'polyak'.*'swa'.*'ema_2'"):
        opt.averaged().__enter__()
    with pytest.raises(ValueError, match=r"no average 'mean'; it has 'ema', 'polyak', 'swa', 'ema_2'"):
        opt.averaged(link="mean").__enter__()
    seen = set()
    for link in ("ema", "polyak", "swa", "ema_2"):
        with opt.averaged(link=link):
            assert bits(params) == bits({name: s[f"{link}_average"] for name, s in opt.state.items()})
            seen.add(params["W1"].tobytes())
    assert len(seen) == 4


def test_without_an_average_it_says_what_keeps_one():
    opt = tw.chain(tw.clip_value(1.0), tw.SGD())
    with pytest.raises(ValueError, match=r"keeps no average.*ema"):
        opt.averaged({"w": np.ones(1)}).__enter__()
    with pytest.raises(ValueError, match=r"keeps no average.*ema"):
        tw.SGD().averaged().__enter__()


@pytest.mark.parametrize("given", [True, False])
def test_before_the_first_step_there_is_none(given):
    opt, params = tw.chain(tw.SGD(), tw.polyak()), {"w": np.ones(2)}
    with pytest.raises(RuntimeError, match=r"no step|first step"), opt.averaged(params if given else None):
        pass
    assert params["w"].tolist() == [1, 1]


def test_what_has_only_gathered_has_no_average_yet():
    opt, params = tw.chain(tw.accumulate(3), tw.SGD(lr=1.0), tw.ema(0.5)), {"w": np.ones(2)}
    opt.update(params, {"w": np.ones(2)})
    with contextlib.suppress(RuntimeError), opt.averaged(params):
        assert params["w"].tolist() == [1, 1]
    for g in (1.0, 1.0):
        opt.update(params, {"w": np.full(2, g)})
    params["late"] = np.full(3, 5.0)
    opt.update(params, {"w": np.ones(2), "late": np.ones(3)})
    with opt.averaged():
        assert params["late"].tolist() == [5, 5, 5]


def test_parameters_without_a_gradient_and_frozen_ones_stay_as_they_are():
    opt = tw.chain(tw.SGD(lr=1.0), tw.ema(0.5), groups={"still": None})
    params = {name: np.ones(2) for name in ("w", "none", "still")}
    for _ in range(2):
        opt.update(params, {"w": np.ones(2), "none": None, "still": np.ones(2)})
    with opt.averaged():
        assert {name: w.tolist() for name, w in params.items()} == {"w": [-0.5] * 2, "none": [1, 1], "still": [1, 1]}


def test_every_kind_of_array():
    whole = np.zeros((6, 8), np.float32)
    params = {
        "view": whole[::2, 1::3], "F": np.asfortranarray(np.ones((3, 2))), "back": np.ones(4)[::-1],
        "zero": np.zeros((0, 3)), "scalar": np.array(2.0), "half": np.ones(3, np.float16),
    }  # fmt: skip
    opt = tw.chain(tw.SGD(lr=0.25), tw.ema(0.5))
    for g in (1.0, 2.0):
        opt.update(params, {name: np.full(w.shape, g, w.dtype) for name, w in params.items()})
    before, untouched = bits(params), whole[1::2].copy()
    with opt.averaged():
        for name, w in params.items():
            # After the steps s - 0.25 and s - 0.75 the average is s - 0.5.
            first = 0.0 if name == "view" else 2.0 if name == "scalar" else 1.0
            assert w.tolist() == np.full(w.shape, first - 0.5).tolist(), name
            assert w.dtype == opt.state[name]["ema_average"].dtype or name == "half"
        assert whole[0, 1] == -0.5
    assert bits(params) == before
    assert (whole[1::2] == untouched).all()


def test_numbers_in_dicts_and_lists():
    params = {"x": 1.0, "deep": {"y": [3, np.float32(2.0)]}}
    opt = tw.chain(tw.SGD(lr=0.25), tw.ema(0.5))
    for g in (1.0, 2.0):
        opt.update(params, {"x": g, "deep": {"y": [g, g]}})
    assert params == {"x": 0.25, "deep": {"y": [2.25, np.float32(1.25)]}}
    with contextlib.suppress(ZeroDivisionError), opt.averaged():
        assert params == {"x": 0.5, "deep": {"y": [2.5, np.float32(1.5)]}}
        assert [type(x) for x in params["deep"]["y"]] == [float, np.float32]
        raise ZeroDivisionError
    assert params == {"x": 0.25, "deep": {"y": [2.25, np.float32(1.25)]}}


def test_a_single_array_and_a_list():
    for make in (lambda: np.ones(3), lambda: [np.ones(3), np.ones((2, 2))]):
        params = make()
        opt = tw.chain(tw.SGD(lr=0.25), tw.polyak())
        for g in (1.0, 3.0):
            opt.update(params, g * make() if isinstance(params, np.ndarray) else [g * w for w in make()])
        first = params if isinstance(params, np.ndarray) else params[0]
        with opt.averaged():
            # 0.75, then 0
            assert first.tolist() == [0.375] * 3
        assert first.tolist() == [0.0] * 3


def test_other_arrays_of_the_same_names():
    """A copy for evaluation shows the averages, and the parameters in training stay as they are."""
    opt, params = stepped()
    replaced = {name: np.zeros_like(w) for name, w in params.items()}
    before = bits(params)
    with opt.averaged(replaced) as shown:
        assert shown is replaced
        assert bits(replaced) == bits({name: s["ema_average"] for name, s in opt.state.items()})
        assert bits(params) == before
    assert not any(w.any() for w in replaced.values())
    opt.update(replaced, gradients(1)[0])
    with opt.averaged() as shown:
        assert shown is replaced


@pytest.mark.parametrize("bad", [np.zeros((3, 4)), np.zeros((4, 3), int), np.zeros((4, 3))])
def test_parameters_that_the_averages_do_not_fit_are_refused_before_anything_is_shown(bad):
    opt, params = stepped()
    given = copied(params)
    if bad.dtype == float and bad.shape == (4, 3):
        bad.flags.writeable = False
    given["W1"] = bad
    before = bits({name: w for name, w in given.items() if name != "W1"})
    with pytest.raises((ValueError, TypeError), match=r"'W1'"), opt.averaged(given):
        pass
    assert bits({name: w for name, w in given.items() if name != "W1"}) == before
    with opt.averaged():
        pass


def test_after_resuming_the_parameters_are_named():
    opt, params = stepped(tw.swa(2), tw.bounds(-1, 1))
    other = tw.chain(tw.SGD(lr=0.1), tw.swa(2), tw.bounds(-1, 1))
    other.load_state_dict(opt.state_dict())
    with pytest.raises(RuntimeError):
        other.averaged().__enter__()
    twin = copied(params)
    with opt.averaged(), other.averaged(twin):
        assert bits(params) == bits(twin)
    assert bits(params) == bits(twin)


def test_an_interrupt_while_they_are_put_in_place_leaves_the_parameters_as_they_were(monkeypatch):
    """It waits until all are in place, and is raised before the block begins."""
    opt, params = stepped()
    before, real = bits(params), Swap.show

    def interrupted(self):
        signal.raise_signal(signal.SIGINT)
        real(self)

    monkeypatch.setattr(Swap, "show", interrupted)
    with pytest.raises(KeyboardInterrupt), opt.averaged():
        pytest.fail("the block was entered")
    assert bits(params) == before
    opt.update(params, gradients(1)[0])
    assert opt.t == 5
