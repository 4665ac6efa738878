"""Lines of a class that explain why it does nothing, or only half: read from the source, not from a run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from thalweg.testing.source import ClassSource


def lost_lines(source: ClassSource | None) -> list[str]:
    """Return a sentence for each line that computes something and keeps nothing."""
    return [
        f"line {x.lineno}: `{ast.unparse(x)}` computes something and keeps nothing"
        for x in (ast.walk(source.tree) if source else ())
        if isinstance(x, ast.Expr) and isinstance(x.value, ast.BinOp | ast.Compare | ast.Subscript | ast.Name)
    ]


def exchanged_arguments(source: ClassSource | None) -> str:
    """Return what to do about `update(self, grads, params)`, or nothing."""
    update = source.functions().get("update") if source else None
    names = [a.arg for a in update.args.args[1:3]] if update else []
    if len(names) == 2 and names[0].startswith("g") and names[1].startswith(("p", "w")):
        return f"`update` is called as update(params, grads), and defined as update({', '.join(names)})"
    return ""


def update_inside_if(source: ClassSource | None) -> str:
    """Return where parameters are changed inside of `if self.v is None:`, or nothing."""
    for function, params in _updates(source):
        for branch in ast.walk(function):
            if isinstance(branch, ast.If) and "self." in ast.unparse(branch.test):
                for node in (n for statement in branch.body for n in ast.walk(statement)):
                    if _writes(node, params):
                        line = getattr(node, "lineno", 0)
                        return f"line {line} stands inside of `if {ast.unparse(branch.test)}:` in line {branch.lineno}"
    return ""


def return_inside_loop(source: ClassSource | None) -> str:
    """Return where a loop of `update` is left by `return` or `break`, or nothing."""
    for function, _ in _updates(source):
        for loop in ast.walk(function):
            if isinstance(loop, ast.For):
                for node in ast.walk(loop):
                    if isinstance(node, ast.Return | ast.Break):
                        word = "return" if isinstance(node, ast.Return) else "break"
                        return f"the `{word}` in line {node.lineno} stands inside of the loop"
    return ""


def _updates(source: ClassSource | None) -> Iterator[tuple[ast.FunctionDef, str]]:
    update = source.functions().get("update") if source else None
    if update is not None and len(update.args.args) > 1:
        yield update, update.args.args[1].arg


def _writes(node: ast.AST, params: str) -> bool:
    """Tell whether a node assigns to an entry of params."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    return any(isinstance(t, ast.Subscript) and ast.unparse(t.value) == params for t in targets)


def guessed_numbers(fitted: Mapping[str, float]) -> list[str]:
    """Return how to give numbers that could not be read and were guessed; a usual eps is guessed well enough."""
    return [
        f"`{name}` is no attribute that could be read, and was guessed as {x:g}: give it, as in "
        f"identify(..., {name}=0.1), or --set {name}=0.1 on the command line"
        for name, x in fitted.items()
        if name != "eps"
    ]
