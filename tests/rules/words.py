"""From the words in which a recorded case states its conventions to an optimizer of ours.

eps_pos: "hat", after Adam's corrected root; "uncorrected", after the other one; "inside_hat", in the corrected root;
"outside" or "inside" of AdaGrad's and RMSprop's; "max", beside the new |g| of AdaMax, or "u_plus_eps", beside its u.
wd_mode: "l2", into the gradient; "decoupled_lr", beside the step. amsgrad: the maximum is of v, and corrected then
("max_v"), or of what is corrected already ("max_vhat"). form, psi: NAdam with a schedule of momentum and its exponent,
or "simple".
"""

from __future__ import annotations

import thalweg as tw

# Words that only describe a case, or are its defaults.
SILENT = {"rule", "buf_init", "wd_mode", "relative_step"}
# Rules that decay by themselves where the decay is decoupled.
DECAYING = {"adamw", "lion", "lamb", "adafactor_keras", "adafactor_torch"}


def made(words, source):
    """Return the optimizer that a case describes in its own words; the source decides where two would do."""
    given = {name: value for name, value in words.items() if name not in SILENT}
    rule, mode = words["rule"], words.get("wd_mode")
    assert mode in (None, "l2", "decoupled_lr")
    if rule == "adamw" and mode == "l2":
        rule = "adam"
    decay = None if rule in DECAYING else given.pop("weight_decay", None)
    opt = MAKERS[rule](given, source, words)
    assert not given, f"not understood: {given}"
    if decay is None:
        return opt
    return tw.chain(tw.l2(decay), opt) if mode == "l2" else tw.chain(opt, tw.decoupled_decay(decay))


def taken(given, **names):
    """Return those numbers of a case that are there, under our names: `taken(given, beta1="b1")`."""
    return {name: given.pop(word) for name, word in names.items() if word in given}


def sgd(given, source, words):
    """Plain descent; Keras records it as momentum 0. lr_decay is that of the legacy Keras optimizers."""
    assert given.pop("momentum", 0.0) == 0
    return tw.SGD(lr=decaying(given), convention=source_or("sgd", source))


def momentum(given, source, words):
    """Heavy ball and Nesterov. Damped from the first gradient on, all steps are smaller by one factor."""
    lr, damped = given.pop("lr"), given.pop("dampening", 0.0)
    numbers = dict(momentum=given.pop("momentum"), convention=source_or(words["rule"], source))
    if words["rule"] == "nesterov":
        return tw.Nesterov(lr=lr, **numbers)
    if words.get("buf_init") == "first_grad":
        return tw.Momentum(lr=lr, dampening=damped, **numbers)
    return tw.Momentum(lr=lr * (1 - damped), **numbers)


def adagrad(given, source, words):
    """Eps outside of the root as in torch, or inside as in Keras."""
    place, numbers = given.pop("eps_pos"), {}
    if source == "torch" and place == "outside":
        numbers = dict(lr=given.pop("lr"), lr_decay=given.pop("lr_decay", 0.0))
    else:
        numbers["lr"] = decaying(given)
    numbers |= dict(eps=given.pop("eps"), initial_accumulator=given.pop("acc0", 0.0))
    outside = "tensorflow" if source == "tfkeras" else "torch"
    return tw.AdaGrad(convention={"inside": "keras", "outside": outside}[place], **numbers)


def rmsprop(given, source, words):
    """Torch's form with eps outside of the root, Keras's with eps inside; the centered ones are forms of their own."""
    form = {"outside": "torch", "inside": "keras"}[given.pop("eps_pos")]
    numbers = taken(given, lr="lr", decay_rate="rho", eps="eps") | dict(momentum=given.pop("momentum", 0.0))
    return tw.RMSprop(convention=f"{form}-centered" if given.pop("centered", False) else form, **numbers)


def adadelta(given, source, words):
    """Both put eps into both roots; the order of operations is that of the source."""
    return tw.AdaDelta(convention=source, **taken(given, lr="lr", decay_rate="rho", eps="eps"))


def ftrl(given, source, words):
    """TensorFlow's form, which Keras has taken over; its l2 counts twice."""
    numbers = taken(given, lr="lr", lr_power="lr_power", initial_accumulator="acc0", beta="beta")
    return tw.FTRL(convention="keras", **numbers, **taken(given, l1="l1", l2="l2", l2_shrinkage="l2_shrinkage"))


def adam(given, source, words):
    """The three places of eps; without correction of bias, MLX's form. AdamW has the same forms."""
    place = given.pop("eps_pos")
    numbers = taken(given, lr="lr", beta1="b1", beta2="b2", weight_decay="weight_decay")
    cls = tw.AdamW if "weight_decay" in numbers else tw.Adam
    numbers |= dict(eps=0.0, eps_root=given.pop("eps")) if place == "inside_hat" else taken(given, eps="eps")
    if not given.pop("corrected", True):
        return cls(convention="mlx", **numbers)
    hat = "torch" if source == "torch" or cls is tw.AdamW else "paper"
    return cls(convention="keras" if place == "uncorrected" else hat, **numbers)


def amsgrad(given, source, words):
    """The maximum of v in torch's and Keras's form, of the corrected v in optax's, and uncorrected in the paper's."""
    place, numbers = given.pop("eps_pos"), taken(given, lr="lr", beta1="b1", beta2="b2")
    numbers |= dict(eps=0.0, eps_root=given.pop("eps")) if place == "inside_hat" else taken(given, eps="eps")
    form = "keras" if place == "uncorrected" else "torch"
    form = {"max_v": form, "max_vhat": "optax"}[given.pop("amsgrad")]
    return tw.AMSGrad(convention=form if given.pop("corrected", True) else "paper", **numbers)


def adamax(given, source, words):
    """Torch adds eps to each new |g|, Keras to the maximum. lr_decay is that of TensorFlow.js."""
    form = {"max": "torch", "u_plus_eps": "keras"}[given.pop("eps_pos")]
    return tw.AdaMax(convention=form, lr=decaying(given), **taken(given, beta1="b1", beta2="b2", eps="eps"))


def nadam(given, source, words):
    """The schedule of momentum is Keras' and torch's, with another exponent; optax has none."""
    numbers, psi = taken(given, lr="lr", beta1="b1", beta2="b2", eps="eps"), given.pop("psi")
    if given.pop("form") == "simple":
        return tw.NAdam(convention="optax", **numbers)
    return tw.NAdam(convention="keras", momentum_decay=psi, **numbers)


def lion(given, source, words):
    """Only Keras' cases are recorded."""
    numbers = taken(given, lr="lr", beta1="b1", beta2="b2", weight_decay="weight_decay")
    return tw.Lion(convention="keras", **numbers)


def lamb(given, source, words):
    """Only Keras' cases are recorded; its decay is no part of the step whose norm counts."""
    numbers = taken(given, lr="lr", beta1="b1", beta2="b2", eps="eps", weight_decay="weight_decay")
    return tw.LAMB(convention="keras", **numbers)


def adafactor(given, source, words):
    """Torch's form has an eps1 that follows from the dtype, and Keras' takes the smaller of lr and 1/sqrt(t)."""
    numbers = taken(given, lr="lr", eps1="eps1", eps2="eps2", clipping="clip", weight_decay="weight_decay")
    numbers |= taken(given, clipping="d")
    numbers["decay"] = -given.pop("beta2_decay")
    if "eps" in given:
        numbers["eps1"], numbers["eps2"] = given.pop("eps")
    if numbers["eps1"] is None:
        del numbers["eps1"]
    return tw.Adafactor(convention=source, **numbers)


def decaying(given):
    """The rate, as a function of t if it decays."""
    lr, decay = given.pop("lr"), given.pop("lr_decay", 0.0)
    return (lambda t: lr / (1 + decay * (t - 1))) if decay else lr


def source_or(rule, source, default="paper"):
    """The convention that bears the name of a source, if there is one."""
    return source if source in tw.RULES[rule].conventions else default


MAKERS = dict(
    sgd=sgd, momentum=momentum, nesterov=momentum, adagrad=adagrad, rmsprop=rmsprop, adadelta=adadelta, ftrl=ftrl,
    adam=adam, adamw=adam, amsgrad=amsgrad, adamax=adamax, nadam=nadam, lion=lion, lamb=lamb,
    adafactor_keras=adafactor, adafactor_torch=adafactor,
)  # fmt: skip

# One thing changed in a case, where that is a form of ours.
WRONG = {
    "eps=1e-07": dict(eps=1e-7),
    "eps=1e-08": dict(eps=1e-8),
    "eps=1e-10": dict(eps=1e-10),
    "eps_pos=hat": dict(eps_pos="hat"),
    "eps_pos=uncorrected": dict(eps_pos="uncorrected"),
    "eps_pos=inside_hat": dict(eps_pos="inside_hat"),
    "no_bias_correction": dict(corrected=False),
    "amsgrad=max_vhat": dict(amsgrad="max_vhat"),
    "simple nadam": dict(form="simple"),
    "wd l2": dict(wd_mode="l2"),
    "wd decoupled": dict(wd_mode="decoupled_lr"),
}


def changed(words, wrong):
    """Return the words of a case with one convention changed, or None if it is none of ours."""
    if wrong == "swap nesterov/momentum":
        return words | {"rule": "nesterov" if words["rule"] == "momentum" else "momentum"}
    if wrong == "EMA form (dampening=mu)":
        return words | {"dampening": words["momentum"]} if words["rule"] == "momentum" else None
    if wrong in ("eps_pos swapped", "eps form swapped"):
        other = dict(outside="inside", inside="outside", max="u_plus_eps", u_plus_eps="max")
        return words | {"eps_pos": other[words["eps_pos"]]}
    if wrong == "psi swapped":
        return words | {"psi": 1.0 if words["psi"] == 0.004 else 0.004}
    if wrong == "plain adam":
        return {name: value for name, value in words.items() if name != "amsgrad"} | {"rule": "adam"}
    return words | WRONG[wrong] if wrong in WRONG else None
