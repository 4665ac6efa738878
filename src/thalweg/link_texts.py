"""The texts of links, in the language of rules."""

from __future__ import annotations

from thalweg.language.state import Slot, copy, number
from thalweg.recipe import Kind, form
from thalweg.words import clip, maximum, mean, minimum, norm, sign, sqrt, square, total, where

_WHOLE = "whole [1, inf)"
_POSITIVE = "(0, inf)"
_NOT_NEGATIVE = "[0, inf)"  # said here, since a number whose name the rule has is called otherwise in the chain


@form(ranges={"max_value": _POSITIVE})
def _clip_value(x, *, max_value):
    x = clip(x, -max_value, max_value)
    return x


@form(ranges={"max_norm": _POSITIVE, "eps": _NOT_NEGATIVE})
def _clip_norm(x, *, max_norm, eps):
    length = norm(x) + eps
    scale = max_norm / length if length > max_norm else 1.0
    x = x * scale
    return x


def _squares(x):
    squares = total(square(norm(x)))
    return squares


@form(ranges={"max_norm": _POSITIVE, "eps": _NOT_NEGATIVE}, measure={"squares": _squares})
def _clip_global_norm(x, *, squares, max_norm, eps):
    length = sqrt(squares) + eps
    scale = max_norm / length if length > max_norm else 1.0
    x = x * scale
    return x


# The floor of 1e-6 under the norm that is divided by is the authors' own.
@form(ranges={"clipping": _POSITIVE, "eps": _NOT_NEGATIVE})
def _adaptive_clip_columns(x, w, *, clipping, eps):
    largest = clipping * maximum(norm(w, axis=-2), eps)
    length = norm(x, axis=-2)
    x = where(length < largest, x, x * (largest / maximum(length, 1e-6)))
    return x


@form(ranges={"clipping": _POSITIVE, "eps": _NOT_NEGATIVE})
def _adaptive_clip_rows(x, w, *, clipping, eps):
    largest = clipping * maximum(norm(w, axis=-1), eps)
    length = norm(x, axis=-1)
    x = where(length < largest, x, x * (largest / maximum(length, 1e-6)))
    return x


@form(ranges={"clipping": _POSITIVE, "eps": _NOT_NEGATIVE})
def _adaptive_clip_vector(x, w, *, clipping, eps):
    largest = clipping * maximum(norm(w), eps)
    length = norm(x)
    scale = 1.0 if length < largest else largest / maximum(length, 1e-6)
    x = x * scale
    return x


@form()
def _centralize_columns(x):
    x = x - mean(x, axis=-2)
    return x


@form()
def _centralize_rows(x):
    x = x - mean(x, axis=-1)
    return x


@form(state={"draw": Slot(draws=True)}, ranges={"eta": _NOT_NEGATIVE})
def _noise(x, draw, *, t, eta, gamma):
    x = x + sqrt(eta / (1 + t) ** gamma) * draw
    return x


@form(only="before", ranges={"weight_decay": _NOT_NEGATIVE})
def _l2(x, w, *, weight_decay):
    x = x + weight_decay * w
    return x


@form(only="before", state={"count": number()}, ranges={"count": "whole [0, inf)"})
def _gather(x, gathered, count):
    gathered = gathered + x
    count = count + 1
    return x, gathered, count


# What was gathered starts at zero again, also where it is not finite: `x > x` holds nowhere.
@form(only="before", state={"count": number()}, ranges={"every": _WHOLE, "count": "whole [0, inf)"})
def _accumulate(x, gathered, count, *, every):
    x = (gathered + x) / every
    gathered = where(x > x, x, 0.0)  # noqa: PLR0124
    count = 0 * count
    return x, gathered, count


@form(works="old", ranges={"weight_decay": _NOT_NEGATIVE})
def _decoupled_decay(w, *, lr, weight_decay):
    w = w * (1 - lr * weight_decay)
    return w


@form(works="old", ranges={"weight_decay": _NOT_NEGATIVE})
def _decoupled_decay_absolute(w, *, weight_decay):
    w = w * (1 - weight_decay)
    return w


@form(only="behind", ranges={"floor": "(0, 1]"})
def _cautious(x, g, *, floor):
    one = where(x > x, x, 1.0)  # noqa: PLR0124
    agree = where(sign(x) * sign(g) > 0, one, 0.0)
    x = x * agree / maximum(mean(agree), floor)
    return x


@form(state={"slow": copy("w")}, ranges={"every": _WHOLE, "alpha": "[0, 1]"})
def _lookahead(w, slow, *, t, every, alpha):
    slow = slow + alpha * (w - slow) if t % every == 0 else slow
    w = slow if t % every == 0 else w
    return w, slow


@form()
def _bounds(w, *, low, high):
    w = clip(w, low, high)
    return w


@form()
def _bounds_low(w, *, low):
    w = maximum(w, low)
    return w


@form()
def _bounds_high(w, *, high):
    w = minimum(w, high)
    return w


@form(average="average", ranges={"decay": "[0, 1)", "overwrite": "whole [0, inf)"})
def _ema_first(w, average, *, t, decay, overwrite):
    average = w if t == 1 else decay * average + (1 - decay) * w
    w = average if overwrite > 0 and t % overwrite == 0 else w
    return w, average


@form(state={"average": copy("w")}, average="average", ranges={"decay": "[0, 1)", "overwrite": "whole [0, inf)"})
def _ema_initial(w, average, *, t, decay, overwrite):
    average = decay * average + (1 - decay) * w
    w = average if overwrite > 0 and t % overwrite == 0 else w
    return w, average


@form(average="average")
def _polyak(w, average, *, t):
    average = average + (w - average) / t
    return w, average


@form(average="average", ranges={"start": _WHOLE, "every": _WHOLE})
def _swa(w, average, *, t, start, every):
    count = (t - start) // every + 1
    updated = average + (w - average) / count if t > start and (t - start) % every == 0 else average
    average = w if t <= start else updated
    return w, average


CLIP_VALUE = Kind("clip_value", _clip_value)
CLIP_NORM = Kind("clip_norm", _clip_norm)
CLIP_GLOBAL_NORM = Kind("clip_global_norm", _clip_global_norm)
ADAPTIVE_CLIP = {
    layout: Kind("adaptive_clip", form_, _adaptive_clip_vector, same_for_vectors=False, most_axes=2)
    for layout, form_ in (("in_out", _adaptive_clip_columns), ("out_in", _adaptive_clip_rows))
}
CENTRALIZE = {
    layout: Kind("centralize", form_, same_for_vectors=False, most_axes=2)
    for layout, form_ in (("in_out", _centralize_columns), ("out_in", _centralize_rows))
}
NOISE = _noise
L2 = Kind("l2", _l2)
ACCUMULATE = Kind("accumulate", _accumulate, holding=_gather)
DECOUPLED_DECAY = {
    "lr": Kind("decoupled_decay", _decoupled_decay),
    "absolute": Kind("decoupled_decay", _decoupled_decay_absolute),
}
CAUTIOUS = Kind("cautious", _cautious)
LOOKAHEAD = Kind("lookahead", _lookahead)
BOUNDS = {
    ("low", "high"): Kind("bounds", _bounds),
    ("low",): Kind("bounds", _bounds_low),
    ("high",): Kind("bounds", _bounds_high),
}
EMA = {"first": Kind("ema", _ema_first), "initial": Kind("ema", _ema_initial)}
POLYAK = Kind("polyak", _polyak)
SWA = Kind("swa", _swa)
SAM = Kind("sam")
