import pytest

from thalweg.report.markup import Markup, el, joined


def test_text_is_escaped_and_markup_is_not():
    inside = el("b", "<script>alert(1)</script> & co")
    assert inside == "<b>&lt;script&gt;alert(1)&lt;/script&gt; &amp; co</b>"
    assert el("p", inside, " < ") == f"<p>{inside} &lt; </p>"
    assert isinstance(joined("a", inside), Markup)


def test_attributes_are_escaped_named_and_short():
    assert el("a", title='" onload="x') == '<a title="&quot; onload=&quot;x"></a>'
    assert el("g", class_="a", text_anchor="end", x=1.23456, y=-0.001, z=2.0) == (
        '<g class="a" text-anchor="end" x="1.23" y="0" z="2"></g>'
    )
    assert el("p", hidden=True, id=None, lang=False) == "<p hidden></p>"


def test_children_may_be_nested_and_none():
    assert el("p", None, ["a", [el("i", "b")], None], (x for x in "cd")) == "<p>a<i>b</i>cd</p>"


def test_elements_without_content_have_no_closing_tag():
    assert el("meta", charset="utf-8") == '<meta charset="utf-8">'


@pytest.mark.parametrize("value", [True, False, None])
def test_a_number_is_not_mistaken_for_a_flag(value):
    assert "1" not in el("p", hidden=value)
    assert el("p", x=1) == '<p x="1"></p>'
