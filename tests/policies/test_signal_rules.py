"""What a rule on signals may say."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.policies import form_reading, forms, lifecycle, live, signal_rules
from orchestration.policies.forms import Form, Row
from orchestration.policies.signal_kinds import ACTS, SIGNALS
from orchestration.policies.signal_rules import checked, try_examples
from orchestration.policies.versions import BadBody
from orchestration.workspaces.models import User, Workspace

BODY: dict[str, Any] = {
    "signal": "agent_failures",
    "of": "agent",
    "condition": "signal.calls >= 10 && signal.surely >= limit",
    "acts": [{"kind": "pause", "minutes": 30}, {"kind": "notify"}],
    "leave": "apply",
    "limits": {"limit": 0.3},
    "examples": [
        {"name": "Bad", "facts": {"signal.calls": 40, "signal.surely": 0.6}, "effect": "acts"},
        {"name": "Unknown", "facts": {"signal.calls": 40}, "effect": "rests"},
    ],
}


def faults(**change: Any) -> dict[str, str]:
    with pytest.raises(BadBody) as bad:
        checked(BODY | change)
    return {fault.field: fault.message for fault in bad.value.faults}


def test_a_body_is_stored_complete() -> None:
    made = checked(BODY)

    assert made["bounds"] == {"an_hour": 6, "cool_down_s": 600, "clear_s": 60}
    assert made["acts"][1] == {"kind": "notify", "minutes": None, "words": ""}
    assert checked(made) == made


@pytest.mark.parametrize("signal", list(SIGNALS))
def test_what_each_signal_begins_with_is_a_rule_and_fits_rows(signal: str) -> None:
    kind = SIGNALS[signal]
    for of in kind.of:
        act = next(each for each in reversed(ACTS[of]))
        assert checked({"signal": signal, "of": of, "condition": kind.start, "acts": [{"kind": act}], "leave": "apply"})
    rows = form_reading.read(kind.start, "signal")
    assert rows
    assert form_reading.read(forms.write(rows), "signal") == rows


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"signal": "weather"}, "signal"),
        ({"of": "run"}, "of"),
        ({"condition": "action.amount > 5"}, "condition"),
        ({"condition": "signal.minutes > 5"}, "condition"),
        ({"condition": "now.hour > 5"}, "condition"),
        ({"condition": 5}, "condition"),
        ({"acts": []}, "acts"),
        ({"acts": [{"kind": "notify"}, {"kind": "notify"}]}, "acts"),
        ({"acts": [{"kind": "cancel"}]}, "acts.0"),
        ({"acts": [{"kind": "explode"}]}, "acts.0"),
        ({"acts": [{"kind": "pause", "minutes": 0}]}, "acts.0.minutes"),
        ({"acts": [{"kind": "quarantine"}]}, "acts.0.words"),
        ({"acts": [{"kind": "reroute"}]}, "acts.0.to"),
        ({"acts": [{"kind": "notify", "to": "me"}]}, "acts.0.to"),
        ({"leave": "perhaps"}, "leave"),
        ({"bounds": {"an_hour": 0}}, "bounds.an_hour"),
        ({"bounds": {"a_day": 1}}, "bounds"),
        ({"limits": {}}, "limits.limit"),
        ({"examples": [{"facts": {"signal.calls": "many"}, "effect": "acts"}]}, "examples.0.facts"),
        ({"examples": [{"facts": {"run.age": 1}, "effect": "acts"}]}, "examples.0.facts"),
        ({"examples": [{"facts": {}, "effect": "hold"}]}, "examples.0.effect"),
        ({"scope": {}}, "scope"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], field: str) -> None:
    assert field in faults(**change)


def test_a_fact_of_asks_is_none_of_signals_and_near_ones_are_named() -> None:
    with pytest.raises(BadBody) as bad:
        checked(BODY | {"condition": "signal.call >= 10"})

    assert "signal.calls" in bad.value.faults[0].near
    with pytest.raises(ValueError, match=r"no fact signal\.rates"):
        forms.write(Form("all", ((Row("signal.rates", "ge", "1"),),)))


def test_its_examples_are_tried_by_the_rule_itself() -> None:
    assert [each.passes for each in try_examples("Rule", checked(BODY))] == [True, True]
    worse = checked(BODY | {"limits": {"limit": 0.9}})
    assert [each.passes for each in try_examples("Rule", worse)] == [False, True]


@pytest.mark.django_db
def test_it_answers_no_ask_and_stays_about_signals(workspace: Workspace, admin: User) -> None:
    draft = lifecycle.create(workspace, "When it fails", admin, BODY)
    lifecycle.publish(draft.policy_id, 1, admin, "Night")

    assert draft.policy.subject == "signal"
    assert live.book(workspace.pk).rules == ()
    with pytest.raises(lifecycle.NotNow, match="stays one"):
        lifecycle.save_draft(draft.policy_id, admin, {"condition": "true", "then": {"kind": "deny"}})
    assert signal_rules.is_signal(draft.body)
