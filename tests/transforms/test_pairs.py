"""Every pair of links in every order, around every rule in every convention: it works, or says why it cannot."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import needs_numba, same_bits, through_the_meaning
from tests.transforms.chains import gradients, links_for_every_place, start
from thalweg.language.errors import RuleError

# The six: any pair of links can stand around them. Single links around the others: test_around_later_rules.
CLASSIC = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
RULES = [(name, convention) for name in CLASSIC for convention in tw.RULES[name].conventions]
PLACED = links_for_every_place()
SHAPES = {"W": (3, 4), "b": (5,), "s": ()}
# Rules whose step is a sum of several, which no link on the step can take apart, by what the message says.
ON_THE_STEP = {
    "clip_value", "clip_norm", "clip_global_norm", "adaptive_clip", "centralize", "noise", "cautious",
}  # fmt: skip
ON_THE_PARAMETER = {"lookahead", "bounds", "ema", "polyak", "swa"}


def chain_of(placed, rule, convention):
    before = [make() for place, _, make in placed if place == "before"]
    behind = [make() for place, _, make in placed if place == "behind"]
    return tw.chain(*before, tw.Optimizer(rule, convention=convention, lr=0.05), *behind)


def why_not(placed, rule, convention):
    """The words of the refusal that these links deserve, or None: read off the links, and the form of the rule."""
    names = [name for _, name, _ in placed]
    behind = [name for place, name, _ in placed if place == "behind"]
    for once in ("accumulate", "sam"):
        if names.count(once) > 1:
            return once, "once"
    late = None
    for name in behind:
        if name in ON_THE_STEP and late:
            return name, late
        late = name if name in ON_THE_PARAMETER else late
    on_step = [name for name in behind if name in ON_THE_STEP]
    if on_step and not tw.RULES[rule].conventions[convention].facts.step_sign:
        return on_step[0], "convention"
    return None


def quadratic(params):
    return 0.0, {name: w - np.asarray(0.5, w.dtype) for name, w in params.items()}


def five_steps(opt, params, given):
    for grads in given:
        if any(link.name == "sam" for link in opt.links):
            opt.update(params, closure=quadratic)
        else:
            opt.update(params, grads)


def check(placed, rule, convention):
    """Take five steps, or be refused for the reason that is expected."""
    expected = why_not(placed, rule, convention)
    names = [name for _, name, _ in placed]
    where = f"{placed[0][:2]} {placed[1][:2]} around {rule}[{convention}]"
    if expected:
        with pytest.raises((ValueError, RuleError)) as refused:
            chain_of(placed, rule, convention)
        message = str(refused.value)
        for word in expected:
            # Of two links on the step either may be named: the form for vectors is made first, and may have one alone.
            words = [name for name in names if name in ON_THE_STEP] if word in ON_THE_STEP else [word]
            assert any(one in message for one in words), (where, message)
        return
    opt = chain_of(placed, rule, convention)
    params = start(shapes=SHAPES)
    before = {name: w.copy() for name, w in params.items()}
    given = gradients(5, shapes=SHAPES)
    five_steps(opt, params, given)
    assert opt.t == (2 if "accumulate" in names else 5), where
    for name, w in params.items():
        assert np.isfinite(w).all(), where
        assert (w != before[name]).any() or name == "s", where
    shown = [link.name for link in opt.links]
    assert sorted(shown) == sorted(names), where


PAIRS = list(itertools.product(PLACED, PLACED))


@pytest.mark.usefixtures("meaning")
@pytest.mark.parametrize("first", PLACED, ids=lambda p: "-".join(p[:2]))
def test_every_pair_around_one_of_the_rules(first):
    """The rules take turns; `test_every_pair_around_every_rule` takes them all."""
    for k, second in enumerate(PLACED):
        check((first, second), *RULES[(k + 7 * PLACED.index(first)) % len(RULES)])


@pytest.mark.slow
@pytest.mark.usefixtures("meaning")
@pytest.mark.parametrize("rule, convention", RULES)
def test_every_pair_around_every_rule(rule, convention):
    for first, second in PAIRS:
        check((first, second), rule, convention)


@pytest.mark.usefixtures("meaning")
@pytest.mark.parametrize("rule, convention", RULES)
def test_every_link_alone_around_every_rule(rule, convention):
    for link in PLACED:
        check((link, ("behind", "ema", lambda: tw.ema(0.5))), rule, convention)


@pytest.mark.usefixtures("meaning")
@pytest.mark.parametrize("seed", range(4))
def test_sampled_triples(seed):
    rng = random.Random(seed)
    for _ in range(40):
        placed = tuple(rng.sample(PLACED, 3))
        check(placed, *rng.choice(RULES))


# Chains whose kernels are compiled in every run; with `-m slow` more of them.
SAMPLED = [(seed, pytest.mark.slow if seed > 2 else ()) for seed in range(24)]


@pytest.mark.slow
@needs_numba
@pytest.mark.parametrize("seed", [pytest.param(seed, marks=marks) for seed, marks in SAMPLED])
def test_the_kernels_of_sampled_chains_are_their_meaning(seed):
    rng = random.Random(1000 + seed)
    while True:
        placed, (rule, convention) = tuple(rng.sample(PLACED, 4)), rng.choice(RULES)
        if why_not(placed, rule, convention) is None:
            break
    given = gradients(5, "float32", shapes=SHAPES)
    with through_the_meaning():
        wanted, params = chain_of(placed, rule, convention), start("float32", shapes=SHAPES)
        five_steps(wanted, params, given)
    opt, mine = chain_of(placed, rule, convention), start("float32", shapes=SHAPES)
    five_steps(opt, mine, given)
    assert [name for name in mine if not same_bits(mine[name], params[name])] == [], opt
    for name, slots in opt.state.items():
        assert [slot for slot, x in slots.items() if not same_bits(x, wanted.state[name][slot])] == [], opt


def test_links_that_cannot_stand_where_they_are_put_say_where_to_put_them():
    wrong = {
        "cautious works on the step: put it behind the rule": lambda: tw.chain(tw.cautious(), tw.SGD()),
        "l2 works on gradients: put it before the rule; decay beside the step is decoupled_decay": lambda: tw.chain(
            tw.SGD(), tw.l2(0.1)
        ),
        "accumulate works on gradients: put it before the rule": lambda: tw.chain(tw.SGD(), tw.accumulate(2)),
    }
    for name in sorted(ON_THE_PARAMETER):
        make = next(make for _, link, make in PLACED if link == name)
        message = f"{name} works on the parameter that a step has changed: put it behind the rule"
        wrong[message] = lambda make=make: tw.chain(make(), tw.SGD())
    for message, make in wrong.items():
        with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole message is compared
            make()
        assert str(refused.value) == message


def test_a_chain_is_made_of_links_and_one_new_optimizer():
    used = tw.SGD()
    used.update({"w": np.ones(1)}, {"w": np.ones(1)})
    for parts, error, words in (
        ((tw.clip_norm(1.0),), TypeError, r"one optimizer.*none was given"),
        ((), TypeError, r"one optimizer"),
        ((tw.SGD(), tw.Adam()), TypeError, r"2 were given"),
        ((tw.polyak, tw.SGD()), TypeError, r"call it: polyak\(\.\.\.\)"),
        ((tw.SGD, tw.polyak()), TypeError, r"call it: SGD\(\.\.\.\)"),
        ((1.0, tw.SGD()), TypeError, r"1\.0 is no link"),
        ((None, tw.SGD()), TypeError, r"None is no link"),
        ((tw.clip_norm(1.0), used), ValueError, r"has taken steps"),
    ):
        with pytest.raises(error, match=words):
            tw.chain(*parts)


def test_a_chain_in_a_chain_keeps_its_links_nearest_to_the_rule():
    inner = tw.chain(tw.l2(0.1), tw.SGD(lr=0.3), tw.polyak())
    opt = tw.chain(tw.clip_value(1.0), inner, tw.bounds(0, 1))
    assert [link.name for link in opt.links] == ["clip_value", "l2", "polyak", "bounds"]
    assert opt.lr == 0.3
    assert repr(opt) == (
        "chain(clip_value(max_value=1.0), l2(weight_decay=0.1), SGD(lr=0.3), polyak(), bounds(low=0.0, high=1.0))"
        " after 0 steps"
    )
