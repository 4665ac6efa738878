"""The table of slips: what is made of a rule, that it is said in words, and that the check finds each again."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.testing.wrapped import Wrapped, begun
from thalweg.testing import identify, mutations
from thalweg.testing.numbers import choices
from thalweg.testing.replay import PLAIN, replay
from thalweg.testing.subject import record

FORMS = [pytest.param(form, id=f"{name}-{c}") for name, r in tw.RULES.items() for c, form in r.conventions.items()]


def kinds(rule):
    return {m.kind for m in mutations(rule)}


@pytest.mark.parametrize("rule", FORMS)
def test_every_rule_has_its_slips(rule):
    found = mutations(rule)
    assert len(found) >= 10
    assert [m.rank for m in found] == sorted(m.rank for m in found)
    made = [m for m in found if m.rule is not None]
    assert len(made) > 0.9 * len(found)
    for m in made:
        assert m.words.startswith(("with ", "without "))
        assert m.timing is not PLAIN or m.rule.digest != rule.digest or m.rule.slots != dict(rule.slots)
        right, wrong = m.lines
        assert (right != wrong) == (m.body != m.right)


def test_the_slips_that_are_asked_for_are_made():
    adam = mutations(tw.RULES["adam"].conventions["paper"], frozenset({"eps_root"}))
    words = {m.words for m in adam}
    assert {
        "with `eps` inside the root, `sqrt(v_hat + eps)` for `sqrt(v_hat) + eps`",
        "without `+ eps`",
        "without the root of `v_hat`",
        "with `g` for `g**2`",
        "without bias correction",
        "without the bias correction `1 - beta1**t`",
        "with a `t` that is one behind, 0 at the first step",
        "with `beta1` and `beta2` exchanged",
        "without the factor `1 - beta1`",
        "with `lr` 10 % larger",
        "with an update at the first call only",
        "with `+` for `-` in front of `lr * m_hat / (sqrt(v_hat) + eps)`",
        "with `v` for `m`",
        "with the average of gradients updated only after `m_hat` has read it",
    } <= words
    assert "order" in kinds(tw.RULES["nesterov"])
    assert "forgets" not in kinds(tw.RULES["sgd"])
    assert "no correction" not in kinds(tw.RULES["rmsprop"])


@pytest.mark.parametrize(
    "rule, convention, words, line",
    [
        ("momentum", "book", "with the old `v` for the new one in `w`", "w = w + v_old"),
        ("momentum", "book", "without the line `v = momentum * v - lr * g`", None),
        ("momentum", "book", "with `v - w` for `w + v`", "w = v - w"),
        (
            "momentum",
            "book",
            "with `-(momentum * v) - lr * g` for `momentum * v - lr * g`",
            "v = -(momentum * v) - lr * g",
        ),
        ("adagrad", "torch", "with the sum of squares starting at 0", None),
        ("amsgrad", "torch", "with `minimum` for `maximum(v_max, v)`", "v_max = minimum(v_max, v)"),
        ("amsgrad", "torch", "with `v` for `maximum(v_max, v)`", "v_max = v"),
        ("grams", "paper", "without `sign` around `g`", None),
        ("ftrl", "paper", "without the `-` in front of `z - sign(z) * l1`", None),
        ("adamax", "paper", "with `m / u` whether `u > 0` or not", "w = w - lr / (1 - beta1**t) * (m / u)"),
        ("novograd", "paper", "with `squared` whether `t == 1` or not", "v = squared"),
        ("radam", "torch", "with the lines for `rho > 5` never", "r = 1"),
        ("sm3", "paper", "without the factor `lr`, for vectors", "w = w - m"),
    ],
)
def test_more_slips(rule, convention, words, line):
    found = [m for m in mutations(tw.RULES[rule].conventions[convention]) if m.words == words]
    assert any(line is None or line in m.lines[1] for m in found)
    assert all(m.rule is not None for m in found)


def test_an_order_in_which_a_line_reads_what_is_not_there_is_none():
    assert all(m.rule is not None for m in mutations(tw.RULES["prodigy"]) if m.kind == "order")


def test_what_a_slip_computes():
    """By hand: `+` for `*`, and a root that holds eps."""
    momentum = tw.RULES["momentum"]
    plus = next(m for m in mutations(momentum) if "`+` for `*` in front of the velocity" in m.words)
    w, v = plus.rule.function(np.array([1.0]), np.array([2.0]), np.array([3.0]), lr=0.25, momentum=0.5)
    assert (w.item(), v.item()) == (1.0 + (0.5 + 3.0 - 0.5), 0.5 + 3.0 - 0.5)
    inside = next(m for m in mutations(tw.RULES["adagrad"]) if m.kind == "inside the root")
    w, h = inside.rule.function(np.array([1.0]), np.array([2.0]), np.array([0.0]), lr=1.0, eps=5.0)
    assert (w.item(), h.item()) == (1.0 - 2.0 / 3.0, 4.0)


def test_terms_are_looked_into():
    @tw.term
    def decayed(average, x, beta):
        return beta * average + (1 - beta) * x

    @tw.rule
    def own(w, g, m, *, lr=0.1, beta1=0.9):
        m = decayed(m, g, beta1)
        w = w - lr * m
        return w, m

    found = [m for m in mutations(own) if m.rule is not None]
    assert any("`+` for `*`" in m.words and m.lines[1] == ("m = beta1 + m + (1 - beta1) * g",) for m in found)


class Slipped(Wrapped):
    """A rule with a slip, called as the slip says."""

    def __init__(self, mutation):
        super().__init__(mutation.rule)
        self._timing = mutation.timing

    def update(self, params, grads):
        self._t += 1
        numbers = {name: getattr(self, name) for name in self._rule.defaults}
        clock = self._timing.clock or (lambda step, _position, _count: step)
        for position, (key, w) in enumerate(params.items()):
            if key not in self._states:
                self._states[key] = [begun(slot, w, numbers) for slot in self._rule.slots.values()]
            t = {"t": clock(self._t, position, len(params))} if "t" in self._rule.text.signature.numbers else {}
            new, *state = self._rule.function(w, grads[key], *self._states[key], **numbers, **t)
            if self._timing.keeps(self._t):
                self._states[key] = state
            if self._timing.moves(self._t):
                params[key][...] = new


COMMON = [pytest.param(m, id=f"{r.name}: {m.words}") for r in (tw.RULES["sgd"], tw.RULES["momentum"])
          for m in mutations(r) if m.rule is not None and m.rank <= 1]  # fmt: skip


@pytest.mark.parametrize("mutation", COMMON)
def test_the_check_finds_a_slip_again(mutation):
    slipped = Slipped(mutation)
    slipped.__class__ = type(mutation.of.title, (Slipped,), {})
    found = identify(slipped)
    assert found.outcome in ("slip", "equal")  # some slips are another rule, or change nothing
    assert found.exact
    if found.outcome == "slip":
        assert found.rule.name == mutation.of.name


def test_how_far_steps_are_apart():
    """Opposite steps are alike but for their sign; a rule that is NaN where the optimizer is not is the farthest."""
    adagrad = tw.RULES["adagrad"]
    recording = record(tw.AdaGrad(lr=0.1)).up_to(20)
    choice = next(choices(adagrad, recording.read[0], {}, ()))
    made = {line: m.rule for m in mutations(adagrad) for line in m.lines[1]}
    opposite, negative = made["w = w + lr * g / (sqrt(h + eps_root) + eps)"], made["h = h - g * g"]
    right, other_sign, lost = (replay(rule, choice, recording, whole=True) for rule in (adagrad, opposite, negative))
    assert (right.apart, right.unlike) == (0.0, 0.0)
    assert other_sign.apart == pytest.approx(1.0, abs=1e-6)
    assert other_sign.unlike < 0.5
    assert lost.apart == lost.unlike == 2.0
