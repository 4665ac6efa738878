"""The arguments of a rule: arrays by position, numbers by keyword; and which names may be used."""

from __future__ import annotations

import ast
from typing import Literal

from thalweg.language.nodes import Signature
from thalweg.language.ranges import is_finite
from thalweg.language.source import Located, Source
from thalweg.language.vocabulary import WORDS

TextKind = Literal["rule", "link", "term"]

STEP_NUMBERS = ("t", "value", "fresh")
"""Keyword arguments that are no hyper-parameters, given at each step: the step count, the loss, and whether there is a
Hessian."""


def is_given(name: str) -> bool:
    """Tell whether a number is given at each step, and is no hyper-parameter: `t`, `value`, and what links measure."""
    return name in STEP_NUMBERS or "__" in name


def read_signature(source: Source, kind: TextKind) -> Signature:
    """Return the signature of a rule, a link or a term; raises RuleError for what is neither an array nor a number."""
    tree, a = source.tree, source.tree.args
    check_name(source, tree, tree.name, is_function=True)
    for many in (a.vararg, a.kwarg):
        if many is not None:
            problem = "name every argument: `*args` and `**kwargs` say nothing about slots and hyper-parameters"
            raise source.error(source.line(many), problem)
    arrays = [*a.posonlyargs, *a.args]
    if a.defaults:
        first = arrays[-len(a.defaults)].arg
        problem = (
            f"arguments before `*` are arrays and have no default; hyper-parameters stand behind it: `*, {first}=...`"
        )
        raise source.error(source.line(a.defaults[0]), problem)
    for argument in [*arrays, *a.kwonlyargs]:
        check_name(source, argument, argument.arg)
    for argument in arrays:
        if argument.arg in STEP_NUMBERS and kind != "term":
            problem = f"`{argument.arg}` is a number: it stands behind `*`, as in `(w, g, *, {argument.arg}, lr=0.01)`"
            raise source.error(source.line(argument), problem)
    numbers = {
        argument.arg: None if default is None else _default(source, argument.arg, default)
        for argument, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)
    }
    if kind == "term" and numbers:
        problem = "a term takes all arguments by position, arrays and numbers alike; leave out the `*`"
        raise source.error(source.def_line, problem)
    if kind == "rule" and len(arrays) < 2:
        problem = "a rule takes at least the parameter and its gradient: `def name(w, g, <slots>, *, t, lr=0.01)`"
        raise source.error(source.def_line, problem)
    if kind == "link" and not (arrays and arrays[0].arg in ("x", "w")):
        problem = "a link works on `x`, what is passed on, or on `w`, the parameter: `def name(x, <slots>, *, limit)`"
        raise source.error(source.def_line, problem)
    return Signature(tuple(argument.arg for argument in arrays), numbers)


def check_name(source: Source, node: Located, name: str, *, is_function: bool = False) -> None:
    """Raise RuleError for a name that cannot be used for an argument or a value."""
    if name in WORDS and not is_function:
        problem = f"`{name}` is a word of the language; call it something else, such as `{name}_` or `{name[0]}`"
    elif "__" in name:
        problem = f"`{name}`: names with two underscores in a row belong to generated code; use one"
    elif not name.isascii():
        problem = f"`{name}`: write the name in ASCII letters, such as `beta` for `β`"
    else:
        return
    raise source.error(source.line(node), problem)


def _default(source: Source, name: str, node: ast.expr) -> float:
    line = source.line(node)
    if name in STEP_NUMBERS:
        what = {"t": "the step count", "value": "the loss of the step", "fresh": "1 where there is a Hessian"}[name]
        raise source.error(line, f"`{name}` is {what}: it is given at each step and has no default")
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        value = None
    if not is_finite(value):
        problem = f"the default of `{name}` is a finite number, written out (such as 1e-3), not `{ast.unparse(node)}`"
        raise source.error(line, problem)
    return float(value)
