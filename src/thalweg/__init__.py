"""Gradient descent for the arrays you already have.

Update rules for NumPy parameters, and a laboratory to compare
them.

    import thalweg as tw

    opt = tw.Adam(lr=0.001)
    opt.update(params, grads)  # dicts of name -> array; in place
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Bound here, and not when first asked for: importing the module thalweg.rule would put the module in the place of
# the decorator.
from thalweg.rule import Rule, rule, term
from thalweg.rules import CLASSES

__version__ = "0.1.0"

# Name -> module, imported when the name is first asked for: `import thalweg` costs NumPy and the parser of rules.
_LAZY = {
    "Optimizer": "thalweg.optimizer",
    "RULES": "thalweg.rules",
    "full": "thalweg.language.state",
    "copy": "thalweg.language.state",
    "number": "thalweg.language.state",
    "shared": "thalweg.language.state",
    "rows": "thalweg.language.state",
    "columns": "thalweg.language.state",
    "left": "thalweg.language.state",
    "right": "thalweg.language.state",
    "given": "thalweg.language.state",
    "set_num_threads": "thalweg.engine.threads",
    "get_num_threads": "thalweg.engine.threads",
    "NonFiniteError": "thalweg.errors",
    "NumberError": "thalweg.errors",
    "RuleError": "thalweg.errors",
    "CheckpointError": "thalweg.checkpoint",
    "load": "thalweg.loading",
    "LBFGS": "thalweg.quasi_newton",
    "minimize": "thalweg.minimization",
    "scipy_method": "thalweg.minimization",
    "accumulate": "thalweg.transforms",
    "adaptive_clip": "thalweg.transforms",
    "bounds": "thalweg.transforms",
    "cautious": "thalweg.transforms",
    "centralize": "thalweg.transforms",
    "chain": "thalweg.transforms",
    "clip_global_norm": "thalweg.transforms",
    "clip_norm": "thalweg.transforms",
    "clip_value": "thalweg.transforms",
    "decoupled_decay": "thalweg.transforms",
    "ema": "thalweg.transforms",
    "l2": "thalweg.transforms",
    "lookahead": "thalweg.transforms",
    "noise": "thalweg.transforms",
    "polyak": "thalweg.transforms",
    "sam": "thalweg.transforms",
    "swa": "thalweg.transforms",
}

_CLASSES = {title: title.lower() for title in CLASSES}
_MODULES = ("book", "nn", "problems", "schedules", "testing")

__all__ = ["Rule", "__version__", "rule", "term", *_LAZY, *_CLASSES, *_MODULES]  # noqa: PLE0604  (strings, all of them)


def __getattr__(name: str) -> Any:
    value: Any
    if name in _MODULES:
        return import_module(f"thalweg.{name}")
    if name in _CLASSES:
        value = import_module("thalweg.classes").class_of(_CLASSES[name])
    elif name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
    else:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
