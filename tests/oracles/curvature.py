"""Sophia, with the diagonal of the Hessian given in every third step."""

from __future__ import annotations

import importlib
from typing import Any

from tests.oracles.base import Optax, Params, Torch, case

AUTHORS = "Liuhong99/Sophia@a7e157229b71d58cf995d32854f1be15c265b350"
NUMBERS = dict(lr=0.2, beta1=0.7, beta2=0.6, weight_decay=0.3)
BETAS = (0.7, 0.6)


class SophiaG(Torch):
    """The authors' class, which squares gradients for its diagonal; gamma: their rho times the size of the batch."""

    def update(self, params: Params, grads: Params, value: float | None = None, hessian: Any = None) -> None:
        """Take one step and copy the result into params."""
        if hessian is not None:
            for name, leaf in self.leaves.items():
                leaf.grad = self.torch.from_numpy(hessian[name]).sqrt()
            self.opt.update_hessian()
        super().update(params, grads)


class SophiaH(Torch):
    """pytorch_optimizer's class, without an estimate of its own."""

    def update(self, params: Params, grads: Params, value: float | None = None, hessian: Any = None) -> None:
        """Take one step and copy the result into params."""
        for name, leaf in self.leaves.items():
            leaf.grad = self.torch.from_numpy(grads[name])
        for group in self.opt.param_groups:
            self.opt.init_group(group)  # a diagonal that is set first would be all of the state otherwise
        found = None if hessian is None else [self.torch.from_numpy(hessian[name]) for name in self.leaves]
        step, self.opt.step = self.opt.step, lambda: step(hessian=found)
        super().update(params, grads)
        self.opt.step = step


class SophiaOptax(Optax):
    """optax's, to which the diagonal is given."""

    def update(self, params: Params, grads: Params, value: float | None = None, hessian: Any = None) -> None:
        """Take one step and copy the result into params."""
        zeros = {name: 0 * g for name, g in grads.items()}
        step, more = self.step, {"hessian": self.arrays(hessian or zeros)}
        self.step = lambda *given: step(*given, **more)
        super().update(params, grads)
        self.step = step


def authors(**numbers: Any) -> Any:
    """The maker of the authors' class."""
    return lambda params: SophiaG(params, lambda leaves: importlib.import_module("sophia").SophiaG(leaves, **numbers))


def clipped(lr: float, beta1: float, beta2: float, gamma: float, eps: float, weight_decay: float) -> Any:
    """pytorch_optimizer's class divides by h and clips at p: with p = gamma that is the paper's step times gamma."""

    def make(leaves: Any) -> Any:
        library = importlib.import_module("pytorch_optimizer")
        numbers = dict(lr=lr / gamma, betas=(beta1, beta2), weight_decay=weight_decay * gamma, p=gamma, eps=eps / gamma)
        return library.SophiaH(leaves, update_period=10**9, **numbers)

    return lambda params: SophiaH(params, make)


def optax(lr: float, **numbers: Any) -> Any:
    """The maker of optax's, which takes a diagonal in every third step."""

    def of(params: Params) -> SophiaOptax:
        library, contrib = importlib.import_module("optax"), importlib.import_module("optax.contrib")
        given = library.GradientTransformationExtraArgs(lambda _: (), lambda _, state, hessian, **__: (hessian, state))
        made = contrib.sophia(lr, update_interval=3, hessian_diagonal_fn=given, **numbers)
        # Outside of jit every step would compile its condition anew.
        return SophiaOptax(params, lambda _: made._replace(update=importlib.import_module("jax").jit(made.update)))

    return of


def sophia(name: str, convention: str, ours: dict[str, float], library: str, make: Any, source: str = "") -> None:
    """Add a row."""
    case(name, "sophia", convention, ours, library, make, needs_hessian=True, source=source)


PAPER = dict(gamma=0.05, eps=1e-2)
sophia("sophia paper", "paper", {}, "pytorch_optimizer", clipped(1e-4, 0.96, 0.99, 0.01, 1e-12, 0.2))
sophia("sophia paper numbers", "paper", NUMBERS | PAPER, "pytorch_optimizer", clipped(**NUMBERS, **PAPER))
sophia("sophia authors", "authors", {}, "sophia", authors(), AUTHORS)
sophia(
    "sophia authors numbers",
    "authors",
    NUMBERS | dict(gamma=0.5 * 5120),
    "sophia",
    authors(lr=0.2, betas=BETAS, rho=0.5, weight_decay=0.3),
    AUTHORS,
)
sophia("sophia optax", "optax", {}, "optax", optax(1e-4))
sophia(
    "sophia optax numbers",
    "optax",
    NUMBERS | PAPER,
    "optax",
    optax(0.2, b1=0.7, b2=0.6, eps=1e-2, weight_decay=0.3, gamma=0.05),
)
