"""What an update costs: measured alone, after the runs, in one process, the rules taking turns.

Times taken while other workers are busy would say more about the machine's load than about the rules. Here every rule
updates the same parameters with the same gradients; a round is one turn for each rule, so that whatever else the
machine does meanwhile falls on all of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np

from thalweg import __version__, problems
from thalweg.lab.records import Store
from thalweg.lab.run import machine
from thalweg.lab.study import Study
from thalweg.optimizer import Optimizer

SECONDS = 1.0
"""About how long the whole measurement takes, after the first call of each rule."""
ROUNDS = 20


def timing(study: Study, store: Store, rules: Container[str]) -> dict[str, dict[str, Any]]:
    """Rule -> "seconds_per_step" (one a round), "params" (how many numbers a step updates), and what was measured.

    What timing.json says is taken where it is about these very rules, this problem and this machine; otherwise all of
    them are measured, because times of different occasions do not compare, and timing.json is written anew.

    Args:
        study: what was compared.
        store: where timing.json is.
        rules: those to be timed, in the order of the study: the rules with at least one run that did not fail.
    """
    expected = {name: _what(study, name) for name in study.rules if name in rules}
    stored = store.read_json("timing.json") or {}
    if all(_holds(stored.get(name), what) for name, what in expected.items()):
        return {name: stored[name] for name in expected}
    seconds = measure(study, expected)
    measured = {name: {"seconds_per_step": seconds[name], **what} for name, what in expected.items()}
    store.write_json("timing.json", measured)
    return measured


def measure(study: Study, rules: Iterable[str], seconds: float = SECONDS) -> dict[str, list[float]]:
    """Rule -> seconds of one update of the problem's parameters, one number a round."""
    turns = {name: _Turn(study, name) for name in rules}
    for turn in turns.values():
        turn.calibrate(seconds / ROUNDS / len(turns))
    taken: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(ROUNDS):
        for name, turn in turns.items():
            taken[name].append(turn.take())
    return taken


class _Turn:
    """A rule with parameters of its own and a gradient that stays: its memory is as warm as in a training loop."""

    def __init__(self, study: Study, name: str) -> None:
        trial = problems.get(study.problem).start(study.seeds[0])
        _, self.grads = next(iter(trial.epoch()))()
        self.params = trial.params
        # The lowest rate tried: thousands of steps along one gradient must not lead out of the numbers.
        self.optimizer = Optimizer(name, convention=study.convention, lr=study.lrs[name][0])
        self.updates = 1

    def calibrate(self, seconds: float) -> None:
        """Choose how many updates a turn has, so that it takes about this long."""
        self.take()  # whatever happens on the first call only: state is made, kernels are loaded
        while (turn := self.take() * self.updates) < seconds / 2:
            self.updates = max(2 * self.updates, int(self.updates * seconds / turn)) if turn else 2 * self.updates

    def take(self) -> float:
        update, params, grads = self.optimizer.update, self.params, self.grads
        start = time.perf_counter()
        for _ in range(self.updates):
            update(params, grads, value=1.0)
        return (time.perf_counter() - start) / self.updates


def _what(study: Study, name: str) -> dict[str, Any]:
    problem = problems.get(study.problem)
    params = problem.start(study.seeds[0]).params.values()
    return {
        "problem": study.problem,
        "problem_config": problem.config,
        "params": int(sum(np.size(array) for array in params)),
        "arrays": len(params),
        "convention": study.form(name).convention_name,
        "rule_digest": study.form(name).digest,
        "version": __version__,
        "machine": dict(machine()),
    }


def _holds(stored: Any, what: Mapping[str, Any]) -> bool:
    """Whether what is stored was measured on exactly this, and is whole."""
    if not isinstance(stored, dict) or any(stored.get(name) != value for name, value in what.items()):
        return False
    seconds = stored.get("seconds_per_step")
    return isinstance(seconds, list) and len(seconds) == ROUNDS and all(isinstance(s, float) and s > 0 for s in seconds)
