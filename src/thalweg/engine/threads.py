"""Our own persistent worker threads: serial kernels that release the interpreter lock, shared out over the cores.

A call is cut into parts. Every part is claimed by exactly one thread: a worker, or the caller, which takes the first
part and any that no worker has begun. So nothing ever waits for a busy worker, nested and concurrent calls included.

A call ends when all its parts have ended, whatever happens on the way: an array is never written to behind the back of
a caller that has already moved on.
"""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import SupportsIndex

LIMIT = 1024
"""The most threads that may be asked for."""

Task = Callable[[int, int], object]


def parallel(task: Task, total: int, *, grain: int) -> None:
    """Call `task(lo, hi)` over contiguous ranges that cover range(total), on several threads where that pays.

    task: should release the interpreter lock; must be safe to run on disjoint ranges at once.
    total: the number of units of work. Nothing is called for 0.
    grain: the fewest units worth a thread of their own; up to that many run on the calling thread alone.

    Returns when every part has ended. Then an exception of a part is raised (of the first part, if several failed); an
    exception of a signal handler, such as KeyboardInterrupt, goes first.
    """
    parts = min(get_num_threads(), -(-total // max(1, grain)))
    if parts <= 1:
        if total > 0:
            task(0, total)
        return
    call = _Call(task, total, parts)
    while True:
        try:
            call.finish()
            break
        except BaseException as error:  # noqa: BLE001 - a signal handler raised in one of the seams of `finish`
            call.interrupt = error
    failure = None
    try:
        failure = call.failure()
        if failure is not None:
            raise failure
    finally:
        del call, failure  # a traceback refers to this frame, and must not refer to itself through it


class _Call:
    """One call of `parallel`: its parts, who claimed them, which have ended and how."""

    def __init__(self, task: Task, total: int, parts: int) -> None:
        self.task = task
        self.bounds = [total * k // parts for k in range(parts + 1)]
        self.claims: dict[int, int] = {}
        self.begun = [False] * parts
        self.ended = [False] * parts
        self.errors: dict[int, BaseException] = {}
        self.last_ended = threading.Lock()
        self.last_ended.acquire()
        self.invited = False
        self.interrupt: BaseException | None = None

    def finish(self) -> None:
        """Invite workers, work, and return when all parts have ended. Whatever interrupts that is kept for later."""
        while True:
            try:
                if not self.invited:
                    self.invited = True  # whatever happens: the caller does what nobody was invited to
                    _workers.invite(self, len(self.ended) - 1)
                self.work()
                while not all(self.ended):
                    self.last_ended.acquire(timeout=1.0)
            except BaseException as error:  # noqa: BLE001 - a signal handler raised in this thread: `parallel` raises it
                self.interrupt = error
            else:
                return

    def failure(self) -> BaseException | None:
        """Return what to raise: an interruption, else the exception of the first part that failed."""
        if self.interrupt is not None or not self.errors:
            return self.interrupt
        return self.errors[min(self.errors, key=lambda part: (isinstance(self.errors[part], Exception), part))]

    def work(self) -> None:
        """Run parts until none is left to claim.

        Claiming is one atomic operation that leaves a trace, so that a claim is not lost when a signal handler raises
        just after it: the next round finds it and keeps it.
        """
        me = threading.get_ident()
        for part, begun in enumerate(self.begun):
            if not begun and self.claims.setdefault(part, me) == me:
                self._run(part)

    def _run(self, part: int) -> None:
        try:
            self.begun[part] = True
            self.task(self.bounds[part], self.bounds[part + 1])
        except BaseException as error:  # noqa: BLE001 - raised by `parallel` in the caller's thread
            self.errors[part] = error
        finally:
            self.ended[part] = True
        if all(self.ended):
            with contextlib.suppress(RuntimeError):  # two threads may both have seen that they are the last
                self.last_ended.release()


class _Workers:
    """Daemon threads that wait for calls. They are made when first needed, and made anew in a forked child."""

    def __init__(self) -> None:
        self.num_threads: int | None = None  # not decided yet
        self.after_fork()

    def after_fork(self) -> None:
        """Begin without threads: they did not come along, and one of them may hold the old lock for ever."""
        self.calls: SimpleQueue[_Call | None] = SimpleQueue()
        self.threads: list[threading.Thread] = []
        self.lock = threading.Lock()

    def invite(self, call: _Call, count: int) -> None:
        if len(self.threads) < count:
            self._grow(count)
        for _ in range(count):
            self.calls.put(call)

    def _grow(self, count: int) -> None:
        with self.lock:
            while len(self.threads) < count:
                name = f"thalweg-{len(self.threads) + 1}"
                thread = threading.Thread(target=_serve, args=(self.calls,), name=name, daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # No more threads to be had, or the interpreter is ending: the caller does what nobody else claims.
                    return
                self.threads.append(thread)

    def dismiss(self) -> None:
        """End the workers; the next call makes new ones."""
        with self.lock:
            threads, self.threads = self.threads, []
            calls, self.calls = self.calls, SimpleQueue()
        calls.put(None)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()


def _serve(calls: SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        call.work()
        del call  # an idle worker must not keep the arrays of its last call alive
    # For the next one: there may be a worker more than was written down, if a signal handler raised while it was made.
    calls.put(None)


_workers = _Workers()
if hasattr(os, "register_at_fork"):
    # A process that forks while it has threads is warned about from Python 3.12 on, and not for our sake: idle workers
    # end before the fork and come back with the next call.
    os.register_at_fork(before=_workers.dismiss, after_in_child=_workers.after_fork)


def set_num_threads(n: int) -> None:
    """Set how many threads share the work of one call, the calling thread included: a whole number from 1 to 1024."""
    _workers.num_threads = _checked(n, "set_num_threads")


def get_num_threads() -> int:
    """Return how many threads share the work of one call.

    What `set_num_threads` was given; else the environment variable THALWEG_NUM_THREADS as it was at the first call;
    else the number of cores that this process may use.
    """
    if _workers.num_threads is None:
        given = os.environ.get("THALWEG_NUM_THREADS", "").strip()
        if given:
            _workers.num_threads = _checked(int(given) if given.isdecimal() else given, "THALWEG_NUM_THREADS")
        else:
            _workers.num_threads = min(LIMIT, usable_cores())
    return _workers.num_threads


def _checked(n: object, where: str) -> int:
    if isinstance(n, bool) or not isinstance(n, SupportsIndex):
        raise TypeError(f"{where} is {n!r}; give a whole number of threads from 1 to {LIMIT}")
    number = n.__index__()
    if not 1 <= number <= LIMIT:
        raise ValueError(f"{where} is {number}; give a whole number of threads from 1 to {LIMIT}")
    return number


def usable_cores() -> int:
    """Return the cores that this process may use: its CPU affinity, within the quota of its control group."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13: affinity, and what PYTHON_CPU_COUNT says
        cores = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, int(min(cores, cgroup_quota())))


def cgroup_quota(proc: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")) -> float:
    """Return the cores' worth of time that the control groups of this process allow; infinity where nothing is said.

    Both versions of Linux control groups are read; a group is also bound by those above it. Inside a container the path
    in `proc` may be one that only the host can see, so the root of the mount is always read.
    """
    quota = math.inf
    try:
        lines = proc.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return quota
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            bases, read = [mount, mount / "unified"], _quota_v2
        elif "cpu" in controllers.split(","):
            bases, read = [mount / "cpu", mount / controllers], _quota_v1
        else:
            continue
        group = Path(path.lstrip("/"))
        for folder in {base / part for base in bases for part in (group, *group.parents)}:
            with contextlib.suppress(OSError, ValueError):
                quota = min(quota, read(folder))
    return quota


def _quota_v2(folder: Path) -> float:
    """`cpu.max` holds "QUOTA PERIOD" in microseconds, or "max PERIOD"."""
    quota, period = (folder / "cpu.max").read_text().split()
    return math.inf if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float:
    """Two files in microseconds; a quota of -1 is none."""
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    return math.inf if quota <= 0 else quota / int((folder / "cpu.cfs_period_us").read_text())
