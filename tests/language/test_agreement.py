"""Rules that nobody would write: their kernels give the bits of their meaning.

Each holds much at once, since every rule costs a compilation.
"""

from __future__ import annotations

import pytest

import thalweg as tw
from tests.language.agreement import check_agreement
from tests.language.texts import text_of

T_LR = "w, g, *, t, lr=0.1"


def agree(body, args=T_LR, state=None, **options):
    rule = tw.rule(text_of(body.strip(), args), state=state)
    return check_agreement(rule, **options)


@pytest.mark.slow
def test_names_of_generated_code_as_slots_and_numbers():
    """Twelve slots and eight hyper-parameters; reductions, so that there are two passes."""
    slots = ["i", "row", "lo", "T", "x", "buffer_0", "size", "p", "step_", "p_", "b", "numbers"]
    numbers = ["k", "hi", "c", "n", "r", "stop", "lanes", "item"]
    body = [f"{s} = k * {s} + hi * g" for s in slots[:6]]
    body += [f"{s} = c * {s} - n * w" for s in slots[6:]]
    body += ["count = norm(step_ + p_ * g) + sum(p)", "first = r * stop + lanes * item / count"]
    body += [f"w = w - first * ({' + '.join(slots)})", f"return w, {', '.join(slots)}"]
    args = f"w, g, {', '.join(slots)}, *, {', '.join(f'{x}=0.{k + 1}' for k, x in enumerate(numbers))}"
    agree("\n".join(body), args, dtypes=["float32"])


def test_exchanges_old_values_and_slots_that_hold_numbers_of_the_step():
    body = """
a, b = b, a
old = kept
kept = w
b = b + g
n, m = m, n + norm(g)
s, d = d, s + total(sum(g))
w = w - lr * (a + old) * n - d * 1e-3 * s - k * q
k = lr * t
q = 1 / t
return w, a, b, kept, n, m, s, d, k, q"""
    args = "w, g, a, b, kept, n, m, s, d, k, q, *, t, lr=0.1"
    state = {
        "a": tw.full("lr"),
        "kept": tw.copy("w"),
        "n": tw.number(0.5),
        "m": tw.number("lr"),
        "s": tw.shared(2.0),
        "d": tw.shared(),
        "k": tw.number(),
        "q": tw.shared(),
    }
    agree(body, args, state, dtypes=["float64"])


@pytest.mark.slow
def test_guards_of_guards_and_reductions_that_are_left_out():
    """Roots, logarithms and quotients that do not exist where they are not evaluated."""
    body = """
a = norm(w) / norm(g - g) if norm(g - g) > 0 and norm(w) / norm(g - g) > 0 and mean(g) / norm(g - g) > 0 else 1
if t > 2:
    if norm(g) > 1:
        x = g / norm(g) * sqrt(t - 2)
        y = 1 / (t - 2) + rms(w)
    else:
        x = g * sqrt(norm(g) - norm(g)**2)
        y = amax(g)
elif not (t > 1 or norm(g) < 1e-3):
    x = g * log(2 * t)
    y = t
else:
    y = sum(w * g) / (sum(w * g)**2 + 1)
    x = -g
z = sqrt(y) if y > 0 else -sqrt(-y) if y < 0 else 0
first = y < 1 <= a + 1 < 4
both = norm(w) > 0 and rms(g) > 0.5
one = norm(w) < 0 or rms(g) > 5
v = n
n = a if first else -a
x = (x if first or v > y else maximum(x, z)) + (lr * z if t % 2 == 0 else 0)
w = w - lr * x - (lr if both else g if one else w)
return w, n"""
    agree(body, "w, g, n, *, t, lr=0.1", {"n": tw.number(0.25)}, dtypes=["float32"])


def test_a_step_is_left_to_the_meaning_where_a_number_is_put_off_or_does_not_exist():
    """At t = 1 the quotient is put off; a tensor for which it would be needed is not there."""
    body = """
x = lr / (t - 1) if norm(g) < 0 else lr
y = norm(w) / norm(w - w) if norm(w) < 0 or t < 0 else x
w = w - y * g"""
    agree(body, falls_back=True, dtypes=["float32"])


@pytest.mark.slow
def test_numbers_of_every_sort_inside_of_arrays():
    """Zeros of both signs, powers, literals that float32 does not hold, long chains of numbers before an array."""
    body = """
a = where(g > 0, -0.0, w) + where(g > 0, 0.0, w) - -2**2 * g + (-2)**2 * g - 2**-1 * w
b = 16777217 * g * 1e-7 * lr * t * 1e300 * 1e-300 + (7 // 2 % 2) * g
c = (1 - lr**t) * (1 - lr)**0.5 * a / (1 + sqrt(lr)) / 3 * (b - (a - (w - g))) / (b / (a / 3 + 10))
d = clip(a, -lr, 1 / 3) + maximum(a, -0.0) * minimum(0.0, b) + sign(c) * abs(-d) + d**-1 + (d * d)**0.5 + d**2
e = where(a <= b, where(c != c, a, d), where(a == 0, 1.2, -d))
w = w - 1e-3 * (+e if 0 < t <= 2 else c) - (exp(-lr) - log(3) + tanh(lr) + cbrt(lr) + atan2(lr, 2)) * g
return w, d"""
    agree(body, "w, g, d, *, t, lr=0.1", {"d": tw.full(0.5)})


@pytest.mark.slow
def test_choices_between_numbers_and_arrays():
    body = """
m = 1.5 if t == 1 else m + g
if t > 2:
    x = norm(m)
else:
    x = m * g
y = rms(x)
z = (lr if t % 2 == 0 else norm(g)) if y > 1 else g - w
w = w - lr * x * z - sum(z) * 1e-3
return w, m"""
    agree(body, "w, g, m, *, t, lr=0.1", dtypes=["float32"])


@pytest.mark.slow
def test_matrices_of_every_kind():
    """Rows, columns, numbers of a matrix; reductions of narrow arrays; choices that mix them; exchanges."""
    body = """
v = minimum(r, c) + g**2
r, q = q, amax(v, axis=-1) + 0 * q
c = 0.5 * c + mean(v, axis=-2) if t > 1 else norm(g, axis=-2)
one = mean(r, axis=-2) if sum(c) > 0 else lr
x = g / (1 + one) if t % 2 == 1 else r
y = where(r > one, c, x) + where(c > 0, 1.5, q)
n = n + sum(r)
w = w - lr * x * y / (1 + abs(n)) - (one if t > 2 else c) * 1e-3
return w, r, q, c, n"""
    state = {"r": tw.rows("lr"), "q": tw.rows(0.5), "c": tw.columns(1.0), "n": tw.number()}
    agree(body, "w, g, r, q, c, n, *, t, lr=0.1", state, dtypes=["float32"])


@pytest.mark.slow
def test_terms_inside_of_everything():
    ema = tw.term("def ema(x, y, k): return k * x + (1 - k) * y")
    clipped = tw.term("""
def clipped(x, most):
    length = norm(x)
    if length > most:
        x = x / length
        most = ema(most, length, 0.5)
    else:
        x = ema(x, 2 * x, most)
        most = 1
    return x, most""")
    body = """
x, most = clipped(ema(g, m, lr), ema(lr, t, lr))
m = ema(m, x, ema(lr, 1 / t, 0.25))
if most > 1:
    y, k = clipped(m, 2)
else:
    k, y = ema(lr, norm(m), 0.5), ema(m, g, most)
w = w - lr * (ema(y, w, lr) if t > 1 and ema(most, k, 0.5) > 0 else y) / (1 + k)
return w, m"""
    rule = tw.rule(text_of(body.strip(), "w, g, m, *, t, lr=0.1"))
    assert (ema.name, clipped.name) == ("ema", "clipped")
    check_agreement(rule, dtypes=["float32"])


def test_the_widest_expression_that_is_legal():
    deep = "-(" * 20 + "g" + " * lr)" * 20
    chain = " + ".join(["g", "w * lr"] * 20)
    agree(f"w = w - lr * ({deep}) - lr * ({chain}) * ({'1 + ' * 30}t)", dtypes=["float32"])


@pytest.mark.slow
def test_three_totals_of_one_another_and_the_loss():
    body = """
a = total(sum(g) + lr)
b = total(norm(g - (a / 3 + lr)) if a > 0 else mean(g) - a)
s = maximum(s, total(amax(w * b)) / (1 + abs(value)))
first = a > b
w = w - (lr if first else s / (1 + s**2)) * g
return w, s"""
    agree(body, "w, g, s, *, value, lr=0.1", {"s": tw.shared(0.5)}, value=2.5, dtypes=["float32"])
