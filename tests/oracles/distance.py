"""D-Adaptation, Prodigy, DoG, DoWG and Polyak's step."""

from __future__ import annotations

import importlib
from functools import partial

from tests.oracles.base import Torch, case, optax, torch

ADAM = dict(lr=0.7, beta1=0.8, beta2=0.93, eps=1e-3, weight_decay=0.02, d0=1e-4)
THEIRS = dict(lr=0.7, betas=(0.8, 0.93), eps=1e-3, weight_decay=0.02, d0=1e-4)

case("dadaptsgd authors", "dadaptsgd", "authors", {}, "dadaptation", torch("DAdaptSGD", "dadaptation"))
case(
    "dadaptsgd authors numbers",
    "dadaptsgd",
    "authors",
    dict(lr=0.7, momentum=0.6, d0=1e-4, growth_rate=1.3),
    "dadaptation",
    torch("DAdaptSGD", "dadaptation", lr=0.7, momentum=0.6, d0=1e-4, growth_rate=1.3),
)
case(
    "dadaptsgd authors unlimited",
    "dadaptsgd",
    "authors",
    dict(lr=0.7, momentum=0.6, d0=1e-4),
    "dadaptation",
    torch("DAdaptSGD", "dadaptation", lr=0.7, momentum=0.6, d0=1e-4),
    decades=2.0,
)
case(
    "dadaptadam authors",
    "dadaptadam",
    "authors",
    {},
    "dadaptation",
    torch("DAdaptAdam", "dadaptation", decouple=True),
)
case(
    "dadaptadam authors numbers",
    "dadaptadam",
    "authors",
    ADAM | dict(growth_rate=1.3),
    "dadaptation",
    torch("DAdaptAdam", "dadaptation", decouple=True, growth_rate=1.3, **THEIRS),
)
case(
    "dadaptadam authors unlimited",
    "dadaptadam",
    "authors",
    ADAM,
    "dadaptation",
    torch("DAdaptAdam", "dadaptation", decouple=True, **THEIRS),
    decades=2.0,
)
case("dadaptadam optax", "dadaptadam", "optax", {}, "optax", optax(lambda o: o.contrib.dadapt_adamw()))
case(
    "dadaptadam optax numbers",
    "dadaptadam",
    "optax",
    ADAM,
    "optax",
    optax(lambda o: o.contrib.dadapt_adamw(0.7, betas=(0.8, 0.93), eps=1e-3, estim_lr0=1e-4, weight_decay=0.02)),
)

# The gradients of a row do not depend on the parameters: a large d_coef is what lets d grow
case("prodigy authors", "prodigy", "authors", {}, "prodigyopt", torch("Prodigy", "prodigyopt"))
case(
    "prodigy authors numbers",
    "prodigy",
    "authors",
    ADAM | dict(d_coef=4.0, growth_rate=1.3),
    "prodigyopt",
    torch("Prodigy", "prodigyopt", d_coef=4.0, growth_rate=1.3, **THEIRS),
    decades=2.0,
)
case(
    "prodigy authors unlimited",
    "prodigy",
    "authors",
    ADAM | dict(d_coef=4.0),
    "prodigyopt",
    torch("Prodigy", "prodigyopt", d_coef=4.0, **THEIRS),
    decades=2.0,
)
# The paper's eps is multiplied by the old d and the authors' by the new one: as good as equal where eps is 1e-300
TINY = dict(lr=0.7, beta1=0.8, beta2=0.93, eps=1e-300, d0=1e-4)
case(
    "prodigy paper",
    "prodigy",
    "paper",
    TINY,
    "prodigyopt",
    torch("Prodigy", "prodigyopt", lr=0.7, betas=(0.8, 0.93), eps=1e-300, d0=1e-4),
)
case("prodigy optax", "prodigy", "optax", {}, "optax", optax(lambda o: o.contrib.prodigy()))
case(
    "prodigy optax numbers",
    "prodigy",
    "optax",
    ADAM | dict(d_coef=4.0),
    "optax",
    optax(
        lambda o: o.contrib.prodigy(
            0.7, betas=(0.8, 0.93), eps=1e-3, estim_lr0=1e-4, estim_lr_coef=4.0, weight_decay=0.02
        )
    ),
    decades=2.0,
)

DOG = "formll/dog@8d45cf569e3824212852d31cc2ae1da7ead34545"
case("dog authors", "dog", "authors", {}, "dog", torch("DoG", "dog"), source=DOG)
case(
    "dog authors numbers",
    "dog",
    "authors",
    dict(lr=0.7, eps=30.0, reps_rel=1e-2),
    "dog",
    torch("DoG", "dog", lr=0.7, eps=30.0, reps_rel=1e-2),
    decades=2.0,
    source=DOG,
)
case("dog optax", "dog", "optax", {}, "optax", optax(lambda o: o.contrib.dog()))
case(
    "dog optax numbers",
    "dog",
    "optax",
    dict(lr=0.7, eps=30.0, reps_rel=1e-2),
    "optax",
    optax(lambda o: o.contrib.dog(0.7, ("heuristic", 1e-2), 30.0)),
    decades=2.0,
)

# The authors keep r and the sum of squares in float32 (6e-8), 40 steps of it, and know no numbers without axes
AXES = {"W1": (4, 3), "b1": (3,), "W2": (3, 5)}
DOWG = dict(shapes=AXES, tolerance=40 * 6e-8, source="rka97/dowg@e4dbe02c7cee8a51880daeb181b2905e81b22cf4")
case("dowg authors", "dowg", "authors", {}, "dowg", torch("DoWG", "dowg"), **DOWG)
case("dowg authors numbers", "dowg", "authors", dict(eps=1e-2), "dowg", torch("DoWG", "dowg", eps=1e-2), **DOWG)
case("dowg optax", "dowg", "optax", {}, "optax", optax(lambda o: o.contrib.dowg()))
case(
    "dowg optax numbers",
    "dowg",
    "optax",
    dict(lr=0.7, eps=1e-2),
    "optax",
    optax(lambda o: o.contrib.dowg(0.7, eps=1e-2)),
)


def sps(f_min, **numbers):
    """The authors' class, which reads the least loss from the batch."""

    def make(leaves):
        opt = importlib.import_module("sps").Sps(leaves, adapt_flag="constant", eps=0.0, fstar_flag=True, **numbers)
        floor = importlib.import_module("torch").tensor(f_min, dtype=importlib.import_module("torch").float64)
        opt.step = partial(opt.step, batch={"meta": {"fstar": floor}})
        return opt

    return lambda params: Torch(params, make)


POLYAK = dict(needs_value=True, decades=2.0)
SPS = dict(source="IssamLaradji/sps@6d112a1da97a4a2195c01cd51e96e3f0fbdd0c5b", **POLYAK)
case("polyaksgd paper", "polyaksgd", "paper", {}, "sps", sps(0.0, eta_max=1.0), **SPS)
case(
    "polyaksgd paper numbers",
    "polyaksgd",
    "paper",
    dict(lr_max=0.003, f_min=0.04, c=0.7),
    "sps",
    sps(0.04, eta_max=0.003, c=0.7),
    **SPS,
)
# optax with scaling = c: c (f - f_min) / (c^2 |g|^2), and lr_max is multiplied by c
case(
    "polyaksgd paper optax",
    "polyaksgd",
    "paper",
    dict(lr_max=0.003 * 0.7, f_min=0.04, c=0.7),
    "optax",
    optax(lambda o: o.polyak_sgd(0.003, 0.7, 0.04)),
    **POLYAK,
)
case("polyaksgd optax", "polyaksgd", "optax", {}, "optax", optax(lambda o: o.polyak_sgd()), **POLYAK)
case(
    "polyaksgd optax numbers",
    "polyaksgd",
    "optax",
    dict(lr_max=0.003, f_min=0.04, eps=3.0, scaling=0.7),
    "optax",
    optax(lambda o: o.polyak_sgd(0.003, 0.7, 0.04, 3.0)),
    **POLYAK,
)
