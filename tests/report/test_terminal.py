import io

import pytest
from rich.console import Console

from tests.lab_summary.synthetic import realistic, study
from thalweg.lab.summary import summarize
from thalweg.report import terminal


def printed(summary, width=80):
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system="truecolor")
    console.print(terminal.render(summary))
    return console.file.getvalue()


@pytest.mark.parametrize("problem", ["digits", "ravine"])
def test_the_table_fits_eighty_columns_with_nothing_cut(problem):
    summary = summarize(*realistic(problem))
    lines = terminal.plain(summary).splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in printed(summary)
    for rule in summary.findings.rules:
        row = next(line for line in lines if line.startswith(rule.name))
        assert summary.findings.measure.spread_text(rule.test) in row
        assert f"{rule.diverged} of 27" in row


def test_the_table_says_what_its_columns_are():
    text = terminal.plain(summarize(*realistic()))
    head = text.splitlines()[:2]
    assert head[0].split() == ["best", "test", "accuracy", "epochs", "runs", "time"]
    assert head[1].split() == ["rule", "rate", "(range", "of", "3", "seeds)", "to", "0.90", "diverged", "a", "step"]


def test_the_verdict_and_every_warning_follow():
    summary = summarize(*realistic())
    for text in (terminal.plain(summary), printed(summary, 200)):
        words = " ".join(text.split())
        assert "too few seeds to tell (3; 10 needed)" in words
        for warning in summary.warnings:
            assert warning in words


def test_plain_text_has_no_control_characters():
    text = terminal.plain(summarize(*realistic()))
    assert text.endswith("\n")
    assert all(char.isprintable() or char == "\n" for char in text)


def test_names_in_brackets_are_not_taken_for_styles():
    assert "Adam[lr]" in printed(summarize(*realistic()), 120)


def test_a_study_without_records_has_a_table_too():
    text = terminal.plain(summarize(study({"adam": [0.1], "sgd": [0.1]}), [], None))
    assert "no run finished" in text
    assert "No run has finished yet" in text
