"""What an error of somebody else's class means: from the exception, the object and the source."""

from __future__ import annotations

import ast
import difflib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from thalweg.testing import edits
from thalweg.testing.numbers import attributes
from thalweg.testing.source import ClassSource, Edit, frames_of
from thalweg.testing.subject import WrongParamsError, has_been_used

_INIT = re.compile(r"_*(init|int|inti)_*")


@dataclass(frozen=True)
class Diagnosis:
    """An error, and what was probably meant.

    error: as Python words it. meant: the cause and the cure, or nothing where it is not known. line, code: where it is
    in the file. edit: puts it right in the tree of the class, where one edit can.
    """

    error: str
    meant: str = ""
    line: int | None = None
    code: str = ""
    edit: Edit | None = None

    def __str__(self) -> str:
        where = f"line {self.line}, `{self.code}`: " if self.line else ""
        return f"{where}{self.meant or self.error}"


@dataclass(frozen=True)
class _Case:
    """An error where it was raised. node(kind): the first node of that kind on its line."""

    error: BaseException
    source: ClassSource | None
    opt: Any
    line: int | None
    frame: Any

    def nodes(self, *kinds: type[ast.AST]) -> list[Any]:
        if self.source is None or self.line is None:
            return []
        return [node for node in self.source.at(self.line) if isinstance(node, kinds)]

    @property
    def local_names(self) -> list[str]:
        return list(self.frame.f_locals) if self.frame is not None else []


Found = tuple[str, Edit | None] | None


def diagnose(error: BaseException, source: ClassSource | None, opt: Any) -> Diagnosis:
    """Return what an exception of a class means. opt: the object, or None if it could not be made."""
    if isinstance(error, WrongParamsError):
        return Diagnosis(str(error))
    frames = frames_of(error, source.filename if source else None)
    own = [(line, frame) for _, line, frame in frames if f"{frame.f_globals.get('__name__')}.".find("thalweg.") != 0]
    line, frame = own[-1] if own else (None, None)
    words = f"{type(error).__name__}: {_message(error)}"
    if opt is not None and isinstance(error, KeyError | ValueError) and has_been_used(opt) and source is None:
        words += " (it has taken steps before; give a new one)"
    case = _Case(error, source, opt, line, frame)
    found = _explained(case)
    code = source.text_at(line) if source and line else ""
    if found is None:
        return Diagnosis(words, "", line if code else None, code)
    meant, edit = found
    return Diagnosis(words, meant, line if code else None, code, edit)


def _message(error: BaseException) -> str:
    text = str(error).splitlines()
    return text[0] if text else "(no message)"


def _explained(case: _Case) -> Found:
    handlers: list[tuple[type[BaseException], Callable[[_Case], Found]]] = [
        (NameError, _name), (AttributeError, _attribute), (TypeError, _type), (KeyError, _key), (ValueError, _value),
        (ZeroDivisionError, _zero), (SystemExit, _exit),
    ]  # fmt: skip
    for kind, handler in handlers:
        if isinstance(case.error, kind):
            return handler(case)
    return None


# Names ----------------------------------------------------------------------------------------------------------------


def _name(case: _Case) -> Found:
    name = getattr(case.error, "name", None) or ""
    if isinstance(case.error, UnboundLocalError):
        return f"`{name}` is read before this function assigns it", None
    if name in ("np", "numpy"):
        line = "import numpy as np" if name == "np" else "import numpy"
        return f"there is no `{name}` here: `{line}` is missing at the top of the file", edits.imports(line)
    if name in case.local_names or name in attributes(case.opt) or hasattr(case.opt, name):
        return f"there is no `{name}` here: `self.{name}` is meant", edits.name_to_attribute(case.line, name)
    close = difflib.get_close_matches(name, case.local_names, 1, 0.5)
    if close:
        meant = edits.rename(name, close[0])
        return f"there is no `{name}` here: `{close[0]}` is meant", meant
    if name.isidentifier() and importlib.util.find_spec(name) is not None:
        return f"there is no `{name}` here: `import {name}` is missing", edits.imports(f"import {name}")
    return f"there is no `{name}` here: it is assigned nowhere", None


# Attributes -----------------------------------------------------------------------------------------------------------


def _attribute(case: _Case) -> Found:
    name, obj = getattr(case.error, "name", None) or "", getattr(case.error, "obj", None)
    own_class = case.source.cls if case.source else None
    if obj is case.opt or (own_class is not None and type(obj) is own_class) or type(obj).__name__ == _class_name(case):
        return _own_attribute(case, name, obj)
    what = f"the module {obj.__name__}" if isinstance(obj, ModuleType) else _a(type(obj).__name__)
    if obj is None:
        return f"what stands in front of `.{name}` is None here", None
    close = {"key": "keys", "value": "values", "item": "items"}.get(name) if isinstance(obj, dict) else None
    found = close or next(iter(difflib.get_close_matches(name, dir(obj), 1, 0.5)), None)
    if found:
        called = "()" if callable(getattr(obj, found, None)) else ""
        return f"{what} has no `{name}`: `{found}{called}` is meant", edits.rename_attribute(case.line, name, found)
    return f"{what} has no `{name}`", None


def _class_name(case: _Case) -> str | None:
    return case.source.cls.__name__ if case.source else None


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _own_attribute(case: _Case, name: str, obj: Any) -> Found:
    """`self.name` does not exist."""
    source = case.source
    if source is not None:
        found = _lost_assignment(source, name) or _misspelt_constructor(source, name)
        if found:
            return found
    if name in case.local_names:
        meant = f"`{name}` is an argument of this function and no attribute: `{name}` is meant, without `self.`"
        return meant, edits.attribute_to_name(name)
    init = source.functions().get("__init__") if source else None
    for node in ast.walk(init) if init else ():
        match node:
            case ast.Assign([ast.Name(target)]) if target == name:
                meant = f"`{ast.unparse(node)}` in line {node.lineno} makes a local name: `self.{name} = ...` is meant"
                return meant, edits.name_to_attribute(node.lineno, name, target=True)
    return _never_made(name, obj)


def _misspelt_constructor(source: ClassSource, name: str) -> Found:
    functions = source.functions()
    written = next((x for x in functions if _INIT.fullmatch(x)), None)
    if written is None or "__init__" in functions:
        return None
    meant = (
        f"`self.{name}` does not exist, because the constructor is written `{written}` and never called: `__init__` is "
        f"meant, with two underscores on each side"
    )
    return meant, edits.rename_function(written, "__init__")


def _lost_assignment(source: ClassSource, name: str) -> Found:
    """`self.lr - lr` where `self.lr = lr` is meant."""
    for statement in ast.walk(source.tree):
        match statement:
            case ast.Expr(ast.BinOp(ast.Attribute(ast.Name("self"), attr), _, right)) if attr == name:
                return _not_assigned(statement, name, right)
            case ast.Expr(ast.Compare(ast.Attribute(ast.Name("self"), attr), [ast.Eq()], [right])) if attr == name:
                return _not_assigned(statement, name, right)
    return None


def _not_assigned(statement: ast.Expr, name: str, right: ast.expr) -> Found:
    written, meant = ast.unparse(statement), f"self.{name} = {ast.unparse(right)}"
    words = f"`{written}` in line {statement.lineno} computes something and keeps nothing: `{meant}` is meant"
    return words, edits.replace_statement(statement.lineno, written, meant)


def _never_made(name: str, obj: Any) -> Found:
    held = [x for x in attributes(obj) if not x.startswith("_")]
    close = difflib.get_close_matches(name, held, 1, 0.75) if obj is not None else []
    if close:
        return f"`self.{name}` does not exist: `self.{close[0]}` is meant", edits.rename_attribute(None, name, close[0])
    return (
        f"`self.{name}` is never created: start with `self.{name} = None` in `__init__`, and make zeros like each "
        f"parameter at the first update"
    ), edits.create_slot(name)


# Values of another kind -----------------------------------------------------------------------------------------------


def _type(case: _Case) -> Found:
    message = str(case.error)
    for node in case.nodes(ast.Subscript):
        match node.value:
            case ast.Attribute(ast.Name("self"), name) if getattr(case.opt, name, 0) is None:
                return _never_made(name, None)
            case ast.Attribute(ast.Name(holder), "keys" | "items" | "values" as method):
                return f"`{holder}.{method}` lacks its brackets: `{holder}.{method}()` is meant", None
    for node in case.nodes(ast.For):
        match node.iter:
            case ast.Attribute(ast.Name(holder), "keys" | "items" | "values" as method):
                written = f"`{holder}.{method}` lacks its brackets: `{holder}.{method}()` is meant"
                return written, edits.call_iterated(node.lineno)
    if re.search(r"update\(\) takes \d+ positional arguments? but \d+ were given", message):
        return "`update` is called as update(params, grads): it is defined as `def update(self, params, grads)`", None
    for node in case.nodes(ast.Attribute):
        match node:
            case ast.Attribute(ast.Name("self"), name) if getattr(case.opt, name, 0) is None:
                return f"`self.{name}` is None: it is created nowhere", edits.create_slot(name)
    if "'dict'" in message and "unsupported operand" in message:
        return "a whole dict stands here where one of its arrays is meant, such as `grads[key]`", None
    if "unhashable type" in message:
        return "the key is a pair: `for key, value in params.items()`, or `for key in params`", None
    return None


def _key(case: _Case) -> Found:
    key = case.error.args[0] if case.error.args else None
    for node in case.nodes(ast.Subscript):
        match node.value:
            case ast.Attribute(ast.Name("self"), name) if isinstance(getattr(case.opt, name, None), dict):
                held = getattr(case.opt, name)
                if not held:
                    words = f"`self.{name}` is an empty dict: it is never filled with zeros like each parameter"
                    return words, edits.create_slot(name, key=True)
                there = ", ".join(map(repr, held))
                return _names_unpacked(case) or (f"`self.{name}` has no entry {key!r}; it has: {there}", None)
    return f"there is no {key!r}; the parameters of this check are W1, b1, W2 and b2", None


def _value(case: _Case) -> Found:
    return _names_unpacked(case) if "unpack" in str(case.error) else None


def _names_unpacked(case: _Case) -> Found:
    """`for key, value in params` takes names apart, and those of two letters without an error."""
    for node in ast.walk(case.source.tree) if case.source else ():
        match node:
            case ast.For(ast.Tuple(), ast.Name(holder)):
                loop = f"`for {ast.unparse(node.target).strip('()')} in {holder}` in line {node.lineno}"
                return f"{loop} takes the names apart: `{holder}.items()` is meant", edits.items_iterated(node.lineno)
    return None


def _zero(case: _Case) -> Found:
    del case
    return "`1 - beta**t` is zero at t = 0: count the step before it is used, so that the first one is t = 1", None


def _exit(case: _Case) -> Found:
    del case
    return "Python is ended here (`sys.exit`): an optimizer takes its step and returns", None
