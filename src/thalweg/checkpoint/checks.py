"""Values from outside, one check for each kind; a refusal names the key by its path."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

MAX_BITS = 4096  # of an integer: far beyond any count or seed, and short enough for Python to read as decimal digits
MAX_DEPTH = 64  # of lists and dicts in each other

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120


class CheckpointError(ValueError):
    """A checkpoint that cannot be saved or loaded; the message names the key, and nothing has changed."""


def shown(value: Any) -> str:
    """Return a value for a message, cut in the middle where it is long."""
    return _SHORT.repr(value)


def below(path: str, key: Any) -> str:
    """Return the path of a key of what stands at `path`."""
    return f"{path}[{shown(key)}]"


def refuse(path: str, value: Any, legal: str) -> CheckpointError:
    """Return the error that says what stands at `path` and what is legal there."""
    return CheckpointError(f"{path} = {shown(value)}, of type {type(value).__name__}; it is {legal}")


def mapping(value: Any, path: str) -> dict[str, Any]:
    """Return a dict with strings for keys."""
    if not isinstance(value, Mapping):
        raise refuse(path, value, "a dict")
    return {text(key, f"a key of {path}"): item for key, item in value.items()}


def exact_keys(value: Any, path: str, keys: Iterable[str]) -> dict[str, Any]:
    """Return a dict that has these keys and no others."""
    found, wanted = mapping(value, path), list(keys)
    for what, names in (
        ("lacks", [key for key in wanted if key not in found]),
        ("has the unknown", [key for key in found if key not in wanted]),
    ):
        if names:
            listed = ", ".join(map(shown, names[:8]))
            raise CheckpointError(
                f"{path} {what} key{'s' * (len(names) > 1)} {listed}; its keys are {', '.join(wanted)}"
            )
    return found


def text(value: Any, path: str) -> str:
    """Return a string that UTF-8 can hold."""
    if not isinstance(value, str):
        raise refuse(path, value, "a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise refuse(path, value, "text without half a character (a lone surrogate), which no file can hold") from None
    return str(value)


def one_of(value: Any, path: str, choices: Iterable[str]) -> str:
    """Return one of a few strings."""
    choices = list(choices)
    if not isinstance(value, str) or value not in choices:
        raise refuse(path, value, f"one of {', '.join(map(repr, choices))}")
    return str(value)


def count(value: Any, path: str) -> int:
    """Return an integer that is not negative."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0 or value.bit_length() > MAX_BITS:
        raise refuse(path, value, f"an integer, 0 or more, of at most {MAX_BITS} bits")
    return int(value)


def number(value: Any, path: str) -> float:
    """Return a float, which may be NaN or infinite."""
    if not isinstance(value, float):
        raise refuse(path, value, "a float")
    return float(value)


def json_value(value: Any, path: str, depth: int = 0) -> Any:
    """Return a deep copy of a value that JSON can hold: None, bool, int, finite float, string, list, dict."""
    if depth > MAX_DEPTH:
        raise CheckpointError(f"{path} lies {depth} lists and dicts deep; at most {MAX_DEPTH} may lie in each other")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value, path)
    if isinstance(value, int) and value.bit_length() <= MAX_BITS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, list):
        return [json_value(item, below(path, i), depth + 1) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {key: json_value(item, below(path, key), depth + 1) for key, item in mapping(value, path).items()}
    raise refuse(path, value, "None, a bool, an int, a finite float, a string, or a list or dict of these")
