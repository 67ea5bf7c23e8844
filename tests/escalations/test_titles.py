"""What a batch is called."""

from __future__ import annotations

import pytest

from escalations.models import Escalation
from escalations.titles import title_of


@pytest.mark.parametrize(
    ("act", "policy", "version", "title"),
    [
        ("parcel.pay", "refund-limit", 7, "Parcel pay · Refund limit"),
        ("refund", "refund-limit", 7, "Refund limit"),
        ("parcel.pay", "default", None, "Parcel pay"),
        ("parcel.pay", "supervise", None, "Parcel pay · Supervised agent"),
        ("parcel.pay", "supervise", 2, "Parcel pay · Supervise"),
        ("", "", None, "Questions of payer"),
    ],
)
def test_a_batch_is_called_by_its_act_and_by_what_asked(act: str, policy: str, version: int | None, title: str) -> None:
    assert title_of(Escalation(agent="payer", action_type=act, policy=policy, version=version)) == title


def test_the_name_that_people_gave_a_policy_is_kept_as_they_wrote_it() -> None:
    case = Escalation(agent="screener", action_type="kyc.clear", policy="kyc-near-match", version=1)

    assert title_of(case, "KYC near match") == "KYC near match"
