"""What links cost: chains against their rule alone, and against torch doing the same, in turn in one run.

python -m bench.chains [--size 1e7] [--rounds N]

A fused link costs the memory that it moves and nothing else. Adam moves 8 arrays: the gradient twice (once to see that
it is finite), the parameter and two slots read and written. So the predictions are 1 for links without state (value
clipping, decay, bounds), 9/8 for a global norm (the gradients once more), 10/8 for an average (one more slot).
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import thalweg as tw

CHAINS: dict[str, tuple[float, Callable[[], tw.Optimizer]]] = {
    "Adam": (1.0, lambda: tw.Adam(convention="torch")),
    "clip_value, Adam, decoupled_decay, bounds": (
        1.0,
        lambda: tw.chain(tw.clip_value(1.0), _adam(), tw.decoupled_decay(0.01), tw.bounds(-9.0, 9.0)),
    ),
    "clip_global_norm, Adam": (9 / 8, lambda: tw.chain(tw.clip_global_norm(1.0), _adam())),
    "Adam, ema": (10 / 8, lambda: tw.chain(_adam(), tw.ema(0.999))),
    "clip_global_norm, Adam, ema": (11 / 8, lambda: tw.chain(tw.clip_global_norm(1.0), _adam(), tw.ema(0.999))),
}


def _adam() -> tw.Optimizer:
    return tw.Adam(convention="torch")


def torch_steps(start: np.ndarray[Any, Any], gradient: np.ndarray[Any, Any]) -> dict[str, Callable[[], object]]:
    """Return what torch's user writes for some of the chains, with torch's fused Adam; nothing without torch."""
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    torch.set_num_threads(tw.get_num_threads())

    def make() -> tuple[Any, Any]:
        w = torch.nn.Parameter(torch.from_numpy(start.copy()))
        w.grad = torch.from_numpy(gradient.copy())
        return w, torch.optim.Adam([w], fused=True)

    _, plain = make()
    w2, clipped = make()
    w3, averaged = make()
    untyped: Any = get_ema_multi_avg_fn  # in torch it has no types
    average = AveragedModel(torch.nn.ParameterList([w3]), multi_avg_fn=untyped(0.999))

    def clip() -> None:
        torch.nn.utils.clip_grad_norm_([w2], 1.0)
        clipped.step()

    def ema() -> None:
        averaged.step()
        average.update_parameters(torch.nn.ParameterList([w3]))

    return {"Adam": plain.step, "clip_global_norm, Adam": clip, "Adam, ema": ema}


def main() -> int:
    """Measure, and print one line for each chain."""
    assert __doc__
    parser = argparse.ArgumentParser(prog="python -m bench.chains", description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="1e7", help="number of floats; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    options = parser.parse_args()
    size = int(float(options.size))
    rng = np.random.default_rng(0)
    start, gradient = rng.standard_normal(size, np.float32), rng.standard_normal(size, np.float32)
    steps: dict[str, Callable[[], object]] = {}
    for name, (_, make) in CHAINS.items():
        steps[name] = _step(make(), start.copy(), gradient)
    steps |= {f"torch: {name}": step for name, step in torch_steps(start, gradient).items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for index in range(options.rounds + 1):
        for name, step in steps.items():
            begin = time.perf_counter()
            step()
            if index:
                seconds[name].append(time.perf_counter() - begin)
    print(f"float32, {size:.0e} floats, {tw.get_num_threads()} threads; torch/ours above 1: thalweg is faster")
    print(f"{'chain':<44}{'ms':>8}{'of Adam':>10}{'predicted':>11}{'torch/ours':>12}")
    for name, (predicted, _) in CHAINS.items():
        of_adam = _ratio(seconds["Adam"], seconds[name])
        torch = f"torch: {name}"
        against = f"{_ratio(seconds[name], seconds[torch]):.2f}" if torch in seconds else "-"
        milliseconds = statistics.median(seconds[name]) * 1e3
        print(f"{name:<44}{milliseconds:>8.1f}{of_adam:>10.2f}{predicted:>11.2f}{against:>12}")
    return 0


def _step(opt: tw.Optimizer, w: np.ndarray[Any, Any], gradient: np.ndarray[Any, Any]) -> Callable[[], object]:
    return lambda: opt.update({"w": w}, {"w": gradient})


def _ratio(below: list[float], above: list[float]) -> float:
    """Return the median over the rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


if __name__ == "__main__":
    sys.exit(main())
