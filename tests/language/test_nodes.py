"""What a parsed text is written back as: the same tree, with the fewest brackets."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from tests.language.texts import make
from thalweg.language import nodes as n

EXPRESSIONS = [
    "a - b - c", "a - (b - c)", "a / b / c", "a / (b * c)", "a * (b + c)", "(a + b) * c", "a**b**c",
    "(a**b)**c", "-a**b", "(-a)**b",
    "a**-b", "-(a * b)", "-a * b", "a - -b", "--a", "a @ b @ c", "a % b // c", "a % (b // c)",
    "a if b > c else b if a < c else c", "(a if b > c else b) if a < c else c",
    "a if (b > c if a > b else a > c) else c",
    "a + (b if a > c else c)", "(a if b > c else b) + c", "-(a if b > c else b)",
    "a if b > c and (a > b or b > c) else c", "a if not (b > c and a > b) else c", "a if not b > c or a > b else c",
    "a if (not b > c) and a > b else c", "maximum(a if b > c else b, -c)", "sum(a - b, axis=-1)",
    "(a + b).T", "a.T @ b", "(a @ b).T.T",
    "1.0 - a", "(-2.0)**a", "-2.0**a", "a**(-2.0)", "a - (-2.0)", "1e-30 * a", "where(a > b, -0.0, c)", "-0.0 * a",
]  # fmt: skip


def parsed(text):
    """Return the node of an expression over a, b and c."""
    source = f"def f(a, b, c):\n    return {text}"
    return tw.term(source).text.returns[0]


def nodes():
    """Trees of any shape; what stands in front of a literal is part of it, so no sign stands in front of one."""
    leaves = st.sampled_from([n.Name("a"), n.Name("b"), n.Num(1.0), n.Num(-2.5), n.Num(-0.0), n.Num(1e-300)])

    def larger(x):
        two = st.tuples(x, x)
        return st.one_of(
            st.builds(n.Bin, st.sampled_from(["+", "-", "*", "/", "**", "@", "//", "%"]), x, x),
            st.builds(n.Neg, x.filter(lambda e: not isinstance(e, n.Num))),
            st.builds(n.Compare, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), x, x),
            st.builds(n.Logic, st.sampled_from(["and", "or"]), st.one_of(two, st.tuples(x, x, x))),
            st.builds(n.Not, x),
            st.builds(n.IfElse, x, x, x),
            st.builds(n.Call, st.sampled_from(["maximum", "atan2"]), two),
            st.builds(n.Call, st.sampled_from(["sum", "rms"]), st.tuples(x), st.sampled_from([None, -1, -2])),
            st.builds(n.Call, st.just("transpose"), st.tuples(x)),
        )

    return st.recursive(leaves, larger, max_leaves=12)


@given(nodes())
@settings(max_examples=200, deadline=None)
def test_any_tree_is_written_so_that_it_reads_the_same(node):
    assert repr(parsed(n.text(node))) == repr(node)


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_round_trip(text):
    node = parsed(text)
    written = n.text(node)
    assert parsed(written) == node
    assert repr(parsed(written)) == repr(node)  # -0.0 == 0.0
    if not any(x in text for x in ("@", ".T", "where", "sum", "maximum")):
        names = {"a": 2.0, "b": -3.0, "c": 0.5}
        assert eval(written, names) == eval(text, names)
    bare = ast.unparse(ast.parse(text, mode="eval"))
    assert written.count("(") <= bare.count("(") + 1


def test_numbers_are_floats_in_code_and_as_written_in_messages():
    node = parsed("1 - a**2 * 10 + 0.5 * 1e5")
    assert n.text(node) == "1.0 - a**2.0 * 10.0 + 0.5 * 100000.0"
    assert n.shown(node) == "1 - a**2 * 10 + 0.5 * 100000"
    assert n.shown(n.Bin("*", n.Name("ema__1__beta"), n.Name("inner__2__outer__3__x_1__12"))) == "beta * x_1"


@pytest.mark.parametrize(
    "name, written",
    [("m__3", "m"), ("m_hat__12", "m_hat"), ("x___3", "x_"), ("_x__3", "_x"), ("ema__1__x", "x"),
     ("ema__1___x__4", "_x"), ("c__s0", "c"), ("lambda_", "lambda_"), ("t", "t"), ("x2__s__3", "x2__s")],
)  # fmt: skip
def test_names_in_the_text_of_generated_names(name, written):
    assert n.written_name(name) == written


def test_statements_are_written_with_their_branches():
    rule = make(
        "a, b = g, w\nif t > 1:\n    c = a\n    d = b\nelif t > 0:\n    d = a\n    c = b\nelse:\n    c = w\n    d = g\n"
        "w = w - c * d * lr",
        "w, g, *, t, lr=0.1",
    )
    assert n.lines(rule.text.body) == [
        "    a, b = g, w",
        "    if t > 1.0:",
        "        c = a",
        "        d = b",
        "    else:",
        "        if t > 0.0:",
        "            d = a",
        "            c = b",
        "        else:",
        "            c = w",
        "            d = g",
        "    w = w - c * d * lr",
    ]
    assert n.assigned(rule.text.body) == {"a", "b", "c", "d", "w"}
