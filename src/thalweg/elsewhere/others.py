"""PennyLane, scikit-learn, MLX, Thinc and DeepSpeed."""

from __future__ import annotations

from thalweg.elsewhere.row import library

QUANTUM = "works on the circuit and not on a gradient"
MU_P = "is of the package mup, and sets rates by the widths of tensors: groups={'pattern': dict(lr=...)} does it here"
SHORTER = 'tw.Adam(9.999e-4, convention="sklearn")'
ONE_BIT = "compresses what machines exchange; here there is one machine"

PENNYLANE = library(
    "pennylane",
    "PennyLane",
    "0.46",
    "pennylane",
    [
        ("GradientDescentOptimizer()", 'tw.SGD(convention="pennylane")'),
        ("MomentumOptimizer()", 'tw.Momentum(convention="pennylane")'),
        (
            "NesterovMomentumOptimizer()",
            'tw.Nesterov(convention="paper")',
            "asks for the gradient at the look-ahead point and stores the other; here the look-ahead point is stored",
        ),
        ("AdagradOptimizer()", 'tw.AdaGrad(convention="pennylane")', "eps is inside of the root"),
        ("RMSPropOptimizer()", 'tw.RMSprop(convention="pennylane")', "eps is inside of the root"),
        ("AdamOptimizer()", 'tw.Adam(convention="pennylane")', "beta2 is 0.99, and eps beside the uncorrected root"),
    ],
    [
        ("SPSAOptimizer", "estimates the gradient from two values of the function; give such an estimate to any rule"),
        ("AdaptiveOptimizer", QUANTUM),
        ("QNGOptimizer", QUANTUM),
        ("QNGOptimizerQJIT", QUANTUM),
        ("MomentumQNGOptimizer", QUANTUM),
        ("MomentumQNGOptimizerQJIT", QUANTUM),
        ("QNSPSAOptimizer", QUANTUM),
        ("RiemannianGradientOptimizer", QUANTUM),
        ("RotoselectOptimizer", QUANTUM),
        ("RotosolveOptimizer", QUANTUM),
        ("ShotAdaptiveOptimizer", QUANTUM),
    ],
)

SKLEARN = library(
    "sklearn",
    "scikit-learn",
    "1.9",
    "sklearn",
    [
        ('neural_network.MLPClassifier(solver="adam")', 'tw.Adam(convention="sklearn")'),
        (
            'neural_network.MLPClassifier(solver="sgd")',
            'tw.Nesterov(1e-3, convention="keras")',
            "Nesterov's momentum unless told otherwise; alpha is a penalty in the gradient, over the size of the batch",
        ),
        (
            'neural_network.MLPClassifier(solver="sgd", nesterovs_momentum=False)',
            'tw.Momentum(1e-3, convention="keras")',
        ),
        (
            'neural_network.MLPClassifier(solver="sgd", nesterovs_momentum=False, momentum=0.0)',
            'tw.SGD(1e-3, convention="keras")',
        ),
        (
            'linear_model.SGDRegressor(learning_rate="constant", eta0=0.01, fit_intercept=False)',
            'tw.chain(tw.SGD(0.01, convention="keras"), tw.decoupled_decay(1e-4))',
            "a step for each sample; alpha shrinks the weights, and not the intercept, by 1 - eta * alpha",
        ),
    ],
    [('neural_network.MLPClassifier(solver="lbfgs")', "is SciPy's L-BFGS-B; tw.LBFGS is torch's form")],
)

MLX = library(
    "mlx",
    "MLX",
    "0.32",
    "mlx.optimizers",
    [
        ("SGD(0.01)", 'tw.SGD(0.01, convention="torch")'),
        ("SGD(0.01, weight_decay=1e-4)", 'tw.chain(tw.l2(1e-4), tw.SGD(0.01, convention="torch"))'),
        (
            "SGD(0.01, momentum=0.9, dampening=0.5)",
            'tw.Momentum(0.01, dampening=0.5, convention="mlx")',
            "the first gradient is damped as well",
        ),
        ("SGD(0.01, momentum=0.9, nesterov=True)", 'tw.Nesterov(0.01, convention="torch")'),
        ("Adagrad(0.01)", 'tw.AdaGrad(0.01, eps=1e-8, convention="torch")'),
        ("RMSprop(0.01)", 'tw.RMSprop(0.01, convention="torch")'),
        ("AdaDelta(1.0)", 'tw.AdaDelta(1.0, convention="torch")'),
        ("Adam(1e-3)", 'tw.Adam(1e-3, convention="mlx")', "corrects no bias unless told to"),
        ("Adam(1e-3, bias_correction=True)", 'tw.Adam(1e-3, convention="torch")'),
        ("AdamW(1e-3)", 'tw.AdamW(1e-3, convention="mlx")', "corrects no bias unless told to"),
        ("AdamW(1e-3, bias_correction=True)", 'tw.AdamW(1e-3, convention="torch")'),
        ("Adamax(2e-3)", 'tw.AdaMax(2e-3, convention="mlx")', "corrects no bias"),
        ("Lion(1e-4, weight_decay=0.01)", 'tw.Lion(1e-4, weight_decay=0.01, convention="paper")'),
        (
            "Adafactor()",
            'tw.Adafactor(convention="paper")',
            "its decay is multiplied by the relative step, and its beta_1 is not here",
        ),
        (
            "Muon(0.02)",
            'tw.chain(tw.l2(0.01), tw.Muon(0.02, layout="out_in", convention="authors"))',
            "the decay is a part of the gradient; vectors go by the momentum alone, where ours go by AdamW",
        ),
    ],
    [("MultiOptimizer", "hands parameters to several optimizers: groups={'pattern': tw.Adam()} does that here")],
)

THINC = library(
    "thinc",
    "Thinc",
    "9.1",
    "thinc.optimizers",
    [
        (
            "SGD(0.01)",
            'tw.chain(tw.clip_norm(1.0), tw.SGD(0.01, convention="keras"))',
            "every Thinc optimizer clips the norm of each tensor to 1 unless told otherwise (grad_clip)",
        ),
        ("SGD(0.01, grad_clip=0.0)", 'tw.SGD(0.01, convention="keras")'),
        (
            "Adam()",
            'tw.chain(tw.clip_norm(1.0), tw.Adam(convention="sklearn"))',
            "eps is beside the uncorrected root; its average of the parameters (use_averages) is not in the expression",
        ),
        (
            "Adam(L2=0.01, L2_is_weight_decay=False)",
            'tw.chain(tw.l2(0.01), tw.clip_norm(1.0), tw.Adam(convention="sklearn"))',
            "the penalty is clipped with the gradient",
        ),
        (
            "Adam(L2=0.1)",
            f'tw.chain(tw.clip_norm(1.0), {SHORTER}, tw.decoupled_decay(1e-4, "absolute"))',
            "decays behind the step, and so the step too: the rate is lr * (1 - lr * L2), the decay lr * L2",
        ),
    ],
    [
        (
            "RAdam",
            "counts its steps from two in every correction; tw.RAdam counts from one",
        ),
    ],
)

DEEPSPEED = library(
    "deepspeed",
    "DeepSpeed",
    "0.19",
    "deepspeed",
    [
        (
            "ops.adam.FusedAdam()",
            'tw.AdamW(weight_decay=0.0, convention="optax")',
            'is AdamW unless adam_w_mode=False, also where its name in a configuration is "Adam"; the decay is 0',
        ),
        ("ops.adam.FusedAdam(weight_decay=0.01)", 'tw.AdamW(convention="optax", weight_decay=0.01)'),
        (
            "ops.adam.FusedAdam(weight_decay=0.01, adam_w_mode=False)",
            'tw.chain(tw.l2(0.01), tw.Adam(convention="optax"))',
        ),
        ("ops.adam.FusedAdam(bias_correction=False)", 'tw.AdamW(weight_decay=0.0, convention="mlx")'),
        ("ops.adam.DeepSpeedCPUAdam(weight_decay=0.01)", 'tw.AdamW(convention="torch")'),
        (
            "ops.adam.DeepSpeedCPUAdam(weight_decay=0.01, adamw_mode=False)",
            'tw.chain(tw.l2(0.01), tw.Adam(convention="torch"))',
        ),
        (
            "ops.adagrad.DeepSpeedCPUAdagrad()",
            'tw.AdaGrad(convention="torch")',
            "weight_decay goes into h alone there, and not into the step",
        ),
        (
            "ops.lion.DeepSpeedCPULion(weight_decay=0.01)",
            'tw.Lion(1e-3, beta2=0.999, weight_decay=0.01, convention="paper")',
            "beta2 is 0.999; where the average is exactly zero it moves by lr all the same",
        ),
        (
            "ops.lion.FusedLion(weight_decay=0.01)",
            'tw.Lion(1e-3, beta2=0.999, weight_decay=0.01, convention="paper")',
            "beta2 is 0.999; where the average is exactly zero it moves by lr all the same, the other way",
        ),
    ],
    [
        (
            "ops.lamb.FusedLamb",
            "keeps the ratio of norms between 0.01 and 10, and corrects the bias behind it; tw.LAMB has no such limits",
        ),
        ("ops.adam.ZenFlowCPUAdam", "is DeepSpeedCPUAdam, overlapped with the work of another device"),
        ("runtime.zero.muon.MuonWithAuxAdam", "is Muon in half precision, by another order of products"),
        ("runtime.fp16.onebit.OnebitAdam", ONE_BIT),
        ("runtime.fp16.onebit.OnebitLamb", ONE_BIT),
        ("runtime.fp16.onebit.ZeroOneAdam", ONE_BIT),
        ("runtime.config.MUADAM_OPTIMIZER", MU_P),
        ("runtime.config.MUADAMW_OPTIMIZER", MU_P),
        ("runtime.config.MUSGD_OPTIMIZER", MU_P),
    ],
)
