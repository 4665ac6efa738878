"""At least one schedule of each kind, with no argument at its default; what all of them promise is tested on these."""

from __future__ import annotations

from thalweg import schedules as s

PLATEAU = dict(
    factor=0.3, patience=2, mode="max", threshold=0.01, threshold_mode="abs", cooldown=3, final=0.001, eps=0.0
)

EVERY = (
    s.constant(0.1),
    s.step(0.3, every=7, gamma=0.7),
    s.multi_step(0.3, milestones=[3, 90], gamma=0.7),
    s.exponential(0.3, gamma=0.97),
    s.exponential(0.3, gamma=1.03, every=9, staircase=True, final=0.9),
    s.polynomial(0.3, steps=50, power=1.7, final=0.02, warmup=5, start=0.01),
    s.inverse_sqrt(0.3),
    s.inverse_sqrt(0.3, warmup=9, timescale=20, start=0.01),
    s.cosine(0.3, steps=50, warmup=5, start=0.01, final=0.02, exponent=1.3),
    s.warm_restarts(0.3, period=9, growth=2, final=0.02),
    s.one_cycle(0.3, steps=90, pct_start=0.4, div_factor=9, final_div_factor=50, anneal="linear", three_phase=True),
    s.cyclic(0.1, 0.3, up=7, down=9, mode="triangular2"),
    s.cyclic(0.1, 0.3, up=7, mode="exp_range", gamma=0.99),
    s.warmup(0.3, steps=9, start=0.01),
    s.warmup(s.step(0.3, every=7), steps=9),
    s.warmup_stable_decay(0.3, steps=90, warmup=9, decay=20, start=0.01, final=0.02, shape="sqrt"),
    s.join([0.3, s.join([s.cosine(0.2, steps=30), 0.7], milestones=[9])], milestones=[9]),
    s.reduce_on_plateau(0.3, **PLATEAU),
    s.warmup(s.reduce_on_plateau(0.3), steps=5),
)
