"""What was found out about an optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from thalweg.rule import Rule
from thalweg.testing.diagnosis import Diagnosis

Outcome = Literal["equal", "slip", "unknown", "error"]


@dataclass(frozen=True)
class Difference:
    """The first place where an optimizer leaves a rule: element `place` of the parameters after step `step`."""

    step: int
    place: str
    value: float
    rules: float
    relative: float

    def __str__(self) -> str:
        return f"{self.place} is {self.value:.6g} after step {self.step}, and {self.rules:.6g} by the rule"


@dataclass(frozen=True, repr=False)
class Identity:
    """Which rule an optimizer is, with the evidence; `str()` says it in one line, and it is true if a rule was found.

    subject: what the optimizer is called. outcome: "equal" to one rule or more; "slip": equal to a rule with one slip;
    "unknown": to none; "error": it raised one, or moves nothing. rules: those that it is equal to, all conventions with
    the same text included, or the nearest one. hyperparams: the numbers of the first of them at the first step; fitted:
    those that stand nowhere in the object and were found by trying. steps: how many were compared. worst: the largest
    relative difference, 0.0 for equal bits. slip: what explains the difference, in words; of an equal one, where eps
    stands if that is not usual. lines: the lines of the rule, as they are and with the slip. parting: the first
    difference from the nearest rule. diagnosis: of an error. repaired: what the class is without the error's cause.
    notes: what it does beside its rule.
    """

    subject: str
    outcome: Outcome
    rules: tuple[Rule, ...] = ()
    hyperparams: Mapping[str, float] = field(default_factory=dict)
    fitted: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    worst: float = 0.0
    slip: str = ""
    lines: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    parting: Difference | None = None
    diagnosis: Diagnosis | None = None
    repaired: Identity | None = None
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.outcome == "equal"

    def __repr__(self) -> str:
        return str(self)

    @property
    def rule(self) -> Rule | None:
        """The rule, or the nearest one; None after an error."""
        return self.rules[0] if self.rules else None

    @property
    def exact(self) -> bool:
        """True if it is equal to a rule, with or without a slip, to the last bit."""
        return self.outcome in ("equal", "slip") and self.worst == 0.0

    @property
    def same_text(self) -> tuple[str, ...]:
        """The other conventions that have the same text as the first of the rules."""
        return tuple(rule.convention_name for rule in self.rules[1:] if rule.digest == self.rules[0].digest)

    @property
    def closeness(self) -> str:
        """How equal it is, in words."""
        over = f"over {self.steps} step{'' if self.steps == 1 else 's'}"
        return f"to the last bit {over}" if self.exact else f"within {self.worst:.1g} {over}"

    def __str__(self) -> str:
        name = named(self.rules, self.fitted)
        match self.outcome:
            case "equal":
                return f"{name}, equal {self.closeness}{f': {self.slip}' if self.slip else ''}"
            case "slip":
                at = f"differs from {name} at step {self.parting.step}" if self.parting else f"is not {name}"
                close = "" if self.exact else f", {self.closeness}"
                return f"{at}; equal to it {self.slip}{close}"
            case "unknown":
                where = f" at step {self.parting.step}: {self.parting}" if self.parting else ""
                return f"no rule that is known here; it leaves the nearest, {name},{where}"
        after = f"; with that put right: {self.repaired}" if self.repaired else ""
        return f"{self.diagnosis}{after}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        found: dict[str, Any] = {
            "subject": self.subject,
            "outcome": self.outcome,
            "summary": str(self),
            "rules": [{"name": rule.name, "convention": rule.convention_name} for rule in self.rules],
            "hyperparams": dict(self.hyperparams),
            "fitted": dict(self.fitted),
            "steps": self.steps,
            "largest_difference": self.worst if self.outcome in ("equal", "slip") else None,
            "slip": self.slip or None,
            "lines": {"rule": list(self.lines[0]), "here": list(self.lines[1])} if self.lines[0] else None,
            "notes": list(self.notes),
        }
        if self.parting:
            p = self.parting
            found["parting"] = {"step": p.step, "place": p.place, "value": _finite(p.value), "rule": _finite(p.rules),
                                "relative": _finite(p.relative)}  # fmt: skip
        if self.diagnosis:
            d = self.diagnosis
            found["error"] = {"error": d.error, "meant": d.meant or None, "line": d.line, "code": d.code or None}
            found["repaired"] = self.repaired.to_json() if self.repaired else None
        return found


def named(rules: tuple[Rule, ...], fitted: Mapping[str, float] | None = None) -> str:
    """Return rules as `adam[book]`, those of one name together, with fitted numbers that are not the rule's default.

    Of conventions with one text, the first stands for all.
    """
    families: dict[str, list[str]] = {}
    for rule in {rule.digest: rule for rule in reversed(rules)}.values():
        families.setdefault(rule.name, []).insert(0, rule.convention_name)
    text = " and ".join(f"{name}[{', '.join(forms)}]" for name, forms in families.items())
    other = {k: x for k, x in (fitted or {}).items() if rules[0].defaults.get(k) != x}
    return text + (f" with {', '.join(f'{k} = {x:g}' for k, x in other.items())}" if other else "")


def _finite(x: float) -> float | None:
    return x if abs(x) < float("inf") else None
