"""One run: a problem, a rule with its numbers and a seed in, a record out. The training loop exists once, here."""

from __future__ import annotations

import datetime as dt
import math
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thalweg import __version__, problems
from thalweg.engine.threads import usable_cores
from thalweg.lab.records import CURVES, DivergedAt, Record
from thalweg.lab.study import FORMAT, RunConfig
from thalweg.optimizer import Optimizer
from thalweg.rules import RULES

DIVERGED_FACTOR = 10.0
"""A run has diverged when its training loss is above this many times its value before training: at the end of an epoch
of several steps, or at the end of the run. A single step may overshoot and come back; an epoch's worth of steps that
ends up there has not come back."""


def run(config: RunConfig) -> Record:
    """Do this run and return its record.

    A run that diverges is a result like any other: it stops early, and its record says where and why.

    Raises:
        ValueError: this installation has another version, rule or problem than the one that `config` was made for.
    """
    _check_same_code(config)
    # A diverging run overflows again and again. The record says so once; NumPy's warnings would say it on the terminal.
    with np.errstate(all="ignore"):
        training = _Training(config, problems.get(config.problem))
        training.train()
    return training.record()


def _check_same_code(config: RunConfig) -> None:
    here = {
        "version": __version__,
        "rule_digest": RULES[config.rule].conventions[config.convention].digest,
        "problem_config": problems.get(config.problem).config,
    }
    for name, value in here.items():
        if value != getattr(config, name):
            raise ValueError(f"{name} of this run is {getattr(config, name)!r}, but here it is {value!r}.")


@dataclass
class _Training:
    """The state of a run while it trains."""

    config: RunConfig
    problem: problems.Problem
    curve: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in ("epoch", *CURVES)})
    diverged: DivergedAt | None = None
    steps: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: {"total": 0.0, "update": 0.0, "gradient": 0.0})

    def train(self) -> None:
        start = time.perf_counter()
        trial = self.problem.start(self.config.seed)
        numbers: dict[str, Any] = dict(self.config.hyperparams)
        optimizer = Optimizer(self.config.rule, convention=self.config.convention, **numbers)
        self._evaluate(trial, 0)
        for epoch in range(1, self.config.epochs + 1):
            for step in trial.epoch():
                self._step(step, trial.params, optimizer, epoch)
                if self.diverged:
                    break
            else:
                self._evaluate(trial, epoch)
            if self.diverged:
                break
        self.seconds["total"] = time.perf_counter() - start

    def _step(
        self,
        step: Callable[[], tuple[float, dict[str, Any]]],
        params: dict[str, Any],
        optimizer: Optimizer,
        epoch: int,
    ) -> None:
        start = time.perf_counter()
        self.steps += 1
        try:
            loss, grads = step()
            between = time.perf_counter()
            self.seconds["gradient"] += between - start
            if math.isfinite(loss):
                optimizer.update(params, grads, value=loss)
                self.seconds["update"] += time.perf_counter() - between
            else:
                self._stop(epoch, f"the loss is {loss}")
        except (FloatingPointError, OverflowError) as error:  # NonFiniteError of a gradient is one of these
            self._stop(epoch, str(error))

    def _evaluate(self, trial: problems.Trial, epoch: int) -> None:
        """Add a point to the curve, unless training has led out of what a loss can be."""
        values = {name: float(value) for name, value in trial.evaluate().items()}
        loss = values["train_loss"]
        if not all(math.isfinite(values[name]) for name in CURVES):
            bad = next(name for name in CURVES if not math.isfinite(values[name]))
            self._stop(epoch, f"after this epoch, {bad} is {values[bad]}")
            return
        self.curve["epoch"].append(epoch)
        for name in CURVES:
            self.curve[name].append(values[name])
        first = self.curve["train_loss"][0]
        settled = epoch == self.config.epochs or self.problem.steps_per_epoch > 1
        if settled and loss > DIVERGED_FACTOR * first:
            times = f"more than {DIVERGED_FACTOR:g} times the {first:.3g} it began with"
            self._stop(epoch, f"the training loss is {loss:.3g}, {times}")

    def _stop(self, epoch: int, reason: str) -> None:
        self.diverged = {"epoch": epoch, "step": self.steps, "reason": reason}

    def record(self) -> Record:
        config = self.config
        return {
            "format": FORMAT,
            "key": config.key,
            "problem": config.problem,
            "problem_config": dict(config.problem_config),
            "rule": config.rule,
            "title": config.title,
            "convention": config.convention,
            "rule_digest": config.rule_digest,
            "hyperparams": dict(config.hyperparams),
            "tuned": list(config.tuned),
            "lr": config.lr,
            "seed": config.seed,
            "epochs": config.epochs,
            "steps_per_epoch": self.problem.steps_per_epoch,
            "version": config.version,
            "status": "diverged" if self.diverged else "ok",
            "diverged_at": self.diverged,
            "curve": self.curve,
            "seconds": self.seconds,
            "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "machine": machine(),
        }


def epoch_seconds(problem: str) -> float:
    """How long an epoch of this problem takes here, with its evaluation, without updates."""
    trial = problems.get(problem).start(0)
    seconds = 0.0
    for _ in range(2):  # the first is slower: data is loaded, libraries wake up
        start = time.perf_counter()
        for step in trial.epoch():
            step()
        trial.evaluate()
        seconds = time.perf_counter() - start
    return seconds


def machine() -> dict[str, Any]:
    """What a time was measured on. No names of hosts or users: pages are shared."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
    }
