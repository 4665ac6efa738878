"""Expressions in which some numbers are known to be zero."""

from __future__ import annotations

from collections.abc import Collection

from thalweg.language import nodes as n


def without(x: n.Expr, zeros: Collection[str]) -> n.Expr:
    """Return x where some names are zero."""
    x = n.rebuild(x, lambda part: without(part, zeros))
    match x:
        case n.Name(name) if name in zeros:
            return n.Num(0.0)
        case n.Bin("+", rest, n.Num(0.0)) | n.Bin("+", n.Num(0.0), rest) | n.Bin("-", rest, n.Num(0.0)):
            return rest
        case n.Bin("*", _, n.Num(0.0)) | n.Bin("*", n.Num(0.0), _) | n.Bin("/", n.Num(0.0), _):
            return n.Num(0.0)
        case n.Bin("/", rest, n.Num(1.0)) | n.Bin("*", rest, n.Num(1.0)) | n.Bin("*", n.Num(1.0), rest):
            return rest
        case n.Call("square" | "sqrt" | "abs", (n.Num(0.0),)):
            return n.Num(0.0)
        case n.Call("power", (n.Num(0.0), n.Num(k))) | n.Bin("**", n.Num(0.0), n.Num(k)) if k > 0:
            return n.Num(0.0)
    return x
