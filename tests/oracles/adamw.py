"""AdamW."""

from __future__ import annotations

from tests.oracles.adam import mlx
from tests.oracles.base import case, keras, optax, torch

NUMBERS = dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3, weight_decay=0.03)
BETAS = (0.7, 0.96)

case("adamw torch", "adamw", "torch", {}, "torch", torch("AdamW"))
case(
    "adamw torch numbers",
    "adamw",
    "torch",
    NUMBERS,
    "torch",
    torch("AdamW", lr=0.2, betas=BETAS, eps=1e-3, weight_decay=0.03),
)
case("adamw keras", "adamw", "keras", {}, "keras", keras("AdamW"))
case(
    "adamw keras numbers",
    "adamw",
    "keras",
    NUMBERS,
    "keras",
    keras("AdamW", learning_rate=0.2, beta_1=0.7, beta_2=0.96, epsilon=1e-3, weight_decay=0.03),
)
case("adamw optax", "adamw", "optax", {}, "optax", optax(lambda o: o.adamw(1e-3)))
case(
    "adamw optax numbers",
    "adamw",
    "optax",
    NUMBERS | dict(eps_root=1e-4),
    "optax",
    optax(lambda o: o.adamw(0.2, b1=0.7, b2=0.96, eps=1e-3, eps_root=1e-4, weight_decay=0.03)),
)


def paper(lr, weight_decay, **numbers):
    """The decay apart from lr, of optax's parts."""
    return optax(lambda o: o.chain(o.scale_by_adam(**numbers), o.scale(-lr), o.add_decayed_weights(-weight_decay)))


case("adamw paper", "adamw", "paper", {}, "optax", paper(1e-3, 1e-5))
case(
    "adamw paper numbers",
    "adamw",
    "paper",
    NUMBERS | dict(eps_root=1e-4),
    "optax",
    paper(0.2, 0.03, b1=0.7, b2=0.96, eps=1e-3, eps_root=1e-4),
)
case("adamw mlx", "adamw", "mlx", {}, "mlx", mlx("AdamW", 1e-3))
case(
    "adamw mlx numbers",
    "adamw",
    "mlx",
    NUMBERS,
    "mlx",
    mlx("AdamW", 0.2, betas=list(BETAS), eps=1e-3, weight_decay=0.03),
)
