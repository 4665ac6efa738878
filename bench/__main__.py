"""Each rule against the book's NumPy and torch, in turn in one run; what counts are the ratios.

python -m bench [--rules adam,sgd] [--sizes 1e4,1e6,5e7] [--rounds N] [--threads N] [--json FILE]

A round times every competitor once, one after the other, so that a change of the machine's speed meets them all; a
ratio is the median over the rounds of the ratio within a round. Larger than 1: thalweg is faster. float32, one array
of the size, all of it new to the cache where the size is beyond it. "GB/s" counts what a step has to move: the
parameter, its gradient and the state, each read once, and the parameter and the state written once; beside it stands
what np.copyto reaches on arrays of this size in the same round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import thalweg as tw
from bench.competitors import BOOK, Step, torch_step


def rounds_for(size: int) -> int:
    """Return the number of rounds that takes about a second a rule."""
    return 200 if size <= 100_000 else 40 if size <= 5_000_000 else 5


def measure(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every step in every round; one round before is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for index in range(rounds + 1):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            if index:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def ratio(seconds: dict[str, list[float]], other: str) -> float:
    """Return how many times as long the other takes: the median over the rounds."""
    return statistics.median(b / a for a, b in zip(seconds["thalweg"], seconds[other], strict=True))


def row(rule: str, size: int, rounds: int, threads: int) -> dict[str, Any]:
    """Measure one rule at one size."""
    rng = np.random.default_rng(0)
    start, grads = {"w": rng.standard_normal(size, np.float32)}, {"w": rng.standard_normal(size, np.float32)}
    mine, unchecked, book = ({"w": start["w"].copy()} for _ in range(3))
    opt, allow, hand = tw.Optimizer(rule), tw.Optimizer(rule, nonfinite="allow"), BOOK[rule]()
    target = np.empty(size, np.float32)
    steps: dict[str, Step] = {
        "thalweg": lambda: opt.update(mine, grads),
        "unchecked": lambda: allow.update(unchecked, grads),
        "book": lambda: hand.update(book, grads),
        "copy": lambda: np.copyto(target, start["w"]),
    }
    # A second thread of torch's waits actively, which small steps on a small machine would be measured by.
    other = torch_step(rule, start, grads, threads if size > 100_000 else 1)
    if other:
        steps["torch"] = other[1]
    seconds = measure(steps, rounds)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    moved = 4 * size * (3 + 2 * opt.rule.facts.floats_per_element)
    return {
        "rule": rule,
        "floats": size,
        "rounds": rounds,
        "microseconds": median["thalweg"] * 1e6,
        "book": ratio(seconds, "book"),
        "torch": ratio(seconds, "torch") if other else None,
        "torch_form": other[0] if other else None,
        "unchecked": ratio(seconds, "unchecked"),
        "unchecked_against_torch": ratio(seconds, "torch") / ratio(seconds, "unchecked") if other else None,
        "gigabytes_a_second": moved / median["unchecked"] / 1e9,
        "copy_gigabytes_a_second": 8 * size / median["copy"] / 1e9,
    }


HEAD = (
    f"{'rule':<10}{'floats':>8}{'µs a step':>12}{'book/ours':>11}{'torch/ours':>20}{'checking':>15}{'GB/s (copy)':>15}"
)


def line(found: dict[str, Any]) -> str:
    """Return one row of the table."""
    torch = f"{found['torch']:.2f} ({found['torch_form']})" if found["torch"] else "not installed"
    speed = f"{found['gigabytes_a_second']:.1f} ({found['copy_gigabytes_a_second']:.1f})"
    cost = f"{(1 / found['unchecked'] - 1) * 100:+.0f} %"
    return (
        f"{found['rule']:<10}{found['floats']:>8.0e}{found['microseconds']:>12,.1f}"
        f"{found['book']:>11.2f}{torch:>20}{cost:>15}{speed:>15}"
    )


def main() -> int:
    """Run the benchmark and print the table."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rules", default=",".join(BOOK), help="comma-separated; default: %(default)s")
    parser.add_argument("--sizes", default="1e4,1e6,5e7", help="numbers of floats; default: %(default)s")
    parser.add_argument("--rounds", type=int, help="default: about a second's worth")
    parser.add_argument(
        "--threads", type=int, default=tw.get_num_threads(), help="for thalweg and torch; default: %(default)s"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    unknown = sorted(set(options.rules.split(",")) - set(BOOK))
    if unknown:
        parser.error(f"no competitor is written for {', '.join(unknown)}; there are {', '.join(BOOK)}")
    tw.set_num_threads(options.threads)
    print(f"float32, {options.threads} threads, nonfinite='raise'; ratios above 1: thalweg is faster")
    print(HEAD)
    found = []
    for size in (int(float(s)) for s in options.sizes.split(",")):
        for rule in options.rules.split(","):
            found.append(row(rule, size, options.rounds or rounds_for(size), options.threads))
            print(line(found[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
