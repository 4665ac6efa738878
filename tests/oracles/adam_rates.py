"""AdaBelief, Yogi, AdaBound, AdaMod, Padam and DiffGrad."""

from __future__ import annotations

import importlib
from math import sqrt

from tests.oracles.base import Torch, case, optax, torch

BETAS = (0.7, 0.96)
NUMBERS = dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3)
TORCH = dict(lr=0.2, betas=BETAS, eps=1e-3)
OPTAX = dict(b1=0.7, b2=0.96, eps=1e-3)
ADABELIEF = "adabelief_pytorch"
ADAMOD = "lancopku/AdaMod d866407"
DIFFGRAD = "shivram1987/diffGrad 73233ba"
PADAM = "uclaml/Padam 586a02b"


class Scheduled(Torch):
    """An optimizer of torch whose numbers are set anew before each step t, to take out corrections of biases."""

    def __init__(self, params, make, numbers):
        super().__init__(params, make)
        self.numbers, self.t = numbers, 0

    def update(self, params, grads, value=None):
        """Take one step and copy the result into params."""
        self.t += 1
        self.opt.param_groups[0].update(self.numbers(self.t))
        super().update(params, grads, value)


def scheduled(cls, module, numbers, **fixed):
    """Return the maker of a class whose `numbers` are a function of t."""
    return lambda params: Scheduled(
        params, lambda leaves: getattr(importlib.import_module(module), cls)(leaves, **fixed), numbers
    )


# AdaBelief ------------------------------------------------------------------------------------------------------------

PLAIN = dict(rectify=False, weight_decay=0.0, print_change_log=False)

case("adabelief authors", "adabelief", "authors", {}, ADABELIEF, torch("AdaBelief", ADABELIEF, **PLAIN))
case(
    "adabelief authors numbers",
    "adabelief",
    "authors",
    NUMBERS,
    ADABELIEF,
    torch("AdaBelief", ADABELIEF, **PLAIN, **TORCH),
)
case("adabelief paper", "adabelief", "paper", {}, ADABELIEF, torch("AdaBelief", ADABELIEF, **PLAIN))
case(
    "adabelief paper numbers",
    "adabelief",
    "paper",
    NUMBERS,
    "torch_optimizer",
    torch("AdaBelief", "torch_optimizer", **TORCH),
)
case("adabelief optax", "adabelief", "optax", {}, "optax", optax(lambda o: o.adabelief(1e-3)))
case(
    "adabelief optax numbers",
    "adabelief",
    "optax",
    NUMBERS | dict(eps_root=1e-4),
    "optax",
    optax(lambda o: o.adabelief(0.2, **OPTAX, eps_root=1e-4)),
)
# With one eps in both places optax's is the authors'.
case(
    "adabelief authors optax",
    "adabelief",
    "authors",
    NUMBERS,
    "optax",
    optax(lambda o: o.adabelief(0.2, **OPTAX, eps_root=1e-3)),
)

# Yogi -----------------------------------------------------------------------------------------------------------------

case("yogi optax", "yogi", "optax", {}, "optax", optax(lambda o: o.yogi(0.01)))
case(
    "yogi optax numbers",
    "yogi",
    "optax",
    NUMBERS | dict(initial_accumulator=0.05, eps_root=1e-4),
    "optax",
    optax(lambda o: o.chain(o.scale_by_yogi(**OPTAX, eps_root=1e-4, initial_accumulator_value=0.05), o.scale(-0.2))),
)
case(
    "yogi torch_optimizer",
    "yogi",
    "optax",
    NUMBERS | dict(initial_accumulator=0.05),
    "torch_optimizer",
    torch("Yogi", "torch_optimizer", **TORCH, initial_accumulator=0.05),
)


def yogi(lr, beta1, beta2, eps):
    """Yogi's corrections taken out, and both moments from zero."""
    return scheduled(
        "Yogi",
        "torch_optimizer",
        lambda t: dict(lr=lr * (1 - beta1**t) / sqrt(1 - beta2**t), eps=eps / sqrt(1 - beta2**t)),
        betas=(beta1, beta2),
        initial_accumulator=0.0,
    )


case("yogi optax eps", "yogi", "optax", dict(eps=0.02), "optax", optax(lambda o: o.yogi(0.01, eps=0.02)))
case("yogi paper", "yogi", "paper", {}, "torch_optimizer", yogi(0.01, 0.9, 0.999, 1e-3))
case("yogi paper numbers", "yogi", "paper", NUMBERS, "torch_optimizer", yogi(**NUMBERS))
case("yogi paper eps", "yogi", "paper", dict(eps=0.02), "torch_optimizer", yogi(0.01, 0.9, 0.999, 0.02))

# AdaBound -------------------------------------------------------------------------------------------------------------

BOUNDS = dict(final_lr=0.03, gamma=0.02)

case("adabound", "adabound", "authors", {}, "adabound", torch("AdaBound", "adabound"))
case(
    "adabound numbers",
    "adabound",
    "authors",
    NUMBERS | BOUNDS,
    "adabound",
    torch("AdaBound", "adabound", **TORCH, **BOUNDS),
)
case(
    "adabound torch_optimizer",
    "adabound",
    "authors",
    NUMBERS | BOUNDS,
    "torch_optimizer",
    torch("AdaBound", "torch_optimizer", **TORCH, **BOUNDS),
)

# AdaMod ---------------------------------------------------------------------------------------------------------------

case("adamod", "adamod", "authors", {}, "adamod", torch("AdaMod", "adamod"), source=ADAMOD)
case(
    "adamod numbers",
    "adamod",
    "authors",
    NUMBERS | dict(beta3=0.9),
    "adamod",
    torch("AdaMod", "adamod", **TORCH, beta3=0.9),
    source=ADAMOD,
)
case(
    "adamod torch_optimizer",
    "adamod",
    "authors",
    NUMBERS | dict(beta3=0.9),
    "torch_optimizer",
    torch("AdaMod", "torch_optimizer", **TORCH, beta3=0.9),
)

# Padam ----------------------------------------------------------------------------------------------------------------


def padam(lr, beta1, beta2, partial):
    """The authors' class with its corrections taken out, and without eps."""
    return scheduled(
        "Padam",
        "Padam",
        lambda t: dict(lr=lr * (1 - beta1**t) / sqrt(1 - beta2**t)),
        betas=(beta1, beta2),
        eps=0.0,
        partial=partial,
    )


case("padam authors", "padam", "authors", {}, "Padam", torch("Padam", "Padam"), source=PADAM)
case(
    "padam authors numbers",
    "padam",
    "authors",
    NUMBERS | dict(partial=0.4),
    "Padam",
    torch("Padam", "Padam", **TORCH, partial=0.4),
    source=PADAM,
)
case("padam paper", "padam", "paper", {}, "Padam", padam(0.1, 0.9, 0.999, 0.125), zeros=False, source=PADAM)
case(
    "padam paper numbers",
    "padam",
    "paper",
    dict(lr=0.2, beta1=0.7, beta2=0.96, partial=0.4),
    "Padam",
    padam(0.2, 0.7, 0.96, 0.4),
    zeros=False,
    source=PADAM,
)

# DiffGrad -------------------------------------------------------------------------------------------------------------


def diffgrad(lr, beta1, beta2, eps):
    """The correction taken out of eps."""
    return scheduled(
        "diffgrad", "diffGrad_v2", lambda t: dict(eps=eps * sqrt(1 - beta2**t)), lr=lr, betas=(beta1, beta2)
    )


case("diffgrad authors", "diffgrad", "authors", {}, "diffGrad_v2", torch("diffgrad", "diffGrad_v2"), source=DIFFGRAD)
case(
    "diffgrad authors numbers",
    "diffgrad",
    "authors",
    NUMBERS,
    "diffGrad_v2",
    torch("diffgrad", "diffGrad_v2", **TORCH),
    source=DIFFGRAD,
)
case(
    "diffgrad torch_optimizer",
    "diffgrad",
    "authors",
    NUMBERS,
    "torch_optimizer",
    torch("DiffGrad", "torch_optimizer", **TORCH),
)
case("diffgrad paper", "diffgrad", "paper", {}, "diffGrad_v2", diffgrad(1e-3, 0.9, 0.999, 1e-8), source=DIFFGRAD)
case("diffgrad paper numbers", "diffgrad", "paper", NUMBERS, "diffGrad_v2", diffgrad(**NUMBERS), source=DIFFGRAD)
