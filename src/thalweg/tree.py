"""Parameters as named leaves: dicts, lists and tuples inside each other, or a single array.

A name is the way to a leaf: keys of dicts and positions in lists, joined with "."; a single array is called "w". What a
leaf has to be is the gate's to say (`thalweg.engine.arrays`); here only containers are known, and numbers.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

DEEPEST = 100
"""The most containers inside each other: deeper is a mistake, or a container that contains itself."""

_MANY = 8
_GRADIENTS = {np.ndarray, type(None)}
_KINDS: dict[type, type] = {kind: kind for kind in (float, np.float64, np.float32, np.float16)} | {int: float}
_NUMBERS = (int, float, np.integer, np.floating)
_SEQUENCES, _CONTAINERS, _REBOUND = (list, tuple), (dict, list, tuple, Mapping), (dict, list, MutableMapping)
_MISSING: Any = object()


class Said(NamedTuple):
    """What messages call that which is given for each parameter: all of it, one of it, and what None does there."""

    whole: str
    each: str
    none: str = ""


GRADIENTS = Said("grads", "gradient", " (None leaves a parameter alone)")
DIAGONALS = Said("hessian", "diagonal")


class Number(NamedTuple):
    """A number as a parameter: where it stands, the 0-d array that a step updates, and the type that it has then."""

    container: Any
    key: Any
    cell: NDArray[Any]
    kind: type


class Leaves(NamedTuple):
    """The leaves of parameters in their order: names, arrays, and what has to be rebound after the step."""

    names: tuple[str, ...]
    arrays: list[Any]
    numbers: list[Number]


def leaves(params: Any, cells: dict[str, NDArray[Any]]) -> Leaves:
    """Return the named leaves of parameters; nothing of the caller's is changed.

    params: a dict (or other Mapping), list or tuple, of leaves or of more of these; or a single array. A leaf is an
    array, or in a dict or list a number: float, int, np.float64, np.float32 or np.float16. Anything else is passed on
    as it is, to be refused by name.
    cells: name -> 0-d array with the number of that name, float64 for Python's; made where missing, and kept by the
    caller from step to step.
    Raises TypeError for what is no parameters at all, for keys that are no strings, and for a number that cannot be
    rebound; ValueError for a container that contains itself and for one number under two names.
    """
    if type(params) is dict:
        values = list(params.values())
        if _are_arrays(values):
            return Leaves(tuple(params), values, [])
    found = _Found(cells)
    if isinstance(params, _CONTAINERS):
        found.take(params, "", [])
    elif type(params) in _KINDS:
        raise TypeError(
            f"params is a number ({params!r}), which can be neither updated in place nor rebound; "
            "give np.array(number), or a dict with it: {'x': number}"
        )
    elif hasattr(params, "__array__"):
        found.names, found.arrays = ["w"], [params]
    else:
        raise TypeError(
            "params is a dict of name -> array, such as {'W1': W1, 'b1': b1}, a list or tuple of arrays, or one array; "
            f"{_given(params)}"
        )
    return Leaves(tuple(found.names), found.arrays, found.numbers)


def rebind(numbers: Sequence[Number]) -> None:
    """Put the numbers that a step has updated in the place of the old ones; one that did not move stays what it was."""
    for container, key, cell, kind in numbers:
        new = kind(cell[()])
        if type(container[key]) is not int or float(container[key]) != new:  # large ints are more than a float can hold
            container[key] = new


def check_names(names: Iterable[Any]) -> None:
    """Raise TypeError for a name that is no string, and ValueError for a name that two leaves have."""
    names = tuple(names)
    for name in names:
        if type(name) is not str:
            raise TypeError(f"the names of parameters are strings; {name!r} is of type {type(name).__name__}")
    if len(set(names)) < len(names):
        name, count = Counter(names).most_common(1)[0]
        raise ValueError(
            f"{count} parameters have the name {name!r}: keys of nested dicts are joined with '.'; rename one of them"
        )


def matching(
    names: tuple[str, ...], grads: Any, params: Any, optional: Collection[str] = (), said: Said = GRADIENTS
) -> list[Any]:
    """Return the gradients in the order of the names.

    names, params: from `leaves`, and what it was given. grads: containers like those of params, with a gradient, or
    None, for each leaf; None in the place of a container stands for all of its leaves. The gradient of a number may be
    a number, and becomes a float64 array. optional: names that may be missing, and get None whatever there is. said:
    what all this is called in messages, where it is something else than gradients.
    Raises TypeError for a container of another kind, and ValueError that lists what is missing or unexpected.
    """
    if type(params) is dict and type(grads) is dict and names == tuple(params):
        given = list(grads.values())
        if _are_arrays(given) or set(map(type, given)) <= _GRADIENTS:
            if not optional and names == tuple(grads):
                return given
            if grads.keys() <= params.keys() and all(name in grads or name in optional for name in names):
                return [None if name in optional else grads[name] for name in names]
    found = _Matched(optional, said)
    if grads is None:
        raise TypeError(f"{said.whole} is {_like(params)}, and nothing was given")
    found.take(params, grads, None)
    if found.missing or found.unexpected:
        raise ValueError(_mismatch(names, found.missing, found.unexpected, said))
    return found.gradients


class _Found:
    """Leaves as they are found."""

    def __init__(self, cells: dict[str, NDArray[Any]]) -> None:
        self.cells = cells
        self.names: list[str] = []
        self.arrays: list[Any] = []
        self.numbers: list[Number] = []
        self.places: dict[tuple[int, Any], str] = {}  # container and key of each number -> its name

    def take(self, node: Any, prefix: str, around: list[int]) -> None:
        """Append the leaves of a container. prefix: of their names. around: the ids of the containers around it."""
        if id(node) in around or len(around) == DEEPEST:
            inside = "contains itself" if id(node) in around else f"lies in more than {DEEPEST} other containers"
            raise ValueError(f"the {_word(node)} at {_shown(prefix)} {inside}; give every leaf one place in params")
        if _is_mapping(node):
            keys, values = list(node), list(node.values())
            if set(map(type, keys)) != {str}:
                check_names(keys)
        else:
            keys, values = list(map(str, range(len(node)))), list(node)
        if _are_arrays(values):
            self.names += [prefix + key for key in keys]
            self.arrays += values
            return
        inner = [*around, id(node)]
        for position, (key, value) in enumerate(zip(keys, values, strict=True)):
            if type(value) is not np.ndarray and isinstance(value, _CONTAINERS):
                self.take(value, f"{prefix}{key}.", inner)
            else:
                self.names.append(prefix + key)
                place = key if _is_mapping(node) else position
                self.arrays.append(self.number(node, place, value) if type(value) in _KINDS else value)

    def number(self, container: Any, key: Any, value: Any) -> NDArray[Any]:
        """Return the array that stands for a number of the name found last, and remember where the number is."""
        name = self.names[-1]
        if not isinstance(container, _REBOUND):
            raise TypeError(
                f"parameter {name!r} is a number in a {type(container).__name__}, where it can be neither updated in "
                "place nor rebound; give np.array(number), or put it into a dict or list"
            )
        twin = self.places.setdefault((id(container), key), name)
        if twin != name:
            raise ValueError(
                f"parameters {twin!r} and {name!r} are one number of one {_word(container)}, and would be updated "
                "twice; leave one name out, or give a copy"
            )
        cell = self.cells.get(name)
        dtype = np.dtype(_KINDS[type(value)])
        if cell is None or cell.dtype != dtype:
            cell = self.cells[name] = np.zeros((), dtype)
        cell[...] = _as_float(f"parameter {name!r}", value)
        self.numbers.append(Number(container, key, cell, _KINDS[type(value)]))
        return cell


class _Matched:
    """Gradients as they are found for the leaves of parameters."""

    def __init__(self, optional: Collection[str], said: Said) -> None:
        self.optional, self.said = optional, said
        self.gradients: list[Any] = []
        self.missing: list[str] = []
        self.unexpected: list[str] = []

    def take(self, node: Any, grads: Any, name: str | None) -> None:
        """Append the gradients of a leaf or container: those in `grads`, or None, or that they are missing.

        name: its own; None for the whole.
        """
        is_mapping = _is_mapping(node)
        if not is_mapping and not isinstance(node, _SEQUENCES):
            self.leaf(node, grads, "w" if name is None else name)
            return
        if grads is not None and grads is not _MISSING and not _fits(node, grads):
            before = len(self.missing)
            self.take(node, _MISSING, name)
            if len(self.missing) > before:
                where = self.said.whole if name is None else f"the {self.said.each} of {name!r}"
                raise TypeError(f"{where} is {_like(node)}, and {_given(grads)}")
            return
        prefix = "" if name is None else f"{name}."
        places: Iterable[Any] = node if is_mapping else range(len(node))
        if grads is None or grads is _MISSING:
            for place in places:
                self.take(node[place], grads, f"{prefix}{place}")
            return
        if not self.optional and len(node) == len(grads) and (not is_mapping or list(node) == list(grads)):
            arrays, given = (list(node.values()), list(grads.values())) if is_mapping else (list(node), list(grads))
            if _are_arrays(arrays) and _are_arrays(given):
                self.gradients += given
                return
        if is_mapping:
            self.unexpected += [f"{prefix}{key}" for key in grads if key not in node]
        else:
            self.unexpected += [f"{prefix}{place}" for place in range(len(node), len(grads))]
        for place in places:
            is_given = place in grads if is_mapping else place < len(grads)
            self.take(node[place], grads[place] if is_given else _MISSING, f"{prefix}{place}")

    def leaf(self, leaf: Any, gradient: Any, name: str) -> None:
        """Append the gradient of one leaf."""
        if name in self.optional:
            gradient = None
        elif gradient is _MISSING:
            self.missing.append(name)
        elif _is_mapping(gradient):
            raise TypeError(f"the {self.said.each} of {name!r} is {_like(leaf)}, and {_given(gradient)}")
        elif type(leaf) in _KINDS and type(gradient) is not bool and isinstance(gradient, _NUMBERS):
            gradient = np.array(_as_float(f"the {self.said.each} of {name!r}", gradient))
        self.gradients.append(gradient)


def _is_mapping(node: Any) -> TypeGuard[Mapping[Any, Any]]:
    return type(node) is dict or isinstance(node, Mapping)  # the first is quicker


def _are_arrays(values: list[Any]) -> bool:
    return list(map(type, values)).count(np.ndarray) == len(values)


def _fits(node: Any, grads: Any) -> bool:
    return _is_mapping(grads) if _is_mapping(node) else isinstance(grads, _SEQUENCES)


def _as_float(who: str, number: Any) -> float:
    try:
        return float(number)
    except OverflowError:
        raise ValueError(f"{who} is an int too large for a float; give one below 1.8e308") from None


def _like(node: Any) -> str:
    if _is_mapping(node):
        return "a dict with the names of params"
    if isinstance(node, _SEQUENCES):
        return f"a list like that of params, with {len(node)} gradients"
    return "a number, as the parameter is" if type(node) in _KINDS else "an array of the parameter's shape"


def _given(given: Any) -> str:
    return "this is None" if given is None else f"this is of type {type(given).__name__}"


def _word(container: Any) -> str:
    return "dict" if _is_mapping(container) else type(container).__name__


def _shown(prefix: str) -> str:
    return repr(prefix[:-1]) if prefix else "the top of params"


def _mismatch(names: Sequence[str], missing: Sequence[str], unexpected: Sequence[str], said: Said) -> str:
    parts = []
    if missing:
        parts.append(f"no {said.each} for {_listed(missing)}{said.none}")
    if unexpected:
        close = [(name, difflib.get_close_matches(name, missing or names, 1)) for name in unexpected]
        shown = [f"{name!r} (for {found[0]!r}?)" if found else repr(name) for name, found in close]
        parts.append(f"a {said.each} for no parameter: {', '.join(shown)}")
    return f"{'; '.join(parts)}. {said.whole} has the names of params: {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    """Return names for a message; of many, the first few."""
    shown = ", ".join(map(repr, names[:_MANY]))
    return shown if len(names) <= _MANY else f"{shown} and {len(names) - _MANY} more"
