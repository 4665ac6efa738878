"""Every rule against its paper, evaluated with 50 digits, on gradients that depend on the parameters."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import thalweg as tw
from tests.language.agreement import without_numba
from tests.papers import PAPERS
from tests.paths import measured

TOLERANCE = 1e-12
# By the meaning, whose bits the kernels of exact rules have, so that nothing is compiled. The usual run takes one
# row in two with numbers that are no defaults, and one in ten of the others.
ROWS = [
    pytest.param(
        rule,
        convention,
        kind,
        id=f"{rule}-{convention}-{kind}",
        marks=pytest.mark.slow if number % (2 if kind == "other" else 10) else (),
    )
    for number, ((rule, convention), of) in enumerate(PAPERS.items())
    for kind in of.runs
]


@pytest.mark.parametrize("rule, convention, kind", ROWS)
def test_forty_steps(rule, convention, kind):
    with without_numba():
        error = measured(rule, convention, kind)
    of = PAPERS[rule, convention]
    sys.stdout.write(f"{rule}[{convention}] {of.equation}: {error:.1e}\n")  # shown by -rP
    assert error <= (of.tolerance or TOLERANCE)


@pytest.mark.parametrize("rule, convention", PAPERS)
def test_no_number_is_a_default_in_the_second_run(rule, convention):
    defaults, other = tw.RULES[rule].conventions[convention].defaults, PAPERS[rule, convention].other
    assert [name for name, x in defaults.items() if name not in other or other[name] == x] == []


def test_every_form_is_transcribed():
    """A convention with a text of its own has a transcription; one that shares its text has that of the other."""
    for name, rule in tw.RULES.items():
        transcribed = {form.digest for c, form in rule.conventions.items() if (name, c) in PAPERS}
        missing = [c for c, form in rule.conventions.items() if form.digest not in transcribed]
        assert not missing, f"{name}: {', '.join(missing)}"
    assert not [key for key in PAPERS if key[1] not in tw.RULES[key[0]].conventions]


def test_transcriptions_know_nothing_of_thalweg():
    folder = Path(__file__).parents[1]
    files = [folder / "papers.py", *(folder / "transcribed").glob("*.py")]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "thalweg" for name in names), file
    assert len(files) > 1
