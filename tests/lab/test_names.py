"""The names of the laboratory are there, and are imported when they are asked for."""

from __future__ import annotations

import pytest

from thalweg import lab


def test_every_name_leads_somewhere_and_no_other_does():
    assert set(lab._HOMES) == set(lab.__all__) <= set(dir(lab))
    for name in lab.__all__:
        assert getattr(lab, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lab.nothing
