"""What a checkpoint holds, apart from any optimizer, and the same as a plain dict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thalweg import __version__
from thalweg.checkpoint.checks import (
    CheckpointError,
    below,
    count,
    exact_keys,
    json_value,
    mapping,
    number,
    one_of,
    refuse,
    text,
)

FORMAT = 1
"""The version of what is written. A change that an older thalweg would misread takes the next number."""

STATE_DTYPES = ("float32", "float64")
ARRAY_DTYPES = ("float64", "float32", "float16", "bfloat16")

Order = Literal["C", "F"]
Keep = Callable[[NDArray[Any], Order], NDArray[Any]]


@dataclass(frozen=True)
class ParameterSnapshot:
    """What is kept for one parameter.

    shape, dtype: of the parameter. order: "C" or "F", how its state lies in memory. missed: steps of the optimizer that
    it took no part in. slots: slot -> array of float32 or float64, of any shape, or float.
    """

    shape: tuple[int, ...]
    dtype: str
    order: Order
    missed: int
    slots: Mapping[str, float | NDArray[Any]]


@dataclass(frozen=True)
class Snapshot:
    """An optimizer at rest.

    made: how it was made, in JSON values: rule, convention, digest, hyper-parameters ... counts: t and other counts, 0
    or more. shared: numbers of the whole model, which may be NaN. parameters: by name. arrays: further arrays by name,
    such as the parameters themselves.
    """

    made: Mapping[str, Any]
    counts: Mapping[str, int]
    shared: Mapping[str, float]
    parameters: Mapping[str, ParameterSnapshot]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


_KEYS = ("format", "version", "made", "counts", "shared", "parameters", "arrays")
PARAMETER_KEYS = ("shape", "dtype", "order", "missed", "slots")


def to_dict(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as a dict of JSON values, floats and arrays, none of them shared with the snapshot.

    Raises:
        CheckpointError: something in it is of a wrong kind; the message names the key.
    """
    return plain(parsed(plain(snapshot), _copied))


def from_dict(state: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot that `to_dict` made a dict of; arrays are copied.

    Only the structure is checked here: keys, types, signs. Whether it fits an optimizer, the optimizer says.

    Raises:
        CheckpointError: a key is missing, unknown or of a wrong kind, or the format is another one; the message names
            the key.
    """
    return parsed(state, _copied)


def plain(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as a dict that shares its values, unchecked."""
    return {
        "format": FORMAT,
        "version": __version__,
        "made": snapshot.made,
        "counts": snapshot.counts,
        "shared": snapshot.shared,
        "parameters": {
            name: {
                "shape": list(one.shape),
                "dtype": one.dtype,
                "order": one.order,
                "missed": one.missed,
                "slots": one.slots,
            }
            for name, one in snapshot.parameters.items()
        },
        "arrays": snapshot.arrays,
    }


def parsed(state: Any, keep: Keep) -> Snapshot:
    """Check a plain dict and return it as a snapshot. keep: what becomes of an array, given its order in memory."""
    if isinstance(state, Mapping) and "format" in state:
        check_format(state["format"])
    found = exact_keys(state, "the state", _KEYS)
    text(found["version"], "version")
    return Snapshot(
        made=json_value(mapping(found["made"], "made"), "made"),
        counts={name: count(n, below("counts", name)) for name, n in mapping(found["counts"], "counts").items()},
        shared={name: number(x, below("shared", name)) for name, x in mapping(found["shared"], "shared").items()},
        parameters={
            name: _parameter(one, below("parameters", name), keep)
            for name, one in mapping(found["parameters"], "parameters").items()
        },
        arrays={
            name: _array(a, below("arrays", name), ARRAY_DTYPES, order_of, keep)
            for name, a in mapping(found["arrays"], "arrays").items()
        },
    )


def check_format(given: Any) -> None:
    """Raise CheckpointError for a format that this version cannot read, with what to do."""
    if type(given) is not int or given < 1:
        raise refuse("format", given, f"{FORMAT} in what thalweg {__version__} writes")
    if given != FORMAT:
        raise CheckpointError(
            f"format = {given}: a newer thalweg wrote this, and thalweg {__version__} reads format {FORMAT}; "
            "upgrade thalweg, or save it once more with this version"
        )


def order_of(array: NDArray[Any]) -> Order:
    """Return "F" for an array that lies in memory by columns, "C" for every other."""
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def as_order(value: Any, path: str) -> Order:
    """Return "C" or "F"; CheckpointError for anything else."""
    return "F" if one_of(value, path, ("C", "F")) == "F" else "C"


def _parameter(value: Any, path: str, keep: Keep) -> ParameterSnapshot:
    found = exact_keys(value, path, PARAMETER_KEYS)
    if not isinstance(found["shape"], list | tuple):
        raise refuse(below(path, "shape"), found["shape"], "a list of integers")
    order = as_order(found["order"], below(path, "order"))
    slots = below(path, "slots")
    return ParameterSnapshot(
        shape=tuple(count(n, below(below(path, "shape"), i)) for i, n in enumerate(found["shape"])),
        dtype=one_of(found["dtype"], below(path, "dtype"), ARRAY_DTYPES),
        order=order,
        missed=count(found["missed"], below(path, "missed")),
        slots={
            slot: _slot(item, below(slots, slot), order, keep) for slot, item in mapping(found["slots"], slots).items()
        },
    )


def _slot(value: Any, path: str, order: Order, keep: Keep) -> float | NDArray[Any]:
    if isinstance(value, float):
        return number(value, path)
    return _array(value, path, STATE_DTYPES, lambda _: order, keep)


def _array(
    value: Any, path: str, dtypes: tuple[str, ...], order: Callable[[NDArray[Any]], Order], keep: Keep
) -> NDArray[Any]:
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        either = " or a float" if dtypes is STATE_DTYPES else ""
        raise refuse(path, value, f"an array of {', '.join(dtypes)}{either}")
    if not any(value.dtype == dtype_of(name) for name in dtypes if name == value.dtype.name):
        raise CheckpointError(
            f"{path} is an array of {value.dtype!r}; it is one of {', '.join(dtypes)} as NumPy makes it"
        )
    return keep(value, order(value))


def dtype_of(name: str) -> np.dtype[Any]:
    """Return the dtype of that name, one of `ARRAY_DTYPES`."""
    if name != "bfloat16":
        return np.dtype(name)
    import ml_dtypes

    found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return found


def _copied(array: NDArray[Any], order: Order) -> NDArray[Any]:
    return np.array(array, order=order)
