"""The second gradient of a sharpness-aware step: taken where the loss is highest nearby, to first order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.engine.gate import Gate
from thalweg.interrupts import deferred
from thalweg.tree import check_names, leaves, matching, rebind

Read = Callable[[Sequence[NDArray[Any]], Sequence[Any]], None]


@dataclass(frozen=True)
class Sharpness:
    """Foret et al. 2021, arXiv:2010.01412, eq. (2) and (3): the gradient at w + rho * g / |g|, |g| over all parameters.

    adaptive: Kwon et al. 2021, arXiv:2102.11600: w + rho * w**2 * g / |w * g|.
    """

    rho: float = 0.05
    adaptive: bool = False

    def gradients(self, closure: Callable[[Any], Any], params: Any, grads: Any, frozen: frozenset[str]) -> Any:
        """Return the gradients at the second point. The parameters move there, and are back whatever happens.

        closure: of params, returns (value, grads). grads: at the parameters. frozen: names that stay where they are.
        """
        cells: dict[str, NDArray[Any]] = {}
        found = leaves(params, cells)
        check_names(found.names)
        gradients = matching(found.names, grads, params, frozen)
        moved = [i for i, g in enumerate(gradients) if g is not None]
        arrays, slopes = [found.arrays[i] for i in moved], [gradients[i] for i in moved]
        Gate(tuple(found.names[i] for i in moved)).read(arrays, slopes)
        steps = self._steps(arrays, slopes)
        if not all(np.isfinite(step).all() for step in steps):
            return grads  # the step is refused, left out or taken with what is there: see `nonfinite`
        before = [array.copy() for array in arrays]
        numbers = [(n, n.container[n.key]) for n in found.numbers]

        def go_back() -> None:
            with deferred():
                for array, old in zip(arrays, before, strict=True):
                    array[...] = old
                for number, old in numbers:
                    number.container[number.key] = old

        try:
            for array, step in zip(arrays, steps, strict=True):
                array[...] = (array + step).astype(array.dtype)
            rebind(found.numbers)
            _, second = closure(params)
            second = _apart(second, arrays)
        finally:
            try:
                go_back()
            except BaseException:  # an interrupt before its first line
                go_back()
                raise
        return second

    def _steps(self, arrays: Sequence[NDArray[Any]], slopes: Sequence[Any]) -> list[NDArray[Any]]:
        """Return how far each parameter moves; nowhere, where all gradients are zero."""
        with np.errstate(all="ignore"):
            wide = [np.asarray(g, np.result_type(a.dtype, np.float32)) for a, g in zip(arrays, slopes, strict=True)]
            scaled = [a * g for a, g in zip(arrays, wide, strict=True)] if self.adaptive else wide
            total = 0.0
            for x in scaled:
                total += words.sum(np.square(np.atleast_1d(x), dtype=np.float64))
            scale = self.rho / np.sqrt(total) if total > 0 else 0.0
            steps = [a * x for a, x in zip(arrays, scaled, strict=True)] if self.adaptive else wide
            return [np.asarray(float(scale) * x) for x in steps]


def _apart(grads: Any, arrays: Sequence[NDArray[Any]]) -> Any:
    """Return the same containers, with copies of gradients that lie in the memory of parameters."""
    if isinstance(grads, Mapping):
        return {key: _apart(x, arrays) for key, x in grads.items()}
    if isinstance(grads, list | tuple):
        return [_apart(x, arrays) for x in grads]
    shares = isinstance(grads, np.ndarray) and any(np.may_share_memory(grads, a) for a in arrays)
    return grads.copy() if shares else grads
