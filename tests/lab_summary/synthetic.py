"""Studies and records made up for tests: by hand where the answer is known, and whole realistic ones to look at."""

from __future__ import annotations

import math
import random
from types import SimpleNamespace

TITLES = {
    "sgd": "SGD",
    "momentum": "Momentum",
    "nesterov": "Nesterov",
    "adagrad": "AdaGrad",
    "rmsprop": "RMSprop",
    "adam": "Adam",
}
HYPERPARAMS = {"momentum": {"momentum": 0.9}, "rmsprop": {"decay_rate": 0.99}, "adam": {"beta1": 0.9, "beta2": 0.999}}
BEST = {"sgd": -0.5, "momentum": -1.5, "nesterov": -1.5, "adagrad": -2.0, "rmsprop": -3.0, "adam": -2.5}
"""Decimal logarithm of the rate at which a made-up rule works best."""


def study(lrs, seeds=3, epochs=2, problem="digits", command="thalweg compare"):
    """A declared study, as `lab.Study` shows itself to a summary; `lrs`: rule -> learning rates."""
    return SimpleNamespace(
        problem=problem,
        rules=tuple(lrs),
        lrs={rule: tuple(rates) for rule, rates in lrs.items()},
        seeds=tuple(range(seeds)),
        epochs=epochs,
        form=lambda rule: SimpleNamespace(title=TITLES.get(rule, rule), convention_name="book"),
        command=command,
    )


def record(rule, lr, seed, val, test=None, diverged=None, problem="digits", title=None, loss=None, epochs=None):
    """A run whose validation metric was `val`, from before training to the last epoch.

    `test` is the final test metric (the final validation metric if left out); `diverged` is the reason of a run that
    stopped after the last full epoch of `val`.
    """
    test = val[-1] if test is None else test
    loss = [2.3 * 0.5**e for e in range(len(val))] if loss is None else loss
    done = list(range(len(val)))
    return {
        "format": 1,
        "key": f"{random.Random(f'{rule} {lr} {seed}').getrandbits(128):032x}",
        "problem": problem,
        "problem_config": {},
        "rule": rule,
        "title": TITLES.get(rule, rule) if title is None else title,
        "convention": "book",
        "rule_digest": "0" * 64,
        "hyperparams": {"lr": lr} | HYPERPARAMS.get(rule, {}),
        "tuned": ["lr"],
        "lr": lr,
        "seed": seed,
        "epochs": (len(val) - 1 if epochs is None else epochs),
        "steps_per_epoch": 11,
        "version": "0.1.0",
        "status": "ok" if diverged is None else "diverged",
        "diverged_at": None if diverged is None else {"epoch": len(val), "step": 11 * len(val), "reason": diverged},
        "curve": {
            "epoch": done,
            "train_loss": loss,
            "train_metric": list(val),
            "val_loss": loss,
            "val_metric": list(val),
            "test_loss": loss,
            "test_metric": [*val[:-1], test],
        },
        "seconds": {"total": 0.3, "update": 0.02, "gradient": 0.1},
        "finished": "2026-11-21T19:45:00Z",
        "machine": {"python": "3.11.7", "numpy": "2.4.6", "cores": 2, "system": "Linux x86_64"},
    }


def realistic(problem="digits", seeds=3, rules=tuple(TITLES), epochs=None):
    """(study, records, timing) as a comparison of six rules, nine rates and some seeds leaves them.

    Above a rule's own rate runs diverge, one seed earlier than another; below it they learn slowly.
    """
    epochs = (20 if problem == "digits" else 30) if epochs is None else epochs
    lrs = {rule: [float(f"{10 ** (BEST.get(rule, -2) + (k - 5) / 2):.3g}") for k in range(9)] for rule in rules}
    declared = study(lrs, seeds, epochs, problem)
    make = _digits_run if problem == "digits" else _ravine_run
    records = [make(rule, lr, seed, epochs) for rule, rates in lrs.items() for lr in rates for seed in range(seeds)]
    timing = {
        rule: {"seconds_per_step": [(8 + 3 * i + 0.1 * k) * 1e-6 for k in range(7)], "params": 37710}
        for i, rule in enumerate(rules)
    }
    return declared, records, timing


def _digits_run(rule, lr, seed, epochs):
    rng = random.Random(f"digits {rule} {lr} {seed}")
    off = math.log10(lr) - BEST.get(rule, -2) + rng.gauss(0, 0.1)
    if off > 0.9:
        return record(rule, lr, seed, [0.1] * rng.randint(1, 3), diverged="the loss is nan", epochs=epochs)
    speed, best = 0.9 * 10 ** -abs(off), 0.972 - 0.05 * off**2 - (0.01 if rule == "sgd" else 0)
    val = [0.1] + [
        min(max(0.1 + (best - 0.1) * (1 - math.exp(-speed * e)) + rng.gauss(0, 0.004), 0.05), 0.995)
        for e in range(1, epochs + 1)
    ]
    loss = [2.3 * math.exp(-0.35 * speed * e) + 1e-4 for e in range(epochs + 1)]
    return record(rule, lr, seed, val, val[-1] - 0.01 + rng.gauss(0, 0.004), loss=loss)


def _ravine_run(rule, lr, seed, epochs):
    rng = random.Random(f"ravine {rule} {lr} {seed}")
    off = math.log10(lr) - BEST.get(rule, -2)
    start = 6.45 * (1 + (0.1 * rng.random() if seed else 0))
    if off > 1.2 and rule not in {"adagrad", "rmsprop"}:
        values = [start * 30**e for e in range(4)]
        return record(rule, lr, seed, values, diverged="the loss is inf", problem="ravine", loss=values, epochs=epochs)
    fall = (2.4 + 0.2 * rng.random()) * 10 ** (off if off < 0 or rule in {"adagrad", "rmsprop"} else -off)
    fall = 2 * fall / (1 + fall)
    values = [start * math.exp(-fall * e * (0.2 if rule == "sgd" else 1)) for e in range(epochs + 1)]
    return record(rule, lr, seed, values, problem="ravine", loss=values)
