"""Optimizers with everything that a checkpoint has to hold: chains, groups, schedules, skipped steps, late names."""

from __future__ import annotations

import numpy as np

import thalweg as tw
from tests.extra_rules import novograd, prodigy
from tests.state.runs import Run, gradient, plain_step, some_params
from thalweg import schedules


def falling(t):
    return 0.1 / t


def closure_step(opt, params, step):
    """The gradient of a loss at wherever the parameters are."""

    def closure(w):
        return 1.0, {name: gradient(name, a, step) for name, a in w.items()}

    opt.update(params, closure=closure)


def fed_step(opt, params, step):
    """A step, and then the metric of an epoch, which soon stops getting better."""
    plain_step(opt, params, step)
    opt.schedules["lr"].feed(1.0 if step > 3 else 10.0 - step)


def spoilt_step(opt, params, step):
    """Each fifth step has a gradient that is not finite."""
    grads = {name: gradient(name, w, step) for name, w in params.items()}
    if step % 5 == 2:
        grads["W"][0, 0] = np.nan
    opt.update(params, grads)


def ragged_step(opt, params, step):
    """One name comes late, one is left out now and then, one goes for good."""
    there = [name for name in params if not (name == "late" and step < 6) and not (name == "V" and step > 11)]
    own = {name: params[name] for name in there}
    left_out = {"b"} if step % 4 == 1 else set()
    opt.update(own, {name: None if name in left_out else gradient(name, own[name], step) for name in own})


def with_late():
    return some_params() | {"late": np.full((2, 2), 0.5, np.float32)}


def with_number():
    return some_params() | {"x": 1.5, "n": 2}


def chains():
    """A chain of each link, and some of many."""
    adam = tw.Adam
    return {
        "clip_value": lambda: tw.chain(tw.clip_value(0.5), adam()),
        "clip_norm": lambda: tw.chain(tw.clip_norm(0.5), adam()),
        "clip_global_norm": lambda: tw.chain(tw.clip_global_norm(0.5), tw.Momentum()),
        "adaptive_clip": lambda: tw.chain(tw.adaptive_clip(0.1), tw.SGD()),
        "centralize": lambda: tw.chain(tw.centralize("out_in"), tw.Momentum()),
        "noise": lambda: tw.chain(tw.noise(seed=7), adam()),
        "l2": lambda: tw.chain(tw.l2(0.1), adam()),
        "accumulate": lambda: tw.chain(tw.accumulate(3), adam()),
        "noise and accumulate": lambda: tw.chain(tw.noise(), tw.accumulate(4), tw.Momentum()),
        "decoupled_decay": lambda: tw.chain(adam(), tw.decoupled_decay(0.1)),
        "cautious": lambda: tw.chain(adam(), tw.cautious()),
        "lookahead": lambda: tw.chain(adam(), tw.lookahead(3)),
        "bounds": lambda: tw.chain(tw.SGD(lr=0.5), tw.bounds(-1.0)),
        "averages": lambda: tw.chain(adam(), tw.ema(0.9, overwrite=7), tw.polyak(), tw.swa(5, 2)),
        "ema from the start": lambda: tw.chain(tw.SGD(), tw.ema(start="initial")),
        "many": lambda: tw.chain(
            tw.clip_global_norm(1.0), tw.l2(0.01), tw.AdaGrad(), tw.cautious(), tw.lookahead(4), tw.ema(0.5)
        ),
        "two of a kind": lambda: tw.chain(tw.clip_norm(5.0), tw.clip_norm(0.5, eps=0.1), adam(), tw.ema(), tw.ema(0.5)),
        "scheduled links": lambda: tw.chain(tw.clip_norm(schedules.step(1.0, every=3)), adam(), tw.ema(0.9)),
        "numbers of NumPy": lambda: tw.chain(tw.clip_norm(np.float32(0.5)), tw.SGD(np.float32(0.1))),
    }


def every_schedule():
    """One schedule of each kind, short enough to change in twenty steps."""
    s = schedules
    return {
        "constant": s.constant(0.1), "step": s.step(0.1, every=3), "multi_step": s.multi_step(0.1, milestones=[4, 9]),
        "exponential": s.exponential(0.1, gamma=0.9), "polynomial": s.polynomial(0.1, steps=15),
        "inverse_sqrt": s.inverse_sqrt(0.1, warmup=4), "cosine": s.cosine(0.1, steps=18, warmup=4),
        "warm_restarts": s.warm_restarts(0.1, period=6), "one_cycle": s.one_cycle(0.1, steps=20),
        "warmup": s.warmup(s.step(0.1, every=4), steps=6), "cyclic": s.cyclic(0.01, 0.1, up=3),
        "warmup_stable_decay": s.warmup_stable_decay(0.1, steps=20, warmup=4, decay=6),
        "join": s.join([0.1, s.step(0.05, every=2)], milestones=[9]),
    }  # fmt: skip


def cases():
    """Runs by name."""
    made = {f"chain: {name}": Run(make) for name, make in chains().items()}
    made |= {f"schedule: {name}": Run(lambda x=x: tw.Momentum(lr=x)) for name, x in every_schedule().items()}
    return made | {
        "sam": Run(lambda: tw.chain(tw.sam(0.1), tw.Adam()), step=closure_step),
        "adaptive sam": Run(lambda: tw.chain(tw.sam(0.1, adaptive=True), tw.noise(), tw.SGD()), step=closure_step),
        "reduce on plateau": Run(lambda: tw.Adam(lr=schedules.reduce_on_plateau(0.1, patience=2)), step=fed_step),
        "function": Run(lambda: tw.Adam(lr=falling), code={"lr": falling}),
        "function of a link": Run(lambda: tw.chain(tw.l2(falling), tw.SGD()), code={"weight_decay": falling}),
        "function of a group": Run(
            lambda: tw.Adam(groups={"b": {"lr": falling}}), code={"groups": {"b": {"lr": falling}}}
        ),
        "skip": Run(lambda: tw.Adam(nonfinite="skip"), step=spoilt_step),
        "skip in a chain": Run(
            lambda: tw.chain(tw.accumulate(3), tw.Adam(nonfinite="skip"), tw.polyak()), step=spoilt_step
        ),
        "allow": Run(lambda: tw.Adam(nonfinite="allow"), step=spoilt_step),
        "late and left out": Run(tw.Adam, with_late, ragged_step),
        "late and left out, of the whole model": Run(
            lambda: tw.Optimizer(prodigy, d0=1e-3), with_late, ragged_step, {"rule": prodigy}
        ),
        "late and left out, gathered": Run(lambda: tw.chain(tw.accumulate(3), tw.Adam()), with_late, ragged_step),
        "numbers": Run(tw.Adam, with_number),
        "groups": Run(
            lambda: tw.Adam(
                groups={"W": {"lr": 0.1, "beta1": 0.5}, "V": None, "[bs]": tw.SGD(lr=schedules.step(0.1, every=4))}
            )
        ),
        "groups with rules of one's own": Run(
            lambda: tw.Adam(groups={"W": tw.Optimizer(novograd), "V": tw.Optimizer(prodigy)}),
            code={"rule": [prodigy, novograd]},
        ),
        "groups in a chain": Run(
            lambda: tw.chain(tw.clip_global_norm(0.5), tw.Adam(groups={"W": tw.Momentum()}), tw.ema(0.9))
        ),
        "convention": Run(lambda: tw.Adam(0.1, 0.5, convention="torch")),
    }
