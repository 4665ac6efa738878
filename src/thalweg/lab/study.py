"""What is compared: a `Study` declares rules, rates and seeds before anything runs; each cell is one `RunConfig`."""

from __future__ import annotations

import difflib
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from thalweg import __version__, problems
from thalweg.lab.spaces import default_lrs
from thalweg.rule import Rule
from thalweg.rules import RULES

FORMAT = 1
"""The version of what is stored. It is part of every key, so records of another format are simply not found."""

DEFAULT_RULES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
DEFAULT_SEEDS = 3


@dataclass(frozen=True)
class RunConfig:
    """One run, complete: whoever has this and the package can do it again.

    `key` names the run's record. Everything that can change the result is in it, so that a record is found if and only
    if it answers the same question.
    """

    problem: str
    problem_config: Mapping[str, Any] = field(repr=False)
    rule: str
    title: str
    convention: str
    rule_digest: str = field(repr=False)
    hyperparams: Mapping[str, float]
    tuned: tuple[str, ...]
    seed: int
    epochs: int
    version: str

    @property
    def lr(self) -> float:
        """The learning rate."""
        return self.hyperparams["lr"]

    @property
    def label(self) -> str:
        """How messages name this run."""
        return f"{self.title} lr={self.lr:g} seed={self.seed}"

    @cached_property
    def key(self) -> str:
        """32 hex digits of SHA-256 over the canonical JSON of all that decides the result."""
        return record_key(asdict(self))

    def to_json(self) -> dict[str, Any]:
        """A plain dict for JSON; `from_json` is the way back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunConfig:
        """The run that `to_json` describes."""
        return cls(**{**values, "tuned": tuple(values["tuned"])})


_KEYED = (
    "problem",
    "problem_config",
    "rule",
    "convention",
    "rule_digest",
    "hyperparams",
    "seed",
    "epochs",
    "version",
)  # `title` and `tuned` are words about the run and change nothing in it


def record_key(values: Mapping[str, Any]) -> str:
    """The key of a run described by a mapping that holds at least the fields of `RunConfig`, such as a record.

    Raises:
        KeyError: a field is missing.
        ValueError: a number is NaN or infinite.
    """
    identity = {"format": FORMAT} | {name: values[name] for name in _KEYED}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Study:
    """What is compared, declared before anything runs.

    Attributes:
        problem: a name of `thalweg.problems.NAMES`.
        rules: names of `thalweg.RULES`, in the order in which they are shown.
        lrs: rule -> the learning rates to try, ascending. Every rule gets the same number of them.
        seeds: the seeds of every (rule, rate): they decide initial weights and batch order, alike for every rule.
        epochs: how long each run trains.
        convention: the convention of every rule; None is each rule's own default.

    Raises:
        ValueError: anything that is not legal, with what is.
    """

    problem: str
    rules: tuple[str, ...]
    lrs: Mapping[str, tuple[float, ...]]
    seeds: tuple[int, ...]
    epochs: int
    convention: str | None = None

    @classmethod
    def declare(
        cls,
        problem: str = "digits",
        rules: Iterable[str] | None = None,
        lrs: Iterable[float] | None = None,
        seeds: int | Iterable[int] = DEFAULT_SEEDS,
        epochs: int | None = None,
        convention: str | None = None,
    ) -> Study:
        """A study from what a person names; the rest is the default.

        Args:
            problem: "digits" or "ravine".
            rules: names; None is the six classic rules. A name given twice counts once.
            lrs: learning rates for every rule; None is each rule's space of `DEFAULT_LRS`.
            seeds: how many (then they are 0, 1, ...), or which.
            epochs: None is the problem's own number.
            convention: "book", "paper", "torch" ...; None is each rule's own default.
        """
        _check_choice("problem", problem, problems.NAMES)
        names = tuple(dict.fromkeys(DEFAULT_RULES if rules is None else rules))
        for name in names:
            _check_choice("rule", name, tuple(RULES))
            if "lr" not in RULES[name].defaults:
                problem = f"{RULES[name].title} has no learning rate"
                raise ValueError(f"{problem}, and rules are compared at several of them.")
        if lrs is None:
            spaces = {name: default_lrs(problem, RULES[name]) for name in names}
        else:
            rates = tuple(sorted({check_rate(rate) for rate in lrs}))
            spaces = dict.fromkeys(names, rates)
        return cls(
            problem=problem,
            rules=names,
            lrs=spaces,
            seeds=tuple(range(check_count("seeds", seeds))) if isinstance(seeds, int) else tuple(seeds),
            epochs=check_count("epochs", problems.get(problem).epochs if epochs is None else epochs),
            convention=convention,
        )

    def __post_init__(self) -> None:
        _check_choice("problem", self.problem, problems.NAMES)
        if not self.rules or len(set(self.rules)) < len(self.rules):
            raise ValueError(f"A study needs at least one rule and each once, not {list(self.rules)}.")
        for name in self.rules:
            _check_choice("rule", name, tuple(RULES))
            if self.convention is not None:
                _check_choice(f"convention of {name}", self.convention, tuple(RULES[name].conventions))
            _check_complete(self.form(name))
        if set(self.lrs) != set(self.rules):
            raise ValueError(f"`lrs` must name the rules {list(self.rules)} and no others, not {list(self.lrs)}.")
        for rates in self.lrs.values():
            if not rates or list(rates) != sorted({check_rate(rate) for rate in rates}):
                raise ValueError(f"Learning rates must ascend and be at least one, not {list(rates)}.")
        if len({len(rates) for rates in self.lrs.values()}) > 1:
            counts = {rule: len(rates) for rule, rates in self.lrs.items()}
            raise ValueError(f"Every rule must get the same number of learning rates, or tuning is unfair: {counts}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"A study needs at least one seed and each once, not {list(self.seeds)}.")
        for seed in self.seeds:
            check_count("a seed", seed, least=0)
        check_count("epochs", self.epochs)

    @property
    def rates(self) -> int:
        """How many learning rates each rule gets."""
        return len(self.lrs[self.rules[0]])

    @property
    def command(self) -> str:
        """How to declare this study again: the shortest command line, or the call where no command line can say it."""
        rates = self.lrs[self.rules[0]]
        default = all(self.lrs[name] == default_lrs(self.problem, RULES[name]) for name in self.rules)
        again = Study.declare(self.problem, self.rules, None if default else rates, len(self.seeds), self.epochs)
        if again != self:
            return repr(self)
        words = ["thalweg compare"]
        if self.problem != "digits":
            words.append(f"--problem {self.problem}")
        if self.rules != DEFAULT_RULES:
            words.append(f"--rules {','.join(self.rules)}")
        if not default:
            words.append(f"--lrs {','.join(map(repr, rates))}")
        if len(self.seeds) != DEFAULT_SEEDS:
            words.append(f"--seeds {len(self.seeds)}")
        if self.epochs != problems.get(self.problem).epochs:
            words.append(f"--epochs {self.epochs}")
        return " ".join(words)

    def form(self, name: str) -> Rule:
        """The rule of that name in the convention of the study, or in its own default."""
        return RULES[name].family.get(self.convention)

    def runs(self) -> list[RunConfig]:
        """All runs, in the order in which they should be done.

        Seed by seed, then from the middle of each search space outwards, rule by rule: the first runs already show
        every rule at a sensible rate, and whenever the work stops, what is done is balanced.
        """
        middle = (self.rates - 1) / 2
        outwards = sorted(range(self.rates), key=lambda i: (abs(i - middle), i))
        config = problems.get(self.problem).config
        cells = [(seed, i, name) for seed in self.seeds for i in outwards for name in self.rules]
        return [self._run(name, self.lrs[name][i], seed, config) for seed, i, name in cells]

    def _run(self, name: str, lr: float, seed: int, problem_config: Mapping[str, Any]) -> RunConfig:
        rule = self.form(name)
        numbers = {key: float(value) for key, value in rule.defaults.items() if value is not None}
        return RunConfig(
            problem=self.problem,
            problem_config=problem_config,
            rule=name,
            title=rule.title,
            convention=rule.convention_name,
            rule_digest=rule.digest,
            hyperparams=numbers | {"lr": lr},
            tuned=("lr",),
            seed=seed,
            epochs=self.epochs,
            version=__version__,
        )

    def to_json(self) -> dict[str, Any]:
        """The declaration as it is stored in study.json: with the target, which is fixed before any run."""
        problem = problems.get(self.problem)
        return {
            "format": FORMAT,
            "problem": self.problem,
            "problem_config": dict(problem.config),
            "rules": list(self.rules),
            "lrs": {name: list(rates) for name, rates in self.lrs.items()},
            "seeds": list(self.seeds),
            "epochs": self.epochs,
            "convention": self.convention,
            "target": problem.target,
            "targets": list(problem.targets),
            "command": self.command,
            "version": __version__,
        }


def check_rate(value: Any) -> float:
    """`value` as a learning rate: a finite number above 0, else ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= sys.float_info.max:
        return float(value)
    raise ValueError(f"A learning rate is a finite number above 0, such as 0.01 or 1e-3, not {value!r}.")


def check_count(what: str, value: Any, least: int = 1) -> int:
    """`value` as a whole number of at least `least`, else ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise ValueError(f"{what} must be a whole number, {least} or more, not {value!r}.")


def _check_complete(rule: Rule) -> None:
    """A learning rate and nothing else is what a study gives to a rule."""
    if "lr" not in rule.defaults:
        raise ValueError(f"{rule.name} has no learning rate to compare at. Its numbers: {', '.join(rule.defaults)}.")
    missing = [name for name, value in rule.defaults.items() if value is None and name != "lr"]
    if missing:
        raise ValueError(f"{rule.name} needs values for {', '.join(missing)}, and a study gives it only lr.")


def _check_choice(what: str, name: str, legal: Iterable[str]) -> None:
    names = tuple(legal)
    if name in names:
        return
    near = difflib.get_close_matches(str(name).lower(), names, n=1)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"{name!r} is not a {what} here.{guess} Legal: {', '.join(names)}.")
