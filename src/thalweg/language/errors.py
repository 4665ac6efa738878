"""What goes wrong with a rule: in its text when it is decorated, or with its numbers when it runs."""

from __future__ import annotations


class RuleError(ValueError):
    """The text of a rule is not in the language; the message gives line, what was read and what to write instead."""


class NumberError(ArithmeticError):
    """A number of a rule does not exist: it would be complex, or Python raised; the message gives t and values."""
