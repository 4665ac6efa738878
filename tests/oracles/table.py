"""All rows: every module beside this one adds its own."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from tests.oracles.base import CASES

__all__ = ["CASES"]

for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if module.name not in ("__main__", "base", "table"):
        importlib.import_module(f"tests.oracles.{module.name}")
