"""From Python's syntax tree to the nodes of a rule; what the language does not know is refused here, with its line."""

from __future__ import annotations

import ast
import difflib
import math
from typing import Any

from thalweg.language import nodes as n
from thalweg.language.advice import EXPRESSIONS, STATEMENTS, instead_of, instead_of_method
from thalweg.language.errors import RuleError
from thalweg.language.signature import TextKind, check_name, read_signature
from thalweg.language.source import MISSING, Located, Source
from thalweg.language.terms import Term
from thalweg.language.vocabulary import WORDS, listing, word_of

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@",
    ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_RETURNED: dict[TextKind, str] = {
    "rule": "the new parameter and the new state, such as `return w, m, v`",
    "link": "what is passed on and the new state, such as `return x`",
    "term": "the term's value",
}
_DEEPEST = 64
"""How deep expressions may be nested, and branches: generated code has at most 200 brackets around anything."""


def parse(source: Source, kind: TextKind = "rule") -> n.Text:
    """Return the parsed text of a rule, a link or a term; raises RuleError with the line that is not known."""
    signature = read_signature(source, kind)
    return _Parser(source, signature).run(_RETURNED[kind])


class _Parser:
    def __init__(self, source: Source, signature: n.Signature) -> None:
        self.source = source
        self.signature = signature
        self.known = {*signature.arrays, *signature.numbers}  # and what is assigned by now
        self.depth = 0

    def error(self, node: Located, problem: str) -> RuleError:
        return self.source.error(self.source.line(node), problem)

    def run(self, returned: str) -> n.Text:
        tree = self.source.tree
        *body, last = tree.body
        if not isinstance(last, ast.Return) or last.value is None:
            raise self.error(last, f"the last line returns {returned}")
        if ast.get_docstring(tree) is not None:
            body = body[1:]
        statements = tuple(self.statement(s) for s in body)
        values = last.value.elts if isinstance(last.value, ast.Tuple) else [last.value]
        returns = tuple(self.expr(v) for v in values)
        return n.Text(self.source.read_through(), self.signature, statements, returns, self.source.line(last))

    def enter(self, node: Located) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.error(
                node, f"this is nested more than {_DEEPEST} deep; assign parts of it to names on lines of their own"
            )

    # Statements -------------------------------------------------------------------------------------------------------

    def statement(self, node: ast.stmt) -> n.Stmt:
        match node:
            case ast.Assign():
                return self.assign(node)
            case ast.If():
                return self.branch(node)
            case ast.Return():
                raise self.error(
                    node, "`return` stands once, as the last line; two cases are `if`/`else` that assign the same names"
                )
            case ast.Expr():
                raise self.error(
                    node, "this line computes something and keeps nothing; assign it to a name or leave it out"
                )
            case ast.AugAssign(target, op, value):
                x, full = ast.unparse(target), ast.unparse(ast.BinOp(target, op, value))
                raise self.error(node, f"`{_short(node)}` would change the caller's array; write `{x} = {full}`")
        unknown = f"`{type(node).__name__}` is not in the language: it has assignments, `if` and one `return`"
        raise self.error(node, STATEMENTS.get(type(node), unknown))

    def assign(self, node: ast.Assign) -> n.Assign:
        if len(node.targets) != 1:
            raise self.error(node, "write one assignment a line, not `a = b = c`")
        target = node.targets[0]
        elements = target.elts if isinstance(target, ast.Tuple) else [target]
        names = [self.target(e) for e in elements]
        if len(set(names)) != len(names):
            raise self.error(node, "each name on the left stands once")
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            values = tuple(self.expr(v) for v in node.value.elts)
            given = len(values)
        else:
            values = (self.expr(node.value),)
            given = _results(values[0])
        if isinstance(target, ast.Tuple) and len(names) == 1:
            raise self.error(node, f"write `{names[0]} = ...`, without the comma: arrays are not taken apart")
        if given != len(names):
            raise self.error(
                node, f"the right side gives {_count(given, 'value')} for {_count(len(names), 'name')} on the left"
            )
        self.known.update(names)
        return n.Assign(tuple(names), values, self.source.line(node))

    def target(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Name):
            raise self.error(
                node, f"assign to a name, not to `{_short(node)}`: a rule returns new values and changes nothing"
            )
        check_name(self.source, node, node.id)
        return node.id

    def branch(self, node: ast.If) -> n.If:
        self.enter(node)
        cond = self.expr(node.test)
        if not node.orelse:
            problem = "an `if` has an `else` that assigns the same names, so that each has a value in either case"
            raise self.error(
                node, f"{problem}; where the other case changes nothing, write `x = x`, or `x = a if c else x`"
            )
        before = set(self.known)
        body = tuple(self.statement(s) for s in node.body)
        self.known = set(before)
        orelse = tuple(self.statement(s) for s in node.orelse)
        in_body, in_else = n.assigned(body), n.assigned(orelse)
        if in_body != in_else:
            odd = ", ".join(f"`{x}`" for x in sorted(in_body ^ in_else))
            one = "is assigned in one branch only" if len(in_body ^ in_else) == 1 else "are assigned in one branch only"
            raise self.error(node, f"both branches assign the same names; {odd} {one}")
        self.known = before | in_body
        self.depth -= 1
        return n.If(cond, body, orelse, self.source.line(node))

    # Expressions ------------------------------------------------------------------------------------------------------

    def expr(self, node: ast.expr) -> n.Expr:
        self.enter(node)
        found = self.convert(node)
        self.depth -= 1
        return found

    def convert(self, node: ast.expr) -> n.Expr:
        match node:
            case ast.Constant(value):
                return self.literal(node, value)
            case ast.Name(name):
                return self.name(node, name)
            case ast.Attribute(value, "T"):
                return n.Call("transpose", (self.expr(value),))
            case ast.BinOp(left, op, right):
                return self.operation(node, left, op, right)
            case ast.UnaryOp(op, operand):
                return self.sign(node, op, self.expr(operand))
            case ast.Compare():
                return self.comparison(node)
            case ast.BoolOp(op, values):
                return n.Logic("and" if isinstance(op, ast.And) else "or", tuple(self.expr(v) for v in values))
            case ast.IfExp(test, body, orelse):
                return n.IfElse(self.expr(test), self.expr(body), self.expr(orelse))
            case ast.Call():
                return self.call(node)
            case ast.Attribute():
                advice = (
                    "the only attribute is `.T`; a rule reads its arguments and nothing else, so write a constant out"
                )
                raise self.error(node, f"`{_short(node)}`: {advice}")
        advice = EXPRESSIONS.get(type(node), f"`{type(node).__name__}` is not in the language")
        raise self.error(node, f"`{_short(node)}`: {advice}. The words are: {listing()}")

    def literal(self, node: ast.expr, value: Any) -> n.Num:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(node, f"`{_short(node)}`: a rule knows real numbers and arrays only")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise self.error(node, "this number is too large for a float and would be infinite")
        return n.Num(number)

    def name(self, node: ast.expr, name: str) -> n.Name:
        if name in self.known:
            return n.Name(name)
        obj = self.source.lookup(name)
        if obj is MISSING:
            close = difflib.get_close_matches(name, self.known, 1)
            hint = f"; did you mean `{close[0]}`?" if close else f". Known here: {', '.join(sorted(self.known))}"
            raise self.error(node, f"`{name}` is used before it is assigned{hint}")
        if isinstance(obj, Term) or word_of(obj, 1):
            raise self.error(node, f"`{name}` stands alone; write its arguments, as in `{name}(x)`")
        advice = f"make it a keyword argument with a default, as in `*, {name}=0.1`"
        raise self.error(node, f"`{name}` comes from outside: a rule reads its arguments and nothing else; {advice}")

    def operation(self, node: ast.expr, left: ast.expr, op: ast.operator, right: ast.expr) -> n.Expr:
        if type(op) not in _BINARY:
            raise self.error(
                node, f"`{_short(node)}`: bits have no meaning here; combine masks as in `where(a, where(b, x, y), y)`"
            )
        return n.Bin(_BINARY[type(op)], self.expr(left), self.expr(right))

    def sign(self, node: ast.expr, op: ast.unaryop, x: n.Expr) -> n.Expr:
        match op:
            case ast.USub():
                return n.Num(-x.value) if isinstance(x, n.Num) else n.Neg(x)
            case ast.UAdd():
                return x
            case ast.Not():
                return n.Not(x)
        raise self.error(
            node, f"`{_short(node)}`: bits have no meaning here; for the opposite of a mask write `where(mask, b, a)`"
        )

    def comparison(self, node: ast.Compare) -> n.Expr:
        operands = [self.expr(x) for x in (node.left, *node.comparators)]
        parts = []
        for k, op in enumerate(node.ops):
            if type(op) not in _COMPARE:
                raise self.error(node, f"`{_short(node)}`: compare with < <= > >= == !=")
            parts.append(n.Compare(_COMPARE[type(op)], operands[k], operands[k + 1]))
        return parts[0] if len(parts) == 1 else n.Logic("and", tuple(parts))

    # Words and terms --------------------------------------------------------------------------------------------------

    def call(self, node: ast.Call) -> n.Expr:
        called = _short(node.func)
        obj = self.resolve(node.func)
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise self.error(node, f"`{called}`: write the arguments out")
        if isinstance(obj, Term):
            return self.term_call(node, called, obj)
        word = word_of(obj, len(node.args)) if obj is not MISSING else None
        if word is None:
            raise self.unknown_word(node, called, obj)
        axis = self.axis(node, called, is_reduction=WORDS[word].kind == "reduction")
        if len(node.args) != WORDS[word].arity:
            hint = "; an axis is written `axis=-1`" if WORDS[word].kind == "reduction" else ""
            raise self.error(
                node, f"`{called}` takes {_count(WORDS[word].arity, 'argument')}, not {len(node.args)}{hint}"
            )
        args = tuple(self.expr(a) for a in node.args)
        return n.Bin("**", *args) if word == "power" else n.Call(word, args, axis)

    def unknown_word(self, node: ast.Call, called: str, obj: Any) -> RuleError:
        if obj is MISSING and called in WORDS:
            advice = f"write `from thalweg.words import {called}` above the function"
            return self.error(node, f"`{called}` is not imported here; {advice}")
        close = difflib.get_close_matches(called.rpartition(".")[2], WORDS, 1, 0.75)
        if isinstance(node.func, ast.Attribute) and self.is_value(node.func.value):
            advice = instead_of_method(_short(node.func.value), node.func.attr)
        elif isinstance(node.func, ast.Name) and node.func.id in self.known:
            advice = "it is a value here, and values cannot be called"
        else:
            advice = instead_of(obj) or (f"did you mean `{close[0]}`?" if close else f"the words are: {listing()}")
        return self.error(node, f"`{called}` is not a word of the language; {advice}")

    def is_value(self, node: ast.expr) -> bool:
        match node:
            case ast.Name(name):
                return name in self.known
            case ast.Attribute(value):
                return self.is_value(value)
        return True

    def axis(self, node: ast.Call, called: str, *, is_reduction: bool) -> int | None:
        found = None
        for keyword in node.keywords:
            if keyword.arg == "keepdims":
                raise self.error(node, f"`{called}`: an axis is always kept, with length 1; leave `keepdims=` out")
            if keyword.arg != "axis" or not is_reduction:
                allowed = "words take arguments by position" + (", and `axis=-1` or `axis=-2`" if is_reduction else "")
                raise self.error(node, f"`{called}`: {allowed}, not `{keyword.arg}=`")
            match keyword.value:
                case ast.UnaryOp(ast.USub(), ast.Constant(1 | 2 as number)) if type(number) is int:
                    found = -number
                case _:
                    raise self.error(
                        node, f"`{called}`: axis is written out as -1 (one number a row) or -2 (one a column)"
                    )
        return found

    def term_call(self, node: ast.Call, called: str, term: Term) -> n.Expr:
        wanted = term.text.signature.arrays
        if node.keywords:
            raise self.error(node, f"`{called}`: terms take arguments by position: ({', '.join(wanted)})")
        if len(node.args) != len(wanted):
            raise self.error(node, f"`{called}` takes ({', '.join(wanted)}), not {_count(len(node.args), 'argument')}")
        return n.TermCall(term.name, term.text, tuple(self.expr(a) for a in node.args))

    def resolve(self, node: ast.expr) -> Any:
        """Return the object that a dotted name refers to, or MISSING; a name that the text itself assigns is none."""
        match node:
            case ast.Name(name) if name not in self.known:
                return self.source.lookup(name)
            case ast.Attribute(value, name):
                holder = self.resolve(value)
                return MISSING if holder is MISSING else getattr(holder, name, MISSING)
        return MISSING


def _results(x: n.Expr) -> int:
    """Return how many values an expression gives."""
    match x:
        case n.Call(word):
            return WORDS[word].results
        case n.TermCall(_, text):
            return len(text.returns)
    return 1


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _short(node: ast.AST) -> str:
    """Return what was read, for a message."""
    text = ast.unparse(node)
    return text if len(text) <= 80 else f"{text[:77]}..."
