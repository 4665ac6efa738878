"""What a problem measures: which of two numbers is better, on which scale seeds are averaged, how the number reads."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thalweg.lab import formats

if TYPE_CHECKING:
    from thalweg.problems import Problem

_SMALLEST, _LARGEST = 1e-300, 1e300


@dataclass(frozen=True, slots=True)
class Spread:
    """One quantity over n seeds: its centre, and its range, without which the centre is not to be shown."""

    centre: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Measure:
    """The metric of a problem.

    Accuracies are averaged as they are. Values of a function span many powers of ten, so they are averaged, compared
    and drawn as logarithms: their mean is the geometric one.
    """

    kind: str
    """"accuracy" or "value"."""
    title: str
    """As a label of an axis: accuracy, f(x, y)."""
    higher_is_better: bool
    target: float
    targets: tuple[float, ...]
    """From easy to hard; `target` is one of them."""
    chance: float
    """The metric of an answer that knows nothing."""
    held_out: bool
    """Whether validation and test are other data than training. A surface has no data, and all three are one number."""

    @classmethod
    def of(cls, problem: Problem) -> Measure:
        """What `problem` declares."""
        return cls(
            kind=problem.metric,
            title=problem.metric_title,
            higher_is_better=problem.higher_is_better,
            target=problem.target,
            targets=problem.targets,
            chance=problem.chance,
            held_out=problem.batch_size is not None,
        )

    @property
    def logarithmic(self) -> bool:
        """Whether the metric is averaged, compared and drawn as a logarithm."""
        return self.kind == "value"

    @property
    def average(self) -> str:
        """The name of the centre, for captions."""
        return "geometric mean" if self.logarithmic else "mean"

    @property
    def worst(self) -> float:
        """The score of a diverged run, which no finished run falls below."""
        return -math.log10(_LARGEST) if self.logarithmic else 0.0

    def score(self, value: float) -> float:
        """`value` on the scale of averages and tests, where more is better whatever the metric."""
        scale = math.log10(min(max(value, _SMALLEST), _LARGEST)) if self.logarithmic else value
        return scale if self.higher_is_better else -scale

    def value(self, score: float) -> float:
        """The way back from `score`."""
        scale = score if self.higher_is_better else -score
        return 10**scale if self.logarithmic else scale

    def spread(self, values: Sequence[float]) -> Spread | None:
        """Centre and range of the values of finished runs; None if there are none."""
        if not values:
            return None
        low, high = min(values), max(values)
        centre = self.value(statistics.fmean(map(self.score, values)))
        return Spread(min(max(centre, low), high), low, high, len(values))

    def reached(self, value: float | None, target: float) -> bool:
        """Whether `value` is as good as the target. A value that is missing is not."""
        return value is not None and (value >= target if self.higher_is_better else value <= target)

    def text(self, value: float) -> str:
        """0.963 for an accuracy, 7.2e-4 or 0.10 for a value."""
        return formats.measured(value, 2) if self.logarithmic else f"{value:.3f}"

    def range_text(self, spread: Spread) -> str:
        """The range as it stands in brackets behind the centre: 0.958 to 0.968."""
        return f"{self.text(spread.low)} to {self.text(spread.high)}"

    def spread_text(self, spread: Spread) -> str:
        """0.963 (0.958 to 0.968); one seed has no range."""
        return self.text(spread.centre) + (f" ({self.range_text(spread)})" if spread.n > 1 else "")

    def target_text(self, target: float) -> str:
        """A target as in a heading: 0.90, or 0.01 for a value."""
        return formats.number(target) if self.logarithmic else f"{target:.2f}"

    @property
    def goal(self) -> str:
        """The target as a condition: validation accuracy ≥ 0.90, f(x, y) ≤ 0.01."""
        return f"{self.part('validation')} {'≥' if self.higher_is_better else '≤'} {self.target_text(self.target)}"

    def part(self, part: str) -> str:
        """The metric on a part of the data, where there are parts: test accuracy, but f(x, y)."""
        return f"{part} {self.title}" if self.held_out else self.title

    def difference_text(self, scores: float) -> str:
        """A difference of scores: +0.004 of an accuracy; of values a factor, `2.3 times lower`, or powers of ten."""
        if not self.logarithmic:
            text = f"{scores:.3f}"
            return "0.000" if float(text) == 0 else formats.signed(text)
        direction = "higher" if (scores > 0) == self.higher_is_better else "lower"
        if abs(scores) >= 4:
            return f"{abs(scores):.0f} powers of ten {direction}"
        factor = formats.number(10 ** abs(scores), 2)
        return "equal" if factor == "1" else f"{factor} times {direction}"
