"""Snapshots as checkpoint files.

Arrays, and numbers that may be NaN, are tensors, named by where they stand: "parameters/W1/m", with "~0" for "~" and
"~1" for "/" in a name. All else is JSON text in the metadata; counts, which JSON would leave to the reader's idea of an
integer, are decimal strings.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import __version__
from thalweg.checkpoint.checks import MAX_BITS, CheckpointError, below, exact_keys, mapping, one_of, refuse, shown, text
from thalweg.checkpoint.snapshot import FORMAT, PARAMETER_KEYS, Snapshot, as_order, order_of, parsed, plain
from thalweg.checkpoint.tensors import parse_json, read_tensors, write_tensors

_METADATA = ("version", "made", "counts", "shared", "parameters", "arrays")
_DECIMAL = re.compile(rf"0|[1-9][0-9]{{0,{len(str(2**MAX_BITS)) - 1}}}")


def write(path: str | os.PathLike[str], snapshot: Snapshot) -> None:
    """Save a snapshot at `path`, in place of what is there; once this returns, it is on the disk.

    Whatever happens on the way, there is the old file or the new one, whole. A symbolic link stays, and the file that
    it leads to is replaced.

    Raises:
        CheckpointError: the snapshot holds something that cannot be saved; the message names the key.
        FileNotFoundError: there is no such folder.
        OSError: the file system refuses.
    """
    checked = parsed(plain(snapshot), lambda array, _: array)
    write_tensors(path, dict(_tensors(checked)), _metadata(checked))


def read(path: str | os.PathLike[str]) -> Snapshot:
    """Load the snapshot that `write` saved. Its arrays are new, and lie in memory in the order that they had.

    Raises:
        CheckpointError: the file is damaged, is no checkpoint, or is of another format; the message names file and key.
        OSError: it cannot be read.
    """
    name = os.fsdecode(path)
    try:
        tensors, metadata = read_tensors(name, _METADATA)
        return parsed(_state(tensors, metadata), lambda array, order: np.asarray(array, order=order))
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from None


def _tensor_name(*parts: str) -> str:
    return "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def _tensors(snapshot: Snapshot) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, number in snapshot.shared.items():
        yield _tensor_name("shared", name), np.array(number, np.float64)
    for name, parameter in snapshot.parameters.items():
        for slot, value in parameter.slots.items():
            yield _tensor_name("parameters", name, slot), np.asarray(value)
    for name, array in snapshot.arrays.items():
        yield _tensor_name("arrays", name), array


def _metadata(snapshot: Snapshot) -> dict[str, str]:
    values = {
        "made": snapshot.made,
        "counts": {name: str(count) for name, count in snapshot.counts.items()},
        "shared": list(snapshot.shared),
        "parameters": {
            name: {
                "shape": one.shape,
                "dtype": one.dtype,
                "order": one.order,
                "missed": str(one.missed),
                "slots": {s: "number" if isinstance(value, float) else "array" for s, value in one.slots.items()},
            }
            for name, one in snapshot.parameters.items()
        },
        "arrays": {name: order_of(array) for name, array in snapshot.arrays.items()},
    }
    texts = {key: json.dumps(value, allow_nan=False, separators=(",", ":")) for key, value in values.items()}
    return {"version": __version__} | texts


def _state(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> dict[str, Any]:
    """Return what a file holds as the plain dict of a snapshot; every tensor is taken from `tensors` once."""
    said = {key: parse_json(metadata[key], key) for key in _METADATA if key != "version"}

    def take(path: str, *parts: str) -> NDArray[Any]:
        name = _tensor_name(*parts)
        if name not in tensors:
            raise CheckpointError(f"{path}: there is no tensor {shown(name)} for it")
        return tensors.pop(name)

    def number(path: str, *parts: str) -> float:
        array = take(path, *parts)
        if array.dtype != np.float64 or array.shape:
            raise CheckpointError(f"{path}: for a number there is one float64, and not {array.dtype}{array.shape}")
        return float(array[()])

    def slot(kind: Any, path: str, *parts: str) -> float | NDArray[Any]:
        return number(path, *parts) if one_of(kind, path, ("array", "number")) == "number" else take(path, *parts)

    if not isinstance(said["shared"], list):
        raise refuse("shared", said["shared"], "a list of names")
    state = {
        "format": FORMAT,
        "version": metadata["version"],
        "made": said["made"],
        "counts": {name: _count(n, below("counts", name)) for name, n in mapping(said["counts"], "counts").items()},
        "shared": {
            name: number(below("shared", name), "shared", name)
            for name in (text(name, "a name in shared") for name in said["shared"])
        },
        "parameters": {},
        "arrays": {},
    }
    for name, value in mapping(said["parameters"], "parameters").items():
        path = below("parameters", name)
        one = exact_keys(value, path, PARAMETER_KEYS)
        kinds = mapping(one["slots"], below(path, "slots"))
        state["parameters"][name] = one | {
            "missed": _count(one["missed"], below(path, "missed")),
            "slots": {
                s: slot(kind, below(below(path, "slots"), s), "parameters", name, s) for s, kind in kinds.items()
            },
        }
    for name, order in mapping(said["arrays"], "arrays").items():
        path = below("arrays", name)
        state["arrays"][name] = np.asarray(take(path, "arrays", name), order=as_order(order, path))
    if tensors:
        raise CheckpointError(f"there is a tensor {shown(min(tensors))} of which the metadata says nothing")
    return state


def _count(value: Any, path: str) -> int:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise refuse(path, value, "an integer, 0 or more, in decimal digits")
    return int(value)
