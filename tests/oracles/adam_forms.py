"""AdaMax, NAdam, AMSGrad and RAdam."""

from __future__ import annotations

from math import sqrt

from tests.oracles.adam import mlx
from tests.oracles.base import Torch, case, keras, optax, torch

BETAS = (0.7, 0.96)
NUMBERS = dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3)
KERAS = dict(learning_rate=0.2, beta_1=0.7, beta_2=0.96, epsilon=1e-3)
OPTAX = dict(b1=0.7, b2=0.96, eps=1e-3)
ROOT = dict(eps_root=1e-4)

# AdaMax ---------------------------------------------------------------------------------------------------------------

case("adamax torch", "adamax", "torch", {}, "torch", torch("Adamax"))
case("adamax torch numbers", "adamax", "torch", NUMBERS, "torch", torch("Adamax", lr=0.2, betas=BETAS, eps=1e-3))
case("adamax keras", "adamax", "keras", {}, "keras", keras("Adamax"))
case("adamax keras numbers", "adamax", "keras", NUMBERS, "keras", keras("Adamax", **KERAS))
case("adamax optax", "adamax", "optax", {}, "optax", optax(lambda o: o.adamax(2e-3)))
case("adamax optax numbers", "adamax", "optax", NUMBERS, "optax", optax(lambda o: o.adamax(0.2, **OPTAX)))
case("adamax mlx", "adamax", "mlx", {}, "mlx", mlx("Adamax", 2e-3))
case("adamax mlx numbers", "adamax", "mlx", NUMBERS, "mlx", mlx("Adamax", 0.2, betas=list(BETAS), eps=1e-3))
# Without eps torch's is the paper's, where there is a gradient.
case("adamax paper", "adamax", "paper", {}, "torch", torch("Adamax", eps=0.0), zeros=False)
case(
    "adamax paper numbers",
    "adamax",
    "paper",
    dict(lr=0.2, beta1=0.7, beta2=0.96),
    "torch",
    torch("Adamax", lr=0.2, betas=BETAS, eps=0.0),
    zeros=False,
)

# NAdam ----------------------------------------------------------------------------------------------------------------


class Double(Torch):
    """torch's NAdam, which keeps mu_product in the default dtype, whatever that of the parameters."""

    def update(self, params, grads, value=None):
        before = self.torch.get_default_dtype()
        self.torch.set_default_dtype(self.torch.float64)
        try:
            super().update(params, grads, value)
        finally:
            self.torch.set_default_dtype(before)


def nadam(**numbers):
    """Return the maker of torch.optim.NAdam."""
    return lambda params: Double(params, lambda leaves: _nadam(leaves, numbers))


def _nadam(leaves, numbers):
    from torch.optim import NAdam

    return NAdam(leaves, **numbers)


DECAYED = dict(momentum_decay=0.05)

case("nadam torch", "nadam", "torch", {}, "torch", nadam())
case(
    "nadam torch numbers", "nadam", "torch", NUMBERS | DECAYED, "torch", nadam(lr=0.2, betas=BETAS, eps=1e-3, **DECAYED)
)
case("nadam keras", "nadam", "keras", {}, "keras", keras("Nadam"))
case("nadam keras numbers", "nadam", "keras", NUMBERS, "keras", keras("Nadam", **KERAS))
# torch has the momentum_decay that Keras has not, and is the same but for defaults.
case(
    "nadam keras momentum_decay",
    "nadam",
    "keras",
    NUMBERS | DECAYED,
    "torch",
    nadam(lr=0.2, betas=BETAS, eps=1e-3, **DECAYED),
)
case("nadam optax", "nadam", "optax", {}, "optax", optax(lambda o: o.nadam(2e-3)))
case("nadam optax numbers", "nadam", "optax", NUMBERS | ROOT, "optax", optax(lambda o: o.nadam(0.2, **OPTAX, **ROOT)))


def dozat(lr, beta1, beta2, eps, eps_root):
    """The paper's v_hat is beta2 times optax's; its root is taken out of the fraction."""
    return optax(
        lambda o: o.nadam(lr / sqrt(beta2), b1=beta1, b2=beta2, eps=eps / sqrt(beta2), eps_root=eps_root / beta2)
    )


case("nadam paper", "nadam", "paper", {}, "optax", dozat(2e-3, 0.9, 0.999, 1e-8, 0.0))
case("nadam paper numbers", "nadam", "paper", NUMBERS | ROOT, "optax", dozat(**NUMBERS, **ROOT))

# AMSGrad --------------------------------------------------------------------------------------------------------------

UNCORRECTED = dict(bias_correction_mu=False, bias_correction_nu=False)

case("amsgrad torch", "amsgrad", "torch", {}, "torch", torch("Adam", amsgrad=True))
case(
    "amsgrad torch numbers",
    "amsgrad",
    "torch",
    NUMBERS,
    "torch",
    torch("Adam", amsgrad=True, lr=0.2, betas=BETAS, eps=1e-3),
)
case("amsgrad keras", "amsgrad", "keras", {}, "keras", keras("Adam", amsgrad=True))
case("amsgrad keras numbers", "amsgrad", "keras", NUMBERS, "keras", keras("Adam", amsgrad=True, **KERAS))
case("amsgrad optax", "amsgrad", "optax", {}, "optax", optax(lambda o: o.amsgrad(1e-3)))
case(
    "amsgrad optax numbers",
    "amsgrad",
    "optax",
    NUMBERS | ROOT,
    "optax",
    optax(lambda o: o.amsgrad(0.2, **OPTAX, **ROOT)),
)
case(
    "amsgrad paper",
    "amsgrad",
    "paper",
    {},
    "optax",
    optax(lambda o: o.amsgrad(1e-3, eps=0.0, **UNCORRECTED)),
    zeros=False,
)
case(
    "amsgrad paper numbers",
    "amsgrad",
    "paper",
    NUMBERS | ROOT,
    "optax",
    optax(lambda o: o.amsgrad(0.2, **OPTAX, **ROOT, **UNCORRECTED)),
)

# RAdam ----------------------------------------------------------------------------------------------------------------

case("radam torch", "radam", "torch", {}, "torch", torch("RAdam"))
case("radam torch numbers", "radam", "torch", NUMBERS, "torch", torch("RAdam", lr=0.2, betas=BETAS, eps=1e-3))
case("radam optax", "radam", "optax", {}, "optax", optax(lambda o: o.radam(1e-3)))
case(
    "radam optax numbers",
    "radam",
    "optax",
    NUMBERS | ROOT | dict(threshold=8.0),
    "optax",
    optax(lambda o: o.radam(0.2, **OPTAX, **ROOT, threshold=8.0)),
)
# At a threshold of 4 optax's is the paper's; rho is never 4 itself.
case("radam paper", "radam", "paper", {}, "optax", optax(lambda o: o.radam(1e-3, eps=0.0, threshold=4.0)), zeros=False)
case(
    "radam paper numbers",
    "radam",
    "paper",
    NUMBERS | ROOT,
    "optax",
    optax(lambda o: o.radam(0.2, **OPTAX, **ROOT, threshold=4.0)),
)
