"""LARS, LAMB, NovoGrad and Fromage."""

from __future__ import annotations

from tests.oracles.base import case, keras, optax, torch

NUMBERS = dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3, weight_decay=0.05)
OPTAX = dict(b1=0.7, b2=0.96, eps=1e-3, weight_decay=0.05)
FROMAGE = "jxbz/fromage@4a6593b628dd74c51086e205a5c96a78fbd06750"

# LARS -----------------------------------------------------------------------------------------------------------------
# torch_optimizer leaves a tensor alone whose decay or whose norm is zero. Without decay optax's form is the paper's.

TRUST = dict(lr=0.2, momentum=0.8, trust=0.02, eps=1e-3)

case(
    "lars torch_optimizer",
    "lars",
    "paper",
    dict(weight_decay=0.05),
    "torch_optimizer",
    torch("LARS", "torch_optimizer", lr=1.0, momentum=0.9, weight_decay=0.05, trust_coefficient=0.001, eps=0.0),
    zeros=False,
)
case(
    "lars torch_optimizer numbers",
    "lars",
    "paper",
    TRUST | dict(weight_decay=0.07),
    "torch_optimizer",
    torch("LARS", "torch_optimizer", lr=0.2, momentum=0.8, weight_decay=0.07, trust_coefficient=0.02, eps=1e-3),
    zeros=False,
)
for convention in ("paper", "optax"):
    case(f"lars {convention} optax", "lars", convention, {}, "optax", optax(lambda o: o.lars(1.0)))
    case(
        f"lars {convention} optax numbers",
        "lars",
        convention,
        TRUST,
        "optax",
        optax(lambda o: o.lars(0.2, momentum=0.8, trust_coefficient=0.02, eps=1e-3)),
    )
case(
    "lars optax decay",
    "lars",
    "optax",
    TRUST | dict(weight_decay=0.07),
    "optax",
    optax(lambda o: o.lars(0.2, momentum=0.8, weight_decay=0.07, trust_coefficient=0.02, eps=1e-3)),
)

# LAMB -----------------------------------------------------------------------------------------------------------------

for convention in ("paper", "optax"):
    case(f"lamb {convention}", "lamb", convention, {}, "optax", optax(lambda o: o.lamb(1e-3)))
    case(
        f"lamb {convention} numbers",
        "lamb",
        convention,
        NUMBERS | dict(eps_root=1e-4),
        "optax",
        optax(lambda o: o.lamb(0.2, **OPTAX, eps_root=1e-4)),
    )
case("lamb keras", "lamb", "keras", {}, "keras", keras("Lamb"))
case(
    "lamb keras numbers",
    "lamb",
    "keras",
    NUMBERS,
    "keras",
    keras("Lamb", learning_rate=0.2, beta_1=0.7, beta_2=0.96, epsilon=1e-3, weight_decay=0.05),
)

# NovoGrad -------------------------------------------------------------------------------------------------------------
# optax's defaults are not the paper's, and the formula is.

case("novograd optax", "novograd", "optax", {}, "optax", optax(lambda o: o.novograd(0.01)))
case("novograd paper", "novograd", "paper", {}, "optax", optax(lambda o: o.novograd(0.01, b1=0.95, b2=0.98, eps=1e-8)))
for convention in ("paper", "optax"):
    case(
        f"novograd {convention} numbers",
        "novograd",
        convention,
        NUMBERS | dict(eps_root=1e-4),
        "optax",
        optax(lambda o: o.novograd(0.2, **OPTAX, eps_root=1e-4)),
    )

# Fromage --------------------------------------------------------------------------------------------------------------

case("fromage", "fromage", "authors", {}, "fromage", torch("Fromage", "fromage"), source=FROMAGE)
case(
    "fromage numbers",
    "fromage",
    "authors",
    dict(lr=0.2),
    "fromage",
    torch("Fromage", "fromage", lr=0.2),
    source=FROMAGE,
)
case(
    "fromage pytorch_optimizer",
    "fromage",
    "authors",
    dict(lr=0.2),
    "pytorch_optimizer",
    torch("Fromage", "pytorch_optimizer", lr=0.2),
)
case("fromage optax", "fromage", "optax", {}, "optax", optax(lambda o: o.fromage(0.01)))
case(
    "fromage optax numbers",
    "fromage",
    "optax",
    dict(lr=0.2, min_norm=1.5),
    "optax",
    optax(lambda o: o.fromage(0.2, min_norm=1.5)),
)
