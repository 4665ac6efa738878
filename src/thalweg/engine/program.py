"""A rule's kernels, compiled: one module for each rule and dtype, made once a process and cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thalweg.backends import cpu
from thalweg.engine.cache import compile_module
from thalweg.language.plan import Plan, make_plan
from thalweg.rule import Rule

Kernel = Callable[..., Any]


@dataclass(frozen=True)
class Program:
    """The compiled passes of a rule for one dtype, and the functions for the numbers that stand before each of them."""

    passes: tuple[Kernel, ...]
    numbers: tuple[Kernel, ...]


_plans: dict[Rule, Plan] = {}
_programs: dict[tuple[Rule, str], Program] = {}


def plan_of(rule: Rule) -> Plan:
    """Return the order of work of a rule without matrix words; made once."""
    if rule not in _plans:
        _plans[rule] = make_plan(rule.flat, rule.hoisted)
    return _plans[rule]


def layout_of(rule: Rule) -> cpu.Layout:
    """Return where the kernels of a rule find their arrays."""
    w, g = rule.text.signature.arrays[:2]
    return cpu.layout_of(plan_of(rule), w, g, dict(rule.slots))


def program_of(rule: Rule, dtype: str) -> Program:
    """Return the kernels of a rule for "float32" or "float64"; the first call compiles them, or loads them."""
    if (rule, dtype) not in _programs:
        module = compile_module(cpu.source(layout_of(rule), dtype), f"{rule.name}_{rule.convention_name}_{dtype}")
        count = len(plan_of(rule).passes)
        passes = tuple(getattr(module, f"pass_{k}") for k in range(count))
        _programs[rule, dtype] = Program(passes, tuple(getattr(module, f"numbers_{k}") for k in range(count)))
    return _programs[rule, dtype]
