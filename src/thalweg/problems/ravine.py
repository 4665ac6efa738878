"""The surface of the book's chapter on parameter updates: steep across, nearly flat along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
import numpy.typing as npt

from thalweg.problems import seeds
from thalweg.problems.base import Array, Problem, Step, Trial


@final
class Ravine(Problem):
    """f(x, y) = x^2/20 + y^2, in float64, from (-7, 2): "Deep Learning from Scratch", chapter 6.

    Seed 0 starts at exactly (-7, 2); seed k > 0 at that point plus a normal of standard deviation 0.5 in each
    coordinate, drawn from k. One epoch is one step, and every step has the exact gradient. There is no data to split:
    training, validation and test are the same value.
    """

    name = "ravine"
    title = "Ravine"
    description = (
        "The surface f(x, y) = x²/20 + y² of the book's chapter on parameter updates "
        '("Deep Learning from Scratch", chapter 6), from (-7, 2); a formula, no data.'
    )
    metric = "value"
    metric_title = "f(x, y)"
    higher_is_better = False
    target = 1e-2
    targets = (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
    epochs = 30
    batch_size = None
    steps_per_epoch = 1
    chance = 6.45  # f at (-7, 2)

    start_point = (-7.0, 2.0)
    start_sd = 0.5
    minimum = (0.0, 0.0)

    @property
    def config(self) -> dict[str, Any]:
        """The formula and where it starts."""
        return {"f": "x^2/20 + y^2", "start": list(self.start_point), "start_sd": self.start_sd, "dtype": "float64"}

    def value(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
        """The height at x and y, which broadcast: on a grid, `value(xs[None, :], ys[:, None])`. inf if it overflows."""
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        with np.errstate(over="ignore"):
            return np.asarray(x**2 / 20 + y**2)

    def gradient(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
        """df/dx and df/dy at x and y, in the shape that both broadcast to."""
        x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
        with np.errstate(over="ignore"):
            return np.asarray(x / 10), np.asarray(2 * y)

    def start(self, seed: int) -> RavineTrial:
        """As in `Problem.start`."""
        return RavineTrial(self, seeds.checked(seed))


@final
class RavineTrial(Trial):
    """The parameters x and y, each of the shape (1,) in float64."""

    def __init__(self, ravine: Ravine, seed: int) -> None:
        point = np.array(ravine.start_point)
        if seed > 0:
            bits = np.random.PCG64(seeds.derive(ravine.name, "start", seed))
            point += ravine.start_sd * np.random.Generator(bits).standard_normal(2)
        self.params = {"x": point[:1].copy(), "y": point[1:].copy()}
        self._ravine = ravine

    def epoch(self) -> Iterator[Step]:
        """One step."""
        yield self._step

    def evaluate(self) -> dict[str, float]:
        """The height under all six names."""
        f = self._value()
        return {f"{part}_{what}": f for part in ("train", "val", "test") for what in ("loss", "metric")}

    def _step(self) -> tuple[float, dict[str, Array]]:
        dx, dy = self._ravine.gradient(self.params["x"], self.params["y"])
        return self._value(), {"x": dx, "y": dy}

    def _value(self) -> float:
        return float(self._ravine.value(self.params["x"], self.params["y"])[0])
