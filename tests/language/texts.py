"""Rules from a few lines, and the messages of those that are refused."""

from __future__ import annotations

import math  # noqa: F401 - the texts see what stands here
import textwrap

import numpy as np  # noqa: F401
import pytest

import thalweg as tw

RATE = 0.1


def make(body, args="w, g, *, lr=0.1", **declared):
    """Return the rule `def f(args)` with the lines of `body`, and `return w` where it returns nothing."""
    return tw.rule(text_of(body, args), **declared)


def refusal(body, args="w, g, *, lr=0.1", **declared):
    """Return the first line of the message with which `make` is refused: rule, line and what is wrong."""
    with pytest.raises(tw.RuleError) as caught:
        make(body, args, **declared)
    message, shown = str(caught.value).split("\n    ")
    line = int(message.split("line ")[1].split(" ")[0])
    assert message.startswith(f"f, line {line} of its text: ")
    assert shown == text_of(body, args).splitlines()[line - 1].strip()
    return message.removeprefix("f, ").replace(" of its text", "")


def text_of(body, args="w, g, *, lr=0.1"):
    """Return the text of `make`; `tw.rule(text_of(...))` sees the names of the place where it stands."""
    last = body.splitlines()[-1]
    returns = "" if last.startswith("return") else "\n    return w"
    return f"def f({args}):\n{textwrap.indent(body, '    ')}{returns}"
