"""What a comparison found, as data: results per seed, per learning rate, per rule, per pair of rules.

Nothing here decides or words anything; `findings` computes these from records, `verdict` and `house` speak of them.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from thalweg.lab.measure import Measure, Spread


def median_epoch(reached: Sequence[int | None]) -> int | None:
    """The median with a miss (None) as infinity: the upper of the two middle ones, so always an epoch that was seen."""
    if not reached:
        return None
    middle = statistics.median_high([float("inf") if epoch is None else epoch for epoch in reached])
    return None if middle == float("inf") else int(middle)


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One run at one learning rate. The metrics are those after the last epoch, None unless the run finished."""

    seed: int
    status: Literal["ok", "diverged", "missing"]
    validation: float | None
    test: float | None
    reached: tuple[int | None, ...]
    """Per target of the sweep, the first epoch whose validation metric is as good; None is never."""
    stopped: str | None
    """Where and why a diverged run stopped, in words."""


@dataclass(frozen=True, slots=True)
class RateResult:
    """All seeds of one rule at one learning rate."""

    lr: float
    seeds: tuple[SeedResult, ...]
    validation: Spread | None
    """Over the runs that finished."""
    good: bool
    """Every seed finished with a validation metric as good as the target."""

    def count(self, status: str) -> int:
        """How many seeds have this status."""
        return sum(result.status == status for result in self.seeds)


@dataclass(frozen=True, slots=True)
class Zone:
    """The longest stretch of neighbouring learning rates that are all good."""

    low: float
    high: float
    decades: float
    """log10(high / low): a lower bound of the true width, since the rates next to it were not good and those between
    were not tried. Nought for a single rate."""
    open_ended: bool
    """It reaches an edge of the search space, so it may be wider."""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule over its whole search space."""

    rule: str
    title: str
    tuned: tuple[str, ...]
    convention: str
    fixed: dict[str, float]
    """Hyper-parameters that were not tuned."""
    rates: tuple[RateResult, ...]
    best: RateResult | None
    """The rate that validation chose; None if no run finished."""
    edge: Literal["lowest", "highest", "only"] | None
    """Whether the best rate lies on the edge of its search space."""
    test: Spread | None
    """The test metric at the best rate, over the seeds that finished."""
    zone: Zone | None
    step: Spread | None
    """Seconds of one update measured alone: the median of repeats, and their range."""
    params: int | None
    """How many numbers that update changed."""

    @property
    def name(self) -> str:
        """The rule with its tuned subset: Adam[lr]."""
        return f"{self.title}[{', '.join(self.tuned)}]"

    @property
    def declared(self) -> int:
        """How many runs were declared."""
        return sum(len(rate.seeds) for rate in self.rates)

    @property
    def diverged(self) -> int:
        """How many of its runs diverged, at all rates."""
        return sum(rate.count("diverged") for rate in self.rates)

    @property
    def missing(self) -> int:
        """How many of its runs have no record."""
        return sum(rate.count("missing") for rate in self.rates)

    def epochs(self, target: int) -> tuple[int | None, ...]:
        """At the best rate, the epochs to the target of that index, for each seed that was run; None is never."""
        return tuple(s.reached[target] for s in self.best.seeds if s.status != "missing") if self.best else ()


@dataclass(frozen=True, slots=True)
class PairResult:
    """Rule `a` against rule `b` at their best rates, paired by seed. `a` is the one that ranks higher."""

    a: str
    b: str
    n: int
    """Seeds that both have a run for."""
    difference: float
    """The mean of `differences`."""
    differences: tuple[float, ...]
    """By seed, the score of `a` minus that of `b` (accuracy, or decimal logarithm): above 0 where `a` is better."""
    finished: bool
    """Whether all these runs finished. A diverged one has the worst score, and then the difference is not a size."""
    p: float
    p_holm: float
    differs: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was found, rules in the order of their rank."""

    problem: str
    title: str
    description: str
    measure: Measure
    seeds: tuple[int, ...]
    epochs: int
    steps_per_epoch: int
    batch_size: int | None
    command: str
    rules: tuple[RuleResult, ...]
    pairs: tuple[PairResult, ...]
    level: float
    seeds_needed: int | None
    """The fewest seeds with which any pair could be told apart; None where there is no pair."""
    machines: tuple[str, ...]
    versions: tuple[str, ...]
    finished: str | None
    """When the last run ended, UTC."""

    @property
    def target(self) -> int:
        """The index of the target that was fixed beforehand among `measure.targets`."""
        return self.measure.targets.index(self.measure.target)

    @property
    def declared(self) -> int:
        """How many runs were declared."""
        return sum(rule.declared for rule in self.rules)

    @property
    def missing(self) -> int:
        """How many of all runs have no record."""
        return sum(rule.missing for rule in self.rules)

    @property
    def diverged(self) -> int:
        """How many of all runs diverged."""
        return sum(rule.diverged for rule in self.rules)

    @property
    def paired_seeds(self) -> int:
        """The most seeds that any pair has; what can be claimed depends on it."""
        return max((pair.n for pair in self.pairs), default=0)

    @property
    def too_few_seeds(self) -> bool:
        """Whether no outcome whatever could have told any two rules apart."""
        return self.seeds_needed is not None and self.paired_seeds < self.seeds_needed

    def by_name(self, rule: str) -> RuleResult:
        """The result of the rule of that name."""
        return next(result for result in self.rules if result.rule == rule)
