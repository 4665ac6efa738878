"""A class from its source, in a file of its own: explanations read the source."""

from __future__ import annotations

import pytest

from tests.testing.handwritten import IMPORT
from thalweg.rules import RULES
from thalweg.testing import search
from thalweg.testing.files import classes_in, run_file


@pytest.fixture
def written(tmp_path):
    """Return the class that a source defines; the import of NumPy stands in front of it."""

    def define(source, head=IMPORT):
        path = tmp_path / "my_optimizer.py"
        path.write_text(head + source, encoding="utf-8")
        return classes_in(run_file(path))[0]

    return define


@pytest.fixture
def only_the_six(monkeypatch):
    """Optimizers are compared with the six alone: quicker, where it does not matter what they are compared with."""
    monkeypatch.setattr(search, "RULES", {name: RULES[name] for name in search._USUAL})
