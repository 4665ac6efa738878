"""Numbers of links: their names, their ranges, live and from schedules, and in groups."""

from __future__ import annotations

import fractions
import inspect

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import path_of
from tests.transforms.chains import gradients, start
from thalweg.transforms import BY_NAME

pytestmark = pytest.mark.usefixtures("meaning")

# Link -> (what it needs, its numbers with the first and the last illegal value at the ends of their range).
NUMBERS = {
    "clip_value": ({"max_value": 1.0}, {"max_value": [0.0, -1.0]}),
    "clip_norm": ({"max_norm": 1.0}, {"max_norm": [0.0, -1.0], "eps": [-1e-300, -1.0]}),
    "clip_global_norm": ({"max_norm": 1.0}, {"max_norm": [0.0, -1.0], "eps": [-1e-300, -1.0]}),
    "adaptive_clip": ({}, {"clipping": [0.0, -1.0], "eps": [-1e-300, -1.0]}),
    "centralize": ({}, {}),
    "noise": ({}, {"eta": [-1e-300, -1.0], "gamma": []}),
    "l2": ({"weight_decay": 0.1}, {"weight_decay": [-1e-300, -1.0]}),
    "accumulate": ({"every": 2}, {"every": [0, -1, 2.5]}),
    "decoupled_decay": ({"weight_decay": 0.1}, {"weight_decay": [-1e-300, -1.0]}),
    "cautious": ({}, {"floor": [0.0, -1.0, 1.5]}),
    "lookahead": ({}, {"every": [0, -1, 2.5], "alpha": [-0.1, 1.1]}),
    "bounds": ({"low": -1.0, "high": 1.0}, {"low": [], "high": []}),
    "ema": ({}, {"decay": [1.0, -0.1], "overwrite": [-1, 2.5]}),
    "polyak": ({}, {}),
    "swa": ({}, {"start": [0, -1, 2.5], "every": [0, -1, 2.5]}),
    "sam": ({}, {"rho": [0.0, -1.0]}),
}
# What is no number at all, or none that is finite.
BAD = [
    float("nan"), float("inf"), -float("inf"), np.float32("inf"), 10**400, None, "0.1", "", True, np.True_, 1j,
    np.array([0.1, 0.2]), np.array(0.1), [0.1], (0.1,), {"a": 1}, b"1", object(),
]  # fmt: skip
EACH = [(link, number) for link, (_, numbers) in NUMBERS.items() for number in numbers]
BEFORE = ("l2", "accumulate")


def chain_with(link, rule=None, **numbers):
    """The link with these numbers, where it may stand."""
    made, rule = BY_NAME[link](**numbers), rule or tw.SGD(lr=0.1)
    return tw.chain(made, rule) if link in BEFORE else tw.chain(rule, made)


def test_no_link_and_no_number_is_left_out():
    assert set(NUMBERS) == set(BY_NAME)
    words = {"layout", "scale", "seed", "adaptive"}
    for link, (_, numbers) in NUMBERS.items():
        arguments = set(inspect.signature(BY_NAME[link]).parameters) - words
        if link == "ema":
            arguments -= {"start"}
        assert arguments == set(numbers), link


@pytest.mark.parametrize("link, number", EACH)
def test_a_bad_number_is_refused_by_name_when_it_is_given(link, number):
    needed, numbers = NUMBERS[link]
    for bad in BAD + numbers[number]:
        if bad is None and link == "bounds":
            continue
        with pytest.raises((TypeError, ValueError)) as refused:
            chain_with(link, **(needed | {number: bad}))
        text = str(refused.value)
        assert number in text, (bad, text)
        assert "legal is" in text or "give a" in text or "is not below" in text, (bad, text)


@pytest.mark.parametrize("link, number", [(link, number) for link, number in EACH if link != "sam"])
def test_a_bad_number_is_refused_when_it_is_set_and_from_a_schedule(link, number):
    needed, numbers = NUMBERS[link]
    opt = chain_with(link, **needed)
    before = opt.hyperparams
    for bad in BAD + numbers[number]:
        with pytest.raises((TypeError, ValueError), match=number):
            setattr(opt, number, bad)
        assert opt.hyperparams == before
        other, params = chain_with(link, **(needed | {number: lambda t, bad=bad: bad})), {"w": np.ones((2, 2))}
        with pytest.raises((TypeError, ValueError), match=rf"{number} = .* schedule at t = 1"):
            other.update(params, {"w": np.ones((2, 2))})
        assert (params["w"].tolist(), other.t) == ([[1, 1], [1, 1]], 0)


def test_ranges_hold_under_other_names_too():
    """A number whose name is taken is called otherwise, and its range goes with it."""
    makes = {
        "clip_norm_eps": lambda x: tw.chain(tw.clip_norm(1.0, eps=x), tw.Adam()),
        "clip_global_norm_eps": lambda x: tw.chain(tw.clip_global_norm(1.0, eps=x), tw.Adam()),
        "adaptive_clip_eps": lambda x: tw.chain(tw.adaptive_clip(0.1, eps=x), tw.Adam()),
        "decoupled_decay_weight_decay": lambda x: tw.chain(tw.l2(0.1), tw.SGD(), tw.decoupled_decay(x)),
        "clip_value_2_max_value": lambda x: tw.chain(tw.clip_value(1.0), tw.SGD(), tw.clip_value(x)),
        "swa_every": lambda x: tw.chain(tw.accumulate(2), tw.SGD(), tw.swa(2, x)),
        "ema_2_decay": lambda x: tw.chain(tw.SGD(), tw.ema(0.5), tw.ema(x)),
    }
    for name, make in makes.items():
        with pytest.raises(ValueError, match=rf"{name} = -0\.25 is out of range"):
            make(-0.25)
        opt = make(1 if name == "swa_every" else 0.25)
        with pytest.raises(ValueError, match=rf"{name} = -0\.25 is out of range"):
            setattr(opt, name, -0.25)


def test_good_numbers_of_every_kind():
    for x in (1, 0.5, np.float64(0.5), np.float32(0.5), np.int64(1), fractions.Fraction(1, 2)):
        assert tw.chain(tw.clip_norm(x), tw.SGD()).max_norm == float(x)
    assert tw.chain(tw.SGD(), tw.lookahead(np.int64(3), 1)).every == 3.0


WORDS = {
    "layout": (tw.adaptive_clip, tw.centralize),
    "scale": (lambda scale: tw.decoupled_decay(0.1, scale),),
    "start": (lambda start: tw.ema(0.1, start=start),),
}


@pytest.mark.parametrize("word", WORDS)
def test_words_are_one_of_a_few(word):
    for make in WORDS[word]:
        for bad in ("", "x", None, 0, 1, True, 1.5, float("nan"), 1j, b"lr", ["lr"], ("lr",), {}, np.ones(2), 10**400):
            with pytest.raises(ValueError, match=rf"{word} = .*it is (one of )?'"):
                make(**{word: bad})


@pytest.mark.parametrize("bad", [0, 1, None, "yes", 1.0, np.ones(2), []])
def test_adaptive_is_true_or_false(bad):
    with pytest.raises(TypeError, match=r"sam: adaptive = .* True or False"):
        tw.sam(adaptive=bad)


@pytest.mark.parametrize("low, high", [(1, 1), (2, 1), (0.5, -0.5), (float("nan"), 1), (0, float("nan"))])
def test_bounds_are_in_order(low, high):
    with pytest.raises(ValueError, match=r"bounds: low = .* is not below high"):
        tw.bounds(low, high)
    with pytest.raises(ValueError, match=r"bounds: give low, high, or both"):
        tw.bounds()


def test_names_and_slots_of_a_chain():
    opt = tw.chain(
        tw.clip_norm(1.0, eps=0.5), tw.l2(0.2), tw.Adam(eps=0.25), tw.clip_norm(2.0), tw.decoupled_decay(0.3),
        tw.ema(0.5), tw.ema(0.75),
    )  # fmt: skip
    assert opt.hyperparams == tw.Adam(eps=0.25).hyperparams | {
        "max_norm": 1.0, "clip_norm_eps": 0.5, "weight_decay": 0.2,
        "clip_norm_2_max_norm": 2.0, "clip_norm_2_eps": 0.0, "decoupled_decay_weight_decay": 0.3, "decay": 0.5,
        "overwrite": 0.0, "ema_2_decay": 0.75, "ema_2_overwrite": 0.0,
    }  # fmt: skip
    opt.update({"w": np.ones(2)}, {"w": np.ones(2)})
    assert list(opt.state["w"]) == ["m", "v", "ema_average", "ema_2_average"]
    assert {"clip_norm_2_max_norm", "max_norm", "beta1"} <= set(dir(opt))
    with pytest.raises(AttributeError, match=r"max_norm"):
        opt.maxnorm = 1.0


LIVE = {
    "clip_value": ("max_value", 0.3, 0.9), "clip_norm": ("max_norm", 0.3, 0.9),
    "clip_global_norm": ("max_norm", 0.3, 0.9),
    "adaptive_clip": ("clipping", 0.03, 0.2), "noise": ("eta", 0.1, 0.9), "l2": ("weight_decay", 0.1, 0.5),
    "decoupled_decay": ("weight_decay", 0.1, 0.5), "cautious": ("floor", 0.2, 1.0), "lookahead": ("every", 2, 3),
    "bounds": ("high", 0.2, 0.4), "ema": ("overwrite", 0, 1), "accumulate": ("every", 1, 2),
}  # fmt: skip


@pytest.mark.parametrize("link", LIVE)
def test_a_number_set_live_and_a_schedule_act_from_the_next_step_on(link):
    number, first, then = LIVE[link]
    needed = NUMBERS[link][0]
    given = gradients(6)

    def path(value, switch=None):
        rule = tw.Momentum(lr=0.1, convention="torch")
        opt, params, found = chain_with(link, rule, **(needed | {number: value})), start(), []
        for k, grads in enumerate(given):
            if k == 3 and switch is not None:
                setattr(opt, number, switch)
            found += path_of(opt, params, [grads])
        return found, opt

    live, opt = path(first, then)
    scheduled, other = path(lambda t: first if t <= 3 else then)
    constant, _ = path(first)
    assert getattr(opt, number) == getattr(other, number) == then
    for k in range(6):
        same = all((live[k][name] == constant[k][name]).all() for name in live[k])
        assert same == (k < 3), (link, k)
        assert all((live[k][name] == scheduled[k][name]).all() for name in live[k]), (link, k)


def test_groups_set_numbers_of_links_and_follow_the_chain_in_the_others():
    given = gradients(4)
    opt = tw.chain(
        tw.clip_value(0.5), tw.Adam(lr=0.1), tw.decoupled_decay(0.2), tw.bounds(-1, 1),
        groups={"b*": dict(weight_decay=0.0, max_value=0.1), "W2": tw.SGD(lr=0.25), "s": None},
    )  # fmt: skip
    params = start()
    parts = {
        "W1": tw.chain(tw.clip_value(0.5), tw.Adam(lr=0.1), tw.decoupled_decay(0.2), tw.bounds(-1, 1)),
        "b1": tw.chain(tw.clip_value(0.1), tw.Adam(lr=0.1), tw.bounds(-1, 1)),
        "W2": tw.chain(tw.clip_value(0.5), tw.SGD(lr=0.25), tw.decoupled_decay(0.2), tw.bounds(-1, 1)),
    }
    twins = start()
    for t, grads in enumerate(given):
        if t == 2:
            opt.high = 0.5
            opt.groups["b*"].max_value = 0.4
            for part in parts.values():
                part.high = 0.5
            parts["b1"].max_value = 0.4
        opt.update(params, grads)
        for name, part in parts.items():
            part.update({name: twins[name]}, {name: grads[name]})
    for name in parts:
        assert params[name].tobytes() == twins[name].tobytes(), name
    assert params["s"].tobytes() == start()["s"].tobytes()
    assert opt.groups["b*"].high == 0.5


def test_a_global_norm_is_one_over_all_groups():
    given = {name: 4.0 * g for name, g in gradients(1)[0].items()}
    params = start()
    opt = tw.chain(
        tw.clip_global_norm(0.5), tw.SGD(lr=1.0), groups={"b1": dict(lr=1.0), "W2": tw.SGD(lr=1.0), "s": None}
    )
    opt.update(params, given)
    moved = np.concatenate([(start()[name] - w).ravel() for name, w in params.items()])
    norm = np.sqrt(sum(float(np.sum(g**2)) for name, g in given.items() if name != "s"))
    wanted = np.concatenate([(0.5 / norm * g * (name != "s")).ravel() for name, g in given.items()])
    np.testing.assert_allclose(moved, wanted, rtol=0, atol=1e-15)


@pytest.mark.parametrize("link", ["adaptive_clip", "centralize"])
@pytest.mark.parametrize("place", ["before", "behind"])
def test_three_axes_are_refused_with_what_to_do(link, place):
    make = BY_NAME[link]
    opt = tw.chain(make(), tw.SGD()) if place == "before" else tw.chain(tw.SGD(), make())
    params = {"a": np.ones(3), "kernel": np.ones((2, 3, 4))}
    with pytest.raises(ValueError, match=r"'kernel' has shape \(2, 3, 4\).*2 axes at most.*reshape"):
        opt.update(params, {name: np.ones(w.shape) for name, w in params.items()})
    assert (params["a"] == 1).all()
    view = {"a": params["a"], "kernel": params["kernel"].reshape(-1, 4)}
    opt.update(view, {name: np.arange(float(w.size)).reshape(w.shape) for name, w in view.items()})
    assert (params["kernel"] != 1).any()


def test_links_are_shown_with_what_they_were_given():
    for name, (needed, _) in NUMBERS.items():
        made = BY_NAME[name](**needed)
        assert made.name == name
        assert repr(made).startswith(f"{name}(")
        for argument, value in needed.items():
            assert f"{argument}={value!r}" in repr(made)
