"""How a rule looks: one colour, one dash and one marker, the same in every figure of every page.

Colours are those of Okabe & Ito 2008, "Color Universal Design", which readers of every kind of colour vision tell
apart. Colour is never alone: dash and marker differ too, and every line is named where it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

Marker = Literal["circle", "square", "triangle", "diamond", "wedge", "bar", "cross", "pentagon"]

INK = "var(--ink)"
"""The first colour of Okabe & Ito is black; on a dark page it is the colour of the text."""
ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"


@dataclass(frozen=True, slots=True)
class Style:
    """`dash` is an SVG dash array, None for a solid line."""

    colour: str
    dash: str | None
    marker: Marker


RULE_STYLES = {
    "sgd": Style(INK, None, "circle"),
    "momentum": Style(ORANGE, "9 3", "square"),
    "nesterov": Style(SKY, "3 2.5", "triangle"),
    "adagrad": Style(GREEN, "10 3 2.5 3", "diamond"),
    "rmsprop": Style(VERMILION, "6 2.5 2 2.5 2 2.5", "wedge"),
    "adam": Style(BLUE, "16 3", "pentagon"),
}

_OTHERS = (
    Style(PURPLE, "5 3", "bar"),
    Style(YELLOW, "2 2", "cross"),
    Style(PURPLE, "12 3 2 3", "diamond"),
    Style(GREEN, "4 4", "circle"),
    Style(VERMILION, "14 4", "square"),
    Style(BLUE, "3 3", "triangle"),
)


def styles(rules: Iterable[str]) -> dict[str, Style]:
    """The style of each rule: fixed for those that have one, in the order of names for the others."""
    names = sorted(rules)
    others = cycle(_OTHERS)
    return {name: RULE_STYLES[name] if name in RULE_STYLES else next(others) for name in names}
