"""A rule beside its transcription: the same gradients, ours in float64 and the paper with 50 digits.

`python -m tests.paths [RULE ...]` prints the largest error of every form and run, of an element's largest value; where
more than 1e-12 of that is allowed, it prints how much of it is used.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np
from mpmath import mpf

import thalweg as tw
from tests.papers import DECADES, PAPERS, Transcribed

TOLERANCE = 1e-12
STEPS = 40
HALFWAY = 21
SHAPES = {"W": (4, 3), "b": (3,), "s": ()}
MATRICES = {"W": (4, 3), "V": (3, 3)}
# For rules that know shapes: more columns than rows, by one, since the first basis of SOAP needs single eigenvalues;
# and a vector that is long enough for its gradients not to span all directions for some steps.
MORE = {"V": (2, 3), "c": (7,)}


@dataclass(frozen=True)
class Run:
    """What a transcription does.

    numbers: all hyper-parameters; later: those that change halfway. shapes: of the parameters. grads, values, hessians:
    for each step, losses and diagonals where the rule takes them. path: after each step, name -> numbers with 50
    digits, of the parameters or of the points of evaluation. largest: name -> the largest value of each element on the
    path. doubt: name -> how far the method may carry roundings, by which ours may differ; zero where nothing is said.
    """

    rule: tw.Rule
    numbers: dict
    later: dict
    shapes: dict
    start: dict
    grads: list
    values: list
    hessians: list
    path: list
    largest: dict
    averaged: bool
    doubt: dict

    def optimizer(self, rule=None, **other):
        """Return an optimizer with these numbers, or some others: of the rule itself, or of another in its place."""
        return tw.Optimizer(self.rule if rule is None else rule, **{**self.numbers, **other})

    def steps(self, opt):
        """Take the steps with an optimizer; yield what is to be compared with the path."""
        params = {name: w.copy() for name, w in self.start.items()}
        for t, grads, value, hessian in zip(count(1), self.grads, self.values, self.hessians, strict=False):
            if t == HALFWAY:
                change(opt, self.later)
            opt.update(params, grads, value=value, hessian=hessian)
            if self.averaged:
                with opt.averaged():
                    yield {name: np.ravel(w).tolist() for name, w in params.items()}
            else:
                yield {name: np.ravel(w).tolist() for name, w in params.items()}

    def errors(self, opt, tolerance=TOLERANCE):
        """Yield for each step the largest difference to the path, and the largest share of what an element is allowed.

        The first is of an element's largest value on the path, as is the tolerance.
        """
        for point, true in zip(self.steps(opt), self.path, strict=True):
            found = [
                (float(abs(mpf(a) - b)) if np.isfinite(a) else np.inf, float(size), self.doubt[name])
                for name, w in point.items()
                for a, b, size in zip(w, true[name], self.largest[name], strict=True)
            ]
            yield max(x / size for x, size, _ in found), max(x / max(tolerance * size, most) for x, size, most in found)


def change(opt, numbers):
    """Give an optimizer other numbers; "t": the number of the step that comes next."""
    for name, x in numbers.items():
        if name == "t":
            opt._stepper.t = int(x) - 1
        else:
            setattr(opt, name, x)


def gradient(params, t, rng, decades=DECADES, swing=0.0):
    """A gradient that depends on the parameters, over so many decades, with exact zeros in some steps.

    swing: over how many decades the elements of a tensor go together from step to step.
    """
    found = {}
    for name, w in params.items():
        scale = 10.0 ** rng.uniform(-decades / 2, decades / 2, w.shape)
        if swing:
            scale *= 10.0 ** rng.uniform(-swing / 2, swing / 2)
        pull = np.where(np.abs(w) < 1e3, w, np.sign(w) * 1e3) - rng.standard_normal(w.shape)
        found[name] = np.array(np.where(rng.random(w.shape) < 0.1, 0.0, scale * pull))
        if w.ndim == 2 and name == "W":
            found[name][0, 0] = 0.0  # never a gradient
        if w.ndim == 1 and t % 7 == 3:
            found[name][...] = 0.0
    return found


def exact(array):
    """Return the elements in C order, as numbers of 50 digits."""
    return [mpf(float(x)) for x in np.ravel(array)]


@cache
def run(rule, convention, kind="defaults"):
    """Return the run of a transcription. kind: "defaults", "other" for its numbers that are none, or "edge 1", ...

    "wide" is "other" over 12 decades, and "wide defaults" the defaults, where the usual runs span fewer.
    The gradients depend on our own parameters, and both get the same: what is measured is what roundings add up to.
    """
    of = PAPERS[rule, convention]
    form = tw.RULES[rule].conventions[convention]
    numbers, later = (of.runs | of.wide)[kind], {} if kind.endswith("defaults") else of.later
    decades, swing = (DECADES, 0.0) if kind in of.wide else (of.decades, of.swing)
    shapes = MATRICES if of.level == "matrix" else SHAPES | (MORE if of.needs_shape else {})
    rng = np.random.default_rng(3)
    start = {name: np.array(rng.standard_normal(shape)) for name, shape in shapes.items()}
    if of.from_zero and kind == "defaults":
        start = {name: np.zeros(shape) for name, shape in shapes.items()}
    if of.level == "tensor":
        start["b"][...] = 0.0  # as biases do: a norm that is zero
        if kind in ("other", "wide"):
            start["W"][-1, -1] = 0.0
    opt, ours = tw.Optimizer(form, **numbers), {name: w.copy() for name, w in start.items()}
    model, theirs = Transcribed(of, **opt.hyperparams), {name: exact(w) for name, w in start.items()}
    grads, values, hessians, path = [], [], [], []
    hyper = opt.hyperparams
    for t in range(1, STEPS + 1):
        if t == HALFWAY:
            change(opt, later)
            model.change(later)
        given = gradient(ours, t, rng, decades, swing)
        grads.append(
            given if t > of.idle or not kind.startswith("edge") else {name: 0.0 * g for name, g in given.items()}
        )
        values.append(2.0 + abs(float(rng.standard_normal())) if of.needs_value else None)
        diagonal = None
        if of.needs_hessian and t % 3 == 1:
            diagonal = {name: np.array(np.abs(rng.standard_normal(w.shape))) for name, w in ours.items()}
        hessians.append(diagonal)
        opt.update(ours, grads[-1], value=values[-1], hessian=diagonal)
        curvature = None if diagonal is None else {name: exact(h) for name, h in diagonal.items()}
        model.update(theirs, {name: exact(g) for name, g in grads[-1].items()}, shapes, values[-1], curvature)
        point = {name: list(w) for name, w in theirs.items()}
        if of.average:
            point = {name: _average(model, of, name, len(w)) for name, w in theirs.items()}
        path.append(point)
    tiny = mpf("1e-300")
    largest = {
        name: [max(tiny, *(abs(point[name][i]) for point in path)) for i in range(len(w))]
        for name, w in path[0].items()
    }
    doubt = {name: max(model.doubt(name), of.at_edges if kind.startswith("edge") else 0.0) for name in path[0]}
    return Run(form, hyper, later, shapes, start, grads, values, hessians, path, largest, bool(of.average), doubt)


def measured(rule, convention, kind="defaults"):
    """Return the largest difference of ours to the transcription over all steps, and the largest share of the allowed.

    As `Run.errors` has them.
    """
    one = run(rule, convention, kind)
    errors, shares = zip(*one.errors(one.optimizer()), strict=True)
    return max(errors), max(shares)


def said(rule, convention, kind):
    """Return the largest difference of a run in words, and its share where more is allowed than what holds for all."""
    one, (error, share) = run(rule, convention, kind), measured(rule, convention, kind)
    return f"{kind} {error:.1e}" + (f" ({share:.0e} of the allowed)" if any(one.doubt.values()) else "")


def _average(model, of, name, count):
    if of.level == "element":
        return [model.kept[name, i][of.average] for i in range(count)]
    return list(model.kept[name if of.level != "model" else None][of.average])


def main(names):
    """Print the largest error of each run of these rules, or of all."""
    for (rule, convention), of in PAPERS.items():
        if not names or rule in names:
            errors = ", ".join(said(rule, convention, kind) for kind in of.runs | of.wide)
            print(f"{rule}[{convention}]: {errors}  ({of.equation})", flush=True)  # noqa: T201 - it is what was asked for


if __name__ == "__main__":
    main(sys.argv[1:])
