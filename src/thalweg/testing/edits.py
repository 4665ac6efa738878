"""Repairs of a class in its syntax tree: each puts one slip right, so that the rest of it can be looked at."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from thalweg.testing.source import Edit


def _at(tree: ast.Module, line: int | None) -> Iterator[ast.AST]:
    yield from (node for node in ast.walk(tree) if line is None or getattr(node, "lineno", None) == line)


def imports(line: str) -> Edit:
    """Put an import in front of the class."""

    def edit(tree: ast.Module) -> None:
        tree.body[:0] = ast.parse(line).body

    return edit


def rename(old: str, new: str) -> Edit:
    """Write another name, everywhere in the class: who misspells a name once often does it again."""

    def edit(tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id == old:
                node.id = new

    return edit


def rename_attribute(line: int | None, old: str, new: str) -> Edit:
    """Write another attribute on a line, or everywhere."""

    def edit(tree: ast.Module) -> None:
        for node in _at(tree, line):
            if isinstance(node, ast.Attribute) and node.attr == old:
                node.attr = new

    return edit


def rename_function(old: str, new: str) -> Edit:
    """Give a method another name."""

    def edit(tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == old:
                node.name = new

    return edit


def attribute_to_name(name: str) -> Edit:
    """Write `name` for `self.name`, everywhere in the class."""

    def edit(tree: ast.Module) -> None:
        _Without(name).visit(tree)

    return edit


def name_to_attribute(line: int | None, name: str, *, target: bool = False) -> Edit:
    """Write `self.name` for `name` on a line; target: only where it is assigned to."""

    def edit(tree: ast.Module) -> None:
        _With(line, name, target=target).visit(tree)

    return edit


def replace_statement(line: int, written: str, meant: str) -> Edit:
    """Write another statement for one."""

    def edit(tree: ast.Module) -> None:
        for node in ast.walk(tree):
            for body in (getattr(node, field, None) for field in ("body", "orelse")):
                if isinstance(body, list):
                    wrong = [i for i, s in enumerate(body) if s.lineno == line and ast.unparse(s) == written]
                    for i in wrong:
                        body[i : i + 1] = ast.parse(meant).body

    return edit


def call_iterated(line: int) -> Edit:
    """Put brackets behind what a loop goes through."""

    def edit(tree: ast.Module) -> None:
        for node in _at(tree, line):
            if isinstance(node, ast.For):
                node.iter = ast.Call(node.iter, [], [])

    return edit


def items_iterated(line: int) -> Edit:
    """Put `.items()` behind what a loop of a line goes through."""

    def edit(tree: ast.Module) -> None:
        for node in _at(tree, line):
            if isinstance(node, ast.For):
                node.iter = ast.Call(ast.Attribute(node.iter, "items", ast.Load()), [], [])

    return edit


def create_slot(name: str, *, key: bool = False) -> Edit:
    """Make zeros like each parameter at the first update. key: where a dict is there, and empty."""
    missing = f"not self.{name}" if key else f"getattr(self, {name!r}, None) is None"

    def edit(tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == "update" and len(node.args.args) > 1:
                params = node.args.args[1].arg
                created = f"if {missing}:\n    self.{name} = {{k: w - w for k, w in {params}.items()}}"
                node.body[:0] = ast.parse(created).body

    return edit


class _Without(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr == self._name:
            return ast.copy_location(ast.Name(self._name, node.ctx), node)
        return node


class _With(ast.NodeTransformer):
    def __init__(self, line: int | None, name: str, *, target: bool) -> None:
        self._line, self._name, self._target = line, name, target

    def visit_Name(self, node: ast.Name) -> ast.AST:
        right = node.lineno == self._line and node.id == self._name
        if right and (not self._target or isinstance(node.ctx, ast.Store)):
            return ast.copy_location(ast.Attribute(ast.Name("self", ast.Load()), self._name, node.ctx), node)
        return node
