"""Links that no library has in our form, against a few lines of NumPy written from the papers."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import copied, distance, path_of
from tests.transforms.chains import DTYPES, STEPS, TOLERANCE, Plain, apart, gradients, start

pytestmark = pytest.mark.usefixtures("meaning")
dtypes = pytest.mark.parametrize("dtype", DTYPES)
LR = 0.0625


class Steps:
    """The steps u_t of two rules, so that w - u_t is theirs; kept by name."""

    def __init__(self, rule):
        self.rule, self.m, self.v, self.t = rule, {}, {}, 0

    def __call__(self, name, g):
        if self.rule == "sgd":
            return LR * g
        self.m[name] = 0.75 * self.m.get(name, 0 * g) + g
        return LR * self.m[name]


RULES = {"sgd": lambda: tw.SGD(lr=LR), "momentum": lambda: tw.Momentum(lr=LR, momentum=0.75, convention="torch")}
every_rule = pytest.mark.parametrize("rule", RULES)


@every_rule
@dtypes
@pytest.mark.parametrize("floor", [1e-3, 0.8])
def test_cautious(floor, rule, dtype):
    """Liang et al. 2024, algorithm 1: the step where its sign is that of the gradient, over the mean of this mask."""
    steps = Steps(rule)

    def step(params, grads, t):
        found = {}
        for name, w in params.items():
            u, g = steps(name, grads[name]), grads[name]
            mask = np.asarray(u * g > 0, dtype)
            found[name] = w - u * (mask / max(float(mask.mean()), floor)).astype(dtype)
        return found

    assert apart(tw.chain(RULES[rule](), tw.cautious(floor)), Plain(step), dtype) <= TOLERANCE[dtype]


def test_cautious_leaves_a_zero_gradient_where_it_is_and_does_not_divide_by_zero():
    params = {"w": np.array([1.0, -2.0])}
    opt = tw.chain(tw.Momentum(lr=0.5), tw.cautious())
    opt.update(params, {"w": np.array([1.0, -1.0])})
    before = copied(params)
    opt.update(params, {"w": np.zeros(2)})
    assert params["w"].tolist() == before["w"].tolist() == [0.5, -1.5]


@every_rule
@dtypes
@pytest.mark.parametrize("every, alpha", [(4, 0.3), (1, 0.5), (3, 0.0)])
def test_lookahead(every, alpha, rule, dtype):
    """Zhang et al. 2019, algorithm 1: every k steps the slow weights move by alpha, and the fast ones start there."""
    steps, slow = Steps(rule), start(dtype)

    def step(params, grads, t):
        new = {name: w - steps(name, grads[name]) for name, w in params.items()}
        if t % every == 0:
            for name, w in new.items():
                slow[name] = np.asarray(slow[name] + alpha * (w - slow[name]), dtype)
            return slow
        return new

    opt = tw.chain(RULES[rule](), tw.lookahead(every, alpha))
    if alpha == 0:
        path = path_of(opt, start(dtype), gradients(6, dtype))
        assert all((path[5][name] == w).all() for name, w in start(dtype).items())
    else:
        assert apart(opt, Plain(step), dtype) <= TOLERANCE[dtype]


@every_rule
@dtypes
def test_polyak_is_the_mean_of_all_points_and_swa_that_of_some(rule, dtype):
    """Polyak & Juditsky 1992; Izmailov et al. 2018, algorithm 1."""
    params = start(dtype)
    opt = tw.chain(RULES[rule](), tw.polyak(), tw.swa(start=5, every=3), tw.ema(0.75, start="initial"))
    seen, moving = [], start(dtype)
    for t, grads in enumerate(gradients(STEPS, dtype), 1):
        opt.update(params, grads)
        seen.append({name: np.asarray(w, np.longdouble) for name, w in params.items()})
        moving = {name: 0.75 * moving[name] + 0.25 * np.asarray(w, np.longdouble) for name, w in params.items()}
        taken = seen[4::3] or seen[-1:]
        wanted = {
            "polyak": {name: sum(s[name] for s in seen) / t for name in params},
            "swa": {name: sum(s[name] for s in taken) / len(taken) for name in params},
            "ema": moving,
        }
        for link, means in wanted.items():
            with opt.averaged(link=link) as shown:
                for name, mean in means.items():
                    scale = max(np.abs(s[name]).max() for s in seen)
                    assert np.abs(shown[name] - mean).max() <= TOLERANCE[dtype] * scale, (link, name, t)


@every_rule
@dtypes
@pytest.mark.parametrize("at_start", ["first", "initial"])
def test_an_average_takes_the_place_of_the_parameters_every_so_often(at_start, rule, dtype):
    steps, average = Steps(rule), start(dtype)

    def step(params, grads, t):
        new = {name: w - steps(name, grads[name]) for name, w in params.items()}
        for name, w in new.items():
            keep = 0.0 if at_start == "first" and t == 1 else 0.75
            average[name] = keep * average[name] + (1 - keep) * w
        return average if t % 7 == 0 else new

    opt = tw.chain(RULES[rule](), tw.ema(0.75, overwrite=7, start=at_start))
    assert apart(opt, Plain(step), dtype) <= TOLERANCE[dtype]


@dtypes
@pytest.mark.parametrize("layout", ["in_out", "out_in"])
def test_adaptive_clip_and_centralize_unit_by_unit(layout, dtype):
    """Brock et al. 2021, eq. (3); Yong et al. 2020, eq. (1): with loops over units. A vector is one unit."""

    def units(w):
        return w.T if layout == "in_out" and w.ndim == 2 else w if w.ndim == 2 else w.reshape(1, -1)

    def step(params, grads, t):
        for name, w in params.items():
            for row, g in zip(units(w), units(grads[name].copy()), strict=True):
                limit = 0.2 * max(np.sqrt(np.sum(np.square(row, dtype=np.float64))), 1.7)
                norm = np.sqrt(np.sum(np.square(g, dtype=np.float64)))
                clipped = g if norm < limit else g * np.asarray(limit / max(norm, 1e-6), dtype)
                mean = np.mean(clipped, dtype=np.float64) if w.ndim == 2 else 0.0
                row[...] = row - np.asarray(LR, dtype) * (clipped - np.asarray(mean, dtype))
        return params

    opt = tw.chain(tw.adaptive_clip(0.2, 1.7, layout), tw.centralize(layout), tw.SGD(lr=LR))
    assert apart(opt, Plain(step), dtype) <= TOLERANCE[dtype]


def test_adaptive_clip_divides_by_no_less_than_a_millionth():
    """The authors' floor under the norm of a gradient, where both are tiny: 1e-8 * (1e-9 / 1e-6)."""
    for shape in ((2,), (2, 1), ()):
        params = {"w": np.zeros(shape)}
        g = np.zeros(shape)
        g[(0,) * g.ndim] = 1e-8
        tw.chain(tw.adaptive_clip(1e-3, 1e-6), tw.SGD(lr=1.0)).update(params, {"w": g})
        assert params["w"].min() == pytest.approx(-1e-11, rel=1e-12)


@dtypes
def test_the_order_of_links_is_the_order_in_which_they_act(dtype):
    """Decay is inside of a limit behind it, and outside of one before it; so is the mean that is taken away."""

    def limited(g):
        norm = np.sqrt(sum(float(np.sum(np.square(x, dtype=np.float64))) for x in g.values()))
        return {name: x * np.asarray(min(1.0, 0.9 / norm), dtype) for name, x in g.items()}

    def first_decay(params, grads, t):
        g = limited({name: g + np.asarray(0.3, dtype) * params[name] for name, g in grads.items()})
        return {name: w - np.asarray(LR, dtype) * g[name] for name, w in params.items()}

    def first_limit(params, grads, t):
        g = {name: g + np.asarray(0.3, dtype) * params[name] for name, g in limited(grads).items()}
        return {name: w - np.asarray(LR, dtype) * g[name] for name, w in params.items()}

    decay, limit = tw.l2(0.3), tw.clip_global_norm(0.9)
    assert apart(tw.chain(decay, limit, tw.SGD(lr=LR)), Plain(first_decay), dtype) <= TOLERANCE[dtype]
    assert apart(tw.chain(limit, decay, tw.SGD(lr=LR)), Plain(first_limit), dtype) <= TOLERANCE[dtype]
    path = path_of(tw.chain(decay, limit, tw.SGD(lr=LR)), start(dtype), gradients(5, dtype))
    other = path_of(tw.chain(limit, decay, tw.SGD(lr=LR)), start(dtype), gradients(5, dtype))
    assert distance(path, other) > 1e-3


@dtypes
def test_the_limit_on_a_step_is_one_on_the_step(dtype):
    """Behind a rule with a velocity, and the velocity itself is not limited."""
    steps = Steps("momentum")

    def step(params, grads, t):
        u = {name: steps(name, g) for name, g in grads.items()}
        norm = np.sqrt(sum(float(np.sum(np.square(x, dtype=np.float64))) for x in u.values()))
        return {name: w - u[name] * np.asarray(min(1.0, 0.1 / norm), dtype) for name, w in params.items()}

    opt = tw.chain(RULES["momentum"](), tw.clip_global_norm(0.1))
    assert apart(opt, Plain(step), dtype) <= TOLERANCE[dtype]


@dtypes
def test_a_limit_behind_accumulate_is_one_on_the_mean(dtype):
    given, sums = gradients(STEPS, dtype), {}

    def step(params, grads, t):
        for name, g in grads.items():
            sums[name] = sums.get(name, 0) + g
        if t % 3:
            return params
        mean = {name: g / np.asarray(3, dtype) for name, g in sums.items()}
        sums.clear()
        norm = np.sqrt(sum(float(np.sum(np.square(x, dtype=np.float64))) for x in mean.values()))
        scale = np.asarray(min(1.0, 0.7 / norm) * LR, dtype)
        return {name: w - scale * mean[name] for name, w in params.items()}

    opt = tw.chain(tw.accumulate(3), tw.clip_global_norm(0.7), tw.SGD(lr=LR))
    assert apart(opt, Plain(step), dtype) <= TOLERANCE[dtype]
    assert len(given) == STEPS
