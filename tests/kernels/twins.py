"""Optimizers of one rule, through its kernels and through its meaning, and whether they hold the same bits."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np
import pytest

import thalweg as tw
import thalweg.optimizer
from tests import extra_rules
from tests.kernels import word_rules
from thalweg.engine.numba_support import numba_available


def _is_of_its_own(rule):
    """Whether no convention before it is the same text with other defaults: kernels are made from texts."""
    first = next(form for form in rule.conventions.values() if form.text is rule.text)
    return rule is first or rule.convention_name in ("book", "torch")


FORMS = {
    f"{rule.name}-{name}": rule
    for family in tw.RULES.values()
    for name, rule in family.conventions.items()
    if rule.facts.exact and not (rule.facts.needs_value or rule.facts.takes_hessian) and _is_of_its_own(rule)
} | {name: getattr(extra_rules, name) for name in ("novograd", "prodigy", "adafactor")}
needs_numba = pytest.mark.skipif(not numba_available(), reason="without Numba there are no kernels")
DTYPES = ("float32", "float64")
ERRORS = (tw.NumberError, tw.NonFiniteError)


@contextmanager
def through_the_meaning():
    """What takes its first step in here runs without kernels, then and later."""
    with ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("thalweg.") and vars(module).get("numba_available") is numba_available:
                stack.enter_context(mock.patch.object(module, "numba_available", return_value=False))
        yield


@contextmanager
def on_threads(n):
    """Kernels run on n threads."""
    before = tw.get_num_threads()
    tw.set_num_threads(n)
    try:
        yield
    finally:
        tw.set_num_threads(before)


def same_bits(a, b):
    """Whether two arrays or floats are of one dtype and shape and equal to the last bit; any NaN equals any NaN."""
    a, b = np.asarray(a), np.asarray(b)
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return False
    word = f"u{a.itemsize}"
    equal = np.ascontiguousarray(a).view(word) == np.ascontiguousarray(b).view(word)
    return bool((equal | (np.isnan(a) & np.isnan(b)).reshape(equal.shape)).all())


class Twin:
    """An optimizer with parameters of its own. meaning: it runs without kernels."""

    def __init__(self, rule, params, *, meaning=False, threads=None, **options):
        self.opt = tw.Optimizer(rule, **options)
        self.params = params
        self.meaning, self.threads = meaning, threads

    def step(self, grads):
        """Take a step; return the error that it ended in, or None."""
        with ExitStack() as stack:
            if self.meaning:
                stack.enter_context(through_the_meaning())
            if self.threads:
                stack.enter_context(on_threads(self.threads))
            try:
                self.opt.update(self.params, grads)
            except ERRORS as error:
                return error
        return None

    def everything(self):
        """Every array and number that a step changes, by where it is."""
        found = {f"params[{name!r}]": w for name, w in self.params.items()}
        for name, slots in self.opt.state.items():
            found |= {f"state[{name!r}][{slot!r}]": value for slot, value in slots.items()}
        found |= {f"shared[{slot!r}]": value for slot, value in self.opt.shared.items()}
        return found | {"t": float(self.opt.t), "skipped": float(self.opt.skipped)}


def differences(a, b):
    """Return where two twins differ."""
    mine, other = a.everything(), b.everything()
    assert list(mine) == list(other)
    return [where for where in mine if not same_bits(mine[where], other[where])]


@functools.cache
def _plain_functions(module):
    """The functions of a module as they are without their decorators."""
    scope = dict(vars(module))
    tree = ast.parse(inspect.getsource(module))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in functions:
        node.decorator_list = []
    exec(compile(ast.Module(functions, []), module.__file__, "exec"), scope)
    return {node.name: scope[node.name] for node in functions}


def plain_text(rule):
    """Return the text of a rule as the plain Python function that it is, which knows nothing of the language."""
    for module in (
        extra_rules,
        word_rules,
        *(m for name, m in sys.modules.items() if name.startswith("thalweg.rules.")),
    ):
        for name, function in _plain_functions(module).items():
            named = vars(module)[name]
            if isinstance(named, tw.Rule) and rule.text is named.text:
                return function
    raise LookupError(rule)
