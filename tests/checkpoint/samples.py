"""Snapshots to save, and whether two are the same to the last bit."""

from __future__ import annotations

import struct

import numpy as np

from thalweg.checkpoint import ParameterSnapshot, Snapshot

NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0x7FF8_0000_DEAD_BEEF))[0]
ODD_FLOATS = (float("nan"), NAN_WITH_PAYLOAD, float("inf"), -float("inf"), -0.0, 0.0, 5e-324, -2.5e-310, 1 / 3)
ODD_NAMES = (
    "",
    ".",
    "/",
    "~",
    "~1",
    "a/b",
    "a~1b",
    "..",
    "__metadata__",
    "\"'\\",
    "\0\n\t",
    "Größe λ 梯度 🎯",
    "x" * 5000,
)


def tiny(t=3):
    """As few bytes as there can be with one of each kind."""
    m = np.array([1.5, -0.0], np.float32)
    return Snapshot(
        {"rule": "r", "lr": 0.1}, {"t": t}, {"d": 0.5}, {"W": ParameterSnapshot((2,), "float32", "C", 1, {"m": m})}
    )


def uniform(number, size=2000):
    """Every value of it is the same number, so that a mixture of two would be seen."""
    slots = {"m": np.full(size, number, np.float64), "v": float(number)}
    parameter = ParameterSnapshot((size,), "float64", "C", number, slots)
    return Snapshot({"number": number}, {"t": number}, {"d": float(number)}, {"W": parameter}, {"W": slots["m"]})


def number_of(snapshot):
    """The number that made this `uniform` snapshot; AssertionError if it is a mixture."""
    number = snapshot.counts["t"]
    assert_same(snapshot, uniform(number, snapshot.arrays["W"].size))
    return number


def odd_arrays(dtype):
    """Every layout that an array can have."""
    a = np.arange(24).reshape(4, 6).astype(dtype)
    cube = np.arange(24).reshape(2, 3, 4).astype(dtype)
    return {
        "C": a,
        "F": np.asfortranarray(a),
        "strided": a[::2, 1::3],
        "reversed": a[::-1, ::-1],
        "half reversed": np.asfortranarray(a)[:, ::-1],
        "broadcast": np.broadcast_to(a[0], (3, 6)),
        "transposed": cube.transpose(1, 2, 0),
        "cube F": np.asfortranarray(cube),
        "no axis": np.array(7).astype(dtype),
        "no element": np.zeros((0, 3)).astype(dtype),
        "no column": np.zeros((3, 0)).astype(dtype),
        "one": np.ones((1, 1)).astype(dtype),
        "read-only": _read_only(a),
        "odd": np.array([*ODD_FLOATS]).astype(dtype),
    }


def _read_only(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def assert_same(one, other):
    """Equal to the last bit, in the same order, with the layouts that a checkpoint keeps."""
    assert_same_value(one.made, other.made, "made")
    for part in ("counts", "shared", "parameters", "arrays"):
        ours, theirs = getattr(one, part), getattr(other, part)
        assert list(ours) == list(theirs), part
        for name in ours:
            assert_same_value(ours[name], theirs[name], f"{part}[{name!r}]")


def assert_same_value(one, other, where):
    if isinstance(one, ParameterSnapshot):
        assert (one.shape, one.dtype, one.order, one.missed) == (other.shape, other.dtype, other.order, other.missed), (
            where
        )
        assert type(other.missed) is int
        assert list(one.slots) == list(other.slots), where
        for slot, value in one.slots.items():
            assert_same_value(value, other.slots[slot], f"{where}.{slot}")
    elif isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray), where
        assert (one.dtype, one.shape) == (other.dtype, other.shape), where
        assert one.tobytes() == other.tobytes(), where
    elif isinstance(one, dict):
        assert list(one) == list(other), where
        for key, value in one.items():
            assert_same_value(value, other[key], f"{where}[{key!r}]")
    elif isinstance(one, float):
        assert type(other) is float, where
        assert struct.pack("<d", one) == struct.pack("<d", other), where
    else:
        assert (type(one), one) == (type(other), other), where
