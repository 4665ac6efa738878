"""Adam."""

from __future__ import annotations

import importlib

from tests.oracles.base import case, keras, optax, torch

NUMBERS = dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3)


class Mlx:
    """An optimizer of MLX, in float64, on the CPU."""

    def __init__(self, params, cls, lr, numbers):
        self.mx = importlib.import_module("mlx.core")
        self.mx.set_default_device(self.mx.cpu)
        optimizers = importlib.import_module("mlx.optimizers")
        # A number alone would be kept in float32.
        self.opt = getattr(optimizers, cls)(self.mx.array(lr, dtype=self.mx.float64), **numbers)
        self.params = self.arrays(params)

    def arrays(self, params):
        return {name: self.mx.array(w, dtype=self.mx.float64) for name, w in params.items()}

    def update(self, params, grads, value=None):
        """Take one step and copy the result into params."""
        self.params = self.opt.apply_gradients(self.arrays(grads), self.params)
        for name, w in self.params.items():
            assert w.dtype == self.mx.float64
            params[name][...] = w


class Sklearn:
    """The optimizer inside of scikit-learn's networks, which changes arrays in place."""

    def __init__(self, params, numbers):
        module = importlib.import_module("sklearn.neural_network._stochastic_optimizers")
        self.params = {name: w.copy() for name, w in params.items()}
        self.opt = module.AdamOptimizer(list(self.params.values()), **numbers)

    def update(self, params, grads, value=None):
        """Take one step and copy the result into params."""
        self.opt.update_params(list(self.params.values()), [grads[name] for name in self.params])
        for name, w in self.params.items():
            params[name][...] = w


def sklearn(**numbers):
    """Return the maker of scikit-learn's Adam with numbers."""
    return lambda params: Sklearn(params, numbers)


def mlx(cls, lr, **numbers):
    """Return the maker of a class with numbers: `mlx("Adam", 0.1, eps=1e-3)`."""
    return lambda params: Mlx(params, cls, lr, numbers)


case("adam torch", "adam", "torch", {}, "torch", torch("Adam"))
case("adam torch numbers", "adam", "torch", NUMBERS, "torch", torch("Adam", lr=0.2, betas=(0.7, 0.96), eps=1e-3))
case("adam keras", "adam", "keras", {}, "keras", keras("Adam"))
case(
    "adam keras numbers",
    "adam",
    "keras",
    NUMBERS,
    "keras",
    keras("Adam", learning_rate=0.2, beta_1=0.7, beta_2=0.96, epsilon=1e-3),
)
case("adam optax", "adam", "optax", {}, "optax", optax(lambda o: o.adam(1e-3)))
case("adam paper", "adam", "paper", {}, "optax", optax(lambda o: o.adam(1e-3)))
case(
    "adam paper numbers",
    "adam",
    "paper",
    NUMBERS | dict(eps_root=1e-4),
    "optax",
    optax(lambda o: o.adam(0.2, b1=0.7, b2=0.96, eps=1e-3, eps_root=1e-4)),
)
case(
    "adam optax numbers",
    "adam",
    "optax",
    NUMBERS | dict(eps_root=1e-4),
    "optax",
    optax(lambda o: o.adam(0.2, b1=0.7, b2=0.96, eps=1e-3, eps_root=1e-4)),
)
case("adam mlx", "adam", "mlx", {}, "mlx", mlx("Adam", 1e-3))
case("adam mlx numbers", "adam", "mlx", NUMBERS, "mlx", mlx("Adam", 0.2, betas=[0.7, 0.96], eps=1e-3))
case("adam sklearn", "adam", "sklearn", {}, "sklearn", sklearn())
case(
    "adam sklearn numbers",
    "adam",
    "sklearn",
    NUMBERS,
    "sklearn",
    sklearn(learning_rate_init=0.2, beta_1=0.7, beta_2=0.96, epsilon=1e-3),
)
