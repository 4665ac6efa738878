"""Hyper-parameters that change with the step count: pure functions of t = 1, 2, ...

    opt = Adam(lr=schedules.cosine(1e-3, steps=1000, warmup=100))

`schedule(t)` is what torch's scheduler of that name gives at index t - 1, that is after t - 1 steps: schedule(1) is
the first value. `steps` includes `warmup`, and after `steps` the last value stays. Wherever a schedule is part of
another, a plain number may stand. Values are computed in float64 from t alone; torch multiplies step by step, and
differs by the rounding of its products. Where torch and optax mean different things, the docstring says so.

A schedule of your own is any function of t that returns a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from thalweg.schedules.base import Schedule
from thalweg.schedules.compose import join, warmup, warmup_stable_decay
from thalweg.schedules.cycles import cyclic, one_cycle, warm_restarts
from thalweg.schedules.decay import constant, cosine, exponential, inverse_sqrt, multi_step, polynomial, step
from thalweg.schedules.plateau import PlateauState, reduce_on_plateau
from thalweg.schedules.stored import KINDS, from_json, is_known, resumed, to_json

__all__ = [
    "PlateauState", "Schedule", "constant", "cosine", "cyclic", "exponential", "from_json", "inverse_sqrt", "is_known",
    "join", "multi_step", "one_cycle", "polynomial", "reduce_on_plateau", "resumed", "step", "to_json", "warm_restarts",
    "warmup", "warmup_stable_decay",
]  # fmt: skip

_ELSEWHERE = {
    "ConstantLR": "constant", "StepLR": "step", "MultiStepLR": "multi_step", "ExponentialLR": "exponential",
    "PolynomialLR": "polynomial", "LinearLR": "polynomial", "CosineAnnealingLR": "cosine",
    "CosineAnnealingWarmRestarts": "warm_restarts", "OneCycleLR": "one_cycle", "CyclicLR": "cyclic",
    "SequentialLR": "join", "ReduceLROnPlateau": "reduce_on_plateau", "constant_schedule": "constant",
    "piecewise_constant_schedule": "multi_step", "exponential_decay": "exponential", "linear": "polynomial",
    "linear_schedule": "polynomial", "polynomial_schedule": "polynomial", "cosine_decay_schedule": "cosine",
    "warmup_cosine_decay_schedule": "cosine", "cosine_onecycle_schedule": "one_cycle", "join_schedules": "join",
    "sgdr_schedule": "warm_restarts", "sequential": "join", "wsd": "warmup_stable_decay",
}  # fmt: skip


if not TYPE_CHECKING:  # a type checker would take every name for a good one

    def __getattr__(name: str) -> NoReturn:
        if name in _ELSEWHERE:
            raise AttributeError(f"schedules has no `{name}`: it is `{_ELSEWHERE[name]}` here")
        raise AttributeError(f"schedules has no `{name}`; there are {', '.join(KINDS)}")
