"""Somebody else's optimizer: made, let take steps, and watched."""

from __future__ import annotations

import copy
import inspect
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.optimizer import Optimizer
from thalweg.testing.numbers import attributes, names_for, rate_attribute, readings
from thalweg.testing.world import RATE_CHANGES_AT, RATE_FACTOR, STEPS, Arrays, World

_PATIENCE = 20.0
"""Seconds after which no further step is asked for."""


RAISED = (Exception, SystemExit)
"""What a foreign class may raise and is asked about. An interrupt from the keyboard is none of it."""


class UsageError(TypeError):
    """What was given cannot be checked as it is; the message says how to give it."""


class WrongParamsError(Exception):
    """What an optimizer leaves in `params` is not what was there: other names, or other shapes."""


@dataclass
class Recording:
    """What an optimizer did, step by step.

    before, gradients, after: a row for each step, all tensors in it one behind the other. read: its numbers before each
    step, read_after: behind it. values: whether it was given the loss. rate: the attribute that was changed in mid-run,
    or None. error: what ended the run. habits: what it does beside its rule, each a sentence.
    """

    world: World
    before: list[NDArray[Any]] = field(default_factory=list)
    gradients: list[NDArray[Any]] = field(default_factory=list)
    after: list[NDArray[Any]] = field(default_factory=list)
    read: list[dict[str, float]] = field(default_factory=list)
    read_after: list[dict[str, float]] = field(default_factory=list)
    values: bool = False
    rate: str | None = None
    error: BaseException | None = None
    optimizer: Any = None
    habits: dict[str, str] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The number of whole steps."""
        return len(self.after)

    def split(self, row: NDArray[Any]) -> Arrays:
        """Return a row as the tensors by name."""
        found, at = {}, 0
        for name, shape in self.world.shapes.items():
            size = int(np.prod(shape))
            found[name] = row[at : at + size].reshape(shape)
            at += size
        return found

    def place(self, index: int) -> str:
        """Return the name of an element of a row, such as `W1[0, 2]`."""
        for name, shape in self.world.shapes.items():
            size = int(np.prod(shape))
            if index < size:
                return f"{name}[{', '.join(str(int(i)) for i in np.unravel_index(index, shape))}]"
            index -= size
        raise IndexError(index)

    @property
    def last_moving_step(self) -> int:
        """The last step that changed a parameter; 0 if none did."""
        moving = [t for t, (a, b) in enumerate(zip(self.before, self.after, strict=True), 1) if not _same(a, b)]
        return moving[-1] if moving else 0

    @property
    def first_nonfinite_step(self) -> int | None:
        """The first step after which a parameter is NaN or infinite, or None."""
        return next((t for t, row in enumerate(self.after, 1) if not np.isfinite(row).all()), None)

    def only(self, names: Sequence[str]) -> Recording:
        """Return what happened to some of the tensors."""
        world = copy.copy(self.world)
        world.shapes = {name: self.world.shapes[name] for name in names}

        def part(rows: list[NDArray[Any]]) -> list[NDArray[Any]]:
            return [np.concatenate([np.ravel(self.split(row)[name]) for name in names]) for row in rows]

        return replace(self, world=world, before=part(self.before), gradients=part(self.gradients),
                       after=part(self.after))  # fmt: skip

    def up_to(self, steps: int) -> Recording:
        """Return the first steps."""
        return replace(self, before=self.before[:steps], gradients=self.gradients[:steps], after=self.after[:steps],
                       read=self.read[:steps], read_after=self.read_after[:steps])  # fmt: skip

    def unmoved(self) -> list[str]:
        """Return the names of the tensors that never changed."""
        first, last = self.split(self.before[0]), self.split(self.after[-1])
        return [name for name in self.world.shapes if _same(first[name], last[name])]


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def title_of(opt: Any) -> str:
    """Return what an optimizer is called: its class, or the function that makes it."""
    if isinstance(opt, type) or inspect.isroutine(opt):
        return str(opt.__name__)
    return type(opt).__name__


def make(opt: Any, given: Mapping[str, float]) -> tuple[Any, str | None]:
    """Return an optimizer that nobody else uses, and a remark if it is the caller's own.

    opt: an object with `update(params, grads)`, its class, or a function without arguments that returns one. given:
    passed to the class where its constructor has such arguments. Raises UsageError for anything else, and whatever the
    constructor raises.
    """
    if isinstance(opt, type):
        if not has_update(opt):
            raise UsageError(f"{opt.__name__} has no method `update(params, grads)`{_instead(opt)}")
        return _constructed(opt, given), None
    if has_update(opt):
        if isinstance(opt, Optimizer) and opt.t:
            steps = f"{opt.t} step{'' if opt.t == 1 else 's'}"
            raise UsageError(f"this {title_of(opt)} has taken {steps}; give a new one, or the class")
        try:
            return copy.deepcopy(opt), None
        except RAISED:
            return opt, "it cannot be copied, so that it took the steps of this check itself"
    if callable(opt):
        made = opt()
        if has_update(made):
            return made, None
        raise UsageError(f"{title_of(opt)}() returns {type(made).__name__}, which has no `update(params, grads)`")
    raise UsageError(
        f"an optimizer is an object with `update(params, grads)`, its class, or a function without arguments that "
        f"returns one; this is of type {type(opt).__name__}{_instead(type(opt))}"
    )


def has_update(opt: Any) -> bool:
    """Tell whether an object or a class has a method `update`; that of dicts and sets means something else."""
    cls = opt if isinstance(opt, type) else type(opt)
    return callable(getattr(opt, "update", None)) and not issubclass(cls, Mapping | AbstractSet)


def _instead(cls: type) -> str:
    return "; it has `step`: give it one `def update(self, params, grads)`" if hasattr(cls, "step") else ""


def _constructed(cls: type, given: Mapping[str, float]) -> Any:
    """Call a class with what its constructor takes of the numbers given."""
    try:
        parameters = inspect.signature(cls).parameters
    except (TypeError, ValueError):
        return cls()
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    takes = {name for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    passed = {}
    for name, value in given.items():
        known = next((alias for alias in (name, *names_for(name)) if alias in takes), name if takes_all else None)
        if known is not None:
            passed[known] = value
    needed = [
        name
        for name, p in parameters.items()
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and name not in passed
    ]
    if needed:
        example = ", ".join(f"{name}=0.01" for name in needed)
        options = " ".join(f"--set {name}=0.01" for name in needed)
        raise UsageError(
            f"{cls.__name__} needs {', '.join(f'`{name}`' for name in needed)}; "
            f"give numbers, as in identify({cls.__name__}, {example}), or {options} on the command line"
        )
    return cls(**passed)


def record(
    opt: Any,
    dtype: Any = np.float64,
    steps: int = STEPS,
    quiet: Callable[[], Any] = warnings.catch_warnings,
) -> Recording:
    """Let an optimizer take the steps of the check, and return what it did; its errors are kept and not raised."""
    world = _world_for(opt, dtype)
    recording = Recording(world, optimizer=opt, rate=rate_attribute(opt))
    recording.values = isinstance(opt, Optimizer) and opt.rule.facts.needs_value
    params = world.start()
    deadline = time.monotonic() + _PATIENCE
    with quiet(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for t in range(1, steps + 1):
            try:
                if t == RATE_CHANGES_AT:
                    _change_rate(recording, opt)
                params = _step(recording, opt, params, t)
            except RAISED as error:
                recording.error = error
                break
            if time.monotonic() > deadline:
                recording.habits["slow"] = f"{t} steps took {_PATIENCE:g} seconds, and no more were asked for"
                break
    return recording


def _world_for(opt: Any, dtype: Any) -> World:
    if not isinstance(opt, Optimizer):
        return World(dtype)
    rule = opt.rule
    return World(dtype, matrices=(rule.facts.axes or rule.facts.matrix) and rule.vectors is None)


def _change_rate(recording: Recording, opt: Any) -> None:
    if recording.rate is None:
        return
    old = readings(opt)[recording.rate.strip("_").lower()]
    try:
        setattr(opt, recording.rate, old * RATE_FACTOR)
    except Exception:  # noqa: BLE001 - a frozen class
        recording.rate = None


def _step(recording: Recording, opt: Any, params: Arrays, t: int) -> Arrays:
    """Let it take one step, add it to the recording, and return the parameters after it."""
    world, habits = recording.world, recording.habits
    grads = world.gradients(params, t)
    kept = {name: g.copy() for name, g in grads.items()}
    held = dict(params)
    before = _row(world, params)
    read = readings(opt)
    returned = opt.update(params, grads, value=world.loss(t)) if recording.values else opt.update(params, grads)
    new = params
    if isinstance(returned, Mapping) and set(returned) == set(world.shapes) and returned is not params:
        new = dict(returned)
        if all(params.get(name) is w for name, w in held.items()) and _same(before, _row(world, params)):
            habits["returns"] = "it returns new parameters and leaves those that it is given as they are"
    if set(new) != set(world.shapes):
        gone, come = ([repr(x) for x in a if x not in b] for a, b in ((world.shapes, new), (new, world.shapes)))
        done = [f"takes {', '.join(gone)} out of it"] * bool(gone) + [f"puts {', '.join(come)} into it"] * bool(come)
        raise WrongParamsError(f"`params` has to keep its names, and `update` {' and '.join(done)}")
    for name, g in kept.items():
        if not isinstance(grads.get(name), np.ndarray) or not _same(g, grads[name]):
            habits["gradients"] = f"it changes the caller's gradients, such as grads[{name!r}]"
            break
    if "returns" not in habits:
        _watch_arrays(habits, held, new)
    recording.before.append(before)
    recording.gradients.append(_row(world, kept))
    recording.after.append(_row(world, new))
    recording.read_after.append(readings(opt))
    # A schedule of ours says which number it was once the step is taken.
    recording.read.append(recording.read_after[-1] if isinstance(opt, Optimizer) else read)
    return new


def _watch_arrays(habits: dict[str, str], held: Arrays, new: Mapping[str, Any]) -> None:
    for name, w in held.items():
        if new[name] is not w:
            habits["rebinds"] = (
                f"it puts new arrays into params (params[{name!r}] = ...); layers that hold the old ones stop learning"
            )
            if getattr(new[name], "dtype", None) != w.dtype:
                habits["dtype"] = f"params[{name!r}] was {w.dtype} and becomes {np.asarray(new[name]).dtype}"
            return


def _row(world: World, arrays: Mapping[str, Any]) -> NDArray[Any]:
    """Return all tensors in a row; raises WrongParamsError for one of another shape."""
    for name, shape in world.shapes.items():
        if np.shape(arrays[name]) != shape:
            raise WrongParamsError(
                f"params[{name!r}] had shape {shape} before the step and has {np.shape(arrays[name])} after"
            )
    return np.concatenate([np.ravel(np.asarray(arrays[name])) for name in world.shapes])


def has_been_used(opt: Any) -> bool:
    """Tell whether an optimizer seems to hold state of earlier steps: a dict or list with arrays in it."""
    held = [v.values() if isinstance(v, dict) else v for v in attributes(opt).values() if isinstance(v, dict | list)]
    return any(isinstance(x, np.ndarray) for values in held for x in values)
