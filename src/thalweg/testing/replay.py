"""A rule beside a recording: from the same parameters and gradients at each step, and how far apart the results are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.binding import start
from thalweg.engine.interpreter import evaluate
from thalweg.errors import NumberError
from thalweg.rule import Rule
from thalweg.testing.numbers import Choice
from thalweg.testing.subject import Recording

Clock = Callable[[int, int, int], int]
"""(step, position of the tensor, number of tensors) -> t."""


@dataclass(frozen=True)
class Timing:
    """How a rule is called at each step: normally with t = step, every time, everything kept.

    clock: another count of steps. moves: whether the parameters of a step are kept. keeps: whether its state is.
    """

    clock: Clock | None = None
    moves: Callable[[int], bool] = lambda _: True
    keeps: Callable[[int], bool] = lambda _: True


PLAIN = Timing()
_BROAD = 0.05
_LOST = 2.0
"""How far apart a rule counts that is NaN where the recording is not: farther than any other."""
_SCALED = 0.25
"""What it costs, of 1, that steps are alike by a factor only."""


@dataclass(frozen=True)
class Parting:
    """Where a rule leaves a recording: the step, the element of a row, and what stands there.

    broad: most elements differ, and by more than eps could explain, which shows in small gradients alone.
    """

    step: int
    index: int
    theirs: float
    rules: float
    relative: float
    broad: bool


@dataclass(frozen=True)
class Fit:
    """How well a rule fits a recording.

    exact: every parameter is equal at every step. worst: the largest difference, relative to the largest value that the
    element has had. parting: the first step that differs by more than rounding, or None. apart: how far steps are from
    the rule's, typically: 0 the same, 1 nothing in common, 2 where the rule is NaN and the recording is not; only where
    the whole recording was played. unlike: the same, but for the size and the sign of all steps together.
    """

    exact: bool
    worst: float
    parting: Parting | None
    apart: float = 1.0
    unlike: float = 1.0

    @property
    def agrees(self) -> bool:
        """True if they differ by rounding at most."""
        return self.parting is None


def rounding(dtype: np.dtype[Any]) -> float:
    """Return the largest relative difference that another order of the same operations explains."""
    return 256 * float(np.finfo(dtype).eps)


def replay(
    rule: Rule,
    choice: Choice,
    recording: Recording,
    timing: Timing = PLAIN,
    *,
    whole: bool = False,
    fixed: bool = False,
) -> Fit | None:
    """Play a rule along a recording; None where it cannot be: it needs the loss, or a number that does not exist.

    A number that does not exist at the first step, where Python raises and NumPy goes on, explains parameters that are
    NaN from the first step on.

    The rule starts each step from the recorded parameters, with its own state. whole: do not stop where they part.
    fixed: take the learning rate of the first step throughout.
    """
    if rule.facts.needs_value and not recording.values:
        return None
    numbers = (choice.at(recording.read[0] if fixed else read) for read in recording.read)
    tolerance = rounding(recording.world.dtype)
    exact, worst, parting = True, 0.0, None
    pairs: list[tuple[NDArray[Any], NDArray[Any]]] = []
    scale, step_reached = np.abs(recording.before[0]), 0
    try:
        for step, new in enumerate(_play(rule, numbers, recording, timing), 1):
            step_reached = step
            old, after = recording.before[step - 1], recording.after[step - 1]
            scale = np.fmax(scale, np.abs(after))
            same = new == after
            if whole:
                pairs.append((new - old, after - old))
            if same.all():
                continue
            same |= np.isnan(new) & np.isnan(after)
            exact = exact and bool(same.all())
            with np.errstate(all="ignore"):
                relative = np.where(same, 0.0, np.abs(new.astype(np.float64) - after) / scale)
            relative = np.where(np.isnan(relative), np.inf, relative)
            index = int(np.argmax(relative))
            worst = max(worst, float(relative[index]))
            if worst > tolerance and parting is None:
                broad = float(np.median(_shares(new - old, after - old))) > _BROAD
                parting = Parting(step, index, float(after[index]), float(new[index]), float(relative[index]), broad)
                if not whole:
                    break
    except (NumberError, ValueError):
        lost = step_reached == 0 and all(np.isnan(after).all() for after in recording.after)
        return Fit(True, 0.0, None) if lost else None
    return Fit(exact, worst, parting, *_nearness(pairs))


def _nearness(pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> tuple[float, float]:
    """Return how far steps (the rule's, the recorded) are apart, and how far with the rule's times a typical factor."""
    if not pairs:
        return 1.0, 1.0
    ours, theirs = np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])
    known = np.isfinite(theirs)
    ours, theirs = ours[known], theirs[known]
    if not np.isfinite(ours).all():
        return _LOST, _LOST
    moving = (ours != 0) & (theirs != 0)
    plain = float(np.mean(_shares(ours, theirs)))
    if not moving.any():
        return plain, plain
    with np.errstate(all="ignore"):
        scaled = np.median(theirs[moving] / ours[moving]) * ours
    return plain, min(plain, float(np.mean(_shares(scaled, theirs))) + _SCALED)


def _shares(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
    """Return |a - b| / (|a| + |b|) for each element of two steps a and b of which one moves; [0] if none does."""
    with np.errstate(all="ignore"):
        shares = np.abs(ours - theirs) / (np.abs(ours) + np.abs(theirs))
    moving = (ours != 0) | (theirs != 0)
    shares[~np.isfinite(shares)] = 1.0
    return shares[moving] if moving.any() else np.zeros(1)


def _play(
    rule: Rule, numbers: Iterator[dict[str, float]], recording: Recording, timing: Timing
) -> Iterator[NDArray[Any]]:
    """Yield the parameters after each step, in a row."""
    together = rule.facts.elementwise and rule.vectors is None and timing.clock is None
    play = _play_row if together else _play_tensors
    for step, new in enumerate(play(rule, numbers, recording, timing), 1):
        yield new if timing.moves(step) else recording.before[step - 1]


def _play_row(
    rule: Rule, numbers: Iterator[dict[str, float]], recording: Recording, timing: Timing
) -> Iterator[NDArray[Any]]:
    """An elementwise rule sees all tensors as one."""
    wanted, meaning = rule.text.signature.numbers, rule.meaning
    state: list[Any] = []
    for step, (w, g, now) in enumerate(zip(recording.before, recording.gradients, numbers, strict=False), 1):
        state = state or [start(rule, slot, now, w) for slot in rule.slots]
        known = now | {"t": step, "value": recording.world.loss(step), "fresh": 0.0}
        new, *fresh = meaning([w, g, *state], {name: known[name] for name in wanted})
        yield new
        if timing.keeps(step):
            state = fresh


def _play_tensors(
    rule: Rule, numbers: Iterator[dict[str, float]], recording: Recording, timing: Timing
) -> Iterator[NDArray[Any]]:
    """Tensor by tensor: for rules that reduce, that have another rule for vectors, or whose clock differs."""
    names = list(recording.world.shapes)
    first = recording.split(recording.before[0])
    rules = {name: _rule_for(rule, first[name]) for name in names}
    clock = timing.clock or (lambda step, _position, _count: step)
    states: dict[str, dict[str, Any]] = {}
    shared: dict[str, float] = {}
    for step, now in enumerate(numbers, 1):
        params, grads = recording.split(recording.before[step - 1]), recording.split(recording.gradients[step - 1])
        if not states:
            for name, one in rules.items():
                begun = {slot: start(one, slot, now, first[name]) for slot in one.slots}
                shared |= {slot: x for slot, x in begun.items() if one.slots[slot].shape == "shared"}
                states[name] = {slot: x for slot, x in begun.items() if slot not in shared}
        found: dict[str, NDArray[Any]] = {}
        for one in dict.fromkeys(rules.values()):
            mine = [name for name in names if rules[name] is one]
            own = []
            for name in mine:
                t = clock(step, names.index(name), len(names))
                known = now | {"t": t, "value": recording.world.loss(step), "fresh": 0.0}
                own.append({k: known[k] for k in one.text.signature.numbers})
            results = evaluate(
                one, [params[x] for x in mine], [grads[x] for x in mine], [states[x] for x in mine], own, shared
            )
            for name, (new, *fresh) in zip(mine, results, strict=True):
                found[name] = np.asarray(new).reshape(params[name].shape)
                if timing.keeps(step):
                    for slot, value in zip(one.slots, fresh, strict=True):
                        (shared if slot in shared else states[name])[slot] = value
        yield np.concatenate([np.ravel(found[name]) for name in names])


def _rule_for(rule: Rule, w: NDArray[Any]) -> Rule:
    """Return the rule of a tensor; raises ValueError for a vector with a rule that needs two axes."""
    if rule.takes(w.ndim):
        return rule
    if rule.vectors is None:
        raise ValueError(f"{rule.title} is a rule for matrices")
    return rule.vectors
