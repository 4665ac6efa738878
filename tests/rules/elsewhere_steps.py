"""Steps of libraries that are not installed here, written out from their sources with their names and defaults.

Each takes (w, g, s, t) and the arguments of the constructor, and returns the new w; s is the state, a dict that starts
empty. Read in ml-explore/mlx 0.32, explosion/thinc 9.1.1, deepspeedai/DeepSpeed 0.19.6 and keras-team/tf-keras 2.21.0.
"""

from __future__ import annotations

import numpy as np
from numpy import maximum, sqrt, where

# MLX: python/mlx/optimizers/optimizers.py, `apply_single` of each class ----------------------------------------------


def mlx_sgd(w, g, s, t, learning_rate, momentum=0.0, weight_decay=0.0, dampening=0.0, nesterov=False):
    g = g + weight_decay * w
    if momentum <= 0:
        return w - learning_rate * g
    s["v"] = momentum * s.get("v", 0.0) + (1 - dampening) * g
    return w - learning_rate * (g + momentum * s["v"] if nesterov else s["v"])


def mlx_rmsprop(w, g, s, t, learning_rate, alpha=0.99, eps=1e-8):
    s["v"] = alpha * s.get("v", 0.0) + (1 - alpha) * g**2
    return w - learning_rate * g / (sqrt(s["v"]) + eps)


def mlx_adagrad(w, g, s, t, learning_rate, eps=1e-8):
    s["v"] = s.get("v", 0.0) + g**2
    return w - learning_rate * g / (sqrt(s["v"]) + eps)


def mlx_adadelta(w, g, s, t, learning_rate, rho=0.9, eps=1e-6):
    s["v"] = rho * s.get("v", 0.0) + (1 - rho) * g**2
    d = sqrt(s.get("u", 0.0) + eps) / sqrt(s["v"] + eps) * g
    s["u"] = rho * s.get("u", 0.0) + (1 - rho) * d**2
    return w - learning_rate * d


def mlx_adam(w, g, s, t, learning_rate, betas=(0.9, 0.999), eps=1e-8, bias_correction=False):
    s["m"] = betas[0] * s.get("m", 0.0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0.0) + (1 - betas[1]) * g**2
    if bias_correction:
        top = learning_rate / (1 - betas[0] ** t) * s["m"]
        return w - top / (sqrt(s["v"]) / sqrt(1 - betas[1] ** t) + eps)
    return w - learning_rate * s["m"] / (sqrt(s["v"]) + eps)


def mlx_adamw(w, g, s, t, learning_rate, weight_decay=0.01, **more):
    return mlx_adam(w * (1 - learning_rate * weight_decay), g, s, t, learning_rate, **more)


def mlx_lion(w, g, s, t, learning_rate, betas=(0.9, 0.99), weight_decay=0.0):
    c = betas[0] * s.get("m", 0.0) + (1 - betas[0]) * g
    s["m"] = betas[1] * s.get("m", 0.0) + (1 - betas[1]) * g
    return (1 - learning_rate * weight_decay) * w - learning_rate * np.sign(c)


def mlx_adafactor(w, g, s, t, eps=(1e-30, 1e-3), clip_threshold=1.0, decay_rate=-0.8):
    rate = maximum(eps[1], sqrt(np.mean(w**2))) * min(1e-2, 1 / sqrt(t))
    beta, squares = 1 - t**decay_rate, g**2 + eps[0]
    if w.ndim > 1:
        s["r"] = beta * s.get("r", 0.0) + (1 - beta) * squares.mean(-1)
        s["c"] = beta * s.get("c", 0.0) + (1 - beta) * squares.mean(-2)
        v = (s["r"] / s["r"].mean(-1, keepdims=True))[..., None] * s["c"][..., None, :]
    else:
        v = s["v"] = beta * s.get("v", 0.0) + (1 - beta) * squares
    u = g / sqrt(v)
    return w - rate * u / maximum(1.0, sqrt(np.mean(u**2)) / clip_threshold)


def mlx_muon(w, g, s, t, learning_rate, momentum=0.95, weight_decay=0.01, nesterov=True, ns_steps=5):
    g = g + weight_decay * w
    s["v"] = momentum * s.get("v", 0.0) + (1 - momentum) * g
    x = g * (1 - momentum) + s["v"] * momentum if nesterov else s["v"]
    tall = x.shape[0] > x.shape[1]
    x = (x.T if tall else x) / (np.linalg.norm(x) + 1e-7)
    for _ in range(ns_steps):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return w - learning_rate * max(1, w.shape[0] / w.shape[1]) ** 0.5 * (x.T if tall else x)


# Thinc: thinc/optimizers.py, `Optimizer.__call__` and `_adam`; thinc/backends/ops.py, `clip_gradient` -----------------


def thinc(w, g, learn_rate, L2, decays, grad_clip, step):
    if not decays:
        g = g + L2 * w
    length = sqrt(np.sum(g**2))
    if grad_clip and length >= grad_clip:
        g = g * (grad_clip / length)
    w = w - step(g)
    return w - learn_rate * L2 * w if decays else w


def thinc_sgd(w, g, s, t, learn_rate, L2=0.0, grad_clip=1.0, L2_is_weight_decay=True):
    return thinc(w, g, learn_rate, L2, L2_is_weight_decay, grad_clip, lambda g: learn_rate * g)


def thinc_adam(
    w, g, s, t, learn_rate=0.001, L2=0.0, beta1=0.9, beta2=0.999, eps=1e-8, grad_clip=1.0, L2_is_weight_decay=True
):
    def step(g):
        s["mom1"] = beta1 * s.get("mom1", 0.0) + (1 - beta1) * g
        s["mom2"] = beta2 * s.get("mom2", 0.0) + (1 - beta2) * g**2
        lr = learn_rate * (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        return lr * (s["mom1"] / (sqrt(s["mom2"]) + eps))

    return thinc(w, g, learn_rate, L2, L2_is_weight_decay, grad_clip, step)


# DeepSpeed ------------------------------------------------------------------------------------------------------------


def fused_adam(
    w, g, s, t, lr=1e-3, bias_correction=True, betas=(0.9, 0.999), eps=1e-8, adam_w_mode=True, weight_decay=0.0
):
    """csrc/adam/multi_tensor_adam.cu, `AdamFunctor`."""
    correction = [1 - beta**t if bias_correction else 1.0 for beta in betas]
    g = g if adam_w_mode else g + weight_decay * w
    s["m"] = betas[0] * s.get("m", 0.0) + (1 - betas[0]) * g
    s["v"] = betas[1] * s.get("v", 0.0) + (1 - betas[1]) * g * g
    update = s["m"] / correction[0] / (sqrt(s["v"] / correction[1]) + eps)
    return w - lr * (update + weight_decay * w if adam_w_mode else update)


def cpu_adam(w, g, s, t, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, adamw_mode=True):
    """csrc/adam/cpu_adam_impl.cpp, `Adam_Optimizer::Step_1`; the corrections are of csrc/includes/cpu_adam.h."""
    g = g if adamw_mode else w * weight_decay + g
    s["m"] = g * (1 - betas[0]) + s.get("m", 0.0) * betas[0]
    s["v"] = g * g * (1 - betas[1]) + s.get("v", 0.0) * betas[1]
    u = s["m"] / (sqrt(s["v"]) * (1 / sqrt(1 - betas[1] ** t)) + eps)
    w = w - lr * weight_decay * w if adamw_mode else w
    return u * (-lr / (1 - betas[0] ** t)) + w


def cpu_adagrad(w, g, s, t, lr=1e-2, eps=1e-10):
    """csrc/adagrad/cpu_adagrad.cpp, `Adagrad_Optimizer::Step_1`."""
    s["v"] = s.get("v", 0.0) + g * g
    return g / (sqrt(s["v"]) + eps) * -lr + w


def cpu_lion(w, g, s, t, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.0):
    """csrc/lion/cpu_lion_impl.cpp, `Lion_Optimizer::Step_1`."""
    step = -np.copysign(lr, g * (1 - betas[0]) + s.get("m", 0.0) * betas[0])
    s["m"] = g * (1 - betas[1]) + s.get("m", 0.0) * betas[1]
    return w * (1 - lr * weight_decay) + step


def fused_lion(w, g, s, t, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.0):
    """csrc/lion/multi_tensor_lion.cu, `LionFunctor`."""
    c = betas[0] * s.get("m", 0.0) + (1 - betas[0]) * g
    s["m"] = betas[1] * s.get("m", 0.0) + (1 - betas[1]) * g
    return w * (1 - lr * weight_decay) + where(c > 0, -lr, lr)


# tf-keras: tf_keras/optimizers/*.py, `update_step`; the decay is in optimizer.py, `weight_decay_fn` -------------------


def tf_sgd(w, g, s, t, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=0.0):
    w = w - w * weight_decay * learning_rate
    s["m"] = -g * learning_rate + s.get("m", 0.0) * momentum
    return w + (-g * learning_rate + s["m"] * momentum if nesterov else s["m"])


def tf_adagrad(w, g, s, t, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7):
    s["a"] = s.get("a", initial_accumulator_value) + g * g
    return w - learning_rate * g / sqrt(s["a"] + epsilon)


def tf_rmsprop(w, g, s, t, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    s["velocity"] = rho * s.get("velocity", 0.0) + (1 - rho) * g**2
    s["average"] = rho * s.get("average", 0.0) + (1 - rho) * g
    denominator = s["velocity"] - (s["average"] ** 2 if centered else 0.0) + epsilon
    s["momentum"] = momentum * s.get("momentum", 0.0) + learning_rate * g / sqrt(denominator)
    return w - s["momentum"]


def tf_adadelta(w, g, s, t, learning_rate=0.001, rho=0.95, epsilon=1e-7):
    """Also the kernel ApplyAdadelta of TensorFlow, which legacy/adadelta.py calls."""
    s["grad"] = rho * s.get("grad", 0.0) + (1 - rho) * g * g
    delta = -sqrt(s.get("delta", 0.0) + epsilon) * g / sqrt(s["grad"] + epsilon)
    s["delta"] = rho * s.get("delta", 0.0) + (1 - rho) * delta * delta
    return w + learning_rate * delta


def tf_adam(
    w, g, s, t, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, adaptive_epsilon=False, amsgrad=False,
    weight_decay=0.0,
):  # fmt: skip
    w = w - w * weight_decay * learning_rate
    alpha = learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t)
    s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1 - beta_1)
    s["v"] = s.get("v", 0.0) + (g**2 - s.get("v", 0.0)) * (1 - beta_2)
    s["v_hat"] = maximum(s.get("v_hat", 0.0), s["v"]) if amsgrad else s["v"]
    return w - s["m"] * alpha / (sqrt(s["v_hat"]) + epsilon * (sqrt(1 - beta_2**t) if adaptive_epsilon else 1.0))


def tf_adamw(w, g, s, t, weight_decay=0.004, **more):
    return tf_adam(w, g, s, t, weight_decay=weight_decay, **more)


def tf_adamax(w, g, s, t, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1 - beta_1)
    s["u"] = maximum(beta_2 * s.get("u", 0.0), abs(g))
    return w - learning_rate * s["m"] / ((1 - beta_1**t) * (s["u"] + epsilon))


def tf_nadam(w, g, s, t, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    u_t, u_next = (beta_1 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
    s["product"] = s.get("product", 1.0) * u_t
    s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1 - beta_1)
    s["v"] = s.get("v", 0.0) + (g**2 - s.get("v", 0.0)) * (1 - beta_2)
    m_hat = u_next * s["m"] / (1 - s["product"] * u_next) + (1 - u_t) * g / (1 - s["product"])
    return w - m_hat * learning_rate / (sqrt(s["v"] / (1 - beta_2**t)) + epsilon)


def tf_ftrl(w, g, s, t, learning_rate=0.001, initial_accumulator_value=0.1, l1_regularization_strength=0.0):
    before = s.get("n", initial_accumulator_value)
    s["n"] = before + g**2
    z = s["z"] = s.get("z", 0.0) + g - (sqrt(s["n"]) - sqrt(before)) / learning_rate * w
    clipped = np.clip(z, -l1_regularization_strength, l1_regularization_strength)
    return (clipped - z) / (sqrt(s["n"]) / learning_rate)


def tf_lion(w, g, s, t, learning_rate=0.0001, beta_1=0.9, beta_2=0.99):
    m = s.get("m", 0.0)
    s["m"] = m * beta_2 + g * (1 - beta_2)
    return w - learning_rate * np.sign(m * beta_1 + g * (1 - beta_1))


def tf_adafactor(
    w, g, s, t, learning_rate=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0
):
    rate = maximum(epsilon_2, sqrt(np.mean(w**2))) * min(learning_rate, 1 / sqrt(t))
    beta, squares = 1 - t**beta_2_decay, g**2 + epsilon_1
    if w.ndim > 1:
        s["r"] = beta * s.get("r", 0.0) + (1 - beta) * squares.mean(-1)
        s["c"] = beta * s.get("c", 0.0) + (1 - beta) * squares.mean(-2)
        v = (s["r"] / s["r"].mean(-1, keepdims=True))[..., None] * s["c"][..., None, :]
    else:
        v = s["v"] = beta * s.get("v", 0.0) + (1 - beta) * squares
    u = g / sqrt(v)
    return w - rate * u / maximum(1.0, sqrt(np.mean(u**2)) / clip_threshold)


def tf_legacy_sgd(w, g, s, t, learning_rate=0.01, momentum=0.0, nesterov=False, decay=0.0):
    """legacy/gradient_descent.py and optimizer_v2.py, `_decayed_lr`; the kernel ApplyKerasMomentum of TensorFlow."""
    lr = learning_rate / (1 + decay * (t - 1))
    s["a"] = s.get("a", 0.0) * momentum - lr * g
    return w + (s["a"] * momentum - lr * g if nesterov else s["a"])


def tf_legacy_rmsprop(w, g, s, t, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    """legacy/rmsprop.py, `_resource_apply_dense`; with momentum the kernels Apply(Centered)RMSProp of TensorFlow."""
    s["ms"] = rho * s.get("ms", 0.0) + (1 - rho) * g**2
    s["mg"] = rho * s.get("mg", 0.0) + (1 - rho) * g
    denominator = s["ms"] - s["mg"] ** 2 if centered else s["ms"]
    if not momentum:
        return w - learning_rate * g / (sqrt(denominator) + epsilon)
    s["mom"] = momentum * s.get("mom", 0.0) + learning_rate * g / sqrt(denominator + epsilon)
    return w - s["mom"]


STEPS = {
    "mlx.optimizers.SGD": mlx_sgd,
    "mlx.optimizers.RMSprop": mlx_rmsprop,
    "mlx.optimizers.Adagrad": mlx_adagrad,
    "mlx.optimizers.AdaDelta": mlx_adadelta,
    "mlx.optimizers.Adam": mlx_adam,
    "mlx.optimizers.AdamW": mlx_adamw,
    "mlx.optimizers.Lion": mlx_lion,
    "mlx.optimizers.Adafactor": mlx_adafactor,
    "mlx.optimizers.Muon": mlx_muon,
    "thinc.optimizers.SGD": thinc_sgd,
    "thinc.optimizers.Adam": thinc_adam,
    "deepspeed.ops.adam.FusedAdam": fused_adam,
    "deepspeed.ops.adam.DeepSpeedCPUAdam": cpu_adam,
    "deepspeed.ops.adagrad.DeepSpeedCPUAdagrad": cpu_adagrad,
    "deepspeed.ops.lion.DeepSpeedCPULion": cpu_lion,
    "deepspeed.ops.lion.FusedLion": fused_lion,
    "tf_keras.optimizers.SGD": tf_sgd,
    "tf_keras.optimizers.Adagrad": tf_adagrad,
    "tf_keras.optimizers.RMSprop": tf_rmsprop,
    "tf_keras.optimizers.Adadelta": tf_adadelta,
    "tf_keras.optimizers.Adam": tf_adam,
    "tf_keras.optimizers.AdamW": tf_adamw,
    "tf_keras.optimizers.Adamax": tf_adamax,
    "tf_keras.optimizers.Nadam": tf_nadam,
    "tf_keras.optimizers.Ftrl": tf_ftrl,
    "tf_keras.optimizers.Lion": tf_lion,
    "tf_keras.optimizers.Adafactor": tf_adafactor,
    "tf_keras.optimizers.legacy.SGD": tf_legacy_sgd,
    "tf_keras.optimizers.legacy.RMSprop": tf_legacy_rmsprop,
    "tf_keras.optimizers.legacy.Adadelta": tf_adadelta,
}

# What other tests hold against these libraries already.
ELSEWHERE = {
    "mlx.optimizers.Adamax": "tests/oracles/adam_forms.py",
    "tf_keras.optimizers.legacy.Adagrad": "tests/rules/test_transcribed.py and test_recorded.py",
    "tf_keras.optimizers.legacy.Adam": "tests/rules/test_transcribed.py and test_recorded.py",
    "tf_keras.optimizers.legacy.Adamax": "tests/rules/test_recorded.py",
    "tf_keras.optimizers.legacy.Nadam": "tests/rules/test_recorded.py",
    "tf_keras.optimizers.legacy.Ftrl": "tests/rules/test_recorded.py",
    "pennylane.GradientDescentOptimizer": "tests/rules/test_transcribed.py",
    "pennylane.MomentumOptimizer": "tests/rules/test_transcribed.py",
    "pennylane.AdagradOptimizer": "tests/rules/test_transcribed.py",
    "pennylane.RMSPropOptimizer": "tests/rules/test_transcribed.py",
    "pennylane.AdamOptimizer": "tests/rules/test_transcribed.py",
}
