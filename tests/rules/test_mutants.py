"""Rules with a slip in them leave their transcriptions, or are proven to compute the same."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

import thalweg as tw
import thalweg.optimizer  # so that every module that asks for Numba is there to be told otherwise
from tests import mutants, paths
from tests.papers import PAPERS
from thalweg.engine.numba_support import numba_available

ALL = mutants.forms([])
QUICK = {
    ("nesterov", "book"), ("aggmo", "paper"), ("adagrad", "optax"), ("signum", "paper"), ("adabelief", "paper"),
    ("novograd", "paper"), ("fromage", "optax"), ("polyaksgd", "paper"),
}  # fmt: skip
FORMS = [pytest.param(*form, id="-".join(form), marks=[] if form in QUICK else pytest.mark.slow) for form in ALL]


@pytest.fixture(autouse=True)
def meaning(monkeypatch):
    """Steps are taken by the meaning of the rules: a mutant is not worth compiling."""
    for name, module in list(sys.modules.items()):
        if name.startswith("thalweg.") and vars(module).get("numba_available") is numba_available:
            monkeypatch.setattr(module, "numba_available", lambda: False)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A file of proofs in the place of ours; it is empty."""
    path = tmp_path / "proofs.toml"
    path.write_text("", "utf-8")
    monkeypatch.setattr(mutants, "FILE", path)
    return path


@pytest.mark.parametrize("rule, convention", FORMS)
def test_every_mutant_is_found_or_proven(rule, convention):
    verdict = mutants.judged((rule, convention))
    assert verdict.survivors == verdict.refuted == ()
    assert verdict.counts["found"] >= 10
    assert verdict.counts["refused"] <= 0.05 * verdict.counts["found"]


def test_the_quick_ones_are_forms_that_there_are():
    assert set(ALL) >= QUICK


# The file -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({row["rule"] for row in mutants.proofs()}))
def test_each_pattern_of_a_row_speaks_of_a_mutant(name):
    rows = [row for row in mutants.proofs() if row["rule"] == name]
    left = [{**row, key: x} for row in rows for key in row.keys() - {"proof"} for x in mutants.listed(row[key])]
    for form in ALL:
        if any(mutants.matches(form[0], row["rule"]) and mutants.matches(form[1], row["convention"]) for row in left):
            table = list(mutants.mutants(tw.RULES[form[0]].conventions[form[1]]))
            left = [row for row in left if not any(mutants.proves(row, *form, mutant) for mutant in table)]
    assert left == []


def test_each_row_is_whole():
    for row in mutants.proofs():
        assert {*row} - {"lines"} == {"rule", "convention", "words", "proof"}
        assert row["proof"].endswith((".", ".)"))


def test_nothing_is_proven_twice():
    rows = [str({key: x for key, x in row.items() if key != "proof"}) for row in mutants.proofs()]
    assert len(set(rows)) == len(rows)


def test_patterns():
    assert mutants.matches("with `a[0]` for `b`", "with `a[0]` for *")
    assert mutants.matches("optax", ["paper", "opt*"])
    assert not mutants.matches("optax", ["paper", "opt"])


# The command ----------------------------------------------------------------------------------------------------------


def command(*arguments):
    return mutants.main(["-j", "1", *arguments])


def test_the_command_is_content(capsys):
    assert command("sgd", "aggmo") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == ["sgd[paper]", "aggmo[paper]"]
    assert lines[-1].endswith("3 equivalent, 0 not found, 0 refused")


def test_a_mutant_that_lives_without_a_proof(capsys, file):
    assert command("aggmo") == 1
    out = capsys.readouterr().out
    assert "3 not found" in out
    assert "    with `beta1` and `beta2` exchanged  (b1 = beta2 * b1 + g; b2 = beta1 * b2 + g)\n" in out


def test_a_proof_that_nothing_needs(capsys, file):
    file.write_text('[[mutant]]\nrule = "sgd"\nconvention = "*"\nwords = "without *"\nproof = "It is."\n', "utf-8")
    assert command("sgd") == 1
    assert "a pattern that nothing needs: sgd[*] words: without *\n" in capsys.readouterr().out
    assert command("signsgd") == 0


def test_a_pattern_that_nothing_needs_beside_one_that_is(capsys, file):
    """Each pattern counts, not each row."""
    pattern = "with `beta*` and `beta*` exchanged"
    words = [pattern, "without the factor `nothing`"]
    file.write_text(f'[[mutant]]\nrule = "aggmo"\nconvention = "*"\nwords = {words}\nproof = "It is."\n', "utf-8")
    assert command("aggmo") == 1
    out = capsys.readouterr().out
    assert "a pattern that nothing needs: aggmo[*] words: without the factor `nothing`\n" in out
    assert f"words: {pattern}" not in out
    assert "3 equivalent, 0 not found" in out


def test_a_proof_of_a_mutant_that_is_found(capsys, file):
    words = ["with `beta*` and `beta*` exchanged", "with `lr` 10 % larger"]
    file.write_text(f'[[mutant]]\nrule = "aggmo"\nconvention = "*"\nwords = {words}\nproof = "It is."\n', "utf-8")
    assert command("aggmo") == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "in spite of its proof" in line]
    assert len(lines) == 1
    assert lines[0].startswith("    found in spite of its proof: with `lr` 10 % larger")
    assert lines[0].endswith(": It is.")


def test_numbers_that_show_less_than_they_could(monkeypatch):
    """With other numbers a term is not seen any more."""
    of = PAPERS["lion", "paper"]
    monkeypatch.setitem(PAPERS, ("lion", "paper"), replace(of, other={**of.other, "weight_decay": 0.0}))
    paths.run.cache_clear()
    verdict = mutants.judged(("lion", "paper"))
    paths.run.cache_clear()
    assert any("`weight_decay` 10 % larger" in words for words in verdict.survivors)


def test_a_transcription_of_something_else(capsys, monkeypatch):
    """Then every mutant is found, which says nothing."""
    of = PAPERS["sgd", "paper"]
    monkeypatch.setitem(PAPERS, ("sgd", "paper"), replace(of, function=lambda w, g, s, t, lr: w - 2 * lr * g))
    paths.run.cache_clear()
    assert command("sgd") == 1
    paths.run.cache_clear()
    assert "the rule itself is not what is transcribed" in capsys.readouterr().out
