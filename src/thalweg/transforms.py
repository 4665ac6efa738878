"""Chains: links before and behind a rule, such as `chain(clip_global_norm(1.0), Adam(lr=1e-3), bounds(0, 1))`.

Each link is a text in the language of rules and becomes a part of the rule's own text, so that one pass over memory
does the work of all. Where a link stands says what it works on: before the rule it is given the gradient, behind the
rule the step; links on the parameter (bounds, averages, look-ahead) stand behind the rule.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any

from thalweg.assembly import Links
from thalweg.hyperparams import Schedule
from thalweg.link_texts import (
    ACCUMULATE,
    ADAPTIVE_CLIP,
    BOUNDS,
    CAUTIOUS,
    CENTRALIZE,
    CLIP_GLOBAL_NORM,
    CLIP_NORM,
    CLIP_VALUE,
    DECOUPLED_DECAY,
    EMA,
    L2,
    LOOKAHEAD,
    NOISE,
    POLYAK,
    SAM,
    SWA,
)
from thalweg.optimizer import Optimizer
from thalweg.recipe import Kind, Link

Number = float | Schedule


def chain(*parts: Link | Optimizer, groups: Mapping[str, Any] | None = None) -> Optimizer:
    """Return an optimizer that is a rule with links around it, used like any other.

    Args:
        *parts: links, and one new optimizer among them (or a chain, whose links stay nearest to its rule). Its groups
            and options are those of the chain.
        groups: as for `Optimizer`; here they may also set hyper-parameters of links. They come before those of the
            optimizer.

    Hyper-parameters of links are read and set like those of the rule: `opt.max_norm = 2.0`; a name that the rule has
    already is `link_name`, such as `opt.ema_decay`. Slots of links are called `link_slot`.

    Raises:
        TypeError: a part is no link, or there is not one optimizer.
        ValueError, RuleError: a link cannot stand where it does, with the reason.
    """
    for part in parts:
        if not isinstance(part, Link | Optimizer):
            name = getattr(part, "__name__", None)
            hint = f"; call it: {name}(...)" if callable(part) and name else ""
            raise TypeError(f"{part!r} is no link and no optimizer{hint}")
    inner = [part for part in parts if isinstance(part, Optimizer)]
    if len(inner) != 1:
        given = f"{len(inner)} were given" if inner else "none was given"
        raise TypeError(f"a chain holds one optimizer, such as chain(clip_norm(1.0), Adam()); {given}")
    at = parts.index(inner[0])
    before = tuple(part for part in parts[:at] if isinstance(part, Link))
    after = tuple(part for part in parts[at + 1 :] if isinstance(part, Link))
    return inner[0].chained(Links(before, after), groups)


# On the gradient before a rule, on the step behind it -----------------------------------------------------------------


def clip_value(max_value: Number) -> Link:
    """Limit each element to the interval from -max_value to max_value (> 0).

    As torch.nn.utils.clip_grad_value_, Keras's clipvalue and optax.clip.
    """
    return Link(CLIP_VALUE, {"max_value": max_value}, {"max_value": max_value})


def clip_norm(max_norm: Number, eps: Number = 0.0) -> Link:
    """Scale each tensor down so that its Euclidean norm is at most max_norm (> 0).

    As Keras's clipnorm. eps is added to the norm that is divided by.
    """
    numbers = {"max_norm": max_norm, "eps": eps}
    return Link(CLIP_NORM, numbers, numbers)


def clip_global_norm(max_norm: Number, eps: Number = 0.0) -> Link:
    """Scale all tensors by one number so that the norm of all of them together is at most max_norm (> 0).

    Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, algorithm 1; as optax.clip_by_global_norm. With eps = 1e-6, which
    is added to the norm, as torch.nn.utils.clip_grad_norm_. It costs one read of the gradients, and no copy.
    """
    numbers = {"max_norm": max_norm, "eps": eps}
    return Link(CLIP_GLOBAL_NORM, numbers, numbers)


def adaptive_clip(clipping: Number = 0.01, eps: Number = 1e-3, layout: str = "in_out") -> Link:
    """Limit the norm of the gradient of each unit to `clipping` times the norm of its weights, at least eps.

    Brock et al. 2021, arXiv:2102.06171, eq. (3); as optax.adaptive_grad_clip. layout: of weight matrices, "in_out" (a
    unit is a column; the book's) or "out_in" (a row; torch's). A vector is one unit.
    """
    numbers = {"clipping": clipping, "eps": eps}
    return Link(_of_layout(ADAPTIVE_CLIP, layout), {**numbers, "layout": layout}, numbers)


def centralize(layout: str = "in_out") -> Link:
    """Take from the gradient of each unit its mean, so that it sums to zero; vectors stay as they are.

    Yong et al. 2020, arXiv:2004.01461, eq. (1). layout: as for `adaptive_clip`; optax.centralize is "out_in".
    """
    return Link(_of_layout(CENTRALIZE, layout), {"layout": layout})


def noise(eta: Number = 0.01, gamma: Number = 0.55, seed: Any = 0) -> Link:
    """Add normal noise of variance eta / (1 + t)**gamma to each element.

    Neelakantan et al. 2015, arXiv:1511.06807, section 3. What is drawn depends on the seed, the number of the step and
    the name of the parameter, and on nothing else.
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise ValueError(f"noise: seed = {seed!r}; give a whole number of 0 or more")
    numbers = {"eta": eta, "gamma": gamma}
    return Link(Kind("noise", NOISE, seed=int(seed)), {**numbers, "seed": int(seed)}, numbers)


# Before a rule --------------------------------------------------------------------------------------------------------


def l2(weight_decay: Number) -> Link:
    """Add weight_decay * w to the gradient: the gradient of the penalty weight_decay / 2 * |w|**2.

    As weight_decay of torch.optim.SGD and Adam. For decay outside of the gradient see `decoupled_decay`.
    """
    return Link(L2, {"weight_decay": weight_decay}, {"weight_decay": weight_decay})


def accumulate(every: Number) -> Link:
    """Take a step with the mean of `every` gradients, at every `every`-th call; the others only gather.

    As Keras's gradient_accumulation_steps and optax.MultiSteps. `opt.t` counts steps; `opt.gathered` the gradients
    since the last one. A parameter without a gradient in some of the calls has zeros there.
    """
    return Link(ACCUMULATE, {"every": every}, {"every": every})


# Behind a rule --------------------------------------------------------------------------------------------------------


def decoupled_decay(weight_decay: Number, scale: str = "lr") -> Link:
    """Shrink the old parameter by the factor 1 - lr * weight_decay, beside the rule's step, wherever it stands.

    Loshchilov & Hutter 2019, arXiv:1711.05101, section 2, in the form of torch.optim.AdamW. scale: "lr", or "absolute"
    for the factor 1 - weight_decay, which is the paper's (its schedule multiplier is a schedule of this number).
    """
    if not _is_one_of(DECOUPLED_DECAY, scale):
        raise ValueError(f"decoupled_decay: scale = {scale!r}; it is one of {', '.join(map(repr, DECOUPLED_DECAY))}")
    return Link(DECOUPLED_DECAY[scale], {"weight_decay": weight_decay, "scale": scale}, {"weight_decay": weight_decay})


def cautious(floor: Number = 1e-3) -> Link:
    """Leave out of the step what does not go against the gradient, and scale up the rest by the share left out.

    Liang et al. 2024, arXiv:2411.16085, algorithm 1, with the authors' scale: one over the mean of the mask, which is
    at least floor.
    """
    return Link(CAUTIOUS, {"floor": floor}, {"floor": floor})


def lookahead(every: Number = 5, alpha: Number = 0.5) -> Link:
    """Every `every` steps, move slow weights by alpha towards the parameters, and put these back there.

    Zhang et al. 2019, arXiv:1907.08610, algorithm 1; as optax.lookahead.
    """
    numbers = {"every": every, "alpha": alpha}
    return Link(LOOKAHEAD, numbers, numbers)


def bounds(low: Number | None = None, high: Number | None = None) -> Link:
    """Keep each element of the parameters between low and high: a projected step. None is no bound."""
    numbers = {name: x for name, x in (("low", low), ("high", high)) if x is not None}
    if not numbers:
        raise ValueError("bounds: give low, high, or both")
    if isinstance(low, int | float) and isinstance(high, int | float) and not low < high:
        raise ValueError(f"bounds: low = {low!r} is not below high = {high!r}")
    return Link(BOUNDS[tuple(numbers)], {"low": low, "high": high}, numbers)


def ema(decay: Number = 0.999, overwrite: Number = 0, start: str = "first") -> Link:
    """Keep an exponential moving average of the parameters: average = decay * average + (1 - decay) * w.

    start: the average is "first" the parameters after the first step (Keras, torch), or "initial", those before it
    (TensorFlow). overwrite: put the average in the place of the parameters every so many steps (Keras's
    ema_overwrite_frequency); 0 is never. See `Optimizer.averaged`.
    """
    if not _is_one_of(EMA, start):
        raise ValueError(f"ema: start = {start!r}; it is one of {', '.join(map(repr, EMA))}")
    numbers = {"decay": decay, "overwrite": overwrite}
    return Link(EMA[start], {**numbers, "start": start}, numbers)


def polyak() -> Link:
    """Keep the mean of the parameters after each step. Polyak & Juditsky 1992. See `Optimizer.averaged`."""
    return Link(POLYAK, {})


def swa(start: Number = 1, every: Number = 1) -> Link:
    """Keep the mean of the parameters after step `start` and every `every`-th step from there on.

    Izmailov et al. 2018, arXiv:1803.05407, algorithm 1; as torch.optim.swa_utils.AveragedModel, updated at these steps.
    Before, the average is the parameters. See `Optimizer.averaged`.
    """
    numbers = {"start": start, "every": every}
    return Link(SWA, numbers, numbers)


# Around the gradient --------------------------------------------------------------------------------------------------


def sam(rho: Any = 0.05, adaptive: Any = False) -> Link:
    """Take the gradient where the loss is highest nearby: `update(params, closure=f)` calls f twice.

    Foret et al. 2021, arXiv:2010.01412, eq. (2) and (3): at w + rho * g / |g|, |g| over all parameters. adaptive: Kwon
    et al. 2021, arXiv:2102.11600, at w + rho * w**2 * g / |w * g|. It may stand anywhere in the chain. rho: > 0.
    """
    if isinstance(rho, bool) or not isinstance(rho, int | float) or not 0 < rho <= sys.float_info.max:
        raise ValueError(f"sam: rho = {rho!r}; give a finite number above 0")
    if not isinstance(adaptive, bool):
        raise TypeError(f"sam: adaptive = {adaptive!r}; it is True or False")
    return Link(SAM, {"rho": float(rho), "adaptive": adaptive})


def _is_one_of(choices: Mapping[str, Kind], given: Any) -> bool:
    return isinstance(given, str) and given in choices


def _of_layout(kinds: dict[str, Kind], layout: Any) -> Kind:
    if not _is_one_of(kinds, layout):
        raise ValueError(
            f"layout = {layout!r}; it is 'in_out', for weights of shape (inputs, outputs) as the book has them, or "
            "'out_in', as torch has them"
        )
    return kinds[layout]


LINKS = (
    clip_value, clip_norm, clip_global_norm, adaptive_clip, centralize, noise, l2, accumulate, decoupled_decay,
    cautious, lookahead, bounds, ema, polyak, swa, sam,
)  # fmt: skip
BY_NAME = {link.__name__: link for link in LINKS}
"""Links by name: how a checkpoint finds them again."""


def _with_values(name: str, arguments: Mapping[str, Any], values: Mapping[str, Any]) -> Link:
    return replace(BY_NAME[name](**arguments), values=values)


# A link is pickled by what it was given: its texts are no data.
copyreg.pickle(Link, lambda link: (_with_values, (link.name, dict(link.arguments), dict(link.values))))
