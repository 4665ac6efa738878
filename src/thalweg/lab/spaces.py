"""The learning rates that are tried when none are named: the same number for each rule, declared before any run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from thalweg.rule import Rule

RATES = 9
"""How many learning rates every rule gets when none are named: the same budget for each."""


def _half_decades(centre: int) -> tuple[float, ...]:
    """`RATES` learning rates, half a decade apart, around 10**(centre / 2), rounded to the digits that are shown."""
    first = centre - RATES // 2
    return tuple(float(f"{10 ** (k / 2):.3g}") for k in range(first, first + RATES))


# The middle of each search space in half decades (-5 is 10**-2.5 = 0.00316), so that the lowest rate visibly learns too
# little, the highest breaks, and the best lies well inside. On the ravine AdaGrad and RMSprop have no best rate: the
# valley runs along an axis, and the larger their rate the better. The edge warning is then the right answer.
_CENTRES = {
    "digits": {"sgd": -2, "momentum": -3, "nesterov": -3, "adagrad": -4, "rmsprop": -6, "adam": -5},
    "ravine": {"sgd": -1, "momentum": -2, "nesterov": -1, "adagrad": 0, "rmsprop": -1, "adam": 0},
}

DEFAULT_LRS: Mapping[str, Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        problem: MappingProxyType({rule: _half_decades(centre) for rule, centre in centres.items()})
        for problem, centres in _CENTRES.items()
    }
)
"""The declared search spaces: problem -> rule -> nine learning rates in half decades."""


def default_lrs(problem: str, rule: Rule) -> tuple[float, ...]:
    """The learning rates tried when none are named: declared in `DEFAULT_LRS`, or around the rule's own default."""
    declared = DEFAULT_LRS.get(problem, {}).get(rule.name)
    if declared:
        return declared
    default = rule.defaults.get("lr")
    if not default:
        raise ValueError(f"{rule.name} has no default learning rate to search around. Name the rates to try.")
    return _half_decades(round(2 * math.log10(default)))
