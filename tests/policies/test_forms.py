"""Conditions as rows and as CEL: each is the other, or there are no rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.policies import cel, forms
from orchestration.policies.form_reading import read
from orchestration.policies.forms import ALL, ANY, BARE, LISTS, OPS_OF, BadForm, Form, Row
from orchestration.policies.vocabulary import Type

FACTS: dict[str, Any] = {
    "action.type": "refund",
    "action.amount": 499.5,
    "agent.name": "bot",
    "agent.vouched": True,
    "context": {"returned": True, "years": 3, "zip": "8000", "note": "limit"},
    "evidence.kinds": ["invoice", "photo"],
    "past.agents_run_24h": ["bot"],
    "past.count_account_24h": 2.0,
    "past.count_run_1h": 2.0,
    "limit": 500.0,
    "limits": {"per_day": 5.0},
    "now.weekend": False,
    "now": datetime(2026, 3, 7, 12, tzinfo=UTC),
    "known": ["action.amount", "action.type"],
}


def said(text: str) -> bool | str:
    outcome = cel.compiled(text).test(cel.activation(FACTS))
    return outcome if isinstance(outcome, bool) else "error"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("true", Form()),
        ("action.amount <= limit", Form(ALL, ((Row("action.amount", "le", "limit"),),))),
        ("500 < action.amount", Form(ALL, ((Row("action.amount", "gt", "500"),),))),
        (
            "action.amount >= 10 && action.amount <= 20",
            Form(ALL, ((Row("action.amount", "between", "10", "20"),),)),
        ),
        (
            "action.type in ['a', 'b'] && (agent.vouched || !now.weekend)",
            Form(
                ALL,
                ((Row("action.type", "one_of", "a, b"),), (Row("agent.vouched", "so"), Row("now.weekend", "not_so"))),
            ),
        ),
        (
            "action.type == 'a' || action.amount < 5 && context.zip == '8000'",
            Form(
                ANY,
                (
                    (Row("action.type", "eq", "a"),),
                    (Row("action.amount", "lt", "5"), Row("context.zip", "eq", "'8000'")),
                ),
            ),
        ),
        ("!('x' in evidence.kinds)", Form(ALL, ((Row("evidence.kinds", "excludes", "x"),),))),
        ("agent.name in past.agents_run_24h", Form(ALL, ((Row("past.agents_run_24h", "includes", "agent.name"),),))),
        ("'action.amount' in known", Form(ALL, ((Row("action.amount", "known"),),))),
        ("has(context.years)", Form(ALL, ((Row("context.years", "known"),),))),
        ("context.returned == true", Form(ALL, ((Row("context.returned", "yes"),),))),
        ("!action.type.startsWith('ref')", Form(ALL, ((Row("action.type", "not_starts", "ref"),),))),
        (
            "limits.per_day > past.count_account_24h",
            Form(ALL, ((Row("limits.per_day", "gt", "past.count_account_24h"),),)),
        ),
    ],
)
def test_common_conditions_are_rows_and_mean_the_same(text: str, form: Form) -> None:
    assert read(text) == form
    assert said(forms.write(form)) == said(text)


@pytest.mark.parametrize(
    "text",
    [
        "action.amount * 2 > limit",
        "size(action.type) == 6",
        "context.items.all(i, i > 1)",
        "action.amount > 1 && (action.type == 'a' || (agent.vouched && (now.weekend || now.hour > 3.0)))",
        "now > timestamp('2026-01-01T00:00:00Z')",
        "action.type in ['a,b']",
        "action.type == ''",
        "!(action.amount > 5)",
        "agent.vouched ? action.amount < 5 : action.amount < 2",
    ],
)
def test_what_rows_cannot_say_stays_cel(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Row("", "eq", "1"), "Choose a fact"),
        (Row("action.amout", "le", "1"), "There is no fact"),
        (Row("action.amount", "le", ""), "Give a value"),
        (Row("action.amount", "le", "ten"), "no number"),
        (Row("action.amount", "contains", "x"), "another comparison"),
        (Row("action.amount", "one_of", "1,,2"), "Give a value"),
        (Row("action.amount", "nonsense", "1"), "another comparison"),
        (Row("context['x']", "eq", "1"), "There is no fact"),
    ],
)
def test_a_row_that_cannot_be_meant_is_told(row: Row, message: str) -> None:
    with pytest.raises(BadForm) as caught:
        forms.write(Form(ALL, ((Row("agent.vouched", "so"),), (row,))))

    (fault,) = caught.value.faults
    assert (fault.group, fault.row) == (1, 0)
    assert message in fault.message


def test_a_misspelt_fact_is_told_with_near_ones_that_agents_have_sent() -> None:
    with pytest.raises(BadForm) as caught:
        forms.write(Form(ALL, ((Row("contxt.returned", "so"),),)), seen=("context.returned",))

    assert "context.returned" in caught.value.faults[0].near


PATHS = {
    Type.NUMBER: ["action.amount", "limit", "limits.per_day", "agent.trust"],
    Type.WHOLE: ["past.count_account_24h", "now.hour"],
    Type.TEXT: ["action.type", "agent.name", "proposal"],
    Type.FLAG: ["agent.vouched", "now.weekend"],
    Type.TEXTS: ["evidence.kinds", "past.agents_run_24h"],
    Type.MAP: ["context.returned", "context.years", "action.arguments.a.b", "customer.zip"],
}
NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.sampled_from(["limit", "now.hour"]),
)
WORDS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=","), min_size=1, max_size=12)
TEXTS = st.one_of(WORDS, st.sampled_from(["'8000'", "'limit'", "agent.name", "it's", "a\\b", '"x"', "x y", "-", "''"]))


@st.composite
def rows(draw: st.DrawFn) -> Row:
    kind = draw(st.sampled_from(list(PATHS)))
    field, op = draw(st.sampled_from(PATHS[kind])), draw(st.sampled_from(OPS_OF[kind]))
    if op in BARE:
        return Row(field, op)
    numeric = kind in (Type.NUMBER, Type.WHOLE) or op == "between"
    values = NUMBERS if numeric else TEXTS
    if op in LISTS:
        return Row(field, op, ", ".join(draw(st.lists(values, min_size=1, max_size=3))))
    return Row(field, op, draw(values), draw(values) if op == "between" else "")


FORMS = st.builds(
    Form,
    st.sampled_from([ALL, ANY]),
    st.lists(st.lists(rows(), min_size=1, max_size=3).map(tuple), max_size=4).map(tuple),
)


@given(FORMS)
@settings(max_examples=60, deadline=None)
def test_rows_written_as_cel_mean_the_same_when_they_are_read_back(form: Form) -> None:
    text = forms.write(form)
    try:
        cel.compiled(text)
    except cel.Invalid:
        return  # a lone field of any type is no condition, which the page says
    found = read(text)
    if found is None:
        return
    again = forms.write(found)

    assert read(again) == found
    assert said(again) == said(text)


@given(FORMS)
@settings(max_examples=60, deadline=None)
def test_what_can_be_written_can_be_read_back(form: Form) -> None:
    text = forms.write(form)
    try:
        cel.compiled(text)
    except cel.Invalid:
        return

    assert read(text) is not None, text
