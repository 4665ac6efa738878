"""Two threads with two optimizers, and with one; and what an interrupt in the middle of making a worker leaves."""

from __future__ import annotations

import threading

import pytest

import thalweg as tw
from tests.processes.kinds import gradients, large, on_threads, picture, pictures
from thalweg.engine import threads

PATIENCE = 60.0
STEPS = 25


def together(*functions):
    """Call each function in a thread of its own, all at once, to their ends."""
    start, failed = threading.Barrier(len(functions)), []

    def run(function):
        start.wait(PATIENCE)
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failed.append(error)

    running = [threading.Thread(target=run, args=(one,), daemon=True) for one in functions]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in running)
    assert failed == []


@pytest.fixture(scope="module")
def expected():
    return pictures(large, STEPS)


def test_two_threads_with_two_optimizers(expected):
    """Fifty steps of large parameters; every single one is what it is alone."""
    found = [[], []]

    def work(k):
        opt, params = large()
        for step in range(STEPS):
            opt.update(params, gradients(params, step))
            found[k].append(picture(opt, params))

    tw.set_num_threads(3)
    together(lambda: work(0), lambda: work(1))
    assert found == [expected[1:]] * 2


def test_two_threads_with_one_optimizer():
    """Fifty attempts of each, and every one is a whole step or an error that says why it is none."""
    opt, params = large()
    grads, refused = gradients(params, 0), [0, 0]

    def work(k):
        for _ in range(50):
            try:
                opt.update(params, grads)
            except RuntimeError as error:
                assert "a step of this optimizer is under way" in str(error)  # noqa: PT017 - in a thread
                refused[k] += 1

    tw.set_num_threads(2)
    together(lambda: work(0), lambda: work(1))
    assert sum(refused) > 0
    assert opt.t == 100 - sum(refused)
    alone, same = large()
    for _ in range(opt.t):
        alone.update(same, grads)
    assert picture(opt, params) == picture(alone, same)


def test_workers_end_though_one_is_not_known(monkeypatch):
    """An exception of a signal handler while a worker is being made leaves a worker that nobody has written down."""
    threads._workers.dismiss()
    real, made = threading.Thread.start, []

    def start(thread):
        real(thread)
        made.append(thread)
        if len(made) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start)
    with on_threads(3):
        with pytest.raises(KeyboardInterrupt):
            threads.parallel(lambda lo, hi: None, 3, grain=1)
        for _ in range(50):
            threads.parallel(lambda lo, hi: None, 3, grain=1)
    assert len(made) == 3
    monkeypatch.undo()
    ending = threading.Thread(target=threads._workers.dismiss, daemon=True)
    ending.start()
    ending.join(10)
    assert not ending.is_alive()
    for thread in made:
        thread.join(PATIENCE)
        assert not thread.is_alive()
