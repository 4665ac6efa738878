"""The optimizer `LBFGS`: the steps of torch.optim.LBFGS, for arrays, all or nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from thalweg.checkpoint import Snapshot, from_dict, to_dict, write
from thalweg.interrupts import deferred
from thalweg.optimizer import BUSY
from thalweg.quasi_newton.ground import Closure, Ground
from thalweg.quasi_newton.iterations import iterate
from thalweg.quasi_newton.memory import Memory
from thalweg.quasi_newton.settings import NAMES, Settings, unknown
from thalweg.quasi_newton.storing import memory_in, settings_in, snapshot_of
from thalweg.saving import placed_into
from thalweg.tree import check_names, leaves


class LBFGS:
    """L-BFGS with torch's conventions: Liu & Nocedal 1989, and a line search for the strong Wolfe conditions.

    For smooth functions without noise, that is, for gradients of all data at once. It is no rule: it evaluates the
    function as often as it needs, so it takes neither links nor groups.

    Args:
        lr: the length of step that is tried first (the first of all: min(1, 1 / |g|_1) * lr), or with
            line_search=None the length of every step.
        max_iter: the most iterations in one call of update.
        max_eval: a call ends with the iteration that brings its evaluations to this number or beyond; one that is in a
            line search then is cut short. None: 5 * max_iter // 4, as in torch.
        tolerance_grad: a call ends where no element of the gradient is larger.
        tolerance_change: a call ends where a step promises less descent than this, moves no element farther, or
            changes the value by less.
        history_size: the most pairs of vectors that are remembered; each is as large as the parameters, twice.
        line_search: "strong_wolfe" (default), or None, which takes every step as it is and may diverge. torch's default
            is None: write line_search=None for what `torch.optim.LBFGS(params)` does.

    Raises:
        TypeError, ValueError: an argument does not exist, is of a wrong kind or out of range.
    """

    lr: float
    max_iter: int
    max_eval: int | None
    tolerance_grad: float
    tolerance_change: float
    history_size: int
    line_search: str | None

    def __init__(
        self,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search: str | None = "strong_wolfe",
        **others: Any,
    ) -> None:
        if others:
            raise TypeError(unknown(next(iter(others))))
        self._set_up(
            Settings(lr, max_iter, max_eval, tolerance_grad, tolerance_change, history_size, line_search), Memory()
        )

    def _set_up(self, settings: Settings, memory: Memory) -> None:
        self._settings = settings
        self._memory = memory
        self._busy = threading.Lock()

    # What can be read and set -----------------------------------------------------------------------------------------

    @property
    def t(self) -> int:
        """The number of calls of update; 0 before the first."""
        return self._memory.t

    @property
    def n_iter(self) -> int:
        """The number of iterations in all calls."""
        return self._memory.n_iter

    @property
    def func_evals(self) -> int:
        """The number of evaluations of the function in all calls."""
        return self._memory.func_evals

    @property
    def hyperparams(self) -> dict[str, Any]:
        """Every hyper-parameter by name."""
        return self._settings.as_dict()

    def __getattr__(self, name: str) -> Any:
        if name in NAMES:
            return getattr(self._settings, name)
        raise AttributeError(f"LBFGS has no attribute {name!r}; its hyper-parameters: {', '.join(NAMES)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        elif name in NAMES:
            self._settings = replace(self._settings, **{name: value})
        else:
            raise AttributeError(f"`{name}` can be read and not set" if hasattr(type(self), name) else unknown(name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *NAMES})

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.hyperparams.items())
        return f"{type(self).__name__}({shown}) after {_many(self.t, 'call')} and {_many(self.n_iter, 'iteration')}"

    # The step ---------------------------------------------------------------------------------------------------------

    def update(self, params: Any, grads: Any = None, *, value: Any = None, closure: Closure | None = None) -> float:
        """Take up to max_iter iterations, in place, and return the value at the place where the call began.

        Args:
            params: as for other optimizers (`Optimizer.update`), of float32 or float64. What is remembered is about
                one vector, so the names that have gradients, their shapes and dtypes are the same in every call.
            grads: is not given; the gradients come from the closure.
            value: is not given either.
            closure: a function of params that returns (value, grads), which moves nothing itself and has no randomness
                within one call. It is called at params, which are written to between the calls. A gradient of None
                leaves a parameter alone, and is None each time.

        Raises:
            TypeError, ValueError: an array that cannot be updated, names that do not match, or no closure.
            NonFiniteError: a value or a gradient is a NaN or an infinity, wherever it was asked for.
            RuntimeError: an update of this optimizer is under way, in another thread or around this closure.
            After any of these, and whatever the closure raises, nothing has changed.
        """
        if closure is None:
            raise TypeError(
                "LBFGS evaluates the function several times in one call: give a function that computes it, "
                "update(params, closure=f) with f(params) -> (value, grads)"
            )
        if grads is not None or value is not None:
            raise TypeError("update(params, closure=f) gets value and grads from f; leave these arguments out")
        if not callable(closure):
            raise TypeError(f"closure = {closure!r}; it is a function of params that returns (value, grads)")
        # Asked first and then taken, as in `Optimizer.update`.
        before = self._memory
        if self._busy.locked():
            raise RuntimeError(BUSY)
        with self._busy:
            if self._memory is not before:
                raise RuntimeError(BUSY)
            ground = Ground(params, closure)
            try:
                first, memory = iterate(ground, before, self._settings)
                ground.stay()
                self._memory = memory
            finally:
                # Whatever came between, an interrupt too: with the new memory the call has been made, else it has not.
                if self._memory is before:
                    try:
                        ground.go_back()
                    except BaseException:  # an interrupt before its first line
                        ground.go_back()
                        raise
        return first

    # Checkpoints ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next call depends on, apart from parameters: JSON values, and copies of arrays."""
        return to_dict(self._snapshot(None))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the optimizer was that `state_dict` was called of; hyper-parameters are those of the state.

        Raises:
            CheckpointError: the state is damaged, or of another kind of optimizer; nothing has changed.
        """
        self.restore(from_dict(state))

    def save(self, path: str | os.PathLike[str], params: Any = None) -> None:
        """Write everything that the next call depends on to a file, whole or not at all; `thalweg.load` reads it.

        Args:
            path: of a file in a folder that exists. What stood there is replaced when the new file is safe on disk.
            params: parameters that are to be kept in the same file.

        Raises:
            CheckpointError: the state cannot be written. OSError: the file cannot be.
        """
        write(path, self._snapshot(params))

    def _snapshot(self, params: Any) -> Snapshot:
        if self._busy.locked():
            raise RuntimeError(BUSY)
        with self._busy:
            arrays = {}
            if params is not None:
                found = leaves(params, {})
                check_names(found.names)
                arrays = dict(zip(found.names, found.arrays, strict=True))
            return snapshot_of(self._settings, self._memory, arrays)

    def restore(self, snapshot: Snapshot, params: Any = None) -> None:
        """Take over a snapshot, and put its parameters into params; all is checked before anything is changed."""
        settings, memory = settings_in(snapshot), memory_in(snapshot)
        put_back = placed_into(params, snapshot.arrays)
        if self._busy.locked():
            raise RuntimeError(BUSY)
        with self._busy, deferred():
            self._settings, self._memory = settings, memory
            put_back()

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (type(self), self.state_dict())


def restored(kind: type[LBFGS], state: Mapping[str, Any]) -> LBFGS:
    """Return an optimizer of this kind that goes on from a state."""
    opt = kind.__new__(kind)
    opt._set_up(Settings(), Memory())  # noqa: SLF001 - one of its own kind
    opt.load_state_dict(state)
    return opt


def loaded(snapshot: Snapshot, params: Any, given: Mapping[str, Any]) -> LBFGS:
    """Return the optimizer of a snapshot. given: hyper-parameters that are to change."""
    for name in given:
        if name not in NAMES:
            raise TypeError(unknown(name))
    settings = replace(settings_in(snapshot), **given)
    opt = LBFGS()
    opt.restore(snapshot, params)
    opt._settings = settings  # noqa: SLF001 - its own kind
    return opt


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
