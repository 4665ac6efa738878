"""Records to findings: which rate validation chose, what test says there, and which rules can be told apart."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, groupby
from typing import Any, Literal

from thalweg import problems
from thalweg.lab.measure import Measure, Spread
from thalweg.lab.records import Record
from thalweg.lab.results import Findings, PairResult, RateResult, RuleResult, SeedResult, Zone
from thalweg.lab.statistics import LEVEL, holm, sign_flip_p, smallest_seeds
from thalweg.lab.study import Study

Cells = Mapping[tuple[str, float, int], Record]
"""(rule, learning rate, seed) -> the record of that run."""


def cells(study: Study, records: Iterable[Record]) -> Cells:
    """The records of the study's own cells; records of other studies in the same store are left aside.

    Raises ValueError if two records claim one cell, as those of two versions of a rule would: which one counts is not
    for a figure to decide.
    """
    found: dict[tuple[str, float, int], Record] = {}
    for record in records:
        rule, lr, seed = record["rule"], record["lr"], record["seed"]
        described = (record["problem"], record["epochs"])
        is_asked_for = rule in study.rules and record["convention"] == study.form(rule).convention_name
        if described != (study.problem, study.epochs) or not is_asked_for:
            continue
        if lr in study.lrs[rule] and seed in study.seeds:
            if (rule, lr, seed) in found:
                raise ValueError(
                    f"two records are of {rule} at lr={lr!r} with seed {seed}: {found[rule, lr, seed]['key']} and "
                    f"{record['key']}. Give the records of one study only: those whose keys are in `study.runs()`."
                )
            found[rule, lr, seed] = record
    return found


def find(study: Study, records: Iterable[Record], timing: Mapping[str, Any] | None) -> Findings:
    """All findings of a study. `timing` is what timing.json holds: rule -> {"seconds_per_step": [...]}, or None."""
    problem = problems.get(study.problem)
    measure = Measure.of(problem)
    runs = cells(study, records)
    rules = [_rule(name, study, runs, measure, (timing or {}).get(name)) for name in study.rules]
    rules.sort(key=lambda result: _rank(result, measure))
    pairs = _pairs(rules, measure)
    return Findings(
        problem=study.problem,
        title=problem.title,
        description=problem.description,
        measure=measure,
        seeds=tuple(study.seeds),
        epochs=study.epochs,
        steps_per_epoch=problem.steps_per_epoch,
        batch_size=problem.batch_size,
        command=study.command,
        rules=tuple(rules),
        pairs=tuple(pairs),
        level=LEVEL,
        seeds_needed=smallest_seeds(len(pairs)) if pairs else None,
        machines=tuple(sorted({_machine(record) for record in runs.values()})),
        versions=tuple(sorted({record["version"] for record in runs.values()})),
        finished=max((record["finished"] for record in runs.values()), default=None),
    )


def _rule(name: str, study: Study, runs: Cells, measure: Measure, timing: Mapping[str, Any] | None) -> RuleResult:
    rates = tuple(
        _rate(lr, [(seed, runs.get((name, lr, seed))) for seed in study.seeds], measure) for lr in study.lrs[name]
    )
    any_record = next((runs[key] for key in runs if key[0] == name), None)
    hyperparams = dict(any_record["hyperparams"]) if any_record else {}
    tuned = tuple(any_record["tuned"]) if any_record else ("lr",)
    best = _best(rates, measure)
    return RuleResult(
        rule=name,
        title=study.form(name).title,
        tuned=tuned,
        convention=study.form(name).convention_name,
        fixed={key: value for key, value in hyperparams.items() if key not in tuned},
        rates=rates,
        best=best,
        edge=_edge(rates, best),
        test=measure.spread([s.test for s in best.seeds if s.test is not None]) if best else None,
        zone=_zone(rates),
        step=_step_time(timing),
        params=timing["params"] if timing else None,
    )


def _rate(lr: float, records: Sequence[tuple[int, Record | None]], measure: Measure) -> RateResult:
    seeds = tuple(_seed(seed, record, measure) for seed, record in records)
    finished = [s.validation for s in seeds if s.validation is not None]
    good = len(finished) == len(seeds) and all(measure.reached(value, measure.target) for value in finished)
    return RateResult(lr, seeds, measure.spread(finished), good)


def _seed(seed: int, record: Record | None, measure: Measure) -> SeedResult:
    if record is None:
        return SeedResult(seed, "missing", None, None, (None,) * len(measure.targets), None)
    curve, ok = record["curve"], record["status"] == "ok"
    steps = list(zip(curve["epoch"], curve["val_metric"], strict=True))
    where = record["diverged_at"]
    return SeedResult(
        seed=seed,
        status=record["status"],
        validation=curve["val_metric"][-1] if ok else None,
        test=curve["test_metric"][-1] if ok else None,
        reached=tuple(next((e for e, v in steps if measure.reached(v, target)), None) for target in measure.targets),
        stopped=f"epoch {where['epoch']}, step {where['step']}: {where['reason']}" if where else None,
    )


def _unfinished(rate: RateResult) -> int:
    return len(rate.seeds) - rate.count("ok")


def _best(rates: Sequence[RateResult], measure: Measure) -> RateResult | None:
    """The rate with the best mean on validation.

    A run that diverged is worse than any number, so rates with fewer of them come first; of equals, the smaller rate.
    """
    tried = [
        (_unfinished(rate), -measure.score(rate.validation.centre), rate.lr, rate) for rate in rates if rate.validation
    ]
    return min(tried, key=lambda entry: entry[:3])[3] if tried else None


def _rank(result: RuleResult, measure: Measure) -> tuple[float, ...]:
    if result.best is None or result.test is None:
        return (1, 0, 0)
    return (0, _unfinished(result.best), -measure.score(result.test.centre))


def _edge(rates: Sequence[RateResult], best: RateResult | None) -> Literal["lowest", "highest", "only"] | None:
    if best is None:
        return None
    if len(rates) == 1:
        return "only"
    tried = [rate.lr for rate in rates]
    return "lowest" if best.lr == min(tried) else "highest" if best.lr == max(tried) else None


def _zone(rates: Sequence[RateResult]) -> Zone | None:
    ordered = sorted(rates, key=lambda rate: rate.lr)
    stretches = [[rate.lr for rate in group] for good, group in groupby(ordered, key=lambda rate: rate.good) if good]
    if not stretches:
        return None
    widest = max(stretches, key=lambda stretch: stretch[-1] / stretch[0])
    low, high = widest[0], widest[-1]
    return Zone(low, high, math.log10(high / low), low == ordered[0].lr or high == ordered[-1].lr)


def _step_time(timing: Mapping[str, Any] | None) -> Spread | None:
    repeats = list(timing["seconds_per_step"]) if timing else []
    return Spread(statistics.median(repeats), min(repeats), max(repeats), len(repeats)) if repeats else None


def _pairs(rules: Sequence[RuleResult], measure: Measure) -> list[PairResult]:
    compared = []
    for a, b in combinations(rules, 2):
        ours, theirs = _scores(a, measure), _scores(b, measure)
        differences = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
        if differences:
            compared.append((a, b, differences, sign_flip_p(differences)))
    return [
        PairResult(
            a=a.rule,
            b=b.rule,
            n=len(differences),
            difference=statistics.fmean(differences),
            differences=tuple(differences),
            finished=all(r.best is not None and r.best.count("diverged") == 0 for r in (a, b)),
            p=p,
            p_holm=adjusted,
            differs=adjusted <= LEVEL,
        )
        for (a, b, differences, p), adjusted in zip(compared, holm([entry[3] for entry in compared]), strict=True)
    ]


def _scores(result: RuleResult, measure: Measure) -> dict[int, float]:
    """Seed -> test score at the best rate; a run that diverged has the worst score, one that is missing has none."""
    rate = result.best or next((rate for rate in result.rates if rate.count("diverged")), None)
    return {
        s.seed: measure.worst if s.test is None else measure.score(s.test)
        for s in (rate.seeds if rate else ())
        if s.status != "missing"
    }


def _machine(record: Record) -> str:
    machine = record["machine"]
    return (
        f"{machine.get('system', 'unknown system')}, {machine.get('cores', '?')} cores, "
        f"Python {machine.get('python', '?')}, NumPy {machine.get('numpy', '?')}"
    )
