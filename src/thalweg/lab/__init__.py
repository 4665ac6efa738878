"""The laboratory: problem -> run -> record -> figure. Records are on disk; everything shown is a function of records.

    study = lab.Study.declare(rules=["sgd", "adam"], seeds=3)
    store = lab.Store("somewhere")
    lab.run_all(study.runs(), store)

A name is imported when it is first asked for: the command line shows its help without the laboratory.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.lab.pool import run_all
    from thalweg.lab.records import Record, Store
    from thalweg.lab.spaces import DEFAULT_LRS
    from thalweg.lab.study import DEFAULT_RULES, RunConfig, Study
    from thalweg.lab.summary import Summary, summarize

__all__ = ["DEFAULT_LRS", "DEFAULT_RULES", "Record", "RunConfig", "Store", "Study", "Summary", "run_all", "summarize"]

_HOMES = {
    "DEFAULT_LRS": "spaces",
    "DEFAULT_RULES": "study",
    "Record": "records",
    "RunConfig": "study",
    "Store": "records",
    "Study": "study",
    "Summary": "summary",
    "run_all": "pool",
    "summarize": "summary",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
