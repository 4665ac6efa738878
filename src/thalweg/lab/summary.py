"""A comparison in one object: the findings, and what they mean in words. Table, page and JSON all print this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from thalweg.lab import house
from thalweg.lab.findings import find
from thalweg.lab.house import Check
from thalweg.lab.records import Record
from thalweg.lab.results import Findings, RateResult, RuleResult, median_epoch
from thalweg.lab.study import Study
from thalweg.lab.verdict import Verdict, verdict, warnings


@dataclass(frozen=True, slots=True)
class Summary:
    """What `thalweg compare` found."""

    findings: Findings
    verdict: Verdict
    warnings: tuple[str, ...]
    checks: tuple[Check, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON. What never happened or is not known is null; nothing is NaN or infinite."""
        found = self.findings
        return {
            "verdict": self.verdict.text,
            "headline": self.verdict.headline,
            "warnings": list(self.warnings),
            "problem": found.problem,
            "metric": found.measure.kind,
            "higher_is_better": found.measure.higher_is_better,
            "target": found.measure.target,
            "targets": list(found.measure.targets),
            "seeds": list(found.seeds),
            "seeds_needed": found.seeds_needed,
            "epochs": found.epochs,
            "runs": {"declared": found.declared, "missing": found.missing, "diverged": found.diverged},
            "rules": [_rule(rule, found) for rule in found.rules],
            "pairs": [asdict(pair) for pair in found.pairs],
            "level": found.level,
            "checks": [asdict(check) for check in self.checks],
            "command": found.command,
            "machines": list(found.machines),
            "versions": list(found.versions),
        }


def summarize(study: Study, records: Iterable[Record], timing: Mapping[str, Any] | None) -> Summary:
    """Summarise the records of a study; those that are missing are counted, and records of other studies left aside.

    `timing` is the content of timing.json, rule -> {"seconds_per_step": [seconds, ...]}; None if nothing was timed.
    Raises ValueError if two records are of the same cell of the study.
    """
    findings = find(study, records, timing)
    return Summary(findings, verdict(findings), warnings(findings), house.checks(findings))


def _rule(rule: RuleResult, found: Findings) -> dict[str, Any]:
    reached = rule.epochs(found.target)
    return {
        "rule": rule.rule,
        "name": rule.name,
        "best_lr": rule.best.lr if rule.best else None,
        "edge": rule.edge,
        "test": asdict(rule.test) if rule.test else None,
        "test_by_seed": {str(s.seed): s.test for s in rule.best.seeds} if rule.best else {},
        "epochs_to_target": list(reached),
        "median_epochs_to_target": median_epoch(reached),
        "diverged": rule.diverged,
        "runs": rule.declared - rule.missing,
        "seconds_per_step": rule.step.centre if rule.step else None,
        "good_zone": asdict(rule.zone) if rule.zone else None,
        "rates": [_rate(rate) for rate in rule.rates],
    }


def _rate(rate: RateResult) -> dict[str, Any]:
    return {
        "lr": rate.lr,
        "validation": asdict(rate.validation) if rate.validation else None,
        "good": rate.good,
        "seeds": [{"seed": s.seed, "status": s.status, "validation": s.validation, "test": s.test} for s in rate.seeds],
    }
