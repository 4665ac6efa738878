"""Rules of signs, and Rprop."""

from __future__ import annotations

from tests.oracles.base import case, keras, optax, torch

# SignSGD and Signum. The SignSGD of pytorch_optimizer begins its average anew at every step: no oracle for Signum.

case("signsgd optax", "signsgd", "optax", {}, "optax", optax(lambda o: o.sign_sgd(1e-3)))
case("signsgd optax numbers", "signsgd", "optax", dict(lr=0.2), "optax", optax(lambda o: o.sign_sgd(0.2)))
case(
    "signsgd", "signsgd", "paper", {}, "pytorch_optimizer", torch("SignSGD", "pytorch_optimizer", lr=1e-3, momentum=0.0)
)
case(
    "signsgd numbers",
    "signsgd",
    "paper",
    dict(lr=0.2),
    "pytorch_optimizer",
    torch("SignSGD", "pytorch_optimizer", lr=0.2, momentum=0.0),
)
case("signum optax", "signum", "optax", {}, "optax", optax(lambda o: o.signum(1e-3)))
case(
    "signum optax numbers", "signum", "optax", dict(lr=0.2, momentum=0.7), "optax", optax(lambda o: o.signum(0.2, 0.7))
)
# Tiger without decay is Signum.
case(
    "signum",
    "signum",
    "paper",
    {},
    "pytorch_optimizer",
    torch("Tiger", "pytorch_optimizer", lr=1e-3, beta=0.9, weight_decay=0.0),
)
case(
    "signum numbers",
    "signum",
    "paper",
    dict(lr=0.2, momentum=0.7),
    "pytorch_optimizer",
    torch("Tiger", "pytorch_optimizer", lr=0.2, beta=0.7, weight_decay=0.0),
)

# Lion -----------------------------------------------------------------------------------------------------------------

LION = dict(lr=0.2, beta1=0.7, beta2=0.96, weight_decay=0.3)

case("lion lion_pytorch", "lion", "paper", {}, "lion_pytorch", torch("Lion", "lion_pytorch"))
case(
    "lion lion_pytorch numbers",
    "lion",
    "paper",
    LION,
    "lion_pytorch",
    torch("Lion", "lion_pytorch", lr=0.2, betas=(0.7, 0.96), weight_decay=0.3),
)
case("lion pytorch_optimizer", "lion", "paper", {}, "pytorch_optimizer", torch("Lion", "pytorch_optimizer"))
case(
    "lion pytorch_optimizer numbers",
    "lion",
    "paper",
    LION,
    "pytorch_optimizer",
    torch("Lion", "pytorch_optimizer", lr=0.2, betas=(0.7, 0.96), weight_decay=0.3),
)
case("lion keras", "lion", "keras", {}, "keras", keras("Lion"))
case(
    "lion keras numbers",
    "lion",
    "keras",
    LION,
    "keras",
    keras("Lion", learning_rate=0.2, beta_1=0.7, beta_2=0.96, weight_decay=0.3),
)
case("lion optax", "lion", "optax", dict(lr=1e-4), "optax", optax(lambda o: o.lion(1e-4)))
case(
    "lion optax numbers",
    "lion",
    "optax",
    LION,
    "optax",
    optax(lambda o: o.lion(0.2, b1=0.7, b2=0.96, weight_decay=0.3)),
)

# Tiger ----------------------------------------------------------------------------------------------------------------

case("tiger", "tiger", "paper", {}, "pytorch_optimizer", torch("Tiger", "pytorch_optimizer"))
case(
    "tiger numbers",
    "tiger",
    "paper",
    dict(lr=0.2, momentum=0.7, weight_decay=0.3),
    "pytorch_optimizer",
    torch("Tiger", "pytorch_optimizer", lr=0.2, beta=0.7, weight_decay=0.3),
)

# Rprop: optax's puts out the step of the time before, so that it is no oracle. ----------------------------------------

case("rprop", "rprop", "torch", {}, "torch", torch("Rprop"))
case(
    "rprop numbers",
    "rprop",
    "torch",
    dict(lr=0.2, eta_minus=0.3, eta_plus=1.7, min_step_size=0.05, max_step_size=0.9),
    "torch",
    torch("Rprop", lr=0.2, etas=(0.3, 1.7), step_sizes=(0.05, 0.9)),
)
