"""Every rule once more, from its paper and not from ours: in mpmath at 50 digits, with the number of the equation.

Neither this file nor `tests/transcribed` imports anything of thalweg; tests/rules/test_papers.py asserts it.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from tests.transcribed.base import DECADES, PAPERS, Paper, Transcribed, fresh

__all__ = ["DECADES", "PAPERS", "Paper", "Transcribed", "fresh"]

FILES = Path(__file__).parent / "transcribed"
for module in pkgutil.iter_modules([str(FILES)]):
    importlib.import_module(f"tests.transcribed.{module.name}")
