"""Faults of other libraries, each with the test that shows that ours does not have it.

A test holds ours against what is right and against what the fault makes of the same numbers, both worked out in a few
lines of NumPy. "run": the library was run on the test's numbers, and put out what the test has for the fault, up to the
precision it works in. "read": its source was read. "kozistr" is kozistr's pytorch_optimizer, 3.9.0 if nothing is said.
"""

from __future__ import annotations

import importlib

import ml_dtypes
import numpy as np
import pytest

import thalweg as tw
from tests.kernels.twins import through_the_meaning
from tests.rules.faults import adam, averages, forms, path, told_apart, walk

# Fault -> the test of it, here, in test_known_faults_adam.py or in test_known_faults_tensors.py.
FAULTS = {
    # the form of a step
    "book, copies of it: Nesterov reads the new velocity": "test_nesterov_reads_the_old_velocity",
    "book: a parameter that joins late is a KeyError": "test_a_parameter_may_join_late",
    "book, copies of it: parameters are rebound, not updated": "test_parameters_are_updated_in_place",
    "kozistr QHM: defaults that are gradient descent": "test_qhm_is_not_gradient_descent_by_default",
    "kozistr SGDW: momentum starts at the parameter": "test_momentum_starts_at_zero",
    "kozistr SignSGD: the average starts anew at each step": "test_signum_keeps_its_average",
    "bitsandbytes Lion: decay inside of the sign": "test_lion_decays_outside_of_the_sign",
    "optax rprop: the step of before": "test_rprop_takes_the_step_of_now",
    "optax sam: 0/0 where all gradients are zero": "test_sam_stays_where_it_is_without_a_slope",
    "HeavyBall sam_step: no norm": "test_sam_divides_by_the_norm",
    "optax centralize: over the inputs of torch's layout only": "test_centralize_is_told_the_layout",
    # Adam and its relatives
    "Flux, TensorFlow Addons AdamW: decay without lr": "test_adamw_multiplies_its_decay_by_lr",
    "optax, apex AdamW: decay with lr, called the paper's": "test_adamw_of_the_paper_does_not",
    "Thinc, GaLore, bitsandbytes: decay after the step": "test_decay_is_of_the_old_parameter",
    "kozistr QHAdam: brackets": "test_qhadam_is_adam_where_both_nu_are_one",
    "kozistr DiffGrad: no friction, no correction of v": "test_diffgrad_has_its_friction_and_its_correction",
    "kozistr Grams: m weighed the wrong way round, root of a root": "test_grams_takes_steps_as_long_as_adams",
    "kozistr StableAdamW: v of the step before": "test_stableadamw_measures_with_the_new_v",
    "kozistr, everywhere: 1e-15 under the root": "test_nothing_is_added_under_the_root",
    "kozistr Padam: no maximum": "test_padam_keeps_the_maximum",
    "kozistr RAdam: no step in the warm-up": "test_radam_steps_from_the_start",
    "Thinc RAdam: t counted twice": "test_radam_counts_a_step_once",
    "AMSGrad: numbers that Adam has as well": "test_amsgrad_differs_from_adam",
    "optax amsgrad: maximum of the corrected v": "test_amsgrad_takes_the_maximum_of_the_raw_v",
    "AdaBelief: old m, eps outside of s, eps of old versions": "test_adabelief_has_new_m_and_eps_inside",
    "TensorFlow Addons, optax, kozistr Yogi: m starts above zero": "test_yogi_of_the_paper_starts_m_at_zero",
    "optax adan: weight of the differences": "test_adan_weighs_the_differences_with_beta2",
    # what numbers are made of
    "optax, torch: eps is 0 in float16, and 0/0": "test_zero_gradients_in_float16",
    "torch, optax: v is 0 in float16": "test_small_squares_in_float16",
    "torch, optax: bfloat16 swallows small steps": "test_small_steps_in_bfloat16",
    "book: lr_t makes float64 of float32": "test_temporaries_stay_float32",
    "counters in float32 stick at 2**24": "test_steps_are_counted_beyond_2_to_the_24",
    "torch: a failing parameter leaves those before it updated": "test_a_step_is_all_or_nothing",
    "torch, optax: lr = inf is accepted": "test_numbers_that_are_none_are_refused",
    # whole tensors
    "kozistr NovoGrad: first gradient twice, corrections of Adam": "test_novograd_counts_the_first_gradient_once",
    "kozistr Lamb: no correction of v, norm cut at 10, eps": "test_lamb_takes_whole_norms_of_corrected_steps",
    "keras Lamb, kozistr: decay outside of the norm": "test_lamb_measures_the_step_with_its_decay",
    "kozistr LARS: no decay in the ratio, a first momentum as it is": "test_lars_has_the_decay_in_its_ratio",
    "bitsandbytes LARS, LAMB: a bound of the step": "test_lars_lengthens_short_steps_too",
    "kozistr, timm Adafactor: clips where it should not": "test_adafactor_clips_large_updates_alone",
    "kozistr AdaFactor: scale the wrong way round, v cut": "test_adafactor_scales_with_the_parameter",
    "keras Adafactor: a full v for each matrix": "test_adafactor_keeps_rows_and_columns_alone",
    "kozistr, jettify, moskomule Shampoo: exponent, order": "test_shampoo_takes_fourth_roots_of_both_sides",
    "HeavyBall SOAP: m is left in the old basis": "test_soap_turns_m_into_the_new_basis",
    "kozistr SOAP: the call that finds the basis is counted": "test_soap_does_not_count_its_first_call",
    "torch Muon for (in, out): scale the wrong way round": "test_muon_lengthens_steps_that_fan_out",
    "kozistr Muon: use_adjusted_lr=False adjusts": "test_muon_is_not_adjusted_unless_asked",
    "MLX Muon: decay inside of the momentum; tinygrad: none": "test_muon_decays_outside_of_the_momentum",
    "kozistr SophiaH: clips at 0.01": "test_sophia_clips_at_one",
    "optax sophia: h of the step before": "test_sophia_uses_the_new_estimate",
    # rates that are found, and averages
    "kozistr ScheduleFreeWrapper: t to the power of lr": "test_schedule_free_weighs_steps_alike",
    "keras ScheduleFreeAdamW: weights without lr, z not decayed": "test_schedule_free_weighs_by_lr_and_decays_z",
    "kozistr DAdaptAdam: times the norm instead of over it": "test_dadaptadam_finds_its_rate",
    "optax prodigy, dadapt_adamw: 0/0 where all gradients are zero": "test_prodigy_waits_for_a_gradient",
    "kozistr Prodigy: two steps are counted for one": "test_prodigy_counts_a_step_once",
}

# Faults of rules and of parts that we do not have, and what is a difference and no fault.
NOT_OURS = {
    "kozistr MSVAG divides by beta**t": "no MSVAG",
    "kozistr ASGD takes the difference of norms": "ours is the averaged one; that is another rule of the same name",
    "kozistr SF-RAdam divides by 1 - beta2**t without a root": "no schedule-free RAdam",
    "kozistr Sophia's Rademacher numbers are all -1": "the estimate of the Hessian, and its draws, are the caller's",
    "kozistr AdaHessian averages over no space": "no AdaHessian",
    "kozistr APOLLO scales in the sketch": "no APOLLO",
    "kozistr Adai, AvaGrad, AdaShift, SWATS and others, unverified": "none of these",
    "optax galore projects the other side": "no GaLore",
    "kozistr SignSGD ignores weight_decay (#517)": "Signum has none; a link decays",
    "HeavyBall optimizers that clip, warm up or debias otherwise": "no convention of ours is HeavyBall's",
    "safetensors writes strided arrays wrongly (#825)": "a fault of files and not of rules: tests/checkpoint",
    "torch loads damaged state": "the same",
    "torch's fused kernels differ from its loop": "the same bits from every path: tests/kernels",
    "optax adds no 1 to t in its noise": "the paper does not say at which t it begins; ours begins at 1",
    "other defaults, places of eps, thresholds of RAdam, momenta of NAdam": "differences: each is a convention",
}

W = np.array([0.5, -0.3])
G = [np.array(g) for g in ([1.0, -0.5], [0.4, 0.2], [-0.3, 0.1])]


@pytest.fixture(autouse=True)
def meaning():
    """Nothing is compiled: `tests/kernels` show that kernels do the same."""
    with through_the_meaning():
        yield


def test_the_table_is_whole():
    files = [importlib.import_module(f"tests.rules.test_known_faults{end}") for end in ("", "_adam", "_tensors")]
    there = [name for file in files for name in vars(file) if name.startswith("test_")]
    assert sorted(there) == sorted([*FAULTS.values(), "test_the_table_is_whole"])
    assert all(NOT_OURS.values())


# The form of a step ---------------------------------------------------------------------------------------------------


def test_nesterov_reads_the_old_velocity():
    """Deep Learning from Scratch, the class in circulation: v is updated first, and momentum counts twice."""
    v, right, faulty = 0.0, [W], [W]
    for g in G:
        new = 0.9 * v - 0.1 * g
        right.append(right[-1] + 0.81 * v - 0.19 * g)
        faulty.append(faulty[-1] + 0.81 * new - 0.19 * g)
        v = new
    for opt in forms("nesterov", lr=0.1, momentum=0.9):
        told_apart(path(opt, W, G), right[1:], faulty[1:], margin=0.1)


def test_a_parameter_may_join_late():
    """Deep Learning from Scratch: state is made for the parameters of the first step, and others are a KeyError."""

    class Book:
        v = None

        def update(self, params, grads):
            self.v = {key: np.zeros_like(w) for key, w in params.items()} if self.v is None else self.v
            for key in params:
                self.v[key] = 0.9 * self.v[key] - 0.01 * grads[key]
                params[key] += self.v[key]

    for opt in (tw.Momentum(), Book()):
        params = {"a": W.copy()}
        opt.update(params, {"a": G[0]})
        params["b"] = W.copy()
        if isinstance(opt, Book):
            with pytest.raises(KeyError):
                opt.update(params, {"a": G[1], "b": G[1]})
            continue
        opt.update(params, {"a": G[1], "b": G[1]})
        told_apart(params["b"], W - 0.01 * G[1], W, margin=0.003)


def test_parameters_are_updated_in_place():
    """Deep Learning from Scratch, copies that write `w = w - step`: the layer holds the array of before."""
    layer, rebound = W.copy(), W.copy()
    params, copied = {"W": layer}, {"W": rebound}
    tw.SGD(lr=0.1).update(params, {"W": G[0]})
    copied["W"] = copied["W"] - 0.1 * G[0]
    told_apart(layer, W - 0.1 * G[0], rebound, margin=0.09)
    assert params["W"] is layer
    numbers = {"b": np.float64(0.5)}  # which no array is, and cannot be updated in place: the name is bound anew
    tw.SGD(lr=0.1).update(numbers, {"b": 1.0})
    assert numbers["b"] == 0.4


def test_qhm_is_not_gradient_descent_by_default():
    """kozistr, QHM: momentum = 0 and nu = 1 by default, where the paper has 0.999 and 0.7 (run)."""
    right = walk(W, [0.1 * (0.3 * g + 0.7 * m) for g, m in zip(G, averages(0.999, G), strict=True)])
    told_apart(path(tw.QHM(lr=0.1), W, G), right, walk(W, [0.1 * g for g in G]), margin=0.09)


def test_momentum_starts_at_zero():
    """kozistr, SGDW: the buffer starts as a copy of the parameter (run)."""
    right, faulty, b, theirs = [], [], 0 * W, W
    for g in G:
        b, theirs = 0.9 * b + g, 0.9 * theirs + g
        right.append(0.1 * b)
        faulty.append(0.1 * theirs)
    for opt in forms("momentum", "ema", lr=0.1, momentum=0.9):
        told_apart(path(opt, W, G), walk(W, right), walk(W, faulty), margin=0.12)


def test_signum_keeps_its_average():
    """kozistr, SignSGD (#516): the average is zero before each step, its sign g's (run)."""
    grads = [np.array([1.0, -1.0]), np.array([-0.1, 0.5])]
    right = walk(W, [0.1 * np.sign(m) for m in averages(0.9, grads)])
    told_apart(path(tw.Signum(lr=0.1), W, grads), right, walk(W, [0.1 * np.sign(g) for g in grads]), margin=0.2)


def test_lion_decays_outside_of_the_sign():
    """bitsandbytes, Lion in 32 bits (#1992, until 2026-07): weight_decay * w is added to the gradient (read)."""
    w, g, lr, decay = np.array([5.0, -4.0]), np.array([-0.1, 0.2]), 0.1, 0.1
    right, faulty = w - lr * (np.sign(g) + decay * w), w - lr * np.sign(g + decay * w)
    for opt in forms("lion", lr=lr, weight_decay=decay):
        told_apart(path(opt, w, [g]), [right], [faulty], margin=0.15)


def test_rprop_takes_the_step_of_now():
    """optax 0.2, rprop (#1725): the step that goes out is that of the call before, and at first none (run)."""
    grads = [np.array([g]) for g in (1.0, 1.0, 1.0, -1.0, 1.0)]
    steps = [0.1, 0.12, 0.144, 0.0, 0.072]
    late = [0.0, 0.1, 0.12, 0.0, 0.0]
    told_apart(path(tw.Rprop(lr=0.1), [0.0], grads), walk([0.0], steps), walk([0.0], late), margin=0.2)


def test_sam_stays_where_it_is_without_a_slope():
    """optax 0.2, contrib.sam (#1743): g / |g| of zeros is 0/0 (read)."""
    with np.errstate(invalid="ignore"):
        assert np.isnan(0 * W / np.linalg.norm(0 * W)).all()
    params = {"w": W.copy()}
    tw.chain(tw.sam(0.05), tw.SGD(lr=0.1)).update(params, closure=lambda params: (0.0, {"w": 0 * W}))
    assert (params["w"] == W).all()


def test_sam_divides_by_the_norm():
    """HeavyBall 3.2, sam_step: moves by ball * g * w**2 (read). The loss is the sum of w**4 / 4."""
    right = W - 0.1 * (W + 0.05 * W**3 / np.linalg.norm(W**3)) ** 3
    faulty = W - 0.1 * (W + 0.05 * W**3 * W**2) ** 3
    params = {"w": W.copy()}
    tw.chain(tw.sam(0.05), tw.SGD(lr=0.1)).update(params, closure=lambda p: (0.0, {"w": p["w"] ** 3}))
    told_apart(params["w"], right, faulty, margin=0.003)


def test_centralize_is_told_the_layout():
    """optax.centralize, kozistr's GC: means over all axes but the first, which are the units of an (in, out) matrix."""
    g = np.array([[1.0, 2.0, 4.0], [3.0, 5.0, 9.0]])
    right, faulty = g.mean(0) - g, g.mean(1, keepdims=True) - g
    told_apart(path(tw.chain(tw.centralize(), tw.SGD(lr=1.0)), 0 * g, [g]), [right], [faulty], margin=4.0)
    theirs = tw.chain(tw.centralize(layout="out_in"), tw.SGD(lr=1.0))
    told_apart(path(theirs, 0 * g, [g]), [faulty], [right], margin=4.0)


# What numbers are made of ---------------------------------------------------------------------------------------------


def test_zero_gradients_in_float16():
    """optax 0.2 (#1754, #1784, #1789), torch 2.13: eps = 1e-8 is 0 in float16, and a zero gradient makes 0/0 (run)."""
    zero = np.float16(0)
    with np.errstate(invalid="ignore"):
        assert np.isnan(zero / (np.sqrt(zero) + np.float16(1e-8)))
    for name, rule in tw.RULES.items():
        for form in rule.conventions.values():
            params = {"W": np.ones((2, 3), np.float16), "b": np.ones(3, np.float16)}
            zeros, ones = ({k: np.full_like(w, x) for k, w in params.items()} for x in (0.0, 1.0))
            more = {"value": 1.0} if form.facts.needs_value else {}
            more |= {"hessian": ones} if form.facts.takes_hessian else {}
            opt = tw.Optimizer(form)
            for _ in range(2):
                opt.update(params, zeros, **more)
            assert all(np.isfinite(w).all() for w in params.values()), f"{name}[{form.convention_name}]"


def test_small_squares_in_float16():
    """torch, optax keep v in the parameter's dtype: it is 0 for |g| of 1e-4, and the step is m / eps (run)."""
    w, g = np.ones(2, np.float16), np.array([1e-4, -1e-4], np.float16)
    square = np.float16(1e-3) * (g * g)
    assert (square == 0).all()
    faulty = w - np.float16(1e-3) * (g / (np.sqrt(square) + np.float16(1e-7)))
    right = 1 - 1e-3 * g.astype(float) / (np.abs(g.astype(float)) + 1e-7)
    params = {"w": w.copy()}
    tw.Adam(lr=1e-3, eps=1e-7, convention="optax").update(params, {"w": g})
    told_apart(params["w"], right.astype(np.float16), faulty, margin=0.8)


def test_small_steps_in_bfloat16():
    """torch, optax: a hundred steps of 1e-3 from 1 in bfloat16 end at 1; ours has `master=True` for that (run)."""
    one = np.ones(1, ml_dtypes.bfloat16)
    faulty, params, opt = one.copy(), {"w": one.copy()}, tw.SGD(lr=1e-3, master=True)
    for _ in range(100):
        faulty = (faulty - np.float32(1e-3) * one).astype(one.dtype)
        opt.update(params, {"w": one})
    told_apart(params["w"].astype(float), np.float32([0.9]).astype(one.dtype), faulty.astype(float), margin=0.09)


def test_temporaries_stay_float32():
    """Deep Learning from Scratch with NumPy 2: lr_t is a np.float64, and so is all that it touches (by hand)."""
    w, g = np.float32([0.5, -0.3, 0.1]), np.float32([0.1, 0.2, 0.3])
    m, v = np.float32(1 - 0.9) * g, np.float32(1 - 0.999) * (g * g)
    lr_t = 0.001 * np.sqrt(1 - 0.999) / (1 - 0.9)
    wide = lr_t * m / (np.sqrt(v) + 1e-7)
    right = w - float(lr_t) * m / (np.sqrt(v) + 1e-7)
    assert (wide.dtype, right.dtype) == (np.float64, np.float32)
    ours = tw.RULES["adam"].conventions["book"].function(w, g, 0 * w, 0 * w, t=1)
    assert {x.dtype.name for x in ours} == {"float32"}
    told_apart(ours[0], right, w - wide, margin=1e-08)
    assert (ours[0] == right).all()


def test_steps_are_counted_beyond_2_to_the_24():
    """Any count in float32, as torch's `step`: 16,777,216 + 1 is 16,777,216 there (run)."""
    assert np.float32(2**24) + np.float32(1) == 2**24
    opt, params = tw.Adam(), {"w": W.copy()}
    opt.update(params, {"w": G[0]})
    state = opt.state_dict()
    state["counts"]["t"] = 2**24
    opt.load_state_dict(state)
    opt.update(params, {"w": G[0]})
    assert opt.t == 2**24 + 1


def test_a_step_is_all_or_nothing():
    """torch 2.13: where the second parameter fails the first has been updated, and counted (run)."""
    opt, params = tw.Adam(lr=0.1), {"a": W.copy(), "b": W.copy()}
    opt.update(params, {"a": G[0], "b": G[0]})
    before = {k: w.copy() for k, w in params.items()}, {k: np.array(v) for k, v in opt.state["a"].items()}
    with pytest.raises(ValueError, match="b"):
        opt.update(params, {"a": G[1], "b": np.ones(3)})
    faulty = before[0]["a"] - adam([G[0], G[1]], 0.1, 0.9, 0.999)[1]
    told_apart(params["a"], before[0]["a"], faulty, margin=0.08)
    assert all((params[k] == w).all() for k, w in before[0].items())
    assert all((opt.state["a"][k] == v).all() for k, v in before[1].items())
    assert opt.t == 1


def test_numbers_that_are_none_are_refused():
    """torch 2.13 takes lr = inf in all of its rules, optax any number (run)."""
    for name, rule in tw.RULES.items():
        rate = "lr" if "lr" in rule.defaults else "lr_max"
        for wrong in (np.inf, np.nan, -1.0, True, "0.1"):
            with pytest.raises((ValueError, TypeError), match=rate):
                tw.Optimizer(name, **{rate: wrong})
