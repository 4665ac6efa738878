"""reduce_on_plateau: a value that falls when a metric no longer improves."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, final

from thalweg.schedules import arguments as legal
from thalweg.schedules.base import Schedule


@final
@dataclass(frozen=True)
class PlateauState:
    """What reduce_on_plateau remembers.

    current: the value now. best: the best metric so far, None before the first. bad_epochs: how many metrics in a row
    were no better. resting: how many more metrics the cooldown lasts.
    """

    current: float
    best: float | None = None
    bad_epochs: int = 0
    resting: int = 0

    def __post_init__(self) -> None:
        checks = {"current": legal.finite, "bad_epochs": legal.whole(0), "resting": legal.whole(0)}
        for name, check in (checks if self.best is None else checks | {"best": legal.finite}).items():
            object.__setattr__(self, name, check(f"reduce_on_plateau: state: {name}", getattr(self, name)))


@final
@dataclass(frozen=True, repr=False)
class reduce_on_plateau(Schedule):  # noqa: N801
    """A value that is multiplied by a factor when a metric no longer improves; torch's `ReduceLROnPlateau`.

    Not a function of t alone: it gives the same value at every t until it has been fed otherwise.

        lr = reduce_on_plateau(0.1, patience=5)
        opt = SGD(lr=lr)
        lr.feed(validation_loss)  # after each epoch

    A metric that is no better than the best so far is a bad epoch; so is NaN. After more than `patience` of them in a
    row the value falls. Unlike in torch an infinite metric is never better, also not a loss of minus infinity. optax's
    `contrib.reduce_on_plateau` counts otherwise: it lowers the value at the bad epoch number `patience`.

    Args:
        value: the first value.
        factor: > 0 and < 1.
        patience: how many bad epochs in a row change nothing, >= 0.
        mode: "min" if a smaller metric is better, "max" if a larger one is.
        threshold: by how much it has to be better, >= 0.
        threshold_mode: "rel": by this share of the best (torch's formula: a negative best is then hard to call);
            "abs": by this much.
        cooldown: for how many metrics after a change no bad epochs are counted, >= 0.
        final: the smallest value, at most `value` (torch: `min_lr`).
        eps: a change that is not larger than this is left out, >= 0.
        state: where to go on; None: at the beginning. It can be read; `feed` and `resume` replace it.
    """

    value: float
    _: KW_ONLY
    factor: float = 0.1
    patience: int = 10
    mode: str = "min"
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    final: float = 0.0
    eps: float = 1e-8
    state: PlateauState = field(default=None, repr=False)  # type: ignore[assignment]  # never None once it is made

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # two that are equal may part

    def __post_init__(self) -> None:
        self._check(
            value=legal.finite,
            factor=legal.number("> 0 and < 1", lambda x: 0 < x < 1),
            patience=legal.whole(0),
            mode=legal.one_of("min", "max"),
            threshold=legal.not_negative,
            threshold_mode=legal.one_of("rel", "abs"),
            cooldown=legal.whole(0),
            final=legal.finite,
            eps=legal.not_negative,
        )
        if self.final > self.value:
            raise ValueError(
                f"reduce_on_plateau: final = {self.final!r} is more than value = {self.value!r}; the value only falls"
            )
        given: Any = self.state
        self.resume(PlateauState(self.value) if given is None else given)

    def resume(self, state: PlateauState) -> None:
        """Go on from a state, such as that of a stored schedule with the same arguments.

        Raises:
            TypeError: it is no PlateauState.
            ValueError: it cannot be with these arguments. Nothing has changed.
        """
        if type(state) is not PlateauState:
            raise TypeError(f"reduce_on_plateau: state = {state!r}; give a PlateauState, or None to begin")
        for name, low, high in (
            ("current", self.final, self.value),
            ("bad_epochs", 0, self.patience),
            ("resting", 0, self.cooldown),
        ):
            if not low <= getattr(state, name) <= high:
                raise ValueError(
                    f"reduce_on_plateau: state: {name} = {getattr(state, name)!r} cannot be with these arguments; "
                    f"it lies from {low!r} to {high!r}"
                )
        object.__setattr__(self, "state", state)

    def _after(self, _taken: int, /) -> float:
        return self.state.current

    def feed(self, metric: Any) -> float:
        """Take in the metric of one more epoch, and return the value that holds from now on.

        Args:
            metric: a number, or an array or tensor that holds one.

        Raises:
            TypeError: the metric is no number; nothing has changed.
        """
        number = _metric(metric)
        old = self.state
        better = self._is_better(number, old.best)
        bad = 0 if better or old.resting else old.bad_epochs + 1
        resting = max(0, old.resting - 1)
        current = old.current
        if bad > self.patience:
            lower = max(current * self.factor, self.final)
            if current - lower > self.eps:
                current = lower
            bad, resting = 0, self.cooldown
        # One assignment: whatever interrupts it, the state is the old one or the new one.
        object.__setattr__(self, "state", PlateauState(current, number if better else old.best, bad, resting))
        return current

    def _is_better(self, metric: float, best: float | None) -> bool:
        if not math.isfinite(metric) or best is None:
            return math.isfinite(metric)
        if self.mode == "min":
            return metric < (best * (1 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold)
        return metric > (best * (1 + self.threshold) if self.threshold_mode == "rel" else best + self.threshold)

    def __repr__(self) -> str:
        now = "" if self.state.current == self.value else f" now at {self.state.current!r}"
        return super().__repr__() + now


def _metric(metric: Any) -> float:
    refused = isinstance(metric, (bool, str, bytes)) or getattr(getattr(metric, "dtype", None), "kind", "f") in "bc"
    shape = tuple(getattr(metric, "shape", ()))
    if refused or shape or not hasattr(metric, "__float__"):
        of = f" and of shape {shape}" if shape else ""
        raise TypeError(f"reduce_on_plateau: the metric is of type {type(metric).__name__}{of}; feed one real number")
    try:
        return float(metric)
    except OverflowError:
        return math.inf
