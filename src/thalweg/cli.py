"""The command line: parse, call, print. Results go to standard output, everything else to standard error.

Exit codes: 0 all went well, 1 some runs failed, 2 the command was not understood, 128 + n signal n (130 is Ctrl-C).
Heavy imports stand inside the functions that need them, so that help is there at once.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from thalweg.lab import Record, Store, Study
    from thalweg.lab.pool import Failed

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    """The command `thalweg`."""
    # A pipe or a console of an older code page must not end a comparison with an error about its µ.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    app(prog_name="thalweg")


def _version(wanted: bool) -> None:
    if wanted:
        from thalweg import __version__

        typer.echo(f"thalweg {__version__}")
        raise typer.Exit


@app.callback(help="Update rules for NumPy parameters, and a laboratory that compares them honestly.")
def _thalweg(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def compare(
    *,
    problem: Annotated[str, typer.Option(help="What is learned: digits or ravine.")] = "digits",
    rules: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Which rules; the classic six if not given.")
    ] = None,
    lrs: Annotated[
        str | None, typer.Option(metavar="NUMBER,...", help="Learning rates for every rule; else nine of its own.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many runs for each rule and rate.")] = 3,
    epochs: Annotated[int | None, typer.Option(help="Length of a run; the problem's own if not given.")] = None,
    workers: Annotated[
        int | None, typer.Option("-j", "--workers", help="Worker processes; one a core if not given.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    out: Annotated[Path, typer.Option(help="The folder of records and page.")] = Path("thalweg-compare"),
    preview: Annotated[bool, typer.Option("-n", "--dry-run", help="Say what would be run, and run nothing.")] = False,
) -> None:
    """Compare update rules: the same starts, the same batches, the same number of learning rates for each.

    Validation data chooses each rule's learning rate, test data reports.
    Prints a table and writes a page, report.html.
    Runs are recorded as they finish: the same command resumes after a stop.
    """
    with _ends_politely():
        from rich.console import Console

        from thalweg.lab import Store

        study = _declare(problem, rules, lrs, seeds, epochs, workers)
        _check_folder(out)
        store = Store(out)
        console = Console(stderr=True)
        if preview:
            _preview(study, store, workers, console, json=json)
            return
        failed = _run(study, store, workers, console)
        _report(study, store, console, json=json)
        if failed:
            raise typer.Exit(1)


@app.command()
def check(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:NAME]",
            help="A Python file; NAME is a class or an object in it, all optimizers if not given.",
        ),
    ],
    *,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=NUMBER", help="A hyper-parameter, for the constructor. May be repeated."),
    ] = None,
    dtype: Annotated[str, typer.Option(help="Of parameters and gradients: float64 or float32.")] = "float64",
    json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Say which rule a hand-written optimizer is, or at which step it leaves the nearest one, and why.

    The file is run, all but what stands below `if __name__ == "__main__"`, and the optimizer takes 100 steps.
    Exit code 0: it is a known rule. 1: it is not. 2: it could not be asked.
    """
    with _ends_politely():
        from thalweg.testing.command import check as look_at
        from thalweg.testing.subject import UsageError

        try:
            checked = look_at(target, settings or (), dtype=dtype)
        except UsageError as error:
            _refuse(str(error))
        if json:
            _print(checked.to_json())
        elif sys.stdout.isatty():
            from thalweg.report.checked import render

            _print(render(checked.identities))
            for remark in checked.remarks:
                typer.echo(remark)
        else:
            typer.echo(checked.text())
        if checked.exit_code:
            raise typer.Exit(checked.exit_code)


@app.command("list")
def list_(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List all update rules: year, source, state, whose bits they have, and their conventions."""
    with _ends_politely():
        from thalweg.report.catalogue import entries

        found = entries()
        if json:
            _print({"rules": [entry.to_json() for entry in found]})
            return
        from thalweg.report.reading import listed, plain

        if sys.stdout.isatty():
            _print(listed(found, _width()))
        else:
            typer.echo(plain(listed(found)))


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A rule, as Adam or adam; with a convention in brackets, that form of it."),
    ],
    *,
    conventions: Annotated[
        bool,
        typer.Option("--conventions", help="Show what its conventions differ in, and what it is called elsewhere."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show an update rule: its text, its numbers and their ranges, its state, and what follows from the text."""
    with _ends_politely():
        from thalweg.report import forms, sheet
        from thalweg.report.catalogue import UnknownRuleError, find

        try:
            rule = find(name)
        except UnknownRuleError as error:
            _refuse(str(error))
        found: forms.Forms | sheet.Sheet
        if conventions:
            found = forms.forms_of(rule) if rule else forms.forms_of_lbfgs()
        else:
            found = sheet.sheet_of(rule) if rule else sheet.sheet_of_lbfgs()
        if json:
            _print(found.to_json())
            return
        from thalweg.report.reading import PLAIN_WIDTH, compared, plain, shown

        is_terminal = sys.stdout.isatty()
        width = _width() if is_terminal else PLAIN_WIDTH
        drawn = compared(found, width) if isinstance(found, forms.Forms) else shown(found, width)
        if is_terminal:
            _print(drawn)
        else:
            typer.echo(plain(drawn, width))


def _declare(
    problem: str, rules: str | None, lrs: str | None, seeds: int, epochs: int | None, workers: int | None
) -> Study:
    from thalweg.lab import Study
    from thalweg.lab.study import check_count

    try:
        if workers is not None:
            check_count("-j", workers)
        rates = None if lrs is None else [_number(word) for word in _words(lrs)]
        return Study.declare(problem, None if rules is None else _words(rules), rates, seeds, epochs)
    except ValueError as error:
        _refuse(str(error))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(word: str) -> float:
    from thalweg.lab.study import check_rate

    try:
        return float(word)
    except ValueError:
        return check_rate(word)  # says what a learning rate is


def _check_folder(out: Path) -> None:
    """Refuse a folder that cannot be written to, before any work is done for it."""
    try:
        place = next(place for place in (out, *out.absolute().parents) if os.path.lexists(place))
        if not place.is_dir():
            _refuse(f"--out is {out}, but {place} is a file. Name a folder, new or with earlier records.")
        if not os.access(place, os.W_OK | os.X_OK):
            _refuse(f"--out is {out}, but {place} cannot be written to. Name a folder of your own.")
    except OSError as error:
        _refuse(f"--out is {out}, which cannot be a folder: {error.strerror}.")


def _refuse(message: str) -> NoReturn:
    raise typer.BadParameter(message)


def _recorded(study: Study, store: Store, console: Console | None = None) -> dict[str, Record]:
    """The records that are there. With a console, it is said which files are damaged."""

    def damaged(message: str) -> None:
        if console:
            _say(console, f"! {message}. The file is ignored, and its run is done again.")

    return store.read_all((config.key for config in study.runs()), damaged)


def _preview(study: Study, store: Store, workers: int | None, console: Console, *, json: bool) -> None:
    from thalweg.engine.threads import usable_cores
    from thalweg.lab.matrix import matrix
    from thalweg.report.matrix import render

    found = _recorded(study, store, console)
    what = matrix(study, store, found.values(), workers or usable_cores())
    _print(what.to_json() if json else render(what))


def _run(study: Study, store: Store, workers: int | None, console: Console) -> bool:
    """Do the runs that have no record yet; whether any failed."""
    from thalweg.engine.threads import usable_cores
    from thalweg.lab.pool import Done, WorkersError, run_all
    from thalweg.report.progress import watch

    found = _recorded(study, store, console)
    left = [config for config in study.runs() if config.key not in found]
    _prepare(study, store)
    if not left:
        return False
    try:
        with watch(study, found.values(), min(workers or usable_cores(), len(left)), console) as display:

            def on_event(event: Done | Failed) -> None:
                display.show(event.record if isinstance(event, Done) else None)

            failed = run_all(left, store, workers, on_event)
    except KeyboardInterrupt:
        recorded = f"{len(_recorded(study, store))} of {len(study.runs())} runs are recorded in {store.root}"
        _say(console, f"Stopped. {recorded}; the same command resumes.")
        raise
    except WorkersError as error:
        _say(console, str(error))
        raise typer.Exit(1) from None
    for reason, labels in _by_reason(failed).items():
        _say(console, f"! {len(labels)} failed: {reason}: {'; '.join(labels)}")
    return bool(failed)


def _by_reason(failed: list[Failed]) -> dict[str, list[str]]:
    """What went wrong, and with which runs: once, where all failed alike."""
    reasons: dict[str, list[str]] = {}
    for failure in failed:
        reasons.setdefault(failure.reason, []).append(failure.config.label)
    return reasons


def _prepare(study: Study, store: Store) -> None:
    """Make the folder, and put into it what is declared: before any run, as a declaration should be."""
    try:
        store.prepare()
        store.write_json("study.json", study.to_json())
    except OSError as error:
        _refuse(f"--out is {store.root}, which cannot be written to: {error.strerror}. Name a folder of your own.")


def _report(study: Study, store: Store, console: Console, *, json: bool) -> None:
    """Time the updates, sum up, print the table and write the page: all of it from what is in the store."""
    from thalweg.lab.timing import timing
    from thalweg.report import page, terminal

    records = list(_recorded(study, store).values())
    if not records:
        return
    timed = timing(study, store, {record["rule"] for record in records})
    path = store.root / "report.html"
    summary = page.write(study, records, timed, path)
    if json:
        _print(summary.to_json())
        _say(console, str(path))
    elif sys.stdout.isatty():
        _print(terminal.render(summary))
        typer.echo(f"\n{path}")
    else:
        typer.echo(f"{terminal.plain(summary)}\n{path}")


def _print(result: object) -> None:
    """A result, to standard output: something that rich can draw, or values as JSON."""
    from json import dumps

    from rich.console import Console

    if isinstance(result, dict):
        typer.echo(dumps(result, indent=2, allow_nan=False))
    else:
        Console().print(result)


def _width() -> int:
    """The width of the terminal, as rich sees it."""
    from rich.console import Console

    return Console().width


def _say(console: Console, message: str) -> None:
    console.print(message, markup=False, highlight=False, soft_wrap=True)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


@contextmanager
def _ends_politely() -> Iterator[None]:
    """Ctrl-C and SIGTERM become exit codes; a full disk becomes a message."""

    def terminated(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _Terminated

    previous = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    except KeyboardInterrupt as interruption:
        number = signal.SIGTERM if isinstance(interruption, _Terminated) else signal.SIGINT
        raise typer.Exit(128 + number) from None
    except BrokenPipeError:
        raise  # who reads our output has seen enough; typer ends without a word
    except OSError as error:
        typer.echo(f"thalweg: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        signal.signal(signal.SIGTERM, previous)
