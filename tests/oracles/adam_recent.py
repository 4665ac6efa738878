"""QHAdam, LaProp, ADOPT, AdEMAMix, Adan, Grams, AdamAtan2 and StableAdamW."""

from __future__ import annotations

import importlib
from math import sqrt

from tests.oracles.base import Torch, case, optax, torch

BETAS = (0.7, 0.96)
NUMBERS = dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3)
TORCH = dict(lr=0.2, betas=BETAS, eps=1e-3)
OPTAX = dict(b1=0.7, b2=0.96, eps=1e-3)
QHOPTIM = "facebookresearch/qhoptim@e81dea3f2765780cf4fbb90b87b22ba7604b8625"
LAPROP = "Z-T-WANG/LaProp-Optimizer@a419916505bfb5d6a55f6b7b0ae14eb401b3be12"
ADOPT = "iShohei220/adopt@6468572b4b3688a2f056b796b071da540568520e"
ADOPT_1 = "iShohei220/adopt@6e94fbcf75d22c058e1995ba2810c6390dd3cf0c"
ADEMAMIX = "apple/ml-ademamix@c3d73c09f1287e5c33b95189bb0aa7de0a5a7667"
ADAN = "sail-sg/Adan@2c65beaf400775753b155da4082c3819fea689b9"
GRAMS = "Gunale0926/Grams@f91a375daaa85c5a4644e3f064ca6693c59f6cdb"
ATAN2 = "lucidrains/adam-atan2-pytorch@b42d7cbe2905956d6eb973cd4feb1082645674e8"


class Scheduled(Torch):
    """An optimizer of torch whose numbers are set anew before each step t."""

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


# QHAdam ---------------------------------------------------------------------------------------------------------------

case(
    "qhadam",
    "qhadam",
    "paper",
    {},
    "qhoptim",
    torch("QHAdam", "qhoptim.pyt", lr=1e-3, betas=(0.995, 0.999), nus=(0.7, 1.0)),
    source=QHOPTIM,
)
case(
    "qhadam numbers",
    "qhadam",
    "paper",
    NUMBERS | dict(nu1=0.6, nu2=0.8),
    "qhoptim",
    torch("QHAdam", "qhoptim.pyt", **TORCH, nus=(0.6, 0.8)),
    source=QHOPTIM,
)
case(
    "qhadam torch_optimizer",
    "qhadam",
    "paper",
    NUMBERS | dict(nu1=0.6, nu2=0.8),
    "torch_optimizer",
    torch("QHAdam", "torch_optimizer", **TORCH, nus=(0.6, 0.8)),
)
case("qhadam adam", "qhadam", "paper", NUMBERS | dict(nu1=1.0, nu2=1.0), "torch", torch("Adam", **TORCH))
case(
    "qhadam adam eps_root",
    "qhadam",
    "paper",
    NUMBERS | dict(nu1=1.0, nu2=1.0, eps_root=1e-4),
    "optax",
    optax(lambda o: o.adam(0.2, **OPTAX, eps_root=1e-4)),
)

# LaProp ---------------------------------------------------------------------------------------------------------------


def falling(t):
    """A rate that changes at every step."""
    return 0.2 / t


case("laprop", "laprop", "authors", {}, "laprop", torch("LaProp", "laprop"), source=LAPROP)
case("laprop numbers", "laprop", "authors", NUMBERS, "laprop", torch("LaProp", "laprop", **TORCH), source=LAPROP)
case(
    "laprop schedule",
    "laprop",
    "authors",
    NUMBERS | dict(lr=falling),
    "laprop",
    scheduled("LaProp", "laprop", lambda t: dict(lr=falling(t)), betas=BETAS, eps=1e-3),
    source=LAPROP,
)
case("laprop paper", "laprop", "paper", {}, "laprop", torch("LaProp", "laprop"), source=LAPROP)
case("laprop paper numbers", "laprop", "paper", NUMBERS, "laprop", torch("LaProp", "laprop", **TORCH), source=LAPROP)

# ADOPT ----------------------------------------------------------------------------------------------------------------

case("adopt", "adopt", "authors", {}, "adopt", torch("ADOPT", "adopt"), source=ADOPT)
case("adopt numbers", "adopt", "authors", NUMBERS, "adopt", torch("ADOPT", "adopt", **TORCH), source=ADOPT)
# The first commit of the same module.
case("adopt paper", "adopt", "paper", {}, "adopt", torch("ADOPT", "adopt"), source=ADOPT_1)
case("adopt paper numbers", "adopt", "paper", NUMBERS, "adopt", torch("ADOPT", "adopt", **TORCH), source=ADOPT_1)
case("adopt optax", "adopt", "optax", {}, "optax", optax(lambda o: o.contrib.adopt(1e-3)))
case("adopt optax numbers", "adopt", "optax", NUMBERS, "optax", optax(lambda o: o.contrib.adopt(0.2, **OPTAX)))

# AdEMAMix -------------------------------------------------------------------------------------------------------------

MIXED = NUMBERS | dict(beta3=0.98, alpha=3.0, weight_decay=0.05)
MIXED_TORCH = dict(lr=0.2, betas=(*BETAS, 0.98), eps=1e-3, alpha=3.0, weight_decay=0.05)

case("ademamix", "ademamix", "paper", {}, "ademamix", torch("AdEMAMix", "ademamix", alpha=5.0), source=ADEMAMIX)
case(
    "ademamix numbers",
    "ademamix",
    "paper",
    MIXED,
    "ademamix",
    torch("AdEMAMix", "ademamix", **MIXED_TORCH),
    source=ADEMAMIX,
)
case(
    "ademamix t_alpha",
    "ademamix",
    "paper",
    MIXED | dict(t_alpha=30.0),
    "ademamix",
    torch("AdEMAMix", "ademamix", **MIXED_TORCH, alpha_warmup=30),
    source=ADEMAMIX,
)
# The authors add 1e-8 to each beta inside of its logarithm, which moves log(0.98) by a part in two million.
case(
    "ademamix t_beta3",
    "ademamix",
    "paper",
    MIXED | dict(t_alpha=30.0, t_beta3=20.0),
    "ademamix",
    torch("AdEMAMix", "ademamix", **MIXED_TORCH, alpha_warmup=30, beta3_warmup=20),
    source=ADEMAMIX,
    tolerance=2e-6,
)
case("ademamix optax", "ademamix", "optax", {}, "optax", optax(lambda o: o.contrib.ademamix(1e-3)))
for convention in ("paper", "optax"):
    case(
        f"ademamix {convention} optax numbers",
        "ademamix",
        convention,
        MIXED | dict(eps_root=1e-4),
        "optax",
        optax(lambda o: o.contrib.ademamix(0.2, **OPTAX, b3=0.98, alpha=3.0, weight_decay=0.05, eps_root=1e-4)),
    )
case("ademamix simplified", "ademamix", "simplified", {}, "optax", optax(lambda o: o.contrib.simplified_ademamix(1e-5)))
case(
    "ademamix simplified numbers",
    "ademamix",
    "simplified",
    NUMBERS | dict(alpha=3.0, eps_root=1e-4),
    "optax",
    optax(lambda o: o.contrib.simplified_ademamix(0.2, **OPTAX, alpha=3.0, eps_root=1e-4)),
)

# Adan -----------------------------------------------------------------------------------------------------------------

THREE = NUMBERS | dict(beta3=0.9, weight_decay=0.05)
THREE_TORCH = dict(lr=0.2, betas=(*BETAS, 0.9), eps=1e-3, weight_decay=0.05)

case("adan", "adan", "authors", {}, "adan", torch("Adan", "adan"), source=ADAN)
case("adan numbers", "adan", "authors", THREE, "adan", torch("Adan", "adan", **THREE_TORCH), source=ADAN)
case("adan no-prox", "adan", "authors-no-prox", {}, "adan", torch("Adan", "adan", no_prox=True), source=ADAN)
case(
    "adan no-prox numbers",
    "adan",
    "authors-no-prox",
    THREE,
    "adan",
    torch("Adan", "adan", **THREE_TORCH, no_prox=True),
    source=ADAN,
)
case("adan optax", "adan", "optax", {}, "optax", optax(lambda o: o.adan(1e-3)))
case(
    "adan optax numbers",
    "adan",
    "optax",
    THREE | dict(eps_root=1e-4),
    "optax",
    optax(lambda o: o.adan(0.2, **OPTAX, b3=0.9, weight_decay=0.05, eps_root=1e-4)),
)

# Grams ----------------------------------------------------------------------------------------------------------------

DECAYED = NUMBERS | dict(weight_decay=0.05)
DECAYED_TORCH = TORCH | dict(weight_decay=0.05)


def grams(lr, beta1, beta2, eps, weight_decay=0.0):
    """The authors' class with the correction taken out of eps."""
    return scheduled(
        "Grams",
        "grams",
        lambda t: dict(eps=eps * sqrt(1 - beta2**t)),
        lr=lr,
        betas=(beta1, beta2),
        weight_decay=weight_decay,
    )


case("grams authors", "grams", "authors", {}, "grams", torch("Grams", "grams"), source=GRAMS)
case(
    "grams authors numbers",
    "grams",
    "authors",
    DECAYED,
    "grams",
    torch("Grams", "grams", **DECAYED_TORCH),
    source=GRAMS,
)
case("grams paper", "grams", "paper", {}, "grams", grams(1e-3, 0.9, 0.999, 1e-8), source=GRAMS)
case("grams paper numbers", "grams", "paper", DECAYED, "grams", grams(**DECAYED), source=GRAMS)

# AdamAtan2 ------------------------------------------------------------------------------------------------------------

case(
    "adamatan2",
    "adamatan2",
    "paper",
    {},
    "adam_atan2_pytorch",
    torch("AdamAtan2", "adam_atan2_pytorch", lr=1e-3, betas=(0.9, 0.999)),
    source=ATAN2,
)
case(
    "adamatan2 numbers",
    "adamatan2",
    "paper",
    dict(lr=0.2, beta1=0.7, beta2=0.96, a=1.1, b=0.8, weight_decay=0.05),
    "adam_atan2_pytorch",
    torch("AdamAtan2", "adam_atan2_pytorch", lr=0.2, betas=BETAS, a=1.1, b=0.8, weight_decay=0.05),
    source=ATAN2,
)

# StableAdamW ----------------------------------------------------------------------------------------------------------

KOZISTR = "pytorch_optimizer"

case("stableadamw", "stableadamw", "paper", {}, KOZISTR, torch("StableAdamW", KOZISTR))
case("stableadamw numbers", "stableadamw", "paper", DECAYED, KOZISTR, torch("StableAdamW", KOZISTR, **DECAYED_TORCH))
