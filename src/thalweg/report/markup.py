"""HTML and SVG as nested calls. Text is escaped here and nowhere else, so nothing that is shown can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

VOID = frozenset({"meta", "link", "br", "hr", "img", "col"})
"""HTML elements without content; they have no closing tag."""


class Markup(str):
    """Text that is markup already. Only `el` and `joined` make it, and the page's own style sheet."""

    __slots__ = ()


Child: TypeAlias = "str | Iterable[Child] | None"
Attribute: TypeAlias = str | float | bool | None


def el(tag: str, *children: Child, **attributes: Attribute) -> Markup:
    """One element. A str is escaped unless it is Markup; None is left out; other iterables are taken apart.

    Attribute names are written as Python names: `class_` is class, `text_anchor` is text-anchor. Numbers are rounded to
    a hundredth; True gives an attribute without a value, None and False none at all.
    """
    text = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in VOID:
        return Markup(f"<{tag}{text}>")
    return Markup(f"<{tag}{text}>{joined(*children)}</{tag}>")


def joined(*children: Child) -> Markup:
    """Children one after another, escaped as in `el`."""
    return Markup("".join(map(_child, children)))


def unbroken(words: str) -> str:
    """`words` without a place for a line break inside a number such as 3.16e-4."""
    return re.sub(r"(?<=\de)-(?=\d)", "\N{NON-BREAKING HYPHEN}", words)


def _child(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return escape(child, quote=False)
    return joined(*child)


def _attribute(name: str, value: Attribute) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = value if isinstance(value, str) else decimal(value)
    return f' {name}="{escape(text)}"'


def decimal(value: float) -> str:
    """A coordinate: a hundredth of a pixel is more than enough, and every digit counts in a page of a few 100 KB."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
