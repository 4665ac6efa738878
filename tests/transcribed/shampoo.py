"""Shampoo in blocks. A vector is a row, with one matrix beside it, whose exponent is -1/2 instead of -1/4.

What rounding does to a root of L: sums of products and `eigh` put errors of 2 n u into a matrix of n rows, u = 2^-53,
of its largest eigenvalue. In the basis of eigenvectors, what the error has at i, j is multiplied by
f = (a^(-1/4) - b^(-1/4)) / (b - a), where a and b are the eigenvalues of i and of j (if they are one, f is the
derivative), and by what the gradient has in the direction j, once R has its turn. f is at most b^-1 a^(-1/4), as one
sees for a < b and for a > b. Since L holds g g' and R holds g'g, the element of g at j, k is at most the root of b and
at most that of R's eigenvalue at k, so that it is at most the fourth root of both; R's root takes away the second, and
b^(1/4) is left. Together: 2 n u largest / (b^(3/4) a^(1/4)). Here b is at least the smallest eigenvalue of a direction
in which the gradient has anything at all, and a is at least the smallest eigenvalue. With

    k = (largest / smallest with a gradient)^(3/4) (largest / smallest)^(1/4)

which is the condition number of L, but where L is singular, each root adds at most 2 n u k to a step that is at most
about one long. Where eps is so large that the step is shorter by far, the largest of the derivative, 1/4 of
smallest^(-5/4), says more: n u / 2 of the condition number, and of |g| (smallest of L)^(-1/4) (smallest of R)^(-1/4).
With 1/2 for 1/4, and the one matrix alone, all of this holds of vectors: f is at most b^-1 a^(-1/2), the element of g
at j at most b^(1/2), and k = (largest / smallest with a gradient)^(1/2) (largest / smallest)^(1/2). A step of
parameters has that times lr, and momentum sums it up. This holds where eps is below what rounding makes of the
eigenvalue itself, too: it is set back to eps then. Where L and R are averages they hold a share of g g', and the step
may be longer than one by as much; where an average of gradients is in the place of g they hold products of all of them.
"""

from __future__ import annotations

from mpmath import diag, eigsy, eye, fprod, matrix, mnorm, mpf, sqrt

from tests.transcribed.base import paper

NEAR = dict(level="tensor", decades=2.0, wide_eps=100.0)
UNIT = mpf(2) ** -53
# An eigenvalue of zero comes out above or below eps, and below zero; without averages at each step.
ROUNDED = [dict(lr=1e-6, eps=1e-16, block_size=size) for size in (7.0, 3.0)]
# There eps is below what rounding makes of the eigenvalue of a direction without a gradient, which the bound leaves
# out: 1e-6 of a step was seen, and there are 40 steps of 1e-6.
AT_EDGES = 4e-11
SINGULAR = [numbers | dict(beta1=0.0, beta2=0.0) for numbers in ROUNDED]
SHORT = dict(eps=1e22)  # the direction is so short that 1e-16 counts beside it


def plus(old, new, beta=1):
    """The moving average of a number or a matrix, or the sum if beta is one; zero stands for no old matrix."""
    new = new if beta == 1 else (1 - beta) * new
    return beta * old + new if old else new


def each_plus(old, new, beta=1):
    """The same of each of some numbers."""
    return [plus(a, b, beta) for a, b in zip(old or [mpf(0)] * len(new), new, strict=True)]


def corrected(x, beta, t):
    """An average that started at zero; nothing is done to a sum."""
    return x / (1 - beta**t) if beta != 1 else x


def blocks(shape, size):
    """Yield where the elements of a block stand in C order, by rows; at most so many rows and columns, as they come."""
    (n, m), size = (1, 1, *shape)[-2:], int(size)
    for i in range(0, n, size):
        for j in range(0, m, size):
            yield [[a * m + b for b in range(j, min(j + size, m))] for a in range(i, min(i + size, n))]


def part(x, block):
    """A block of the matrix whose elements stand in C order."""
    return matrix([[x[i] for i in row] for row in block])


def by_blocks(f, shape, size):
    """The elements in C order of a matrix whose blocks f gives; f takes their number and their places."""
    found = {}
    for k, block in enumerate(blocks(shape, size)):
        found.update(zip((i for row in block for i in row), f(k, block), strict=True))
    return [found[i] for i in range(len(found))]


def root(values, vectors, p):
    """The power -p: one matrix, whatever sign eigenvectors have, and whatever basis those of one value."""
    return vectors * diag([1 / a**p for a in values]) * vectors.T


def least_with(g, values, vectors):
    """The smallest eigenvalue of a direction in which there is anything of a gradient."""
    lengths = [mnorm((vectors.T * g)[i, :], "f") for i in range(g.rows)]
    return min(a for a, b in zip(values, lengths, strict=True) if b >= mpf("1e-30") * mnorm(g, "f"))


def between_roots(g, right, left=None):
    """A block between both roots, or a row before the one, and what roundings may do to it."""
    sides = [(g.T, *eigsy(right))] if left is None else [(g, *eigsy(left)), (g.T, *eigsy(right))]
    p = mpf(1) / (2 * len(sides))
    longest = mnorm(g, "f") / fprod(min(values) for _, values, _ in sides) ** p
    doubt = mpf(0)
    for x, values, vectors in sides:
        largest, least = max(values), min(values)
        k = (largest / least_with(x, values, vectors)) ** (1 - p) * (largest / least) ** p
        doubt += 2 * x.rows * UNIT * min(k, p * largest / least * longest)
    roots = [root(values, vectors, p) for _, values, vectors in sides]
    return (g if left is None else roots[0] * g) * roots[-1], doubt


def doubted(s, k, doubt):
    """Add to what roundings may have done to a block."""
    s["doubt", k] += doubt
    s["doubt"] = max(s["doubt"], s["doubt", k])


# L and R start at eps times the identity.
@paper(
    "shampoo",
    "paper",
    equation="Gupta, Koren & Singer 2018, arXiv:1802.09568, Algorithm 1; of vectors, Algorithm 2 with k = 1",
    other=dict(lr=0.23, eps=4.7, block_size=2.0),
    edges=ROUNDED,
    **NEAR,
)
def shampoo(w, g, s, t, shape, lr, eps, block_size):
    def step(k, block):
        x = part(g, block)
        s["R", k] = (s["R", k] or eps * eye(x.cols)) + x.T * x
        if len(shape) > 1:
            s["L", k] = (s["L", k] or eps * eye(x.rows)) + x * x.T
        found, doubt = between_roots(x, s["R", k], s["L", k] or None)
        doubted(s, k, lr * doubt)
        return found

    return [p - lr * u for p, u in zip(w, by_blocks(step, shape, block_size), strict=True)]


# The authors of DistributedShampoo ------------------------------------------------------------------------------------
#
# The first moment is preconditioned. L and R are averages if beta2 < 1, corrected as Adam's are; eps is added to what
# the root is taken of. The decay is added to that, and momentum sums it all.

META = "facebookresearch/optimizers, distributed_shampoo.py, _compute_search_directions"


def preconditioned(u, g, s, t, shape, rate, beta2, eps, block_size, graft=None):
    """The direction of Shampoo, in each block as long as that of another method, if there is one.

    rate: how much of one direction goes into the parameter in the end, momentum and all.
    """

    def direction(k, block):
        x = part(g, block)
        both = {"R": x.T * x} if len(shape) < 2 else {"R": x.T * x, "L": x * x.T}
        for side, product in both.items():
            s[side, k] = plus(s[side, k], product, beta2)
        damped = [corrected(s[side, k], beta2, t) + eps * eye(product.rows) for side, product in both.items()]
        found, doubt = between_roots(part(u, block), *damped)
        longer = 1 if graft is None else mnorm(part(graft, block), "f") / (mnorm(found, "f") + mpf("1e-16"))
        doubted(s, k, rate * longer * doubt)
        return longer * found

    return by_blocks(direction, shape, block_size)


def moment(g, s, t, beta1):
    """The first moment, corrected."""
    s["m"] = each_plus(s["m"], g, beta1)
    return [corrected(m, beta1, t) for m in s["m"]]


def divided(u, g, s, t, beta2, eps, eps_root):
    """What AdaGrad divides, or Adam if beta2 < 1; eps beside the root."""
    s["v"] = each_plus(s["v"], [x**2 for x in g], beta2)
    return [a / (sqrt(corrected(v, beta2, t) + eps_root) + eps) for a, v in zip(u, s["v"], strict=True)]


def stepped(w, u, s, lr, momentum, weight_decay):
    s["M"] = [momentum * a + (x + weight_decay * p) for a, x, p in zip(s["M"] or [mpf(0)] * len(w), u, w, strict=True)]
    return [p - lr * a for p, a in zip(w, s["M"], strict=True)]


OTHER = dict(lr=0.23, beta1=0.71, beta2=0.83, eps=0.31, momentum=0.57, weight_decay=0.19, block_size=2.0)


@paper("shampoo", "facebook", equation=META, other=OTHER, edges=SINGULAR, at_edges=AT_EDGES, idle=1, **NEAR)
def shampoo_meta(w, g, s, t, shape, lr, beta1, beta2, eps, momentum, weight_decay, block_size):
    u = moment(g, s, t, beta1)
    u = preconditioned(u, g, s, t, shape, lr / (1 - momentum), beta2, eps, block_size)
    return stepped(w, u, s, lr, momentum, weight_decay)


@paper(
    "shampoo",
    "facebook-adagrad",
    equation=f"{META} and _precondition_and_grafting; adagrad_preconditioner_list.py",
    other=OTHER | dict(eps_graft=0.47, eps_root=0.36),
    edges=[*SINGULAR, SHORT],
    at_edges=AT_EDGES,
    idle=1,
    **NEAR,
)
def shampoo_adagrad(w, g, s, t, shape, lr, beta1, beta2, eps, eps_graft, momentum, weight_decay, block_size, eps_root):
    u = moment(g, s, t, beta1)
    other = divided(u, g, s, t, 1, eps_graft, eps_root)
    u = preconditioned(u, g, s, t, shape, lr / (1 - momentum), beta2, eps, block_size, other)
    return stepped(w, u, s, lr, momentum, weight_decay)


@paper(
    "shampoo",
    "facebook-adam",
    equation=f"{META} and _precondition_and_grafting; adagrad_preconditioner_list.py",
    other=OTHER | dict(beta2_graft=0.93, eps_graft=0.47, eps_root=0.36),
    edges=[*SINGULAR, SHORT, dict(beta2=1.0, beta2_graft=1.0)],
    at_edges=AT_EDGES,
    idle=1,
    **NEAR,
)
def shampoo_adam(
    w, g, s, t, shape, lr, beta1, beta2, eps, beta2_graft, eps_graft, momentum, weight_decay, block_size, eps_root
):
    u = moment(g, s, t, beta1)
    other = divided(u, g, s, t, beta2_graft, eps_graft, eps_root)
    u = preconditioned(u, g, s, t, shape, lr / (1 - momentum), beta2, eps, block_size, other)
    return stepped(w, u, s, lr, momentum, weight_decay)
