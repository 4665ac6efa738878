"""keras.optimizers, and tf-keras: the Keras 2 that lives on beside TensorFlow, with optimizers of two generations."""

from __future__ import annotations

from thalweg.elsewhere.row import library

DECAY = "weight_decay of every Keras optimizer shrinks the old parameter by lr * weight_decay, as the link does"

KERAS = library(
    "keras",
    "Keras",
    "3.15",
    "keras.optimizers",
    [
        ("SGD()", 'tw.SGD(convention="keras")'),
        ("SGD(weight_decay=0.004)", 'tw.chain(tw.SGD(convention="keras"), tw.decoupled_decay(0.004))', DECAY),
        (
            "SGD(momentum=0.9)",
            'tw.Momentum(convention="keras")',
            "lr is inside of the velocity: a new lr acts on new gradients alone",
        ),
        ("SGD(momentum=0.9, nesterov=True)", 'tw.Nesterov(convention="keras")'),
        ("Adagrad()", 'tw.AdaGrad(convention="keras")', "h starts at 0.1, and eps is inside of the root"),
        ("RMSprop()", 'tw.RMSprop(convention="keras")', "eps is inside of the root; rho is 0.9, where torch has 0.99"),
        ("RMSprop(momentum=0.9)", 'tw.RMSprop(momentum=0.9, convention="keras")', "lr is inside of the momentum"),
        ("RMSprop(centered=True)", 'tw.RMSprop(convention="keras-centered")'),
        ("Adadelta()", 'tw.AdaDelta(convention="keras")', "lr is 0.001: a thousandth of the paper's steps"),
        ("Adam()", 'tw.Adam(convention="keras")', "eps is beside the root of the uncorrected v"),
        ("Adam(amsgrad=True)", 'tw.AMSGrad(convention="keras")'),
        ("AdamW()", 'tw.AdamW(convention="keras")', "the decay is 0.004 by default"),
        ("AdamW(amsgrad=True)", 'tw.chain(tw.AMSGrad(convention="keras"), tw.decoupled_decay(0.004))'),
        ("Adamax()", 'tw.AdaMax(convention="keras")', "eps is added to u"),
        ("Nadam()", 'tw.NAdam(convention="keras")', "the exponent of its schedule is 1, where torch has 0.004"),
        ("Ftrl()", 'tw.FTRL(convention="keras")', "l2 counts twice, and n starts at 0.1"),
        ("Lion()", 'tw.Lion(convention="keras")', "lr is 1e-3, where the paper has 1e-4"),
        ("Lion(weight_decay=0.01)", 'tw.Lion(weight_decay=0.01, convention="keras")'),
        (
            "Lamb(weight_decay=0.01)",
            'tw.LAMB(weight_decay=0.01, convention="keras")',
            "the decay comes before, so that neither norm has it",
        ),
        ("Adafactor()", 'tw.Adafactor(convention="keras")', "keeps v in full for matrices too, and reads it nowhere"),
        (
            "Muon()",
            'tw.Muon(convention="keras")',
            "the momentum is a sum; goes by AdamW for embeddings too, which it knows by their names",
        ),
        (
            "ScheduleFreeAdamW()",
            'tw.ScheduleFreeAdamW(convention="keras")',
            "every step has the same weight in the average; opt.averaged() shows it",
        ),
        ("Adam(clipvalue=0.5)", 'tw.chain(tw.clip_value(0.5), tw.Adam(convention="keras"))'),
        ("Adam(clipnorm=1.0)", 'tw.chain(tw.clip_norm(1.0), tw.Adam(convention="keras"))', "tensor by tensor"),
        ("Adam(global_clipnorm=1.0)", 'tw.chain(tw.clip_global_norm(1.0), tw.Adam(convention="keras"))'),
        (
            "Adam(use_ema=True)",
            'tw.chain(tw.Adam(convention="keras"), tw.ema(0.99))',
            "opt.averaged() shows the average; ema_overwrite_frequency is overwrite",
        ),
        (
            "Adam(gradient_accumulation_steps=4)",
            'tw.chain(tw.accumulate(4), tw.Adam(convention="keras"))',
        ),
    ],
    [
        (
            "LossScaleOptimizer",
            "scales the loss for half precision: divide gradients by the scale; nonfinite='skip' skips overflows",
        ),
        ("MultiOptimizer", "hands variables to several optimizers: groups={'pattern': tw.Adam()} does that here"),
    ],
)

TF_KERAS = library(
    "tf-keras",
    "tf-keras",
    "2.21",
    "tf_keras.optimizers",
    [
        ("SGD()", 'tw.SGD(convention="keras")'),
        ("SGD(weight_decay=0.004)", 'tw.chain(tw.SGD(convention="keras"), tw.decoupled_decay(0.004))', DECAY),
        ("SGD(momentum=0.9)", 'tw.Momentum(convention="keras")'),
        ("SGD(momentum=0.9, nesterov=True)", 'tw.Nesterov(convention="keras")'),
        ("Adagrad()", 'tw.AdaGrad(convention="keras")', "eps is inside of the root; the legacy class has it outside"),
        ("RMSprop(momentum=0.9)", 'tw.RMSprop(momentum=0.9, convention="keras")'),
        ("RMSprop(centered=True)", 'tw.RMSprop(convention="keras-centered")'),
        ("Adadelta()", 'tw.AdaDelta(convention="keras")'),
        ("Adam()", 'tw.Adam(convention="keras")'),
        (
            "Adam(adaptive_epsilon=True)",
            'tw.Adam(eps=1e-7, convention="torch")',
            "eps is corrected like v, which puts it beside the corrected root",
        ),
        ("Adam(amsgrad=True)", 'tw.AMSGrad(convention="keras")'),
        ("AdamW()", 'tw.AdamW(convention="keras")'),
        ("Adamax()", 'tw.AdaMax(convention="keras")'),
        ("Nadam()", 'tw.NAdam(convention="keras")'),
        ("Ftrl(l1_regularization_strength=0.01)", 'tw.FTRL(l1=0.01, convention="keras")'),
        ("Lion()", 'tw.Lion(1e-4, convention="keras")', "lr is 1e-4 as in the paper, and 1e-3 in Keras 3"),
        ("Adafactor()", 'tw.Adafactor(convention="keras")'),
        ("legacy.SGD()", 'tw.SGD(convention="keras")'),
        (
            "legacy.SGD(decay=0.01)",
            'tw.SGD(lambda t: 0.01 / (1 + 0.01 * (t - 1)), convention="keras")',
            "decay is of the rate, in every legacy class but Nadam; no decay of weights",
        ),
        ("legacy.SGD(momentum=0.9)", 'tw.Momentum(convention="keras")'),
        ("legacy.SGD(momentum=0.9, nesterov=True)", 'tw.Nesterov(convention="keras")'),
        (
            "legacy.Adagrad()",
            'tw.AdaGrad(convention="tensorflow")',
            "eps is outside of the root, where the newer class and Keras 3 have it inside",
        ),
        (
            "legacy.RMSprop()",
            'tw.RMSprop(1e-3, decay_rate=0.9, eps=1e-7, convention="torch")',
            "eps is outside of the root without momentum, and inside of it with momentum",
        ),
        ("legacy.RMSprop(momentum=0.9)", 'tw.RMSprop(momentum=0.9, convention="keras")', "here eps is inside"),
        (
            "legacy.RMSprop(centered=True)",
            'tw.RMSprop(1e-3, decay_rate=0.9, eps=1e-7, convention="torch-centered")',
        ),
        ("legacy.RMSprop(momentum=0.9, centered=True)", 'tw.RMSprop(momentum=0.9, convention="keras-centered")'),
        ("legacy.Adadelta()", 'tw.AdaDelta(convention="keras")'),
        ("legacy.Adam()", 'tw.Adam(convention="tensorflow")'),
        ("legacy.Adam(amsgrad=True)", 'tw.AMSGrad(convention="keras")'),
        ("legacy.Adamax()", 'tw.AdaMax(convention="keras")'),
        (
            "legacy.Nadam()",
            'tw.NAdam(momentum_decay=0.004, convention="keras")',
            "the exponent of its schedule is 0.004 as in torch, and 1 in the newer class",
        ),
        ("legacy.Ftrl(l1_regularization_strength=0.01)", 'tw.FTRL(l1=0.01, convention="keras")'),
    ],
)
