"""Work shared out over our own threads: all of it, once, and finished when the call returns."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from thalweg.engine import threads
from thalweg.engine.threads import cgroup_quota, get_num_threads, parallel, set_num_threads


@pytest.fixture(autouse=True)
def _number_of_threads():
    before = threads._workers.num_threads
    yield
    threads._workers.num_threads = before


def ranges(total, grain):
    seen = []
    parallel(lambda lo, hi: seen.append((lo, hi)), total, grain=grain)
    return sorted(seen)


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("total", [0, 1, 2, 7, 8, 9, 100])
@pytest.mark.parametrize("grain", [1, 3, 100])
def test_contiguous_ranges_cover_everything_once(n, total, grain):
    set_num_threads(n)
    seen = ranges(total, grain)
    assert [i for lo, hi in seen for i in range(lo, hi)] == list(range(total))
    assert len(seen) == min(n, -(-total // grain))
    assert all(lo < hi for lo, hi in seen)


def test_little_work_stays_on_the_calling_thread():
    set_num_threads(4)
    who = []
    parallel(lambda lo, hi: who.append((threading.get_ident(), lo, hi)), 10, grain=10)
    assert who == [(threading.get_ident(), 0, 10)]


def test_parts_run_at_the_same_time():
    set_num_threads(3)
    together = threading.Barrier(3)
    parallel(lambda lo, hi: together.wait(timeout=20), 3, grain=1)


def test_workers_are_reused_and_hold_on_to_nothing():
    import gc
    import weakref

    class Task:
        def __call__(self, lo, hi):
            pass

    set_num_threads(3)
    parallel(Task(), 3, grain=1)
    before = list(threads._workers.threads)
    for _ in range(50):
        task = Task()
        gone = weakref.ref(task)
        parallel(task, 3, grain=1)
        del task
    assert threads._workers.threads == before
    deadline = time.monotonic() + 20
    while gone() is not None and time.monotonic() < deadline:  # a late worker may still be reading its invitation
        time.sleep(0.001)
        gc.collect()
    assert gone() is None


@pytest.mark.parametrize("failing", [[0], [1], [2], [0, 2], [1, 2]])
@pytest.mark.parametrize("kind", [ValueError, SystemExit])
def test_an_exception_is_raised_when_every_part_has_ended(failing, kind):
    set_num_threads(3)
    ended = []

    def task(lo, hi):
        if lo in failing:
            raise kind(lo)
        time.sleep(0.02)
        ended.append(lo)

    for _ in range(5):
        ended.clear()
        with pytest.raises(kind) as raised:
            parallel(task, 3, grain=1)
        assert raised.value.args == (failing[0],)
        assert sorted(ended) == [part for part in range(3) if part not in failing]
    assert ranges(3, 1) == [(0, 1), (1, 2), (2, 3)]


def test_an_interruption_goes_before_an_error():
    set_num_threads(2)

    def task(lo, hi):
        raise ValueError if lo == 0 else KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel(task, 2, grain=1)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system cannot signal a thread")
@pytest.mark.parametrize("delay", [0.0, 0.0001, 0.001, 0.01])
def test_an_interrupted_wait_ends_when_every_part_has_ended(delay):
    set_num_threads(3)
    main = threading.main_thread().ident
    all_running = threading.Barrier(3)
    running = set()

    def task(lo, hi):
        all_running.wait(timeout=20)
        if threading.get_ident() == main:
            return
        running.add(lo)
        time.sleep(delay)
        for _ in range(3):
            signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.02)
        running.discard(lo)

    for _ in range(10):
        with pytest.raises(KeyboardInterrupt):
            parallel(task, 3, grain=1)
        assert not running


RAIN = """
import signal, threading, time
from thalweg.engine.threads import parallel, set_num_threads

main = threading.main_thread().ident
running, began, interrupted, armed = set(), [], 0, False

def rain():
    while True:
        signal.pthread_kill(main, signal.SIGINT)
        time.sleep(0.0002)

def interrupt(*_):
    if armed:
        raise KeyboardInterrupt

def task(lo, hi):
    began.append(lo)
    if threading.get_ident() != main:
        running.add(lo)
        time.sleep(0)
        running.discard(lo)

set_num_threads(3)
signal.signal(signal.SIGINT, interrupt)
threading.Thread(target=rain, daemon=True).start()
deadline = time.monotonic() + 20
while interrupted < 100 and time.monotonic() < deadline:
    began.clear()
    try:
        armed = True
        parallel(task, 3, grain=1)
        armed = False
    except KeyboardInterrupt:
        armed = False
        interrupted += 1
    assert not running, running
    assert len(began) == len(set(began)) <= 3, began
signal.signal(signal.SIGINT, signal.SIG_IGN)
print(interrupted > 0)
"""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system cannot signal a thread")
def test_a_rain_of_interruptions():
    """Signals at any instruction: parts run once at most, and never after the call."""
    ran = subprocess.run([sys.executable, "-c", RAIN], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("True\n", "")


def test_no_part_runs_twice():
    """Many threads that the interpreter switches between at every chance, so that two of them want the same part."""
    set_num_threads(64)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(300):
            seen = []
            parallel(lambda lo, hi, seen=seen: (seen.append(lo), time.sleep(0)), 64, grain=1)
            assert sorted(seen) == list(range(64))
    finally:
        sys.setswitchinterval(interval)
        threads._workers.dismiss()


def test_an_error_while_inviting_is_raised_after_the_work(monkeypatch):
    def fail(self, call, count):
        raise MemoryError

    monkeypatch.setattr(threads._Workers, "invite", fail)
    set_num_threads(3)
    seen = []
    with pytest.raises(MemoryError):
        parallel(lambda lo, hi: seen.append(lo), 3, grain=1)
    assert sorted(seen) == [0, 1, 2]


def test_many_callers_at_once():
    set_num_threads(3)
    sums = [0] * 8

    def caller(k):
        for _ in range(50):
            seen = ranges(7 + k, 1)
            sums[k] += sum(hi - lo for lo, hi in seen)

    callers = [threading.Thread(target=caller, args=(k,)) for k in range(8)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(timeout=60)
    assert sums == [50 * (7 + k) for k in range(8)]


def test_a_part_may_call_again():
    set_num_threads(3)
    seen = []

    def outer(lo, hi):
        parallel(lambda a, b: seen.append((lo, a, b)), 3, grain=1)

    for _ in range(50):
        seen.clear()
        parallel(outer, 3, grain=1)
        assert sorted(seen) == [(lo, a, a + 1) for lo in range(3) for a in range(3)]


def test_without_new_threads_the_caller_does_it_all(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    threads._workers.dismiss()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    set_num_threads(4)
    assert ranges(4, 1) == [(0, 1), (1, 2), (2, 3), (3, 4)]


SCRIPT = """
import multiprocessing, os, sys, threading, time, warnings

if sys.argv[1] == "fork alone":  # what is registered first runs last before a fork
    os.register_at_fork(before=lambda: print("threads:", threading.active_count()))
if sys.argv[1] == "fork with threads":
    os.register_at_fork(before=lambda: work(0))

from thalweg.engine.threads import parallel, set_num_threads

def work(n):
    set_num_threads(3)
    together = threading.Barrier(3)
    parallel(lambda lo, hi: together.wait(20), 3, grain=1)
    return n

if __name__ == "__main__":
    work(0)
    if sys.argv[1] == "exit":
        forever = lambda lo, hi: time.sleep(3600)
        busy = threading.Thread(target=parallel, args=(forever, 3), kwargs={"grain": 1}, daemon=True)
        busy.start()
        time.sleep(0.05)
    elif sys.argv[1].startswith("fork "):
        if sys.argv[1] == "fork with threads":
            warnings.simplefilter("ignore")
        for _ in range(5):
            child = os.fork()
            work(0)
            if child == 0:
                os._exit(0)
            assert os.waitpid(child, 0) == (child, 0)
    elif sys.argv[1] != "idle":
        with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
            assert pool.map(work, range(4)) == list(range(4))
    print("done")
"""


FORKS = ["fork alone", "fork with threads"] if hasattr(os, "fork") else []


@pytest.mark.parametrize("how", ["idle", "exit", *FORKS, *multiprocessing.get_all_start_methods()])
def test_processes_start_and_end_without_hanging_or_warning(how, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, "-W", "error", script, how], capture_output=True, text=True, timeout=60, check=False
    )
    alone = "threads: 1\n" * 5 if how == "fork alone" else ""  # workers end before a fork
    assert (ran.stdout, ran.stderr, ran.returncode) == (f"{alone}done\n", "", 0)


def test_the_default_is_what_this_process_may_use(monkeypatch):
    monkeypatch.setattr(threads._workers, "num_threads", None)
    monkeypatch.delenv("THALWEG_NUM_THREADS", raising=False)
    assert get_num_threads() == threads.usable_cores()
    assert 1 <= threads.usable_cores() <= os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_counts():
    code = """
        import os
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        from thalweg.engine.threads import usable_cores
        print(usable_cores())
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"


def test_the_environment_variable(monkeypatch):
    monkeypatch.setattr(threads._workers, "num_threads", None)
    monkeypatch.setenv("THALWEG_NUM_THREADS", " 5 ")
    assert get_num_threads() == 5
    set_num_threads(3)
    assert get_num_threads() == 3


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "2000", "1e3"])
def test_a_wrong_environment_variable(monkeypatch, given):
    monkeypatch.setattr(threads._workers, "num_threads", None)
    monkeypatch.setenv("THALWEG_NUM_THREADS", given)
    with pytest.raises(
        (TypeError, ValueError), match=r"THALWEG_NUM_THREADS is .* whole number of threads from 1 to 1024"
    ):
        get_num_threads()


@pytest.mark.parametrize("given", [0, -1, True, 1.5, 2.0, "2", None, 1025])
def test_a_wrong_number_of_threads_changes_nothing(given):
    set_num_threads(2)
    with pytest.raises((TypeError, ValueError), match=r"set_num_threads is .* whole number of threads from 1 to 1024"):
        set_num_threads(given)
    assert get_num_threads() == 2


INFINITY = float("inf")


@pytest.mark.parametrize(
    "line, files, quota",
    [
        ("0::/user/app", {"user/app/cpu.max": "150000 100000"}, 1.5),
        ("0::/user/app", {"user/app/cpu.max": "max 100000", "user/cpu.max": "400000 100000"}, 4.0),
        ("0::/user/app", {"user/app/cpu.max": "200000 100000", "user/cpu.max": "100000 100000"}, 1.0),
        ("0::/seen/by/the/host/only", {"cpu.max": "300000 100000"}, 3.0),
        ("0::/", {}, INFINITY),
        ("0::/", {"cpu.max": "nonsense"}, INFINITY),
        ("4:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "250000", "cpu/a/cpu.cfs_period_us": "100000"}, 2.5),
        (
            "4:cpu,cpuacct:/a",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "-1", "cpu,cpuacct/a/cpu.cfs_period_us": "1"},
            INFINITY,
        ),
        ("4:memory:/a", {"cpu/a/cpu.cfs_quota_us": "250000", "cpu/a/cpu.cfs_period_us": "100000"}, INFINITY),
    ],
)
def test_quota_of_control_groups(tmp_path, line, files, quota):
    (tmp_path / "proc").write_text(f"1:name=systemd:/\n{line}\n")
    for name, text in files.items():
        (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fs" / name).write_text(text + "\n")
    assert cgroup_quota(tmp_path / "proc", tmp_path / "fs") == quota


@pytest.mark.parametrize("quota, cores", [(INFINITY, 8), (0.5, 1), (2.9, 2), (64.0, 8)])
def test_cores_within_the_quota(monkeypatch, quota, cores):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 8, raising=False)
    monkeypatch.setattr(threads, "cgroup_quota", lambda: quota)
    assert threads.usable_cores() == cores
