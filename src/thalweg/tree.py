"""Parameters as named leaves."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

_MANY = 8


def leaves(params: Any) -> tuple[tuple[str, ...], list[Any]]:
    """Return the names and the arrays of a dict; raises TypeError for anything else."""
    if type(params) is not dict and not isinstance(params, Mapping):
        kind = type(params).__name__
        raise TypeError(f"params is a dict of name -> array, such as {{'W1': W1, 'b1': b1}}; this is of type {kind}")
    return tuple(params), list(params.values())


def check_names(names: tuple[Any, ...]) -> None:
    """Raise TypeError for a name that is no string."""
    for name in names:
        if type(name) is not str:
            raise TypeError(f"the names of parameters are strings; {name!r} is of type {type(name).__name__}")


def matching(names: tuple[str, ...], grads: Any) -> list[Any]:
    """Return the gradients in the order of the names; raises ValueError that lists what is missing or unexpected."""
    if type(grads) is not dict and not isinstance(grads, Mapping):
        given = "nothing was given" if grads is None else f"this is of type {type(grads).__name__}"
        raise TypeError(f"grads is a dict with the names of params, and {given}")
    if len(grads) == len(names) and (type(grads) is dict or all(name in grads for name in names)):
        try:
            return [grads[name] for name in names]
        except KeyError:
            pass
    missing = [name for name in names if name not in grads]
    unexpected = [name for name in grads if name not in names]
    parts = []
    if missing:
        parts.append(f"no gradient for {_listed(missing)} (None leaves a parameter alone)")
    if unexpected:
        close = [(name, difflib.get_close_matches(str(name), missing or names, 1)) for name in unexpected]
        shown = [f"{name!r} (for {found[0]!r}?)" if found else repr(name) for name, found in close]
        parts.append(f"a gradient for no parameter: {', '.join(shown)}")
    raise ValueError(f"{'; '.join(parts)}. grads has the names of params: {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    """Return names for a message; of many, the first few."""
    shown = ", ".join(map(repr, names[:_MANY]))
    return shown if len(names) <= _MANY else f"{shown} and {len(names) - _MANY} more"
