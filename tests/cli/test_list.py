"""`thalweg list`: one line for each rule, true in every column, at every width, and in every pipe."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import thalweg as tw
from thalweg.cli import app
from thalweg.language.state import copy, full, given, left, number, right, rows, shared
from thalweg.report.catalogue import Entry, UnknownRuleError, dated, entries, find, shortened, state_of
from thalweg.report.reading import listed, plain
from thalweg.rules import CLASSES, RULES

ENTRIES = {entry.name: entry for entry in entries()}
# Looked up by hand: year, source, state, bits.
KNOWN = {
    "SGD": (1847, "Cauchy", "none", "same"),
    "Momentum": (1964, "Polyak", "nm", "same"),
    "RMSprop": (2012, "Tieleman & Hinton", "nm", "same"),
    "Adam": (2015, "Kingma & Ba, arXiv:1412.6980", "2nm", "same"),
    "AdaBelief": (2020, "Zhuang et al., arXiv:2010.07468", "2nm", "same"),
    "Rprop": (1993, "Riedmiller & Braun", "2nm", "same"),
    "NAdam": (2016, "Dozat, ICLR workshop", "2nm+1", "same"),
    "DiffGrad": (2020, "Dubey et al., arXiv:1909.11015", "3nm", "4 ulp"),
    "Adafactor": (2018, "Shazeer & Stern, arXiv:1804.04235", "n+m", "same"),
    "Prodigy": (2023, "Mishchenko & Defazio, arXiv:2306.06101", "4nm (+3)", "same"),
    "SOAP": (2024, "Vyas et al., arXiv:2409.11321", "2nm+2n²+2m²", "BLAS"),
    "LBFGS": (1989, "Liu & Nocedal", "2h·nm", "same"),
}


def run(*arguments):
    done = CliRunner().invoke(app, ["list", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_rule_is_there_with_a_year():
    assert list(ENTRIES) == [*CLASSES, "LBFGS"]
    assert all(1800 < entry.year < 2030 for entry in ENTRIES.values())


@pytest.mark.parametrize("name", KNOWN)
def test_what_stands_in_a_line(name):
    entry = ENTRIES[name]
    assert (entry.year, entry.source, entry.state, entry.bits) == KNOWN[name]


def test_conventions_are_those_of_the_rules():
    for name, rule in RULES.items():
        entry = ENTRIES[rule.title]
        assert list(entry.conventions) == list(rule.conventions), name
        assert entry.default == rule.convention_name


@pytest.mark.parametrize(
    "source, short",
    [
        ("Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1", "Kingma & Ba, arXiv:1412.6980"),
        ("Liu, Wang & Sun 2020, arXiv:1908.03265v2, Algorithm 2", "Liu et al., arXiv:1908.03265"),
        ("You et al. 2019, arXiv:1904.00962", "You et al., arXiv:1904.00962"),
        ("Cauchy 1847", "Cauchy"),
        ("Zeiler 2012, section 3", "Zeiler"),
        ("Jordan et al. 2024, https://example.org/2020/muon", "Jordan et al."),
        ("torch.optim.SGD", "torch.optim.SGD"),
    ],
)
def test_a_source_is_shortened(source, short):
    assert shortened(source) == short


def test_a_year_is_no_part_of_a_number_or_an_address():
    @tw.rule(source="arXiv:2010.07468; https://example.org/1999/x; version 2001.5; release-2002; a 2020-01 b")
    def nothing(w, g, *, lr=0.1):
        w = w - lr * g
        return w

    with pytest.raises(ValueError, match="no source of Nothing names a year"):
        dated(nothing)

    @nothing.convention("other", source="someone 2013, arXiv:1412.6980; someone else 2011")
    def other(w, g, *, lr=0.1):
        w = w - lr * g
        return w

    assert dated(nothing) == (2011, "someone else 2011")


@pytest.mark.parametrize(
    "slots, state",
    [
        ({}, "none"),
        (dict(m=full(0.0), x0=copy("w")), "2nm"),
        (dict(r=rows(), c=number(), h=given("hessian")), "n+1"),
        (dict(a=left(), b=right(), c=right()), "n²+2m²"),
        (dict(d=shared(1.0)), "(+1)"),
        (dict(m=full(0.0), d=shared(1.0), e=shared()), "nm (+2)"),
    ],
)
def test_how_many_numbers_are_kept(slots, state):
    assert state_of(slots) == state


def test_names_are_found_in_any_case_and_with_a_convention():
    assert find("Adam") is find("adam") is find(" ADAM ") is RULES["adam"]
    assert find("adam[torch]") is RULES["adam"].conventions["torch"]
    assert find("LBFGS") is find("lbfgs[torch]") is None


@pytest.mark.parametrize(
    "name, message",
    [
        ("adamm", "'adamm' is not a rule here. Did you mean 'adam'?"),
        ("qwxyz", "`thalweg list` lists them"),
        ("adam[jax]", "Adam has no convention 'jax'; it has: paper, book"),
        ("FusedAdam", 'deepspeed.ops.adam.FusedAdam() is tw.AdamW(weight_decay=0.0, convention="optax") here.'),
        ("optax.nadamw", "optax.nadamw(2e-3) is tw.chain("),
        ("SparseAdam", "torch.optim.SparseAdam is not here: moves those elements alone"),
    ],
)
def test_other_names_get_the_nearest_one_or_what_it_is_called_here(name, message):
    with pytest.raises(UnknownRuleError) as refused:
        find(name)
    assert message in str(refused.value)


def test_in_a_pipe_a_line_is_a_rule():
    lines = run().splitlines()
    assert lines[0].split() == ["name", "year", "source", "state", "bits", "conventions"]
    assert [line.split()[0] for line in lines[1:]] == list(ENTRIES)
    at = lines[0].index("conventions")
    assert all(line[at - 2 : at] == "  " and line[at] != " " for line in lines[1:])
    assert lines[list(ENTRIES).index("SGD") + 1][at:] == "paper book* torch keras optax pennylane"
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_it_fits_the_terminal_and_says_everything(width):
    drawn = plain(listed(list(ENTRIES.values()), width), width)
    assert max(map(len, drawn.splitlines())) <= width
    assert [line.split()[0] for line in drawn.splitlines() if line[:1].isupper()] == list(ENTRIES)
    assert "…" not in drawn
    assert drawn.count("*") == len(ENTRIES) + 1  # and the legend
    for entry in ENTRIES.values():
        for convention in entry.conventions:
            assert convention in drawn


def test_as_json():
    found = json.loads(run("--json"))
    assert found.keys() == {"rules"}
    assert [Entry(**{**line, "conventions": tuple(line["conventions"])}) for line in found["rules"]] == entries()


def test_who_has_seen_enough_may_go():
    program = [sys.executable, "-W", "error", "-m", "thalweg", "list"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("name")
        process.stdout.close()
        assert process.stderr.read() == ""


def test_nothing_that_steps_is_imported_for_it():
    program = """
import sys
from thalweg.cli import app
try:
    app(["list"])
except SystemExit:
    pass
print(sorted(name for name in sys.modules if name.split(".")[0] in ("numba", "sklearn", "scipy")
             or name.startswith(("thalweg.engine", "thalweg.optimizer"))), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
