"""Parameters, gradients and oracles for chains, and how far two of them are apart."""

from __future__ import annotations

import numpy as np

import thalweg as tw
from tests.rules.sequences import SHAPES, copied, distance, path_of

STEPS = 40
# So many steps of some roundings each, which add up and are not damped. An oracle may contract, reorder, or take a norm
# in the dtype of the gradients, where ours are taken in float64. Seen were a tenth of it.
TOLERANCE = {"float32": STEPS * 4 * 2.0**-24, "float64": STEPS * 4 * 2.0**-53}
DTYPES = ("float32", "float64")


def start(dtype="float64", seed=0, shapes=None):
    """Parameters of several shapes."""
    rng = np.random.default_rng(seed)
    return {name: np.array(rng.standard_normal(shape), dtype) for name, shape in (shapes or SHAPES).items()}


def gradients(steps=STEPS, dtype="float64", seed=1, shapes=None):
    """Gradients of each step: some are small and some large, so that limits near 1 act on some of them only."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(steps):
        size = 10.0 ** rng.uniform(-1.5, 1)
        found.append(
            {name: np.array(size * rng.standard_normal(shape), dtype) for name, shape in (shapes or SHAPES).items()}
        )
    return found


def apart(opt, oracle, dtype, shapes=None, steps=STEPS):
    """Take the same steps with both; return the largest difference, each element by its largest value."""
    given = gradients(steps, dtype, shapes=shapes)
    ours, theirs = start(dtype, shapes=shapes), start(dtype, shapes=shapes)
    path = path_of(oracle, theirs, given)
    found = distance(path_of(opt, ours, given), path)
    assert all(w.dtype == dtype for w in ours.values())
    assert distance([path[-1]], [path[0]]) > 1e-3, "nothing has moved"
    return found


class Torch:
    """torch's rule with something before and behind it, with our call.

    rule: a class of torch.optim and its numbers. before(leaves, t), behind(leaves, t): what stands around it.
    """

    def __init__(self, params, rule, *, before=None, behind=None, **numbers):
        import torch

        self.torch = torch
        self.leaves = {name: torch.tensor(w, requires_grad=True) for name, w in params.items()}
        self.opt = getattr(torch.optim, rule)(list(self.leaves.values()), **numbers)
        self.before, self.behind, self.t = before, behind, 0

    def update(self, params, grads):
        """Take one step and copy the result into params."""
        self.t += 1
        for name, leaf in self.leaves.items():
            leaf.grad = self.torch.tensor(grads[name])
        with self.torch.no_grad():
            if self.before:
                self.before(self.leaves, self.t)
            self.opt.step()
            if self.behind:
                self.behind(self.leaves, self.t)
        for name, leaf in self.leaves.items():
            params[name][...] = leaf.detach().numpy()


class Optax:
    """A gradient transformation with our call."""

    def __init__(self, transformation, params):
        import jax

        self.jax = jax
        self.update_, self.state = jax.jit(transformation.update), transformation.init(self.arrays(params))

    def arrays(self, tree):
        """The arrays of JAX; copies, since it may look at the memory of NumPy's, which changes."""
        return self.jax.tree.map(self.jax.numpy.array, tree)

    def update(self, params, grads):
        """Take one step and copy the result into params."""
        updates, self.state = self.update_(self.arrays(grads), self.state, self.arrays(params))
        for name, step in updates.items():
            assert step.dtype == params[name].dtype
            params[name][...] += step


class Plain:
    """A function of (params, grads, t) that returns new params, with our call: what a paper says, in a few lines."""

    def __init__(self, step):
        self.step, self.t = step, 0

    def update(self, params, grads):
        """Take one step and copy the result into params."""
        self.t += 1
        for name, w in self.step(copied(params), grads, self.t).items():
            params[name][...] = w


def links_for_every_place():
    """(place, link): every link at every place where it may stand, with numbers that are no defaults."""
    passes = {
        "clip_value": lambda: tw.clip_value(0.3),
        "clip_norm": lambda: tw.clip_norm(0.7, eps=1e-6),
        "clip_global_norm": lambda: tw.clip_global_norm(0.9, eps=1e-6),
        "adaptive_clip": lambda: tw.adaptive_clip(0.05, eps=1e-2),
        "centralize": lambda: tw.centralize("out_in"),
        "noise": lambda: tw.noise(0.02, 0.3, seed=5),
        "decoupled_decay": lambda: tw.decoupled_decay(0.3),
        "sam": lambda: tw.sam(0.1),
    }
    before = {"l2": lambda: tw.l2(0.2), "accumulate": lambda: tw.accumulate(2)}
    behind = {
        "cautious": lambda: tw.cautious(0.01),
        "lookahead": lambda: tw.lookahead(2, 0.3),
        "bounds": lambda: tw.bounds(-1.1, 1.2),
        "ema": lambda: tw.ema(0.7, overwrite=3),
        "polyak": tw.polyak,
        "swa": lambda: tw.swa(2, 2),
    }
    return [("before", name, make) for name, make in (passes | before).items()] + [
        ("behind", name, make) for name, make in (passes | behind).items()
    ]
