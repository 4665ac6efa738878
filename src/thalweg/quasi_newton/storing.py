"""LBFGS at rest, as a snapshot, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg.checkpoint import CheckpointError, ParameterSnapshot, Snapshot, dtype_of
from thalweg.quasi_newton.memory import Leaf, Memory, Trail, parts, vector_dtype
from thalweg.quasi_newton.settings import NAMES, Settings
from thalweg.quasi_newton.two_loop import LEAST_CURVATURE, Pair
from thalweg.words import Array

METHOD = "lbfgs"
COUNTS = ("t", "n_iter", "func_evals")
SLOTS = ("gradient", "direction", "s", "y")
MOST = 2**53


def is_lbfgs(snapshot: Snapshot) -> bool:
    """Tell whether a snapshot is one of LBFGS."""
    return snapshot.made.get("method") == METHOD


def snapshot_of(settings: Settings, memory: Memory, arrays: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot of an LBFGS.

    The slots of a parameter are its parts of the vectors: `gradient` and `direction` of its shape, and `s` and `y` with
    a first axis over the pairs, the oldest first. What else belongs to a pair follows from these, bit for bit.
    """
    made = {"method": METHOD, "hyperparams": settings.as_dict()}
    counts = {name: getattr(memory, name) for name in COUNTS}
    trail = memory.trail
    if trail is None:
        return Snapshot(made, counts, {}, {}, arrays)
    vectors = {
        "gradient": trail.gradient,
        "direction": trail.direction,
        "s": _stacked([pair.s for pair in trail.pairs], trail.gradient),
        "y": _stacked([pair.y for pair in trail.pairs], trail.gradient),
    }
    of = {slot: parts(trail.leaves, vector) for slot, vector in vectors.items()}
    parameters = {
        leaf.name: ParameterSnapshot(leaf.shape, leaf.dtype.name, "C", 0, {slot: of[slot][i].copy() for slot in SLOTS})
        for i, leaf in enumerate(trail.leaves)
    }
    return Snapshot(made, counts, {"step": trail.step}, parameters, arrays)


def settings_in(snapshot: Snapshot) -> Settings:
    """Return the hyper-parameters of a snapshot; raises CheckpointError for one that is not of LBFGS."""
    if not is_lbfgs(snapshot):
        what = snapshot.made.get("rule", "something else")
        raise CheckpointError(
            f"this is a checkpoint of {what}, and the optimizer is LBFGS; thalweg.load makes one of the right kind"
        )
    if set(snapshot.made) != {"method", "hyperparams"}:
        raise CheckpointError(f"made has the keys {', '.join(snapshot.made)}; it has method, hyperparams")
    saved = snapshot.made["hyperparams"]
    if not isinstance(saved, Mapping) or set(saved) != set(NAMES):
        raise CheckpointError(f"hyperparams = {saved!r}; it is a dict of {', '.join(NAMES)}")
    try:
        return Settings(**saved)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"hyperparams: {error}") from error


def memory_in(snapshot: Snapshot) -> Memory:
    """Return the state of a snapshot; raises CheckpointError that names the key for what no run can have left."""
    counts = dict(snapshot.counts)
    if set(counts) != set(COUNTS):
        raise CheckpointError(f"counts has {', '.join(counts) or 'nothing'}; it has {', '.join(COUNTS)}")
    for name, count in counts.items():
        if count > MOST:
            raise CheckpointError(f"counts.{name} = {count} is more than a float64 can count, 2**53")
    if counts["func_evals"] < counts["t"]:
        raise CheckpointError(f"counts.func_evals = {counts['func_evals']} is less than one for each of t calls")
    if bool(counts["n_iter"]) != bool(snapshot.parameters):
        raise CheckpointError(
            f"counts.n_iter = {counts['n_iter']}, and parameters has {len(snapshot.parameters)} of them; there are "
            "some exactly if there was an iteration"
        )
    if set(snapshot.shared) != ({"step"} if snapshot.parameters else set()):
        raise CheckpointError(f"shared has {', '.join(snapshot.shared) or 'nothing'}; it has step behind an iteration")
    return Memory(**counts, trail=_trail(snapshot) if snapshot.parameters else None)


def _trail(snapshot: Snapshot) -> Trail:
    step = snapshot.shared["step"]
    if not 0 <= step < math.inf:
        raise CheckpointError(f"shared.step = {step}; it is a length, 0 or more and finite")
    leaves = tuple(Leaf(name, one.shape, dtype_of(one.dtype)) for name, one in snapshot.parameters.items())
    dtype = vector_dtype(leaves)
    columns: dict[str, list[Array]] = {slot: [] for slot in SLOTS}
    pairs: int | None = None
    for leaf, (name, one) in zip(leaves, snapshot.parameters.items(), strict=True):
        where = f"parameters.{name}"
        if one.dtype not in ("float32", "float64") or one.missed:
            raise CheckpointError(f"{where}: dtype = {one.dtype}, missed = {one.missed}; LBFGS has float32 and 0 here")
        if set(one.slots) != set(SLOTS):
            raise CheckpointError(f"{where}.slots has {', '.join(one.slots) or 'none'}; it has {', '.join(SLOTS)}")
        for slot in SLOTS:
            value = one.slots[slot]
            if not isinstance(value, np.ndarray) or value.dtype != dtype or not np.isfinite(value).all():
                raise CheckpointError(f"{where}.slots.{slot} is no array of finite numbers of {dtype}")
            if slot in ("s", "y") and pairs is None and value.ndim:
                pairs = len(value)
            axes = (pairs, *leaf.shape) if slot in ("s", "y") else leaf.shape
            if value.shape != axes:
                raise CheckpointError(f"{where}.slots.{slot} has shape {value.shape}; it has to be {axes}")
            columns[slot].append(value.reshape(*value.shape[: value.ndim - len(leaf.shape)], leaf.size))
    vectors = {slot: np.concatenate(column, axis=-1) for slot, column in columns.items()}
    found = []
    for s, y in zip(vectors["s"], vectors["y"], strict=True):
        pair = Pair.of(s.copy(), y.copy())
        if pair is None:
            raise CheckpointError(f"parameters: a pair has y . s <= {LEAST_CURVATURE}, which is never kept")
        found.append(pair)
    return Trail(leaves, vectors["gradient"], vectors["direction"], step, tuple(found))


def _stacked(vectors: list[Array], like: Array) -> Array:
    return np.stack(vectors) if vectors else np.zeros((0, like.size), like.dtype)
