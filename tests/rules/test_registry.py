"""The registry is the list of tests, of classes and of what the modules define; nothing is missing from any of them."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module

import numpy as np
import pytest

import thalweg as tw
from tests.rules import test_book, test_paper
from tests.rules.formulas import Book, Paper
from thalweg import classes, rules
from thalweg.hyperparams import rules_of
from thalweg.language.terms import canonical
from thalweg.rules import FAMILIES

# names, order and defaults of the arguments, as the book's readers know them
BOOK = {
    "SGD": dict(lr=0.01),
    "Momentum": dict(lr=0.01, momentum=0.9),
    "Nesterov": dict(lr=0.01, momentum=0.9),
    "AdaGrad": dict(lr=0.01),
    "RMSprop": dict(lr=0.01, decay_rate=0.99),
    "Adam": dict(lr=0.001, beta1=0.9, beta2=0.999),
}


def test_families_are_what_the_modules_define():
    defined, for_vectors = {}, set()
    for module in pkgutil.iter_modules(rules.__path__):
        for value in vars(import_module(f"thalweg.rules.{module.name}")).values():
            if isinstance(value, tw.Rule):
                assert defined.setdefault(value.name, module.name) == module.name
                for_vectors |= {value.vectors.name} if value.vectors else set()
    assert {name: family for name, family in defined.items() if name not in for_vectors} == FAMILIES
    assert list(tw.RULES) == list(FAMILIES)
    assert {title.lower() for title in BOOK} <= set(tw.RULES)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_rule_is_found_by_its_name(name):
    rule = tw.RULES[name]
    assert (name in tw.RULES, rule.name, rule.convention_name) == (True, name, rule.family.default)
    if rule.title in BOOK:
        assert rule.convention_name == "book"
        assert list(rule.conventions)[:3] == ["paper", "book", "torch"]
        assert set(rule.conventions) >= {"keras", "optax"}
    assert {form.name for form in rule.conventions.values()} == {name}
    assert [form.convention_name for form in rule.conventions.values()] == list(rule.conventions)
    assert all(form.source and form.conventions == rule.conventions for form in rule.conventions.values())
    assert tw.RULES[name] is rule
    if rule.title in BOOK:
        assert rule.facts.exact
        assert rule.facts.elementwise


def test_what_is_not_there():
    assert "adamm" not in tw.RULES
    with pytest.raises(KeyError, match="adamm"):
        tw.RULES["adamm"]
    with pytest.raises(ValueError, match=r"there is no rule 'Adam'.*did you mean 'adam'.*sgd, momentum"):
        tw.Optimizer("Adam")
    with pytest.raises(ValueError, match=r"a class of its own: thalweg.LBFGS\(\)"):
        tw.Optimizer("lbfgs")
    with pytest.raises(ValueError, match=r"Adam has no convention 'jax'; it has: paper, book, torch"):
        tw.Adam(convention="jax")
    with pytest.raises(ValueError, match="no convention 'jax'"):
        tw.Optimizer(tw.RULES["adam"], convention="jax")
    with pytest.raises(TypeError, match=r"is no rule; .*@.*rule"):
        tw.Optimizer(lambda w, g: w)


def test_later_rules_default_to_torch_else_to_their_authors_else_to_the_paper():
    """The six default to the book; so does what DESIGN.md says of rules that came after it."""
    for rule in tw.RULES.values():
        wanted = next(name for name in ("book", "torch", "authors", "paper") if name in rule.conventions)
        assert rule.convention_name == wanted, rule.title


def test_every_rule_has_a_class_and_every_class_a_rule():
    titles = {rule.title: name for name, rule in tw.RULES.items()}
    assert titles == tw._CLASSES
    for title, name in titles.items():
        cls = getattr(tw, title)
        assert cls is classes.class_of(name)
        assert (cls.__name__, cls.__module__) == (title, "thalweg")
        assert issubclass(cls, tw.Optimizer)
        assert cls().rule is tw.RULES[name]
        assert title in dir(tw)


@pytest.mark.parametrize("title, numbers", BOOK.items())
def test_names_and_defaults_are_those_of_the_book(title, numbers):
    cls = getattr(tw, title)
    arguments = inspect.signature(cls).parameters
    assert {name: p.default for name, p in list(arguments.items())[: len(numbers)]} == numbers
    assert arguments["convention"].default == "book"
    assert arguments["convention"].kind is arguments["nonfinite"].kind is inspect.Parameter.KEYWORD_ONLY
    assert arguments["nonfinite"].default == "raise"
    opt = cls()
    assert {name: getattr(opt, name) for name in numbers} == numbers
    assert opt.rule.convention_name == "book"
    moved = {name: value * 0.7 for name, value in numbers.items()}
    assert {name: getattr(cls(*moved.values()), name) for name in numbers} == moved
    assert cls(*moved.values()).hyperparams == cls(**moved).hyperparams
    assert tw.RULES[opt.rule.name].source in cls.__doc__


EPS = {
    "AdaGrad": dict(paper=1e-8, book=1e-7, torch=1e-10, tensorflow=1e-7, keras=1e-7, optax=1e-7, pennylane=1e-8),
    "RMSprop": dict(paper=1e-8, book=1e-7, torch=1e-8, keras=1e-7, tensorflow=1e-10, optax=1e-8, pennylane=1e-8)
    | {"torch-centered": 1e-8, "keras-centered": 1e-7, "optax-centered": 1e-8},
    "Adam": dict(
        paper=1e-8,
        book=1e-7,
        torch=1e-8,
        keras=1e-7,
        tensorflow=1e-7,
        optax=1e-8,
        sklearn=1e-8,
        pennylane=1e-8,
        mlx=1e-8,
    ),
}


@pytest.mark.parametrize("title", EPS)
def test_eps_is_that_of_the_convention(title):
    rule = getattr(tw, title)().rule
    assert {name: form.defaults["eps"] for name, form in rule.conventions.items()} == EPS[title]


@pytest.mark.parametrize("title", EPS)
def test_eps_root_is_inside_of_the_root_and_last(title):
    for form in getattr(tw, title)().rule.conventions.values():
        assert list(form.defaults)[-1] == "eps_root"
        assert form.defaults["eps_root"] == 0.0
        # the first step from a gradient of 1e-5, which eps_root = 1 all but stops
        w, *_ = form.function(np.zeros(1), np.full(1, 1e-5), *start_of(form), lr=1.0, eps_root=1.0, eps=0.0)
        assert 0 < -w[0] < 1.1e-5


ROOTS = re.compile(r"\b(sqrt|cbrt|power)\(")
OF_NUMBERS = {"fromage", "dadaptsgd", "muon"}  # of norms, and of the sizes of a matrix
BY_DEFAULT = {"adabelief[optax]": 1e-16, "adan[optax]": 1e-8}


def test_every_rule_with_a_root_takes_eps_root():
    """Of the parameters of a tensor, inside of it, and zero by default but where a library has another number."""
    without, given = set(), {}
    for rule in tw.RULES.values():
        for form in rule.conventions.values():
            for one in rules_of(form):
                if "eps_root" in one.defaults:
                    assert list(one.defaults)[-1] == "eps_root", one
                    given[f"{one.name}[{one.convention_name}]"] = one.defaults["eps_root"]
                elif ROOTS.search(canonical(one.text)):
                    without.add(one.name)
    assert {name: x for name, x in given.items() if x} == BY_DEFAULT
    assert without == OF_NUMBERS


def start_of(form):
    """The slots of a rule before the first step of a vector of one element."""
    return [np.zeros(1) for _ in form.slots]


ORACLES = {
    "book": (Book, test_book.CASES),
    "paper": (Paper, test_paper.CASES),
}


def test_every_form_of_the_six_has_formulas_of_its_own():
    """Libraries and authors' code: test_oracles; transcriptions of all rules: test_papers."""
    for title in BOOK:
        rule = tw.RULES[title.lower()]
        for form, (transcribed, cases) in ORACLES.items():
            assert (rule.name in cases) == (form in rule.conventions)
            assert form not in rule.conventions or callable(getattr(transcribed, rule.name))


def test_every_case_has_numbers_that_are_no_defaults():
    for cases in (test_book.CASES, test_paper.CASES):
        for name, rows in cases.items():
            assert all(len({row[key] for row in rows}) > 1 for key in rows[0]), name
