"""From Python's syntax tree to the nodes of a rule; what the language does not know is refused here, with its line."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from thalweg.language import nodes as n
from thalweg.language.source import MISSING, Source
from thalweg.language.terms import Term
from thalweg.language.vocabulary import WORDS, instead_of, listing, word_of

_BINARY = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}

_STATEMENTS = {
    ast.For: "there are no loops in a rule: one text describes one step of every element",
    ast.While: "there are no loops in a rule: one text describes one step of every element",
    ast.AugAssign: "`x {op}= y` would change the caller's array; write `x = x {op} y`",
    ast.AnnAssign: "a rule has no annotations inside; write `x = y`",
    ast.With: "`with` has no meaning in a rule",
    ast.Try: "`try` has no meaning in a rule: a number that cannot be computed is an error that names it",
    ast.Raise: "a rule does not raise: give `ranges=` to the decorator for hyper-parameters out of range",
    ast.Assert: "a rule does not assert: give `ranges=` to the decorator for hyper-parameters out of range",
    ast.Import: "import above the function, not inside it",
    ast.ImportFrom: "import above the function, not inside it",
    ast.FunctionDef: "a function inside a rule has no meaning; shared lines are a `@term` above it",
    ast.Global: "a rule reads its arguments and nothing else",
    ast.Nonlocal: "a rule reads its arguments and nothing else",
    ast.Delete: "`del` has no meaning in a rule",
    ast.Pass: "leave `pass` out",
    ast.Match: "write `if` / `elif` / `else`",
}
_EXPRESSIONS = {
    ast.Subscript: "a rule sees whole arrays: there is no indexing",
    ast.Lambda: "a function inside a rule has no meaning; shared lines are a `@term` above it",
    ast.ListComp: "there are no loops in a rule",
    ast.GeneratorExp: "there are no loops in a rule",
    ast.NamedExpr: "write the assignment on a line of its own",
    ast.JoinedStr: "a rule knows numbers and arrays only",
    ast.Dict: "a rule knows numbers and arrays only",
    ast.List: "a rule knows numbers and arrays only",
    ast.Set: "a rule knows numbers and arrays only",
    ast.Starred: "write the arguments out",
    ast.Await: "a rule knows numbers and arrays only",
}


@dataclass(frozen=True)
class Signature:
    """What the arguments say: arrays by position, numbers by keyword with their defaults (None: none given)."""

    arrays: tuple[str, ...]
    numbers: dict[str, float | None]


@dataclass(frozen=True)
class Text:
    """A parsed function: its signature, statements, and the expressions that it returns."""

    source: Source
    signature: Signature
    body: tuple[n.Stmt, ...]
    returns: tuple[n.Expr, ...]
    return_line: int


def parse(source: Source, *, needs_gradient: bool = True) -> Text:
    """Return the parsed text of a rule, or of a term (`needs_gradient=False`); raises RuleError with the line that is not legal."""
    text = _Parser(source).run()
    if needs_gradient and len(text.signature.arrays) < 2:
        problem = "a rule takes at least the parameter and its gradient: `def name(w, g, <slots>, *, t, lr=0.01)`"
        raise source.error(source.first_line, problem)
    return text


class _Parser:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.known: set[str] = set()

    def fail(self, node: ast.AST, problem: str) -> NoReturn:
        raise self.source.error(self.source.line(node), problem)

    def run(self) -> Text:
        tree = self.source.tree
        signature = self.signature(tree)
        self.known = {*signature.arrays, *signature.numbers}
        body = list(tree.body)
        if ast.get_docstring(tree) is not None:
            body = body[1:]
        if not body or not isinstance(body[-1], ast.Return):
            self.fail(
                body[-1] if body else tree,
                "the last line returns the new parameter and the new state, such as `return w, m, v`",
            )
        last = body.pop()
        statements = tuple(self.statement(s) for s in body)
        assert isinstance(last, ast.Return)
        if last.value is None:
            self.fail(last, "return the new parameter and the new state, such as `return w, m, v`")
        values = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
        return Text(self.source, signature, statements, tuple(self.expr(v) for v in values), self.source.line(last))

    def signature(self, tree: ast.FunctionDef) -> Signature:
        a = tree.args
        if a.vararg or a.kwarg:
            self.fail(tree, "name every argument: `*args` and `**kwargs` say nothing about slots and hyper-parameters")
        if a.defaults:
            self.fail(tree, "arguments before `*` are arrays and have no default; hyper-parameters stand behind `*`")
        arrays = tuple(x.arg for x in [*a.posonlyargs, *a.args])
        numbers: dict[str, float | None] = {}
        for argument, default in zip(a.kwonlyargs, a.kw_defaults, strict=True):
            numbers[argument.arg] = None if default is None else self.default(argument.arg, default)
        for name in [*arrays, *numbers]:
            self.legal(tree, name)
        return Signature(arrays, numbers)

    def default(self, name: str, node: ast.expr) -> float:
        try:
            value = ast.literal_eval(node)
        except ValueError:
            value = None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(
                node, f"the default of `{name}` is a number, written out (such as 1e-3), not `{ast.unparse(node)}`"
            )
        return float(value)

    def legal(self, node: ast.AST, name: str) -> None:
        if name in WORDS:
            self.fail(node, f"`{name}` is a word of the language; call it something else")
        if "__" in name:
            self.fail(node, f"`{name}`: names with two underscores belong to generated code; use one")
        if not name.isascii():
            self.fail(node, f"`{name}`: write the name in ASCII")

    # Statements -------------------------------------------------------------------------------------------------------

    def statement(self, node: ast.stmt) -> n.Stmt:
        if isinstance(node, ast.Assign):
            return self.assign(node)
        if isinstance(node, ast.If):
            return self.branch(node)
        if isinstance(node, ast.Return):
            self.fail(
                node, "`return` stands once, as the last line; for two cases use `if`/`else` that assign the same names"
            )
        if isinstance(node, ast.Expr):
            self.fail(node, "this line computes something and keeps nothing; assign it to a name or leave it out")
        advice = _STATEMENTS.get(
            type(node), f"`{type(node).__name__}` is not in the language; a rule has assignments and `if`"
        )
        if isinstance(node, ast.AugAssign):
            advice = advice.replace("{op}", _BINARY.get(type(node.op), "op"))
        self.fail(node, advice)

    def assign(self, node: ast.Assign) -> n.Assign:
        if len(node.targets) != 1:
            self.fail(node, "write one assignment a line, not `a = b = c`")
        target = node.targets[0]
        elements = target.elts if isinstance(target, ast.Tuple) else [target]
        names = []
        for element in elements:
            if not isinstance(element, ast.Name):
                self.fail(
                    node,
                    f"assign to a name, not to `{ast.unparse(element)}`: a rule returns new values and changes nothing",
                )
            self.legal(node, element.id)
            names.append(element.id)
        if len(set(names)) != len(names):
            self.fail(node, "each name on the left stands once")
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            if len(node.value.elts) != len(names):
                self.fail(node, f"{len(names)} names on the left and {len(node.value.elts)} values on the right")
            values = tuple(self.expr(v) for v in node.value.elts)
        else:
            values = (self.expr(node.value),)
            self.check_results(node, len(names), values[0])
        self.known.update(names)
        return n.Assign(tuple(names), values, self.source.line(node))

    def check_results(self, node: ast.Assign, wanted: int, value: n.Expr) -> None:
        given = 1
        if isinstance(value, n.Call):
            given = WORDS[value.word].results
        elif isinstance(value, n.TermCall):
            given = len(value.term.text.returns)
        if given != wanted:
            self.fail(
                node,
                f"the right side gives {given} value{'s' if given > 1 else ''} for {wanted} name{'s' if wanted > 1 else ''}",
            )

    def branch(self, node: ast.If) -> n.If:
        if not node.orelse:
            self.fail(
                node, "an `if` has an `else`: both assign the same names, so that each has a value in either case"
            )
        cond = self.expr(node.test)
        before = set(self.known)
        body = tuple(self.statement(s) for s in node.body)
        in_body = n.assigned(body)
        self.known = set(before)
        orelse = tuple(self.statement(s) for s in node.orelse)
        in_else = n.assigned(orelse)
        self.known = before | (in_body & in_else)
        if in_body != in_else:
            odd = ", ".join(f"`{x}`" for x in sorted(in_body ^ in_else))
            self.fail(node, f"both branches assign the same names; {odd} is assigned in one only")
        return n.If(cond, body, orelse, self.source.line(node))

    # Expressions ------------------------------------------------------------------------------------------------------

    def expr(self, node: ast.expr) -> n.Expr:
        method = getattr(self, f"expr_{type(node).__name__}", None)
        if method is None:
            advice = _EXPRESSIONS.get(type(node), f"`{type(node).__name__}` is not in the language")
            self.fail(node, f"`{ast.unparse(node)}`: {advice}. The words are: {listing()}")
        result: n.Expr = method(node)
        return result

    def expr_Constant(self, node: ast.Constant) -> n.Expr:  # noqa: N802
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.fail(node, f"`{ast.unparse(node)}`: a rule knows numbers and arrays only")
        if not math.isfinite(node.value):
            self.fail(node, f"`{ast.unparse(node)}` overflows to infinity")
        return n.Num(node.value)

    def expr_Name(self, node: ast.Name) -> n.Expr:  # noqa: N802
        if node.id in self.known:
            return n.Name(node.id)
        if self.source.lookup(node.id) is not MISSING:
            self.fail(
                node,
                f"`{node.id}` comes from outside: a rule reads its arguments and nothing else; make it a keyword argument with a default",
            )
        self.fail(node, f"`{node.id}` is used before it is assigned")

    def expr_Attribute(self, node: ast.Attribute) -> n.Expr:  # noqa: N802
        if node.attr == "T":
            return n.Call("transpose", (self.expr(node.value),))
        self.fail(
            node, f"`{ast.unparse(node)}`: the only attribute is `.T`; a rule reads its arguments and nothing else"
        )

    def expr_BinOp(self, node: ast.BinOp) -> n.Expr:  # noqa: N802
        op = _BINARY.get(type(node.op))
        if op is None:
            self.fail(
                node, f"`{ast.unparse(node)}`: bits have no meaning here; combine masks by `where` inside `where`"
            )
        return n.Bin(op, self.expr(node.left), self.expr(node.right))

    def expr_UnaryOp(self, node: ast.UnaryOp) -> n.Expr:  # noqa: N802
        x = self.expr(node.operand)
        if isinstance(node.op, ast.USub):
            return n.Num(-x.value) if isinstance(x, n.Num) else n.Neg(x)
        if isinstance(node.op, ast.UAdd):
            return x
        if isinstance(node.op, ast.Not):
            return n.Not(x)
        self.fail(node, f"`{ast.unparse(node)}`: bits have no meaning here; for masks write `where(mask, a, b)`")

    def expr_Compare(self, node: ast.Compare) -> n.Expr:  # noqa: N802
        parts: list[n.Expr] = []
        left = self.expr(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            symbol = _COMPARE.get(type(op))
            if symbol is None:
                self.fail(node, f"`{ast.unparse(node)}`: compare with < <= > >= == !=")
            right = self.expr(right_node)
            parts.append(n.Compare(symbol, left, right))
            left = right
        return parts[0] if len(parts) == 1 else n.Logic("and", tuple(parts))

    def expr_BoolOp(self, node: ast.BoolOp) -> n.Expr:  # noqa: N802
        return n.Logic("and" if isinstance(node.op, ast.And) else "or", tuple(self.expr(v) for v in node.values))

    def expr_IfExp(self, node: ast.IfExp) -> n.Expr:  # noqa: N802
        return n.IfElse(self.expr(node.test), self.expr(node.body), self.expr(node.orelse))

    def expr_Call(self, node: ast.Call) -> n.Expr:  # noqa: N802
        called = ast.unparse(node.func)
        obj = self.resolve(node.func)
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            self.fail(node, f"`{called}`: write the arguments out")
        if isinstance(obj, Term):
            return self.term_call(node, obj)
        word_name = word_of(obj, len(node.args)) if obj is not MISSING else None
        if word_name is None:
            self.unknown_word(node, called, obj)
        word = WORDS[word_name]
        axis = self.axis(node, called, word.kind)
        if len(node.args) != word.arity:
            self.fail(
                node, f"`{called}` takes {word.arity} argument{'s' if word.arity > 1 else ''}, not {len(node.args)}"
            )
        args = tuple(self.expr(a) for a in node.args)
        return n.Bin("**", *args) if word_name == "power" else n.Call(word_name, args, axis)

    def unknown_word(self, node: ast.Call, called: str, obj: Any) -> NoReturn:
        if obj is MISSING and called in WORDS:
            self.fail(
                node, f"`{called}` is not imported here; write `from thalweg.words import {called}` above the function"
            )
        hint = instead_of(obj)
        why = hint or f"the words are: {listing()}"
        self.fail(node, f"`{called}` is not a word of the language; {why}")

    def axis(self, node: ast.Call, called: str, kind: str) -> int | None:
        if not node.keywords:
            return None
        keyword = node.keywords[0]
        if kind == "reduction" and len(node.keywords) == 1 and keyword.arg == "axis":
            value = keyword.value
            if (
                isinstance(value, ast.UnaryOp)
                and isinstance(value.op, ast.USub)
                and isinstance(value.operand, ast.Constant)
            ):
                number = value.operand.value
                if number in (1, 2) and not isinstance(number, bool):
                    return -int(number)
            self.fail(
                node, f"`{called}`: axis is -1 (one number a row) or -2 (one a column); the axis is kept with length 1"
            )
        self.fail(
            node,
            f"`{called}`: words take arguments by position (reductions also `axis=-1` or `axis=-2`), not `{keyword.arg}=`",
        )

    def term_call(self, node: ast.Call, term: Term) -> n.Expr:
        if node.keywords:
            self.fail(node, f"`{term.name}`: terms take arguments by position")
        if len(node.args) != len(term.text.signature.arrays):
            wanted = ", ".join(term.text.signature.arrays)
            self.fail(
                node,
                f"`{term.name}` takes ({wanted}), not {len(node.args)} argument{'s' if len(node.args) != 1 else ''}",
            )
        return n.TermCall(term, term.name, tuple(self.expr(a) for a in node.args))

    def resolve(self, node: ast.expr) -> Any:
        """Return the object that a dotted name refers to, by the scope of the function, or MISSING."""
        if isinstance(node, ast.Name):
            return MISSING if node.id in self.known else self.source.lookup(node.id)
        if isinstance(node, ast.Attribute):
            holder = self.resolve(node.value)
            return MISSING if holder is MISSING else getattr(holder, node.attr, MISSING)
        return MISSING
