"""Worker processes: whatever dies, no finished run is lost and none is counted twice."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from thalweg.lab import pool
from thalweg.lab.pool import Done, Failed, WorkersError, run_all
from thalweg.lab.records import Store
from thalweg.lab.run import run
from thalweg.lab.study import Study


def study(seeds=2, epochs=3):
    return Study.declare("ravine", ["sgd", "adam"], [0.1, 0.01], seeds, epochs)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "a store")


@pytest.fixture
def started(monkeypatch):
    """The workers that have been started, in order."""
    workers = []

    class Known(pool._Worker):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            workers.append(self)

    monkeypatch.setattr(pool, "_Worker", Known)
    return workers


def talk(monkeypatch, words):
    """Have workers evaluate these words before each run."""
    before = f"from thalweg.lab import run; real = run.run; run.run = lambda config: ({words}, real(config))[1];"
    home = "from thalweg.lab.worker"  # it looks for `run` after this
    monkeypatch.setattr(pool, "_BOOT", pool._BOOT.replace(home, f"{before} {home}"))


def files(store):
    return sorted(path.name for path in store.records.iterdir())


def recorded(configs):
    return sorted(f"{config.key}.json" for config in configs)


def all_ended(workers):
    return all(worker.process.returncode is not None for worker in workers)


def test_every_run_is_done_once_and_told_once(store, started):
    configs, events = study().runs(), []
    assert run_all(configs, store, 2, events.append) == []
    assert files(store) == recorded(configs)
    assert all(isinstance(event, Done) for event in events)
    assert sorted(event.record["key"] for event in events) == sorted(config.key for config in configs)
    assert len(started) == 2
    assert all_ended(started)


def test_workers_compute_what_this_process_computes(store):
    config = study().runs()[-1]
    run_all([config], store, 1)
    assert store.read(config.key)["curve"] == run(config)["curve"]


@pytest.mark.slow
def test_a_run_that_another_command_has_done_meanwhile_is_not_done_again(store, monkeypatch):
    config = study().runs()[0]
    store.write(run(config) | {"finished": "earlier"})
    noted = store.root / "it ran"
    talk(monkeypatch, f"open({str(noted)!r}, 'w').close()")
    events = []
    run_all([config], store, 1, events.append)
    assert [event.record["finished"] for event in events] == ["earlier"]
    assert not noted.exists()
    run_all(study().runs()[1:2], store, 1)
    assert noted.exists()


@pytest.mark.slow
def test_workers_share_the_cores_and_the_environment_of_this_process_stays(store, monkeypatch):
    seen = []

    class Seen(subprocess.Popen):
        def __init__(self, *arguments, env, **options):
            seen.append(env)
            super().__init__(*arguments, env=env, **options)

    monkeypatch.setattr(subprocess, "Popen", Seen)
    monkeypatch.setattr(pool, "usable_cores", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    before = dict(os.environ)
    run_all(study().runs()[:2], store, 2)
    assert dict(os.environ) == before
    assert len(seen) == 2
    for env in seen:
        assert {env[name] for name in pool._THREADS} == {"3"}
        assert set(before) <= set(env)


class Deaths:
    """Replaces `_Worker.ask`: kills the worker, for real, the first so many times it is asked."""

    def __init__(self, monkeypatch, deaths, *, after=False):
        self.left = deaths
        ask = pool._Worker.ask

        def dying(worker, task):
            dies = self.left > 0
            self.left -= dies
            if dies and not after:
                worker.process.kill()
                worker.process.wait()
            answer = ask(worker, task)
            if dies and after:
                worker.process.kill()
                return None
            return answer

        monkeypatch.setattr(pool._Worker, "ask", dying)


@pytest.mark.parametrize("deaths", [1, 2])
def test_the_run_of_a_killed_worker_is_done_by_a_fresh_one(store, started, monkeypatch, deaths):
    configs, events = study().runs(), []
    Deaths(monkeypatch, deaths)
    assert run_all(configs, store, 1, events.append) == []
    assert files(store) == recorded(configs)
    assert len(events) == len(configs)
    assert len(started) == 1 + deaths
    assert all_ended(started)


@pytest.mark.slow
def test_a_worker_killed_after_its_record_and_before_its_answer_counts_once(store, started, monkeypatch):
    configs, events = study().runs(), []
    Deaths(monkeypatch, 1, after=True)
    assert run_all(configs, store, 1, events.append) == []
    assert sorted(event.record["key"] for event in events) == sorted(config.key for config in configs)
    assert len(started) == 2


@pytest.mark.slow
def test_a_run_that_kills_every_worker_fails_with_the_reason_and_the_rest_is_done(store, started, monkeypatch):
    configs, events = study().runs()[:3], []
    Deaths(monkeypatch, pool.ATTEMPTS)
    failed = run_all(configs, store, 1, events.append)
    assert [failure.config for failure in failed] == configs[:1]
    killed = "killed by signal 9" if sys.platform != "win32" else "ended with exit code 1"
    assert killed in failed[0].reason
    assert "3 times" in failed[0].reason
    assert files(store) == recorded(configs[1:])
    assert [type(event) for event in events] == [Failed, Done, Done]


def test_a_run_that_raises_fails_with_the_reason_and_the_rest_is_done(store):
    first, second = study().runs()[:2]
    store.path(first.key).mkdir(parents=True)  # nothing can be written there
    failed = run_all([first, second], store, 1)
    assert [failure.config for failure in failed] == [first]
    assert first.key in failed[0].reason
    assert store.read(second.key)


@pytest.mark.slow
def test_a_run_made_for_other_code_fails_with_the_reason(store):
    other = dataclasses.replace(study().runs()[0], version="9.9")
    assert "version of this run is '9.9'" in run_all([other], store, 1)[0].reason


@pytest.mark.slow
def test_damaged_records_are_done_again(store):
    config = study().runs()[0]
    store.prepare()
    store.path(config.key).write_text("half a rec")
    assert run_all([config], store, 1) == []
    assert store.read(config.key)["status"] == "ok"


def test_workers_that_cannot_start_are_an_error_that_says_why(store, monkeypatch):
    monkeypatch.setattr(pool, "_BOOT", "raise SystemExit('no numbers today')")
    with pytest.raises(WorkersError, match=r"Workers cannot start: .*exit code 1.*no numbers today"):
        run_all(study().runs(), store, 2)


@pytest.mark.slow
def test_workers_that_miss_a_library_are_an_error_that_names_it(store, monkeypatch):
    monkeypatch.setattr(pool, "_BOOT", f"import sys; sys.modules['thalweg.problems'] = None; {pool._BOOT}")
    with pytest.raises(WorkersError, match=r"Workers cannot start: .*thalweg\.problems"):
        run_all(study().runs(), store, 1)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_ends_the_workers_at_once_and_leaves_whole_records_only(store, started, stop):
    # Runs of a minute and more: if one of the workers were waited for, this test would be seen to hang.
    long = study(seeds=1, epochs=1_000_000).runs()
    short = study(seeds=1).runs()[0]

    def interrupt(event):
        raise stop

    start = time.monotonic()
    with pytest.raises(stop):
        run_all([short, *long], store, 2, interrupt)
    assert time.monotonic() - start < 60
    assert all_ended(started)
    # They were asked to end, and did, so that they could clean up behind them.
    assert {worker.process.returncode for worker in started} <= {0, 128 + signal.SIGTERM, -signal.SIGTERM}
    assert files(store) == recorded([short])
    assert not [thread for thread in threading.enumerate() if "serve" in thread.name]
    assert run_all([short], store, 1) == []


@pytest.mark.slow
def test_temporary_files_of_killed_workers_are_swept_away(store, started, monkeypatch):
    config = study().runs()[0]
    ask = pool._Worker.ask

    def half_way(worker, task):
        if len(started) == 1:
            store.prepare()
            (store.records / f".{config.key}.json.tmp-{worker.process.pid}-00ff").write_text("half a rec")
            worker.process.kill()
        return ask(worker, task)

    monkeypatch.setattr(pool._Worker, "ask", half_way)
    run_all([config], store, 1)
    assert files(store) == recorded([config])


@pytest.mark.slow
def test_what_a_run_prints_is_not_taken_for_an_answer(store, monkeypatch):
    talk(monkeypatch, "print('{}', flush=True)")
    events = []
    run_all(study().runs()[:2], store, 1, events.append)
    assert [type(event) for event in events] == [Done, Done]


@pytest.mark.slow
def test_what_an_interpreter_says_as_it_starts_is_not_taken_for_an_answer(store, monkeypatch):
    monkeypatch.setattr(pool, "_BOOT", f"print('Hello! \N{SNOWMAN}'); {pool._BOOT}")
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    assert run_all(study().runs()[:1], store, 1) == []


def test_nothing_to_do_starts_nobody(store, started):
    assert run_all([], store, 2) == []
    assert started == []


@pytest.mark.slow
def test_an_epoch_is_timed_in_a_worker_that_ends(store, started):
    assert 0 < pool.epoch_seconds("ravine", store, 2) < 10
    assert len(started) == 1
    assert all_ended(started)
    assert not store.root.exists()
    with pytest.raises(WorkersError, match="no problem 'mars'"):
        pool.epoch_seconds("mars", store, 2)
