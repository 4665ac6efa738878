"""torch.optim."""

from __future__ import annotations

from thalweg.elsewhere.row import library

TORCH = library(
    "torch",
    "PyTorch",
    "2.13",
    "torch.optim",
    [
        ("SGD()", 'tw.SGD(convention="torch")'),
        (
            "SGD(weight_decay=1e-4)",
            'tw.chain(tw.l2(1e-4), tw.SGD(convention="torch"))',
            "weight_decay is a part of the gradient, so for all of torch.optim but AdamW, Adafactor and Muon",
        ),
        (
            "SGD(momentum=0.9)",
            'tw.Momentum(convention="torch")',
            "the buffer is a sum of gradients, and lr a factor outside: a new lr acts on all of it at once",
        ),
        (
            "SGD(momentum=0.9, dampening=0.5)",
            'tw.Momentum(dampening=0.5, convention="torch")',
            "the first gradient is not damped",
        ),
        ("SGD(momentum=0.9, nesterov=True)", 'tw.Nesterov(convention="torch")'),
        ("Adagrad()", 'tw.AdaGrad(convention="torch")'),
        ("Adagrad(lr_decay=0.01)", 'tw.AdaGrad(lr_decay=0.01, convention="torch")'),
        (
            "RMSprop(momentum=0.9)",
            'tw.RMSprop(momentum=0.9, convention="torch")',
            "lr is a factor outside of the momentum, where Keras and optax have it inside",
        ),
        ("RMSprop(centered=True)", 'tw.RMSprop(convention="torch-centered")'),
        ("Adadelta()", 'tw.AdaDelta(convention="torch")', "lr is 1, where Keras has 0.001"),
        ("Adam()", 'tw.Adam(convention="torch")', "eps is beside the corrected root"),
        (
            "Adam(weight_decay=0.01)",
            'tw.chain(tw.l2(0.01), tw.Adam(convention="torch"))',
            "no AdamW: the decay goes through m and v",
        ),
        ("Adam(weight_decay=0.01, decoupled_weight_decay=True)", 'tw.AdamW(convention="torch")'),
        (
            "Adam(amsgrad=True)",
            'tw.AMSGrad(convention="torch")',
            "the maximum is of the uncorrected v, where optax takes that of the corrected one",
        ),
        (
            "AdamW()",
            'tw.AdamW(convention="torch")',
            "the decay is multiplied by lr, as in every library and not in the paper; it is 0.01 by default",
        ),
        ("AdamW(amsgrad=True)", 'tw.chain(tw.AMSGrad(convention="torch"), tw.decoupled_decay(0.01))'),
        ("Adamax()", 'tw.AdaMax(convention="torch")', "eps is added to each |g|, not to u"),
        ("NAdam()", 'tw.NAdam(convention="torch")'),
        (
            "NAdam(weight_decay=0.01, decoupled_weight_decay=True)",
            'tw.chain(tw.NAdam(convention="torch"), tw.decoupled_decay(0.01))',
        ),
        ("RAdam()", 'tw.RAdam(convention="torch")', "rectifies from rho > 5 on; the paper: from rho > 4"),
        (
            "RAdam(weight_decay=0.01, decoupled_weight_decay=True)",
            'tw.chain(tw.RAdam(convention="torch"), tw.decoupled_decay(0.01))',
        ),
        ("Rprop()", 'tw.Rprop(convention="torch")', "after a change of sign the gradient counts as zero: iRprop-"),
        ("ASGD()", 'tw.ASGD(convention="torch")', "its `ax` is what `opt.averaged()` shows"),
        (
            "Adafactor()",
            'tw.Adafactor(convention="torch")',
            "eps1 is float64's epsilon, and there that of the dtype, of float32 eps1=2**-23; decay is -beta2_decay",
        ),
        (
            "Muon()",
            'tw.Muon(layout="out_in", convention="torch")',
            "takes matrices alone, and iterates in bfloat16; here vectors go by AdamW and the dtype is the parameter's",
        ),
        (
            'Muon(adjust_lr_fn="match_rms_adamw")',
            'tw.Muon(layout="out_in", convention="torch-match-rms")',
        ),
        (
            'LBFGS(line_search_fn="strong_wolfe")',
            "tw.LBFGS()",
            "without line_search_fn it is tw.LBFGS(line_search=None)",
        ),
    ],
    [
        (
            "SparseAdam",
            "moves those elements alone that a sparse gradient has; gradients are dense arrays here",
        ),
    ],
)
