"""A rule of the registry as an optimizer of somebody else's: one tensor after the other, by the meaning of its text."""

from __future__ import annotations

import numpy as np


class Wrapped:
    """Calls a rule on each tensor; its hyper-parameters are attributes."""

    def __init__(self, rule, **numbers):
        self.__dict__.update({name: x for name, x in rule.defaults.items() if x is not None} | numbers)
        self._rule, self._t, self._states = rule, 0, {}

    def update(self, params, grads):
        self._t += 1
        numbers = {name: getattr(self, name) for name in self._rule.defaults}
        for key, w in params.items():
            rule = self._rule if self._rule.takes(w.ndim) else self._rule.vectors
            if key not in self._states:
                self._states[key] = [begun(slot, w, numbers) for slot in rule.slots.values()]
            own = {name: x for name, x in numbers.items() if name in rule.defaults}
            if "t" in rule.text.signature.numbers:
                own["t"] = self._t
            new, *self._states[key] = rule.function(w, grads[key], *self._states[key], **own)
            params[key][...] = new


def begun(slot, w, numbers):
    """A slot before the first step."""
    if slot.copies:
        return w.copy()
    start = numbers[slot.start] if isinstance(slot.start, str) else slot.start
    shape = slot.shape_for(w.shape)
    return start if shape is None else np.full(shape, start, w.dtype)
