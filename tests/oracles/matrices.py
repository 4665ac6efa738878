"""Muon, Shampoo and SOAP. What their code computes in bfloat16 or float32 is computed in float64 here."""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from unittest.mock import patch

from tests.oracles.base import Keras, Optax, Torch, case

ALL = {"W1": (4, 3), "b1": (3,), "s": (), "W2": (3, 5), "W3": (6, 6)}
STACK = ALL | {"T": (2, 4, 3)}
TENSORS = STACK | {"U": (2, 3, 3, 5)}


class InFloat64:
    """Optimizers of torch that take their steps one after the other, with casts to a smaller dtype left out."""

    def __init__(self, *optimizers):
        self.torch, self.optimizers = importlib.import_module("torch"), optimizers

    def step(self):
        tensor = self.torch.Tensor
        with ExitStack() as stack:
            stack.callback(self.torch.set_default_dtype, self.torch.get_default_dtype())
            self.torch.set_default_dtype(self.torch.float64)
            stack.enter_context(patch.object(tensor, "bfloat16", tensor.clone))
            stack.enter_context(patch.object(tensor, "float", tensor.double))
            for one in self.optimizers:
                one.step()


class Turned(Torch):
    """An optimizer of torch for the transposed matrices."""

    def __init__(self, params, make):
        super().__init__({name: w.T.copy() for name, w in params.items()}, make)

    def update(self, params, grads, value=None):
        turned = {name: w.T.copy() for name, w in params.items()}
        super().update(turned, {name: g.T for name, g in grads.items()}, value)
        for name, w in turned.items():
            params[name][...] = w.T


def apart(leaves):
    """Return the matrices and the vectors of all leaves."""
    return [x for x in leaves if x.ndim > 1], [x for x in leaves if x.ndim < 2]


# Muon -----------------------------------------------------------------------------------------------------------------
#
# Singular values of an argument of norm one are at most one, and the iteration is nowhere steeper than 3.4445: five
# steps make 485 of one rounding error, however small other singular values are. With lr = 0.2, parameters near one and
# errors of a few 1e-16 in the products, 40 steps end below 1e-12.

NUMBERS = dict(lr=0.2, momentum=0.7, eps=4.0, weight_decay=0.05)
OWN_RATE = dict(lr_1d=0.1, beta1=0.6, beta2=0.9, eps_1d=1e-3, weight_decay_1d=0.03)
SHARED_RATE = dict(lr_ratio=0.5, beta1=0.6, beta2=0.9, weight_decay_1d=0.03)
ADAMW = dict(lr=3e-4, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0)
ADAMW_NUMBERS = dict(lr=0.1, betas=(0.6, 0.9), eps=1e-3, weight_decay=0.03)
MATCH = dict(adjust_lr_fn="match_rms_adamw")
OUT_IN = dict(layout="out_in")
NEAR_EPS = dict(decades=2.0)  # where eps is larger than some norms and smaller than others


def muon_torch(numbers, adamw, player=Torch):
    def make(leaves):
        optim = importlib.import_module("torch.optim")
        matrices, vectors = apart(leaves)
        return InFloat64(optim.Muon(matrices, **numbers), optim.AdamW(vectors, **adamw))

    return lambda params: player(params, make)


def muon_authors(numbers, adam):
    def make(leaves):
        matrices, vectors = apart(leaves)
        groups = [dict(params=matrices, use_muon=True, **numbers), dict(params=vectors, use_muon=False, **adam)]
        return InFloat64(importlib.import_module("muon").SingleDeviceMuonWithAuxAdam(groups))

    return lambda params: Torch(params, make)


class MuonKeras(Keras):
    """Muon of Keras, whose word for a norm gives float32."""

    def update(self, params, grads, value=None):
        norm = importlib.import_module("jax.numpy").linalg.norm
        with patch.object(importlib.import_module("keras.src.ops"), "norm", norm):
            super().update(params, grads, value)


def muon_keras(**numbers):
    return lambda params: MuonKeras(params, "Muon", numbers)


def muon_optax(lr, axes=None, **numbers):
    """Return the maker; axes: those of inputs and of outputs, where they are not the first and the second."""

    def of(params):
        contrib = importlib.import_module("optax.contrib")
        kinds = axes and {
            name: contrib.MuonDimensionNumbers(*axes) if w.ndim == 2 else None for name, w in params.items()
        }
        made = contrib.muon(lr, muon_weight_dimension_numbers=kinds, **numbers)
        # Outside of jit every step would compile its loops anew.
        return Optax(params, lambda _: made._replace(update=importlib.import_module("jax").jit(made.update)))

    return of


case("muon torch", "muon", "torch", OUT_IN, "torch", muon_torch({}, ADAMW), shapes=ALL)
case(
    "muon torch numbers", "muon", "torch", NUMBERS | OWN_RATE | OUT_IN, "torch",
    muon_torch(NUMBERS, ADAMW_NUMBERS), shapes=ALL, **NEAR_EPS,
)  # fmt: skip
case(
    "muon torch in_out", "muon", "torch", NUMBERS | OWN_RATE, "torch",
    muon_torch(NUMBERS, ADAMW_NUMBERS, Turned), shapes=ALL, **NEAR_EPS,
)  # fmt: skip
case("muon torch match_rms", "muon", "torch-match-rms", {}, "torch", muon_torch(MATCH, ADAMW), shapes=ALL)
case(
    "muon torch match_rms numbers", "muon", "torch-match-rms", NUMBERS | OWN_RATE | OUT_IN, "torch",
    muon_torch(NUMBERS | MATCH, ADAMW_NUMBERS), shapes=ALL, **NEAR_EPS,
)  # fmt: skip
case("muon authors", "muon", "authors", OUT_IN, "muon", muon_authors({}, {}), shapes=STACK)
NO_EPS = dict(lr=0.2, momentum=0.7, weight_decay=0.05)  # that of the norm is no argument there
case(
    "muon authors numbers", "muon", "authors", NO_EPS | OWN_RATE | OUT_IN, "muon",
    muon_authors(NO_EPS, ADAMW_NUMBERS), shapes=STACK,
)  # fmt: skip
case("muon keras", "muon", "keras", {}, "keras", muon_keras(), shapes=TENSORS)
case(
    "muon keras numbers", "muon", "keras",
    NO_EPS | SHARED_RATE | dict(rms_rate=0.3, eps_1d=1e-3), "keras",
    muon_keras(
        learning_rate=0.2, momentum=0.7, weight_decay=0.05, rms_rate=0.3, epsilon=1e-3, adam_lr_ratio=0.5,
        adam_beta_1=0.6, adam_beta_2=0.9, adam_weight_decay=0.03,
    ), shapes=TENSORS,
)  # fmt: skip
case("muon optax", "muon", "optax", {}, "optax", muon_optax(1e-3), shapes=TENSORS)
OPTAX = dict(beta=0.7, eps=4.0, weight_decay=0.05, adam_learning_rate=0.1, adam_b1=0.6, adam_b2=0.9)
OPTAX |= dict(adam_eps_root=1e-4, adam_weight_decay=0.03)
case(
    "muon optax numbers", "muon", "optax", NUMBERS | SHARED_RATE | dict(eps_root=1e-4), "optax",
    muon_optax(0.2, **OPTAX), shapes=TENSORS, **NEAR_EPS,
)  # fmt: skip
case(
    "muon optax out_in", "muon", "optax", NUMBERS | SHARED_RATE | dict(eps_root=1e-4) | OUT_IN, "optax",
    muon_optax(0.2, (1, 0), **OPTAX), shapes=TENSORS, **NEAR_EPS,
)  # fmt: skip

# Shampoo --------------------------------------------------------------------------------------------------------------
#
# eigh finds eigenvalues to a few 1e-16 of the largest: one that is smaller by the factor k has k times that as a
# relative error, of which a fourth goes into the step at either side. On these paths k is below 1e4, but for directions
# that no gradient has had, so that 1e-11 holds. At beta1 = 0 and beta2 = 1 the code computes what the paper says.

META = "facebookresearch/optimizers@f60660661194de26d3ee78bae6d15820ff8e583d"
EDGES = {"W1": (5, 7), "b1": (3,), "s": (), "W2": (3, 2), "W3": (6, 4)}
EIGEN = dict(decades=2.0, tolerance=1e-11)


def distributed(block, momentum=0.0, graft=None, graft_numbers=None, **numbers):
    """Return the maker of Meta's Shampoo. graft: the name of the configuration of what is grafted."""

    def make(leaves):
        torch, found = (importlib.import_module(name) for name in ("torch", "distributed_shampoo"))
        types = importlib.import_module("distributed_shampoo.shampoo_types")
        opt = found.DistributedShampoo(
            leaves,
            max_preconditioner_dim=block,
            grafting_config=graft and getattr(found, graft)(**graft_numbers or {}),
            iterate_averaging_config=types.ClassicMomentumConfig(momentum=momentum) if momentum else None,
            preconditioner_config=found.RootInvShampooPreconditionerConfig(
                factor_matrix_dtype=torch.float64, inv_factor_matrix_dtype=torch.float64
            ),
            distributed_config=found.SingleDeviceDistributedConfig(target_parameter_dimensionality=2),
            **numbers,
        )
        for lists in opt._per_group_state_lists:
            lists |= {name: lists[name].double() for name in ("lr_tensor", "lr_cpu_pinned")}
        return InFloat64(opt)

    return lambda params: Torch(params, make)


def shampoo(name, convention, ours, maker, **more):
    case(name, "shampoo", convention, ours, "distributed_shampoo", maker, source=META, **EIGEN, **more)


BLOCKS = dict(momentum=0.4, weight_decay=0.05, eps=1e-3)
shampoo("shampoo", "paper", {}, distributed(1024, lr=0.1, betas=(0.0, 1.0), epsilon=1e-4), shapes=ALL)
shampoo(
    "shampoo numbers", "paper", dict(lr=0.2, eps=0.03, block_size=3) | OUT_IN,
    distributed(3, lr=0.2, betas=(0.0, 1.0), epsilon=0.03), shapes=EDGES,
)  # fmt: skip
shampoo("shampoo facebook", "facebook", {}, distributed(1024), shapes=ALL)
shampoo(
    "shampoo facebook numbers", "facebook", dict(lr=0.2, beta1=0.7, beta2=0.96, block_size=3) | BLOCKS,
    distributed(3, 0.4, lr=0.2, betas=(0.7, 0.96), epsilon=1e-3, weight_decay=0.05), shapes=EDGES,
)  # fmt: skip
ADAGRAD, ADAM = "AdaGradPreconditionerConfig", "AdamPreconditionerConfig"
shampoo("shampoo adagrad", "facebook-adagrad", {}, distributed(1024, graft=ADAGRAD), shapes=ALL)
shampoo(
    "shampoo adagrad numbers", "facebook-adagrad",
    dict(lr=0.2, beta1=0.7, beta2=0.96, eps_graft=1e-2, block_size=3) | BLOCKS | OUT_IN,
    distributed(3, 0.4, ADAGRAD, dict(epsilon=1e-2), lr=0.2, betas=(0.7, 0.96), epsilon=1e-3, weight_decay=0.05),
    shapes=EDGES,
)  # fmt: skip
shampoo(
    "shampoo adam", "facebook-adam", {},
    distributed(1024, 0.0, ADAM, dict(epsilon=1e-8), lr=1e-3, betas=(0.9, 0.999), epsilon=1e-8), shapes=ALL,
)  # fmt: skip
shampoo(
    "shampoo adam numbers", "facebook-adam",
    dict(lr=0.2, beta1=0.7, beta2=1.0, beta2_graft=0.9, eps_graft=1e-2, block_size=3) | BLOCKS,
    distributed(
        3, 0.4, ADAM, dict(beta2=0.9, epsilon=1e-2), lr=0.2, betas=(0.7, 1.0), epsilon=1e-3, weight_decay=0.05
    ), shapes=EDGES,
)  # fmt: skip

# SOAP -----------------------------------------------------------------------------------------------------------------
#
# The eigenvectors of an eigenvalue that is there twice are anybody's, zero among them, which a first gradient leaves on
# its longer side: that has one row or column more here, and no element is zero. On these paths two eigenvalues are
# apart by 0.8 % of the largest at least, and bases that differ by some hundred times 1e-16 show up to a hundredfold in
# coordinates that are small in them: 1e-11 holds.

VYAS = "nikhilvyas/SOAP@a1e553530fde97d0e6b307d7c82ac6d38b072340"
NEARLY_SQUARE = {"W1": (4, 3), "b1": (3,), "s": (), "W2": (3, 4), "W3": (4, 4)}


def soap(**numbers):
    return lambda params: Torch(
        params, lambda leaves: InFloat64(importlib.import_module("soap").SOAP(leaves, **numbers))
    )


case(
    "soap", "soap", "authors", {}, "soap", soap(),
    shapes=NEARLY_SQUARE, zeros=False, source=VYAS, **EIGEN,
)  # fmt: skip
case(
    "soap numbers", "soap", "authors",
    dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3, weight_decay=0.05, every=3) | OUT_IN, "soap",
    soap(lr=0.2, betas=(0.7, 0.96), eps=1e-3, weight_decay=0.05, precondition_frequency=3),
    shapes=NEARLY_SQUARE, zeros=False, source=VYAS, **EIGEN,
)  # fmt: skip
