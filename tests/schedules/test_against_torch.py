"""Each schedule at t against torch's own scheduler at index t - 1, step by step over 1,000 steps.

torch multiplies the rate of the step before by a factor. A step adds at most 8 roundings, each of half a unit in the
last place of the largest value of the run. The factor carries the errors so far along: where it is at most 1 they do
not grow, and where it is more they grow no faster than the value. So after n steps torch is at most 4 (n + 1) eps of
the largest value away from the exact curve, and the closed form here is no further away than torch after one step.
Where torch only multiplies by constants, this holds relative to the value itself; where it computes each value anew,
errors do not add up.
"""

from __future__ import annotations

import warnings

import pytest

from tests.schedules.tables import EPS, N, draws, log_uniform
from thalweg import schedules as s

torch = pytest.importorskip("torch", reason="oracle torch is not installed")
lrs = torch.optim.lr_scheduler


def torch_values(make, lr=0.1, n=N):
    """The rate at index 0, ..., n - 1, as an optimizer with this scheduler sees it."""
    opt = torch.optim.SGD([torch.zeros(1)], lr=lr)
    scheduler = make(opt)
    found: list[float] = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*before.*", category=UserWarning)
        found.append(opt.param_groups[0]["lr"])
        for _ in range(n - 1):
            scheduler.step()
            found.append(opt.param_groups[0]["lr"])
    return found


def agree(ours, make, lr=0.1, n=N, *, relative=False, recursive=True):
    theirs = torch_values(make, lr, n)
    assert len(set(theirs)) > 1, "a case that stays constant shows nothing"
    largest = max(map(abs, theirs))
    for index, value in enumerate(theirs):
        steps = index + 1 if recursive else 4
        allowed = 4 * steps * EPS * (abs(value) if relative else largest)
        # What is smaller than the smallest normal number has fewer digits.
        assert abs(ours(index + 1) - value) <= allowed + 1e-307, (index, ours(index + 1), value)


DRAWS = draws(6)


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_step(rng):
    lr, every, gamma = log_uniform(rng, 1e-4, 1), rng.randint(1, 300), rng.uniform(0.05, 1.2)
    agree(s.step(lr, every=every, gamma=gamma), lambda o: lrs.StepLR(o, every, gamma), lr, relative=True)


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_multi_step(rng):
    lr, gamma = log_uniform(rng, 1e-4, 1), rng.uniform(0.05, 1.5)
    milestones = sorted(rng.sample(range(1, N), rng.randint(1, 9)))
    ours = s.multi_step(lr, milestones=milestones, gamma=gamma)
    agree(ours, lambda o: lrs.MultiStepLR(o, milestones, gamma), lr, relative=True)


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_exponential(rng):
    lr, gamma = log_uniform(rng, 1e-4, 1), 1 - log_uniform(rng, 1e-5, 0.3)
    agree(s.exponential(lr, gamma=gamma), lambda o: lrs.ExponentialLR(o, gamma), lr, relative=True)


@pytest.mark.parametrize("gamma", [0.0, 1.01, 0.5])
def test_exponential_at_the_edges(gamma):
    agree(s.exponential(0.1, gamma=gamma), lambda o: lrs.ExponentialLR(o, gamma), relative=True)


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_polynomial(rng):
    lr, steps, power = log_uniform(rng, 1e-4, 1), rng.randint(1, 1200), rng.choice([1, 2, 0.5, 0.9, 3.7])
    agree(s.polynomial(lr, steps=steps, power=power), lambda o: lrs.PolynomialLR(o, steps, power), lr)


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_linear(rng):
    lr, steps = log_uniform(rng, 1e-4, 1), rng.randint(1, 1200)
    first, last = rng.uniform(0.05, 1), rng.uniform(0, 1)
    ours = s.polynomial(lr * first, steps=steps, final=lr * last)
    agree(ours, lambda o: lrs.LinearLR(o, first, last, steps), lr)


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_warmup_into_a_number(rng):
    lr, steps, first = log_uniform(rng, 1e-4, 1), rng.randint(1, 900), rng.uniform(0.01, 0.9)
    agree(s.warmup(lr, steps=steps, start=lr * first), lambda o: lrs.LinearLR(o, first, 1, steps), lr)


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_cosine(rng):
    lr, steps, share = log_uniform(rng, 1e-4, 1), rng.randint(N, 2000), rng.choice([0, rng.random()])
    ours = s.cosine(lr, steps=steps, final=lr * share)
    agree(ours, lambda o: lrs.CosineAnnealingLR(o, steps, lr * share), lr)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 999, 1000])
def test_cosine_where_torch_rises_again(steps):
    """Up to `steps` they agree; then torch goes back up, and here the last value stays."""
    ours = s.cosine(0.1, steps=steps, final=0.001)
    agree(ours, lambda o: lrs.CosineAnnealingLR(o, steps, 0.001), n=steps + 1)
    assert ours(steps + 1) == ours(steps + 2) == ours(10 * steps) == 0.001
    assert torch_values(lambda o: lrs.CosineAnnealingLR(o, steps, 0.001), n=steps + 2)[-1] > 0.001


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_warm_restarts(rng):
    lr, period, growth = log_uniform(rng, 1e-4, 1), rng.randint(1, 120), rng.randint(1, 4)
    low = lr * rng.choice([0, rng.random()])
    ours = s.warm_restarts(lr, period=period, growth=growth, final=low)
    agree(ours, lambda o: lrs.CosineAnnealingWarmRestarts(o, period, growth, low), lr, recursive=False)


@pytest.mark.parametrize("three", [False, True])
@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("rng", draws(5), ids=range(5))
def test_one_cycle(rng, anneal, three):
    peak, steps = log_uniform(rng, 1e-3, 1), rng.randint(10, N)
    options = dict(
        pct_start=rng.uniform(0.11, 0.5), div_factor=rng.uniform(1.5, 40), final_div_factor=log_uniform(rng, 10, 1e5),
        three_phase=three,
    )  # fmt: skip
    ours = s.one_cycle(peak, steps=steps, anneal=anneal, **options)
    agree(
        ours,
        lambda o: lrs.OneCycleLR(o, peak, steps, anneal_strategy=anneal, cycle_momentum=False, **options),
        n=steps,
        recursive=False,
    )


@pytest.mark.parametrize("pct_start", [0.0, 0.004, 0.05, 0.999, 1.0])
def test_one_cycle_at_the_edges(pct_start):
    ours = s.one_cycle(0.1, steps=100, pct_start=pct_start)
    agree(
        ours,
        lambda o: lrs.OneCycleLR(o, 0.1, 100, pct_start=pct_start, cycle_momentum=False),
        n=100,
        recursive=False,
    )
    assert ours(101) == ours(10**9) == ours(100)


def test_one_cycle_where_torch_divides_by_zero():
    with pytest.raises(ZeroDivisionError):
        torch_values(lambda o: lrs.OneCycleLR(o, 0.1, 10, pct_start=0.1, cycle_momentum=False))
    ours = s.one_cycle(0.1, steps=10, pct_start=0.1)
    assert ours(1) == 0.1 > ours(2)


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_cyclic(rng, mode):
    base, up, down = log_uniform(rng, 1e-4, 1), rng.randint(1, 200), rng.choice([None, rng.randint(1, 200)])
    peak = base * rng.uniform(1.5, 20)
    gamma = 1 - log_uniform(rng, 1e-4, 1e-2) if mode == "exp_range" else 1.0
    ours = s.cyclic(base, peak, up=up, down=down, mode=mode, gamma=gamma)
    theirs = torch_values(lambda o: lrs.CyclicLR(o, base, peak, up, down, mode, gamma, cycle_momentum=False), base)
    total, shorter = up + (down or up), min(up, down or up)
    for index, value in enumerate(theirs):
        # torch subtracts the number of cycles, which leaves 2 ulp of it in the share of a cycle, and divides by the
        # part of the cycle that rises or falls.
        share = 2 * EPS * (index / total + 1) * total / shorter
        assert abs(ours(index + 1) - value) <= (peak - base) * share + 4 * EPS * peak, index


def sequence(*makers, milestones):
    return lambda o: lrs.SequentialLR(o, [make(o) for make in makers], milestones)


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
def test_join(rng):
    a, b, c = sorted(rng.sample(range(1, N), 3))
    lr, gamma, steps = log_uniform(rng, 1e-3, 1), rng.uniform(0.99, 1), rng.randint(c - b, N)
    ours = s.join(
        [s.warmup(lr, steps=a, start=lr / 7), lr, s.cosine(lr, steps=steps), s.exponential(lr, gamma=gamma)],
        milestones=[a, b, c],
    )
    agree(
        ours,
        sequence(
            lambda o: lrs.LinearLR(o, 1 / 7, 1, a),
            lambda o: lrs.ConstantLR(o, 1, 0),
            lambda o: lrs.CosineAnnealingLR(o, steps),
            lambda o: lrs.ExponentialLR(o, gamma),
            milestones=[a, b, c],
        ),
        lr,
    )


@pytest.mark.parametrize("rng", DRAWS, ids=range(6))
@pytest.mark.parametrize("what", ["cosine", "polynomial", "step", "exponential", "wsd", "wsd cosine", "inverse_sqrt"])
def test_warmup(rng, what):
    lr, warmup, steps, first = log_uniform(rng, 1e-3, 1), rng.randint(1, 300), rng.randint(N, 1500), rng.random()
    start, decay, every = lr * first, rng.randint(1, 500), rng.randint(1, 100)
    line = lambda o: lrs.LinearLR(o, first, 1, warmup)  # noqa: E731
    then = [warmup]
    if what == "cosine":
        ours = s.cosine(lr, steps=steps, warmup=warmup, start=start, final=lr / 9)
        theirs = [lambda o: lrs.CosineAnnealingLR(o, steps - warmup, lr / 9)]
    elif what == "polynomial":
        ours = s.polynomial(lr, steps=steps, warmup=warmup, start=start, power=1.3)
        theirs = [lambda o: lrs.PolynomialLR(o, steps - warmup, 1.3)]
    elif what == "step":
        ours = s.warmup(s.step(lr, every=every, gamma=0.7), steps=warmup, start=start)
        theirs = [lambda o: lrs.StepLR(o, every, 0.7)]
    elif what == "exponential":
        ours = s.warmup(s.exponential(lr, gamma=0.997), steps=warmup, start=start)
        theirs = [lambda o: lrs.ExponentialLR(o, 0.997)]
    elif what == "inverse_sqrt":
        ours = s.inverse_sqrt(lr, warmup=warmup, start=start, timescale=every)
        theirs = [lambda o: lrs.LambdaLR(o, lambda n: ((every + n) / every) ** -0.5)]
    else:
        shape = "cosine" if "cosine" in what else "linear"
        ours = s.warmup_stable_decay(
            lr, steps=N - 50, warmup=warmup, decay=decay, start=start, final=lr / 5, shape=shape
        )
        then = [warmup, N - 50 - decay]
        last = (
            (lambda o: lrs.CosineAnnealingLR(o, decay, lr / 5))
            if shape == "cosine"
            else (lambda o: lrs.LinearLR(o, 1, 0.2, decay))
        )
        theirs = [lambda o: lrs.ConstantLR(o, 1, 0), last]
    n = N - 50 + 1 if what.startswith("wsd") else N
    agree(ours, sequence(line, *theirs, milestones=then), lr, n)
