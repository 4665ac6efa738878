"""The six rules once more, from their sources and not from ours: in place, one tensor at a time.

Each takes (w, g, state, t) and its numbers; the state is a dict that starts empty, and missing slots are zeros like w.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np


class Book:
    """The arithmetic of Deep Learning from Scratch, chapter 6: its order of operations, eps = 1e-7 outside the root.

    Nesterov reads the velocity before it is updated: the printed order counts the momentum twice.
    """

    @staticmethod
    def sgd(w, g, state, t, lr):
        w -= lr * g

    @staticmethod
    def momentum(w, g, state, t, lr, momentum):
        state["v"] = momentum * state["v"] - lr * g
        w += state["v"]

    @staticmethod
    def nesterov(w, g, state, t, lr, momentum):
        w += momentum * momentum * state["v"]
        w -= (1 + momentum) * lr * g
        state["v"] *= momentum
        state["v"] -= lr * g

    @staticmethod
    def adagrad(w, g, state, t, lr):
        state["h"] += g * g
        w -= lr * g / (np.sqrt(state["h"]) + 1e-7)

    @staticmethod
    def rmsprop(w, g, state, t, lr, decay_rate):
        state["h"] *= decay_rate
        state["h"] += (1 - decay_rate) * g * g
        w -= lr * g / (np.sqrt(state["h"]) + 1e-7)

    @staticmethod
    def adam(w, g, state, t, lr, beta1, beta2):
        rate = lr * np.sqrt(1.0 - beta2**t) / (1.0 - beta1**t)
        state["m"] += (1 - beta1) * (g - state["m"])
        state["v"] += (1 - beta2) * (g**2 - state["v"])
        w -= rate * state["m"] / (np.sqrt(state["v"]) + 1e-7)


class Paper:
    """The papers' equations; eps outside the root where a paper has none, eps_root inside."""

    @staticmethod
    def sgd(w, g, state, t, lr):
        w -= lr * g

    @staticmethod
    def momentum(w, g, state, t, lr, momentum):
        """Sutskever et al. 2013, (1) and (2)."""
        state["v"] = momentum * state["v"] - lr * g
        w += state["v"]

    @staticmethod
    def nesterov(w, g, state, t, lr, momentum):
        """Sutskever et al. 2013, (3) and (4), with w = theta + momentum v, as Bengio et al. 2012 store it."""
        theta = w - momentum * state["v"]
        state["v"] = momentum * state["v"] - lr * g
        w[...] = theta + state["v"] + momentum * state["v"]

    @staticmethod
    def adagrad(w, g, state, t, lr, eps, eps_root=0.0):
        """Duchi, Hazan & Singer 2011, figure 1: the root of the sum of all squares so far."""
        state["past"] = [*state.get("past", ()), g * g]
        w -= lr * g / (eps + np.sqrt(eps_root + sum(state["past"])))

    @staticmethod
    def rmsprop(w, g, state, t, lr, decay_rate, eps, eps_root=0.0):
        """Tieleman & Hinton 2012: a running average of the squares."""
        state["mean_square"] = decay_rate * state["mean_square"] + (1 - decay_rate) * g * g
        w -= lr * g / (np.sqrt(state["mean_square"] + eps_root) + eps)

    @staticmethod
    def adam(w, g, state, t, lr, beta1, beta2, eps, eps_root=0.0):
        """Kingma & Ba 2015, Algorithm 1."""
        state["m"] = beta1 * state["m"] + (1 - beta1) * g
        state["v"] = beta2 * state["v"] + (1 - beta2) * g * g
        corrected_m = state["m"] / (1 - beta1**t)
        corrected_v = state["v"] / (1 - beta2**t)
        w -= lr * corrected_m / (np.sqrt(corrected_v + eps_root) + eps)


class PennyLane:
    """The steps of its optimizers: eps inside of the root, and Adam's after the uncorrected one."""

    @staticmethod
    def sgd(w, g, state, t, lr):
        w -= lr * g

    @staticmethod
    def momentum(w, g, state, t, lr, momentum):
        state["a"] = momentum * state["a"] + lr * g
        w -= state["a"]

    @staticmethod
    def adagrad(w, g, state, t, lr, eps, eps_root=0.0):
        state["a"] += g * g
        w -= lr / np.sqrt(state["a"] + eps + eps_root) * g

    @staticmethod
    def rmsprop(w, g, state, t, lr, decay_rate, eps, eps_root=0.0):
        state["a"] = decay_rate * state["a"] + (1 - decay_rate) * g * g
        w -= lr / np.sqrt(state["a"] + eps + eps_root) * g

    @staticmethod
    def adam(w, g, state, t, lr, beta1, beta2, eps, eps_root=0.0):
        state["fm"] = beta1 * state["fm"] + (1 - beta1) * g
        state["sm"] = beta2 * state["sm"] + (1 - beta2) * g * g
        rate = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        w -= rate * state["fm"] / (np.sqrt(state["sm"] + eps_root) + eps)


class TensorFlow:
    """Its compiled updates: Adagrad and Adam of the legacy Keras optimizers, RMSProp of TensorFlow 1."""

    @staticmethod
    def adagrad(w, g, state, t, lr, initial_accumulator, eps, eps_root=0.0):
        state["accum"] = (state["accum"] if t > 1 else initial_accumulator) + g * g
        w -= lr * g / (np.sqrt(state["accum"] + eps_root) + eps)

    @staticmethod
    def rmsprop(w, g, state, t, lr, decay_rate, momentum, eps, initial_accumulator, eps_root=0.0):
        mean = state["ms"] if t > 1 else initial_accumulator
        state["ms"] = mean + (g * g - mean) * (1 - decay_rate)
        state["mom"] = momentum * state["mom"] + lr * g / np.sqrt(state["ms"] + eps + eps_root)
        w -= state["mom"]

    @staticmethod
    def adam(w, g, state, t, lr, beta1, beta2, eps, eps_root=0.0):
        state["m"] += (g - state["m"]) * (1 - beta1)
        state["v"] += (g * g - state["v"]) * (1 - beta2)
        rate = lr * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        w -= rate * state["m"] / (np.sqrt(state["v"] + eps_root) + eps)


class ByHand:
    """An optimizer made of such a formula, on dicts of arrays, each with its own count of steps."""

    def __init__(self, formula, **numbers):
        self.formula, self.numbers = formula, numbers
        self.states = {}
        self.t = 0

    def update(self, params, grads):
        """Take one step in place."""
        self.t += 1
        for name, w in params.items():
            state = self.states.setdefault(name, defaultdict(lambda w=w: np.zeros_like(w)))
            self.formula(w, grads[name], state, self.t, **self.numbers)
