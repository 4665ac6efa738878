"""MARS."""

from __future__ import annotations

from tests.oracles.base import case, torch

AUTHORS = "AGI-Arena/MARS@4831e28eba863a4e69d7e9474ff8e73bc1b410fe"
NUMBERS = dict(lr=0.2, beta1=0.7, beta2=0.96, gamma=0.06, eps=1e-3, weight_decay=0.05)
VECTORS = dict(beta1_1d=0.6, beta2_1d=0.9, weight_decay_1d=0.03)
TORCH = dict(lr=0.2, betas=(0.7, 0.96), gamma=0.06, eps=1e-3, weight_decay=0.05)
TORCH_VECTORS = dict(betas_1d=(0.6, 0.9), weight_decay_1d=0.03, lr_1d=0.05)

# Our lr_ratio is a factor of lr, their lr_1d a rate. pytorch_optimizer's eps is not corrected, and its decay is the
# matrices' for all: another rule.
case("mars", "mars", "authors", {}, "mars", torch("MARS", "mars"), source=AUTHORS)
case(
    "mars numbers",
    "mars",
    "authors",
    NUMBERS | VECTORS | dict(lr_ratio=0.25),
    "mars",
    torch("MARS", "mars", **TORCH, **TORCH_VECTORS),
    source=AUTHORS,
)
