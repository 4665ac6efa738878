"""A worker process: reads tasks from its standard input, one JSON object a line, and answers each with one line.

    {"run": {...}}          the fields of a RunConfig    ->  {"done": KEY}
    {"epoch": "digits"}     the name of a problem        ->  {"seconds": 0.009}
    anything that fails                                  ->  {"error": "what went wrong"}

Started by `thalweg.lab.pool`. The record goes to the store, from here; what goes back is only that it is there. So
neither the death of a worker nor that of the command loses a finished run. When the input ends, so does the worker.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from types import FrameType
from typing import IO, Any, NoReturn

from thalweg.lab.records import DamagedRecordError, Store
from thalweg.lab.study import RunConfig


def main() -> None:
    """The whole life of a worker. Its one argument on the command line is the folder of the store."""
    signal.signal(signal.SIGTERM, _end)
    answers = _private_stdout()
    store = Store(sys.argv[1])
    try:
        import thalweg.lab.run  # noqa: F401 - the heavy part; where it fails, no run can be done
    except ImportError as error:
        _answer(answers, error=str(error))
        return
    _answer(answers, ready=True)
    for line in sys.stdin:
        try:
            _answer(answers, **_do(json.loads(line), store))
        except Exception as error:  # noqa: BLE001 - whatever a run raises is the answer; the next run is none the worse
            _answer(answers, error=f"{type(error).__name__}: {error}")


def _do(task: dict[str, Any], store: Store) -> dict[str, Any]:
    from thalweg.lab.run import epoch_seconds, run

    if "epoch" in task:
        return {"seconds": epoch_seconds(task["epoch"])}
    config = RunConfig.from_json(task["run"])
    if not _recorded(store, config.key):
        store.write(run(config))
    return {"done": config.key}


def _recorded(store: Store, key: str) -> bool:
    """Another command may be at work in the same store, and have done this run in the meantime."""
    try:
        return store.read(key) is not None
    except DamagedRecordError:
        return False


def _private_stdout() -> IO[str]:
    """The stream of answers. What anything else here prints goes to standard error and cannot be taken for one."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _answer(answers: IO[str], **values: object) -> None:
    try:
        answers.write(json.dumps(values) + "\n")
    except BrokenPipeError:
        sys.exit(1)  # the command that started this worker has died, and nobody waits for more


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM ends a worker as an exception would: temporary files are removed on the way out."""
    sys.exit(128 + number)
