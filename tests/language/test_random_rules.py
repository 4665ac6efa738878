"""Rules drawn at random: their kernels give the bits of their meaning, or both the same error."""

from __future__ import annotations

import pytest

import thalweg as tw
from tests.language.agreement import MATRICES, SHAPES, run, same_bits, without_numba
from tests.language.random_rules import Draw
from thalweg.language.nodes import lines


def outcome(rule, dtype):
    try:
        return run(rule, MATRICES if rule.facts.axes else SHAPES, dtype, steps=3)
    except tw.NumberError as error:
        return str(error)


@pytest.mark.parametrize("seed", range(60))
def test_every_text_is_in_the_language_and_is_written_back_as_it_is(seed):
    drawn = Draw(seed)
    rule = tw.rule(drawn.text, state=drawn.state)
    head, last = drawn.text.splitlines()[0], drawn.text.splitlines()[-1]
    again = tw.rule("\n".join([head, *lines(rule.text.body), last]), state=drawn.state)
    assert again.digest == rule.digest


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(24))
def test_kernels_and_meaning_agree(seed):
    drawn = Draw(seed)
    rule = tw.rule(drawn.text, state=drawn.state)
    dtype = ("float32", "float64")[seed % 2]
    by_kernels = outcome(rule, dtype)
    with without_numba():
        by_meaning = outcome(rule, dtype)
    if isinstance(by_kernels, str) or isinstance(by_meaning, str):
        assert by_kernels == by_meaning
        return
    different = [name for name, x in by_kernels.items() if not same_bits(x, by_meaning[name])]
    assert not different, drawn.text
