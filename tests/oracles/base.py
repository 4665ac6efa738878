"""Other people's optimizers behind one call, and the table of what is compared with them.

A case says which rule of thalweg, in which convention and with which numbers, is which object of a library. Where the
library can be imported it runs beside ours; what the others put out is kept in tests/data/oracles.json, written by
`tools/record.py` in an environment that has them. Nothing here imports thalweg.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Params = dict[str, np.ndarray]
SHAPES = {"W1": (4, 3), "b1": (3,), "s": (), "W2": (3, 5)}
MATRICES = {"W1": (4, 3), "W2": (3, 5), "W3": (6, 6)}
LIVE = ("torch", "optax", "keras")  # the libraries that run beside ours; `tools/record.py` records the others


@dataclass(frozen=True)
class Case:
    """One row.

    ours: the numbers for thalweg; other arguments of the constructor, such as layout, among them. library: the module
    whose presence decides, "torch", "optax", "keras", "schedulefree" ... make: of the parameters, returns a player; it
    imports what it needs. tolerance: of the largest value of an element on the path, derived where it is not 1e-12.
    shapes: of the parameters. decades: over which gradients are spread. zeros: whether some are exactly zero. averaged:
    compare the points of evaluation instead. source: repository and commit or version, where the library is no package.
    """

    name: str
    rule: str
    convention: str
    ours: dict[str, Any]
    library: str
    make: Callable[[Params], Any]
    tolerance: float = 1e-12
    shapes: Any = None
    decades: float = 12.0
    zeros: bool = True
    steps: int = 40
    needs_value: bool = False
    needs_hessian: bool = False
    averaged: bool = False
    source: str = ""


CASES: dict[str, Case] = {}


def is_installed(library: str) -> bool:
    """Tell whether a library can run beside ours here."""
    try:
        return importlib.util.find_spec(library) is not None
    except ModuleNotFoundError:  # of its parent
        return False


def case(name: str, rule: str, convention: str, ours: dict[str, Any], library: str, make: Any, **more: Any) -> None:
    """Add a row; make: see `Case`, or an optax transformation made by a function without arguments."""
    assert name not in CASES, name
    CASES[name] = Case(name, rule, convention, ours, library, make, **more)


def start(shapes: Any = None) -> Params:
    """Parameters to start from, float64."""
    rng = np.random.default_rng(0)
    return {name: np.array(rng.standard_normal(shape)) for name, shape in (shapes or SHAPES).items()}


def gradients(steps: int, shapes: Any = None, decades: float = 12.0, *, zeros: bool = True) -> list[Params]:
    """Gradients of each step over so many decades; with `zeros` a tenth of them is zero, and one row of W1 always."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(steps):
        grads = {}
        for name, shape in (shapes or SHAPES).items():
            g = 10.0 ** rng.uniform(-decades / 2, decades / 2, shape) * rng.choice([-1.0, 1.0], shape)
            g = np.array(np.where(rng.random(shape) < 0.1, 0.0, g) if zeros else g)
            if name == "W1" and zeros:
                g[0] = 0.0
            grads[name] = g
        found.append(grads)
    return found


def losses(steps: int) -> list[float]:
    """A loss for each step, for rules that need it."""
    return [3.0 / (1 + t) + 0.1 * (t % 3) for t in range(steps)]


def diagonals(steps: int, shapes: Any = None) -> list[Params | None]:
    """Diagonals of the Hessian for rules that take them, in every third step: over 12 decades, and some are zero."""
    rng, found = np.random.default_rng(2), []
    for t in range(steps):
        drawn = {name: 10.0 ** rng.uniform(-6, 6, shape) for name, shape in (shapes or SHAPES).items()}
        drawn = {name: np.array(np.where(rng.random(h.shape) < 0.1, 0.0, h)) for name, h in drawn.items()}
        found.append(None if t % 3 else drawn)
    return found


class Torch:
    """An optimizer of torch or built upon it. make: of the list of leaves, returns the optimizer."""

    def __init__(self, params: Params, make: Callable[[list[Any]], Any]) -> None:
        self.torch = importlib.import_module("torch")
        self.leaves = {name: self.torch.tensor(w, requires_grad=True) for name, w in params.items()}
        self.opt = make(list(self.leaves.values()))

    def update(self, params: Params, grads: Params, value: float | None = None) -> None:
        """Take one step and copy the result into params."""
        for name, leaf in self.leaves.items():
            leaf.grad = self.torch.from_numpy(np.array(grads[name]))
        self.opt.step(*(() if value is None else (lambda: self.torch.tensor(value, dtype=self.torch.float64),)))
        for name, leaf in self.leaves.items():
            params[name][...] = leaf.detach().numpy()

    def averaged(self) -> Params:
        """Return the points of evaluation, of optimizers that have `eval` and `train`."""
        self.opt.eval()
        found = {name: leaf.detach().numpy().copy() for name, leaf in self.leaves.items()}
        self.opt.train()
        return found


def torch(cls: str, module: str = "torch.optim", **numbers: Any) -> Callable[[Params], Torch]:
    """Return the maker of a class with numbers: `torch("Adam", lr=0.1)`, `torch("Prodigy", "prodigyopt", lr=1.0)`."""
    return lambda params: Torch(params, lambda leaves: getattr(importlib.import_module(module), cls)(leaves, **numbers))


class Optax:
    """A gradient transformation of optax, in float64. average: of (state, params), the points of evaluation."""

    def __init__(self, params: Params, make: Callable[[Any], Any], average: Callable[..., Any] | None = None) -> None:
        self.jax = importlib.import_module("jax")
        self.jax.config.update("jax_enable_x64", True)
        self.average = average
        transformation = make(importlib.import_module("optax"))
        self.step, self.state = transformation.update, transformation.init(self.arrays(params))
        self.params = self.arrays(params)

    def arrays(self, params: Params) -> Any:
        return self.jax.tree.map(self.jax.numpy.asarray, params)

    def update(self, params: Params, grads: Params, value: float | None = None) -> None:
        """Take one step and copy the result into params."""
        more = {} if value is None else {"value": value}
        updates, self.state = self.step(self.arrays(grads), self.state, self.params, **more)
        self.params = {name: self.params[name] + step for name, step in updates.items()}
        for name, w in self.params.items():
            assert w.dtype == "float64"
            params[name][...] = w

    def averaged(self) -> Params:
        """Return the points of evaluation."""
        assert self.average is not None
        return {name: np.array(w) for name, w in self.average(self.state, self.params).items()}


def optax(make: Callable[[Any], Any], average: Callable[..., Any] | None = None) -> Callable[[Params], Optax]:
    """Return the maker of a transformation: `optax(lambda o: o.adam(0.1))`; `o.contrib` is there."""

    def of(params: Params) -> Optax:
        importlib.import_module("optax.contrib")
        return Optax(params, make, average)

    return of


class Keras:
    """An optimizer of Keras, in float64, on JAX."""

    def __init__(self, params: Params, cls: str, numbers: dict[str, Any]) -> None:
        self.keras = importlib.import_module("keras")
        self.before = self.keras.config.floatx()
        self.keras.config.set_floatx("float64")
        importlib.import_module("jax").config.update("jax_enable_x64", True)
        self.variables = {name: self.keras.Variable(w, dtype="float64", name=name) for name, w in params.items()}
        self.opt = getattr(self.keras.optimizers, cls)(**numbers)
        self.opt.build(list(self.variables.values()))
        self.keras.config.set_floatx(self.before)

    def update(self, params: Params, grads: Params, value: float | None = None) -> None:
        """Take one step and copy the result into params."""
        self.keras.config.set_floatx("float64")
        gradients_ = [self.keras.ops.convert_to_tensor(grads[name]) for name in self.variables]
        self.opt.apply(gradients_, list(self.variables.values()))
        self.keras.config.set_floatx(self.before)
        for name, variable in self.variables.items():
            params[name][...] = np.array(variable.value)


def keras(cls: str, **numbers: Any) -> Callable[[Params], Keras]:
    """Return the maker of a class with numbers: `keras("Adam", learning_rate=0.1)`."""
    return lambda params: Keras(params, cls, numbers)


def play(one: Case, player: Any) -> list[Params]:
    """Return the parameters (or points of evaluation) after each step."""
    params, path = start(one.shapes), []
    values, hessians = losses(one.steps), diagonals(one.steps, one.shapes)
    for t, grads in enumerate(gradients(one.steps, one.shapes, one.decades, zeros=one.zeros)):
        more: dict[str, Any] = {"value": values[t]} if one.needs_value else {}
        more |= {"hessian": hessians[t]} if one.needs_hessian else {}
        player.update(params, grads, **more)
        path.append(player.averaged() if one.averaged else {name: w.copy() for name, w in params.items()})
    return path


def distance(path: list[Params], other: list[Params]) -> float:
    """Return the largest difference of two paths, each element by its largest value on the other."""
    worst = 0.0
    for name in other[0]:
        a, b = (np.array([np.array(point[name], np.longdouble) for point in p]) for p in (path, other))
        assert np.isfinite(b).all(), f"the oracle's {name} is not finite"
        worst = max(worst, float(np.max(np.abs(a - b) / np.maximum(np.abs(b).max(axis=0), 1e-300), initial=0.0)))
    return worst
