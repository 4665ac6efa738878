"""Worker processes that do runs: killed ones are replaced, and nothing is lost or counted twice.

Each worker is a fresh interpreter behind two pipes, watched by a thread of ours. That is the whole mechanism: a worker
that dies, for whatever reason, closes its pipe, and its run is given to another. Forked workers would inherit threads
and locks, and a shared queue can be left locked by the death of a process that reads from it; neither exists here.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any

from thalweg.engine.threads import usable_cores
from thalweg.lab.records import DamagedRecordError, Record, Store
from thalweg.lab.study import RunConfig

ATTEMPTS = 3
"""How often a run is tried when the worker that does it dies."""

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "THALWEG_NUM_THREADS",
)

# A worker imports from where this process imports, however its path came about.
_BOOT = "import sys, json; sys.path[:] = json.loads(sys.argv.pop()); from thalweg.lab.worker import main; main()"

_PATIENCE = 5.0  # seconds for a worker to end when asked, before it is killed


class WorkersError(RuntimeError):
    """Workers cannot be started at all; the message says why."""


@dataclass(frozen=True)
class Done:
    """A run whose record is in the store."""

    config: RunConfig
    record: Record


@dataclass(frozen=True)
class Failed:
    """A run that could not be done, and why. One that diverged is done."""

    config: RunConfig
    reason: str


def run_all(
    configs: Sequence[RunConfig],
    store: Store,
    workers: int | None = None,
    on_event: Callable[[Done | Failed], None] | None = None,
) -> list[Failed]:
    """Do these runs in worker processes, in about this order, and return those that failed.

    The records are in the store; a run that has one already is not done again. When this is interrupted, the workers
    are ended before the exception goes on, and the runs that they were at are left out.

    Args:
        configs: the runs.
        store: where the records go.
        workers: how many processes; None is one for each core that this process may use. Each gets an equal share of
            the cores for its own threads.
        on_event: called in this thread for each run as soon as it is done or has failed.

    Raises:
        WorkersError: no worker can be started.
    """
    if not configs:
        return []
    wanted = workers or usable_cores()
    pool = _Pool(configs, store, _share(wanted))
    handlers = [threading.Thread(target=pool.serve, daemon=True) for _ in range(min(wanted, len(configs)))]
    failed = []
    try:
        for handler in handlers:
            handler.start()
        for _ in configs:
            event = pool.next_event()
            if isinstance(event, Failed):
                failed.append(event)
            if on_event:
                on_event(event)
    finally:
        pool.stop()
        for handler in handlers:
            if handler.ident:  # an interruption may come before the last one has been started
                handler.join()
        store.sweep(pool.pids)
    return failed


def epoch_seconds(problem: str, store: Store, workers: int) -> float:
    """How long an epoch of this problem takes in one of so many workers, measured in one that is alone.

    Raises:
        WorkersError: no worker can be started, or it failed.
    """
    pool = _Pool([], store, _share(workers))
    worker = pool.start()
    try:
        answer = worker.ask({"epoch": problem}) or {"error": "its worker died"}
    finally:
        pool.end(worker)
    if "error" in answer:
        raise WorkersError(f"An epoch of {problem} could not be timed: {answer['error']}")
    return float(answer["seconds"])


def _share(workers: int) -> int:
    """How many threads each worker may use."""
    return max(1, usable_cores() // workers)


class _Pool:
    """The runs that are left, the workers that are alive, and what has happened."""

    def __init__(self, configs: Sequence[RunConfig], store: Store, threads: int) -> None:
        self.pids: list[int] = []
        self._left = deque(configs)
        self._store = store
        self._threads = threads
        self._events: queue.SimpleQueue[Done | Failed | Exception] = queue.SimpleQueue()
        self._lock = threading.Lock()  # over `_alive` and `_stopping`
        self._alive: set[_Worker] = set()
        self._stopping = False

    def next_event(self) -> Done | Failed:
        while True:
            with contextlib.suppress(queue.Empty):
                event = self._events.get(timeout=0.2)  # on Windows, Ctrl-C is not heard while waiting
                if isinstance(event, Exception):
                    raise event
                return event

    def stop(self) -> None:
        """End all workers, those at work included, and start no more. Returns when they have ended."""
        with self._lock:
            self._stopping = True
            alive = list(self._alive)
        for worker in alive:
            worker.process.terminate()
        for worker in alive:
            worker.wait()

    def serve(self) -> None:
        """Do runs with one worker after another until none is left: the life of one handler thread."""
        worker = None
        try:
            while self._left and not self._stopping:
                try:
                    config = self._left.popleft()
                except IndexError:
                    break
                worker = self._do(config, worker)
        except Exception as error:  # noqa: BLE001 - it is raised where the runs are waited for, instead of being lost here
            self._events.put(error)
        finally:
            if worker:
                self.end(worker)

    def _do(self, config: RunConfig, worker: _Worker | None) -> _Worker | None:
        """Do one run, with as many workers as it takes within reason; the worker that is left, if one is."""
        reason = ""
        for _ in range(ATTEMPTS):
            worker = worker or self.start()
            answer = worker.ask({"run": config.to_json()})
            if answer is not None:
                self._events.put(self._outcome(config, answer.get("error", "its worker wrote no record")))
                return worker
            reason = self._bury(worker)
            worker = None
            if self._stopping:
                return None
        self._events.put(self._outcome(config, f"{reason}, {ATTEMPTS} times"))
        return None

    def _outcome(self, config: RunConfig, otherwise: str) -> Done | Failed:
        """What the store says: it is what counts, not what a worker says."""
        try:
            record = self._store.read(config.key)
        except DamagedRecordError as error:
            return Failed(config, str(error))
        return Done(config, record) if record else Failed(config, otherwise)

    def start(self) -> _Worker:
        """A worker that has said that it is ready."""
        reason = ""
        for _ in range(ATTEMPTS):
            worker = _Worker(self._store, self._threads)
            with self._lock:
                self.pids.append(worker.process.pid)
                self._alive.add(worker)
                stopping = self._stopping
            if stopping:
                worker.process.terminate()
            hello = worker.hear()
            if hello is None:
                reason = self._bury(worker)
            elif "error" in hello:
                self.end(worker)
                raise WorkersError(f"Workers cannot start: {hello['error']}")
            else:
                return worker
            if stopping:
                break
        raise WorkersError(f"Workers cannot start: {reason}")

    def _bury(self, worker: _Worker) -> str:
        reason = worker.obituary()
        self.end(worker)
        return reason

    def end(self, worker: _Worker) -> None:
        worker.end()
        with self._lock:
            self._alive.discard(worker)


class _Worker:
    """One process and its pipes."""

    def __init__(self, store: Store, threads: int) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        self.process = subprocess.Popen(  # noqa: S603 - this interpreter, and a program that stands above
            [sys.executable, "-P", "-c", _BOOT, str(store.root.absolute()), json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="ascii",
            errors="replace",
            env=os.environ | dict.fromkeys(_THREADS, str(threads)),
            # A process group of its own: Ctrl-C goes to the command, which decides what becomes of its workers.
            process_group=None if sys.platform == "win32" else 0,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert self.process.stdin
        assert self.process.stdout
        self._ask, self._answers = self.process.stdin, self.process.stdout

    def ask(self, task: dict[str, Any]) -> dict[str, Any] | None:
        """Send a task and wait for the answer; None if the worker has died."""
        try:
            self._ask.write(json.dumps(task) + "\n")
            self._ask.flush()
        except OSError:
            return None
        return self.hear()

    def hear(self) -> dict[str, Any] | None:
        """Wait for an answer; None if the worker has died."""
        while line := self._answers.readline():
            # What else comes is from before the worker's first word: some installations greet every new interpreter.
            if line.startswith("{") and line.endswith("}\n"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        return None

    def obituary(self) -> str:
        """How it died, once `hear` has given None."""
        code = self.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        how = f"its worker was killed by signal {-code}" if code < 0 else f"its worker ended with exit code {code}"
        return " ".join([how, *(f"({line})" for line in last)])

    def wait(self) -> int:
        """The exit code. A worker that takes longer than `_PATIENCE` to end is killed."""
        try:
            return self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def end(self) -> None:
        """End it by the end of its input, and close what belongs to it."""
        with contextlib.suppress(OSError):
            self._ask.close()
        self.wait()
        self._answers.close()
        self._errors.close()
