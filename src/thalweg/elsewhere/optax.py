"""optax, and what it has under `contrib`. Where a learning rate is given here, there is no default for it."""

from __future__ import annotations

from thalweg.elsewhere.row import library

PARTS = "is a part that optimizers are chained of, and no optimizer by itself"

OPTAX = library(
    "optax",
    "optax",
    "0.2.8",
    "optax",
    [
        ("sgd(0.01)", 'tw.SGD(0.01, convention="optax")'),
        (
            "sgd(0.01, momentum=0.9)",
            'tw.Momentum(0.01, 0.9, convention="optax")',
            "torch's form: lr is a factor outside of the buffer",
        ),
        ("sgd(0.01, momentum=0.9, nesterov=True)", 'tw.Nesterov(0.01, 0.9, convention="optax")'),
        (
            "adagrad(0.01)",
            'tw.AdaGrad(0.01, convention="optax")',
            "h starts at 0.1, eps is inside of the root, and where h is zero there is no step",
        ),
        (
            "rmsprop(0.01)",
            'tw.RMSprop(0.01, convention="optax")',
            "eps is inside of the root unless eps_in_sqrt=False",
        ),
        ("rmsprop(0.01, eps_in_sqrt=False)", 'tw.RMSprop(0.01, convention="paper")'),
        ("rmsprop(0.01, centered=True)", 'tw.RMSprop(0.01, convention="optax-centered")'),
        (
            "rmsprop(0.01, bias_correction=True)",
            'tw.Adam(0.01, beta1=0.0, beta2=0.9, eps=0.0, eps_root=1e-8, convention="optax")',
            "corrected RMSprop is Adam without an average of gradients",
        ),
        ("rmsprop(0.01, momentum=0.9)", 'tw.RMSprop(0.01, momentum=0.9, convention="optax")', "lr is in the momentum"),
        ("adadelta(1.0)", 'tw.AdaDelta(1.0, convention="optax")'),
        (
            "adadelta(1.0, weight_decay=0.01)",
            'tw.chain(tw.l2(0.01), tw.AdaDelta(1.0, convention="optax"))',
            "a part of the gradient, where the decay of optax.adamw and its like is beside the step",
        ),
        ("adam(1e-3)", 'tw.Adam(1e-3, convention="optax")', "eps is beside the corrected root, eps_root inside of it"),
        ("adamw(1e-3)", 'tw.AdamW(1e-3, convention="optax")', "the decay is 1e-4 by default, where torch has 0.01"),
        (
            "nadam(2e-3)",
            'tw.NAdam(2e-3, convention="optax")',
            "no schedule of the momentum, which torch and Keras have",
        ),
        ("nadamw(2e-3)", 'tw.chain(tw.NAdam(2e-3, convention="optax"), tw.decoupled_decay(1e-4))'),
        (
            "amsgrad(1e-3)",
            'tw.AMSGrad(1e-3, convention="optax")',
            "the maximum is of the corrected v, where torch and Keras take that of v itself",
        ),
        (
            "amsgrad(1e-3, bias_correction_mu=False, bias_correction_nu=False)",
            'tw.AMSGrad(1e-3, eps=1e-8, convention="paper")',
        ),
        ("adamax(2e-3)", 'tw.AdaMax(2e-3, convention="optax")', "eps is added to each |g|, as in torch"),
        ("adamaxw(2e-3)", 'tw.chain(tw.AdaMax(2e-3, convention="optax"), tw.decoupled_decay(1e-4))'),
        ("radam(1e-3)", 'tw.RAdam(1e-3, convention="optax")', "rectifies from rho >= 5 on"),
        ("adabelief(1e-3)", 'tw.AdaBelief(1e-3, convention="optax")', "eps_root is added into s, eps beside the root"),
        ("yogi(0.01)", 'tw.Yogi(0.01, convention="optax")', "m and v both start at 1e-6"),
        (
            "adan(1e-3)",
            'tw.Adan(1e-3, convention="optax")',
            "weighs differences of gradients with 1 - b2 = 0.08, where the authors weigh them with 0.92",
        ),
        ("lion(1e-4)", 'tw.Lion(1e-4, convention="optax")', "the decay is 1e-3 by default, and is chained behind"),
        ("sign_sgd(1e-3)", 'tw.SignSGD(1e-3, convention="optax")'),
        ("signum(1e-3)", 'tw.Signum(1e-3, convention="optax")'),
        (
            "lars(1.0, weight_decay=1e-4)",
            'tw.LARS(1.0, weight_decay=1e-4, convention="optax")',
            "the norm is that of g + weight_decay * w, where the paper adds the two norms",
        ),
        ("lamb(1e-3)", 'tw.LAMB(1e-3, convention="optax")'),
        ("novograd(0.01)", 'tw.NovoGrad(0.01, convention="optax")', "b2 is 0.25 by default; the paper has 0.98"),
        ("fromage(0.01)", 'tw.Fromage(0.01, convention="optax")', "no norm counts for less than min_norm"),
        (
            "adafactor(min_dim_size_to_factor=1)",
            'tw.Adafactor(convention="optax")',
            "factors axes of 128 and more alone unless told otherwise, and computes t**-decay in float32",
        ),
        (
            "sm3(0.1)",
            'tw.SM3(0.1, convention="optax")',
            "eps is 1e-8 and fixed; it covers every axis, and here the last two are covered, of a tensor of more",
        ),
        ("polyak_sgd()", 'tw.PolyakSGD(convention="optax")', "needs the loss: update(params, grads, value=loss)"),
    ],
    [
        (
            "rprop",
            "returns the step of the call before, so that the first is zero (optax #1725); tw.Rprop() is torch's",
        ),
        (
            "noisy_sgd",
            "draws other numbers, of variance eta / t**gamma; tw.chain(tw.noise(), tw.SGD()): eta / (1 + t)**gamma",
        ),
        ("optimistic_gradient_descent", "adds the change of the gradient, for games of two players"),
        ("optimistic_adam", "adds the change of Adam's step, for games of two players"),
        ("optimistic_adam_v2", "adds the change of Adam's step, for games of two players"),
        ("lbfgs", "searches lines by zoom, and starts at another scale: tw.LBFGS() is torch's form"),
    ],
)

CONTRIB = library(
    "optax.contrib",
    "optax",
    "0.2.8",
    "optax.contrib",
    [
        ("ademamix(1e-3)", 'tw.AdEMAMix(1e-3, convention="optax")', "alpha and b3 warm up by schedules"),
        ("simplified_ademamix(1e-5)", 'tw.AdEMAMix(1e-5, convention="simplified")'),
        ("adopt(1e-3)", 'tw.ADOPT(1e-3, convention="optax")'),
        ("madgrad(0.01)", 'tw.MADGRAD(0.01, convention="optax")', "takes the root of t in float32"),
        ("dadapt_adamw()", 'tw.DAdaptAdam(convention="optax")', "with Adam's corrections, which the authors leave out"),
        ("prodigy()", 'tw.Prodigy(convention="optax")', "with Adam's corrections, which the authors leave out"),
        (
            "muon(1e-3)",
            'tw.Muon(1e-3, convention="optax")',
            "corrects the momentum; all but matrices go by optax.nadamw",
        ),
        ("dog()", 'tw.DoG(convention="optax")'),
        ("dowg()", 'tw.DoWG(convention="optax")'),
        ("schedule_free_sgd()", 'tw.ScheduleFreeSGD(convention="optax")'),
        ("schedule_free_adamw()", 'tw.ScheduleFreeAdamW(convention="optax")'),
        (
            "sophia(1e-4)",
            'tw.Sophia(1e-4, convention="optax")',
            "estimates the Hessian itself; here it is given: update(params, grads, hessian=diagonal)",
        ),
    ],
    [
        ("acprop", "is AdaBelief that divides by the s of the step before; tw.AdaBelief divides by that of now"),
        ("cocob", "bets coins on directions and takes no steps; tw.DoG and tw.Prodigy have no rate to choose either"),
        ("momo", "needs a lower bound of the loss for each batch; tw.PolyakSGD is its kin"),
        ("momo_adam", "needs a lower bound of the loss for each batch; tw.PolyakSGD is its kin"),
        ("mechanize", "finds the rate of any other optimizer; tw.DoG, tw.Prodigy and tw.DAdaptAdam find their own"),
        ("schedule_free", "wraps any other optimizer; tw.ScheduleFreeSGD and tw.ScheduleFreeAdamW are the two in use"),
        ("galore", "projects gradients on a few singular vectors; tw.Adafactor and tw.SM3 save memory in other ways"),
        ("sam", "spreads one step over two calls; tw.chain(tw.sam(), ...) takes it whole, with a closure"),
        ("dpsgd", "needs the gradient of each example, which nobody gives here"),
        ("differentially_private_aggregate", PARTS),
        ("hutchinson_estimator_diag_hessian", PARTS),
        ("normalize", PARTS),
        ("reduce_on_plateau", "a schedule: tw.schedules.reduce_on_plateau"),
        ("split_real_and_imaginary", "parameters are real numbers here"),
        ("schedule_free_eval_params", "what opt.averaged() shows"),
    ],
)
