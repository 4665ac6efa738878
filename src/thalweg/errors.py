"""Errors of thalweg that callers may want to catch by name; all others are ValueError, TypeError and their like."""

from __future__ import annotations

from thalweg.language.errors import NumberError, RuleError

__all__ = ["NonFiniteError", "NumberError", "RuleError"]


class NonFiniteError(FloatingPointError):
    """A gradient holds a NaN or an infinity; the message names the parameter and the place, and nothing has changed."""
