"""Conventions: other texts, or other defaults, under one name; ranges; digests; copies."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

import thalweg as tw
from tests import extra_rules
from tests.language.texts import make
from thalweg.rules.adam import adam as own_adam

MOMENTUM = "def heavy(w, g, v, *, lr=0.1, mu=0.9):\n    v = mu * v - lr * g\n    w = w + v\n    return w, v"


def heavy(**declared):
    return tw.rule(MOMENTUM, source="Polyak 1964", ranges={"mu": "[0, 1]"}, **declared)


def test_a_text_of_its_own():
    rule = heavy()

    state = {"b": tw.full("lr")}

    @rule.convention("torch", source="torch.optim.SGD(momentum=)", ranges={"mu": "[0, 2)"}, state=state)
    def heavy_torch(w, g, b, *, lr=0.01, mu=1.5):
        b = mu * b + g
        w = w - lr * b
        return w, b

    assert (rule.name, rule.title, rule.convention_name, rule.source) == ("heavy", "Heavy", "paper", "Polyak 1964")
    assert (heavy_torch.name, heavy_torch.title, heavy_torch.convention_name) == ("heavy", "Heavy", "torch")
    assert heavy_torch.source == "torch.optim.SGD(momentum=)"
    assert dict(rule.conventions) == dict(heavy_torch.conventions) == {"paper": rule, "torch": heavy_torch}
    assert (list(rule.slots), dict(heavy_torch.slots)) == (["v"], state)
    assert (1.9 in heavy_torch.ranges["mu"], 1.9 in rule.ranges["mu"]) == (True, False)
    assert tw.Optimizer(rule, convention="torch").rule is heavy_torch
    assert repr(heavy_torch) == "<rule heavy[torch]: b>"


def test_a_text_given_as_a_string():
    rule = heavy()
    added = rule.convention("torch")("def f(w, g, b, *, lr=0.01):\n    b = b + g\n    w = w - lr * b\n    return w, b")
    assert added is rule.conventions["torch"]
    assert added.source == "Polyak 1964"


def test_other_defaults_of_the_same_text():
    rule = heavy(state={"v": tw.full("lr")})
    other = rule.also("book", source="the book", lr=0.01)
    third = other.also("third", mu=1)
    assert (dict(rule.defaults), dict(other.defaults)) == ({"lr": 0.1, "mu": 0.9}, {"lr": 0.01, "mu": 0.9})
    assert dict(third.defaults) == {"lr": 0.01, "mu": 1.0}
    assert type(third.defaults["mu"]) is float
    assert rule.ranges == other.ranges
    assert rule.slots == other.slots
    assert (other.source, rule.also("fourth").source) == ("the book", "Polyak 1964")
    assert rule.digest == other.digest
    assert list(rule.conventions) == ["paper", "book", "third", "fourth"]


def test_the_default_convention():
    rule = heavy(convention="authors", default="book")
    with pytest.raises(ValueError, match="Heavy has no convention 'book'; it has: authors"):
        rule.family.get(None)
    book = rule.also("book")
    assert rule.family.get(None) is book
    assert rule.family.get("authors") is rule


@pytest.mark.parametrize(
    "add, message",
    [
        (lambda r: r.also("paper"), "heavy has a convention 'paper' already; it has: paper. Choose another name"),
        (lambda r: r.convention("paper")(MOMENTUM), "heavy has a convention 'paper' already"),
        (lambda r: r.also("a/b"), "the name of a convention is letters, digits, `_`, `.` and `-`, not 'a/b'"),
        (lambda r: r.also(""), "the name of a convention is letters, digits, `_`, `.` and `-`, not ''"),
        (lambda r: r.convention(MOMENTUM.splitlines), 'a convention has a name: @heavy.convention("paper")'),
        (lambda r: r.also("book", beta=0.5), "`beta` is no hyper-parameter of this text; it has: lr, mu"),
        (lambda r: r.also("book", mu=1.1), "the default `mu = 1.1` is out of range, 0 <= mu <= 1"),
        (lambda r: r.also("book", mu=float("nan")), "the default of `mu` is a finite number, not nan"),
        (lambda r: r.also("book", mu="0.5"), "the default of `mu` is a finite number, not '0.5'"),
        (lambda r: r.also("book", mu=True), "the default of `mu` is a finite number, not True"),
    ],
)
def test_refused(add, message):
    rule = heavy()
    with pytest.raises(tw.RuleError, match=re.escape(message)):
        add(rule)
    assert list(rule.conventions) == ["paper"]


def test_ranges_belong_to_names():
    names = ["lr", "eps", "eps_root", "beta", "beta1", "momentum", "weight_decay", "decay_rate", "d0", "gamma"]
    args = ", ".join(f"{name}=0.5" for name in names)
    rule = make(f"w = w - g * {' * '.join(names)}", f"w, g, *, {args}", ranges={"gamma": "(-1, 0.5]"})
    assert {name: rule.ranges[name].condition(name) for name in names} == {
        "lr": "lr >= 0", "eps": "eps >= 0", "eps_root": "eps_root >= 0",
        "beta": "0 <= beta < 1", "beta1": "0 <= beta1 < 1",
        "momentum": "0 <= momentum < 1", "weight_decay": "weight_decay >= 0", "decay_rate": "0 <= decay_rate < 1",
        "d0": "d0 > 0", "gamma": "-1 < gamma <= 0.5",
    }  # fmt: skip
    assert make("w = w - g * a", "w, g, *, a").ranges["a"].condition("a") == "a finite"
    assert make("w = w - g * a", "w, g, *, a", ranges={"a": "(-inf, 1)"}).ranges["a"].condition("a") == "a < 1"
    for value, legal in ((-1.0, False), (-0.99, True), (0.5, True), (0.51, False), (float("nan"), False)):
        assert (value in rule.ranges["gamma"]) is legal
    assert float("inf") not in rule.ranges["lr"]


# Digests --------------------------------------------------------------------------------------------------------------


def digest(text=MOMENTUM, **declared):
    return tw.rule(text, **declared).digest


@pytest.mark.parametrize(
    "text",
    [
        MOMENTUM.replace("0.9", "0.5"),
        MOMENTUM.replace("=0.9", ""),
        MOMENTUM.replace("heavy", "another"),
        MOMENTUM.replace("    v =", "    '''What it does.'''\n    # why\n    v  =  "),
        MOMENTUM.replace("mu * v", "(mu) * (v)"),
        MOMENTUM.replace("w, g, v, *", "w: float, g, v, *"),
        MOMENTUM.replace("    w", "        w").replace("    v", "        v").replace("    r", "        r"),
    ],
)
def test_what_a_digest_does_not_see(text):
    assert digest(text) == digest()
    assert digest(source="elsewhere", title="Other", convention="book", ranges={"lr": "[0, 2)"}) == digest()


def test_what_a_digest_sees():
    texts = [
        MOMENTUM,
        MOMENTUM.replace("mu * v - lr", "mu * v + lr"),
        MOMENTUM.replace("mu * v", "v * mu"),
        MOMENTUM.replace("- lr * g", "- (lr * g + 0)"),
        MOMENTUM.replace("v", "u"),
        MOMENTUM.replace("mu", "nu"),
        MOMENTUM.replace("    w = w + v\n    return", "    return").replace("    v =", "    w = w + v\n    v ="),
    ]
    states = [tw.full(1.0), tw.full("lr"), tw.full("mu"), tw.copy("w")]
    digests = [digest(text) for text in texts] + [digest(state={"v": slot}) for slot in states]
    assert len(set(digests)) == len(digests)
    assert digest(state={"v": tw.full(0)}) == digest()


def test_a_digest_sees_numbers_that_print_alike():
    base = "def f(w, g):\n    w = where(g > 0, w, {}) - g\n    return w"
    assert len({digest(base.format(x)) for x in ("0.0", "-0.0", "1e-320")}) == 3
    assert digest(base.format("1")) == digest(base.format("1.0"))


def test_a_digest_sees_what_names_refer_to():
    texts = {}
    for name in ("sqrt", "abs"):
        scope = {"tw": tw, "root": getattr(__import__("thalweg.words", fromlist=["words"]), name)}
        exec("rule = tw.rule('def f(w, g):\\n    w = w - root(g)\\n    return w')", scope)
        texts[name] = scope["rule"].digest
    assert texts["sqrt"] != texts["abs"]
    assert texts["sqrt"] == digest("def f(w, g):\n    w = w - sqrt(g)\n    return w")


def test_a_digest_sees_the_texts_of_terms_and_of_their_terms():
    def built(factor, comment=""):
        inner = tw.term(f"def inner(x):\n    return x * {factor}{comment}")
        outer = tw.term("def outer(x):\n    return inner(x) + 1")
        assert inner
        rule = tw.rule("def f(w, g):\n    w = w - outer(g)\n    return w")
        assert outer
        return rule.digest

    assert built(2) == built(2, "  # twice")
    assert built(2) != built(3)


def test_a_digest_sees_the_rule_for_vectors():
    plain, other = make("w = w - lr * g"), make("w = w - lr * g * lr")
    text = "def f(w, g, *, lr=0.1):\n    w = w - lr * (g @ g.T @ g)\n    return w"
    assert len({digest(text), digest(text, vectors=plain), digest(text, vectors=other)}) == 3


# Copies ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", tw.RULES)
def test_rules_are_pickled_by_name(name):
    for rule in tw.RULES[name].conventions.values():
        assert pickle.loads(pickle.dumps(rule)) is rule
        assert copy.copy(rule) is copy.deepcopy(rule) is rule


def test_a_users_rule_is_pickled_by_the_module_that_holds_it():
    assert pickle.loads(pickle.dumps(extra_rules.prodigy)) is extra_rules.prodigy


def test_a_users_rule_is_not_mistaken_for_one_of_ours(tmp_path, monkeypatch):
    (tmp_path / "own_adam.py").write_text(
        "import thalweg as tw\n\n@tw.rule\ndef adam(w, g, *, lr=0.1):\n    w = w - lr * g\n    return w\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import own_adam as module

    assert pickle.loads(pickle.dumps(module.adam)) is module.adam is not own_adam


def test_a_rule_that_no_module_holds_cannot_be_pickled():
    with pytest.raises(pickle.PicklingError, match="define the rule at the top level of a module that can be imported"):
        pickle.dumps(heavy())
    assert copy.deepcopy(rule := heavy()) is rule
