"""Every rule against its paper, evaluated with 50 digits, on gradients that depend on the parameters."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import thalweg as tw
from tests.language.agreement import without_numba
from tests.papers import PAPERS
from tests.paths import measured, run

OFTEN = {"other": 5, "wide": 15}
# By the meaning, whose bits the kernels of exact rules have, so that nothing is compiled. The usual run takes one row
# in five with numbers that are no defaults, one in 15 of those over more decades, and one in 20 of the others.
ROWS = [
    pytest.param(
        rule,
        convention,
        kind,
        id=f"{rule}-{convention}-{kind}",
        marks=pytest.mark.slow if number % OFTEN.get(kind, 20) else (),
    )
    for number, ((rule, convention), of) in enumerate(PAPERS.items())
    for kind in of.runs | of.wide
]


@pytest.mark.parametrize("rule, convention, kind", ROWS)
def test_forty_steps(rule, convention, kind):
    with without_numba():
        error, share = measured(rule, convention, kind)
    sys.stdout.write(f"{rule}[{convention}] {PAPERS[rule, convention].equation}: {error:.1e}\n")  # shown by -rP
    assert share <= 1
    one = run(rule, convention, kind)
    for name, doubt in one.doubt.items():  # rules of matrices alone, and never so much that nothing would be shown
        assert doubt == 0 or one.rule.facts.matrix
        assert doubt <= 1e-3 * max(one.largest[name])


@pytest.mark.parametrize("rule, convention", PAPERS)
def test_no_number_is_a_default_in_the_second_run(rule, convention):
    defaults, other = tw.RULES[rule].conventions[convention].defaults, PAPERS[rule, convention].other
    assert [name for name, x in defaults.items() if name not in other or other[name] == x] == []


@pytest.mark.parametrize("kind", ["wide", "wide defaults"])
def test_a_wide_run_spans_twelve_decades(kind):
    grads = np.concatenate([np.ravel(g) for step in run("lion", "paper", kind).grads for g in step.values()])
    sizes = np.log10(np.abs(grads[grads != 0]))
    assert sizes.max() - sizes.min() >= 12
    assert (grads == 0).any()


def test_every_transcription_has_a_run_over_twelve_decades():
    assert all(of.decades >= 12 or {"wide", "wide defaults"} <= of.wide.keys() for of in PAPERS.values())


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
