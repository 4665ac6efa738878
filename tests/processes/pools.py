"""Pools of processes and of threads, after workers exist here. Usage: pools.py METHOD POOLS TASKS

METHOD: "fork", "forkserver" or "spawn". Each pool takes so many tasks.
"""

import multiprocessing
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import thalweg as tw
from tests.processes.kinds import KINDS, gradients, large, picture, pictures
from thalweg.engine import threads

STEPS = 3


def steps_of(kind):
    """Take steps with a new optimizer."""
    opt, params = large() if kind == "large" else KINDS[kind]()
    return picture(*go_on(opt, params, 0, STEPS))


def go_on(opt, params, first, last):
    for step in range(first, last):
        opt.update(params, gradients(params, step))
    return opt, params


def one_more(opt, params, step):
    """Take a step for somebody else, who gets optimizer and parameters back."""
    return go_on(opt, params, step, step + 1)


def nested(method, kind):
    """A worker that has a pool of its own, of processes and then of threads."""
    steps_of("large")
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as inner:
        in_process = inner.submit(steps_of, kind).result()
    with ThreadPoolExecutor(2) as inner:
        in_threads = list(inner.map(steps_of, [kind, "large"]))
    return [in_process, *in_threads]


def main(method, pools, tasks):
    tw.set_num_threads(3)
    context = multiprocessing.get_context(method)
    expected = {kind: pictures(large if kind == "large" else KINDS[kind], STEPS)[-1] for kind in ("large", *KINDS)}
    opt, params = large()
    for _ in range(pools):
        go_on(opt, params, opt.t, opt.t + 1)
        assert threads._workers.threads
        kinds = [[*expected][k % len(expected)] for k in range(tasks)]
        with context.Pool(2, initializer=tw.set_num_threads, initargs=(2,)) as pool:
            assert pool.map(steps_of, kinds) == [expected[kind] for kind in kinds]
        with ProcessPoolExecutor(1, context) as pool:
            sent = {kind: KINDS[kind]() for kind in [*KINDS][: 2 + tasks // 2]}
            for step in range(STEPS):
                going = {kind: pool.submit(one_more, *sent[kind], step) for kind in sent}
                sent = {kind: one.result() for kind, one in going.items()}
            assert {kind: picture(*sent[kind]) for kind in sent} == {kind: expected[kind] for kind in sent}
            assert pool.submit(nested, method, "numbers").result() == [
                expected[k] for k in ("numbers", "numbers", "large")
            ]
    print("done")  # noqa: T201 - the answer


if __name__ == "__main__":
    # From Python 3.12 on, a fork while a pool's own threads are about is warned of.
    warnings.simplefilter("ignore", DeprecationWarning)
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
