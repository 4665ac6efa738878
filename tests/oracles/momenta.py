"""Momentum in its other forms, and centered RMSprop in optax's."""

from __future__ import annotations

from tests.oracles.adam import mlx
from tests.oracles.base import Torch, case, optax, torch

# Momentum -------------------------------------------------------------------------------------------------------------


def ema(lr, momentum):
    """Gradient descent along the average of gradients, of optax's parts."""
    return optax(lambda o: o.chain(o.ema(momentum, debias=False), o.scale(-lr)))


case("momentum ema", "momentum", "ema", {}, "optax", ema(0.01, 0.9))
case("momentum ema numbers", "momentum", "ema", dict(lr=0.3, momentum=0.7), "optax", ema(0.3, 0.7))
case("momentum mlx", "momentum", "mlx", {}, "mlx", mlx("SGD", 0.01, momentum=0.9))
case(
    "momentum mlx numbers",
    "momentum",
    "mlx",
    dict(lr=0.3, momentum=0.7, dampening=0.4),
    "mlx",
    mlx("SGD", 0.3, momentum=0.7, dampening=0.4),
)

# AggMo ----------------------------------------------------------------------------------------------------------------

AGGMO = dict(lr=0.3, beta1=0.25, beta2=0.6, beta3=0.95)

case("aggmo torch_optimizer", "aggmo", "paper", {}, "torch_optimizer", torch("AggMo", "torch_optimizer", lr=0.1))
case(
    "aggmo torch_optimizer numbers",
    "aggmo",
    "paper",
    AGGMO,
    "torch_optimizer",
    torch("AggMo", "torch_optimizer", lr=0.3, betas=(0.25, 0.6, 0.95)),
)
case("aggmo pytorch_optimizer", "aggmo", "paper", {}, "pytorch_optimizer", torch("AggMo", "pytorch_optimizer", lr=0.1))
case(
    "aggmo pytorch_optimizer numbers",
    "aggmo",
    "paper",
    AGGMO,
    "pytorch_optimizer",
    torch("AggMo", "pytorch_optimizer", lr=0.3, betas=(0.25, 0.6, 0.95)),
)

# QHM ------------------------------------------------------------------------------------------------------------------

QHM = dict(lr=0.3, momentum=0.85, nu=0.6)

case(
    "qhm torch_optimizer",
    "qhm",
    "paper",
    {},
    "torch_optimizer",
    torch("QHM", "torch_optimizer", lr=1.0, momentum=0.999, nu=0.7),
)
case("qhm torch_optimizer numbers", "qhm", "paper", QHM, "torch_optimizer", torch("QHM", "torch_optimizer", **QHM))
case("qhm pytorch_optimizer", "qhm", "paper", QHM, "pytorch_optimizer", torch("QHM", "pytorch_optimizer", **QHM))

# ASGD -----------------------------------------------------------------------------------------------------------------


class Averaged(Torch):
    """torch's ASGD, whose eta and mu are tensors of the default dtype, and its average."""

    def update(self, params, grads, value=None):
        before = self.torch.get_default_dtype()
        self.torch.set_default_dtype(self.torch.float64)
        try:
            super().update(params, grads, value)
        finally:
            self.torch.set_default_dtype(before)

    def averaged(self):
        return {name: self.opt.state[leaf]["ax"].numpy().copy() for name, leaf in self.leaves.items()}


def asgd(**numbers):
    """The maker of torch.optim.ASGD."""
    return lambda params: Averaged(params, lambda leaves: _asgd(leaves, numbers))


def _asgd(leaves, numbers):
    from torch.optim import ASGD

    return ASGD(leaves, **numbers)


ASGD = dict(lr=0.3, lambd=0.07, alpha=0.6, t0=7.0)

case("asgd", "asgd", "torch", {}, "torch", asgd())
case("asgd numbers", "asgd", "torch", ASGD, "torch", asgd(**ASGD))
case("asgd average", "asgd", "torch", {}, "torch", asgd(), averaged=True)
case("asgd average numbers", "asgd", "torch", ASGD, "torch", asgd(**ASGD), averaged=True)

# RMSprop --------------------------------------------------------------------------------------------------------------

case(
    "rmsprop optax-centered", "rmsprop", "optax-centered", {}, "optax", optax(lambda o: o.rmsprop(0.01, centered=True))
)
case(
    "rmsprop optax-centered numbers",
    "rmsprop",
    "optax-centered",
    dict(lr=0.3, decay_rate=0.8, eps=1e-3, initial_accumulator=0.5, momentum=0.7),
    "optax",
    optax(lambda o: o.rmsprop(0.3, decay=0.8, eps=1e-3, initial_scale=0.5, momentum=0.7, centered=True)),
)
