"""Numbers that an optimizer changes by itself from step to step."""

from __future__ import annotations

from thalweg.optimizer import Optimizer
from thalweg.testing.search import Match
from thalweg.testing.subject import Recording
from thalweg.testing.world import RATE_CHANGES_AT


def drifting(recording: Recording, match: Match) -> str:
    """Say which number that a rule was compared with is changed by the optimizer itself, or nothing."""
    if isinstance(recording.optimizer, Optimizer):
        return ""
    for name, attribute in match.choice.sources.items():
        if isinstance(attribute, str):
            seen = [read[attribute] for read in recording.read]
            ours = recording.rate is not None and recording.rate.strip("_").lower() == attribute
            jumps = [t for t in range(1, len(seen)) if seen[t] != seen[t - 1]]
            if [t for t in jumps if not (ours and t == RATE_CHANGES_AT - 1)]:
                last = seen[RATE_CHANGES_AT - 2] if ours and len(seen) >= RATE_CHANGES_AT else seen[-1]
                at = min(len(seen), RATE_CHANGES_AT - 1)
                return f"with a `{name}` that it changes itself, from {seen[0]:g} to {last:g} by step {at}"
    return ""
