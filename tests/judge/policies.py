"""Policies replayed over recorded decisions: do the counts agree with a plain computation over the file?

Each set gets a live policy and then its decisions, by the command that anybody uses; each draft is replayed by the
worker. Labels count as what people said or what came later, never as a fact. What is computed here knows nothing of
Baton: rows of the file, and each rule once more as a line of Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.judge.agreement import Agreement
from tests.judge.imported import Imports, Thing

Row = dict[str, str]
Says = Callable[[Row, float], str]  # a row and the limit: the effect
COST = 5  # of a bad one that passed; of a good one that was asked about: 1


@dataclass(frozen=True)
class Rule:
    condition: str
    limit: float
    says: Says
    then: str = "allow"
    otherwise: str | None = "hold"

    @property
    def body(self) -> Thing:
        body: Thing = {"condition": self.condition, "then": {"kind": self.then}}
        if self.otherwise:
            body["otherwise"] = {"kind": self.otherwise}
        return body | ({"limits": {"limit": self.limit}} if "limit" in self.condition.replace("limits", "") else {})

    @property
    def name(self) -> str:
        words = self.condition.replace("context.", "").replace("action.", "").replace("limit", f"{self.limit:g}")
        return words if self.otherwise == "hold" else f"{words}: {self.then}"


@dataclass(frozen=True)
class Case:
    """A set: its file, how it is imported, when a row went wrong and whether it was judged at all."""

    file: str
    options: Sequence[str]
    wrong: Callable[[Row], bool]
    judged: Callable[[Row], bool]
    live: Rule
    drafts: Sequence[Rule]


def _asks(allowed: bool) -> str:
    return "allow" if allowed else "hold"


def _amount(row: Row, limit: float) -> str:
    return _asks(float(row["amount_requested"]) <= limit)


def _ratios(row: Row, limit: float) -> str:
    return _asks(float(row["obligation_ratio_pct"]) <= limit and float(row["housing_ratio_pct"]) <= 28)


CASES = {
    "bpic2012": Case(
        "cases.csv.gz",
        [
            *("--agent", "loan-engine", "--action", "loan.approve", "--verdicts", "cancelled=", "open="),
            *("--leave", "first_event", "last_event", "events", "--map"),
            "id=case_id,run=case_id,amount=amount_requested,time=registered,verdict=outcome",
        ],
        lambda row: row["outcome"] == "declined",
        lambda row: row["outcome"] in ("approved", "declined"),
        Rule("action.amount <= limit", 5_000, _amount),
        [
            Rule("action.amount <= limit", 5_000, _amount),
            Rule("action.amount <= limit", 15_000, _amount),
            Rule("action.amount <= limit", 1_000, _amount),
            Rule(
                "action.amount > limit",
                30_000,
                lambda row, limit: "deny" if float(row["amount_requested"]) > limit else "allow",
                then="deny",
                otherwise=None,
            ),
        ],
    ),
    "loan_decisions": Case(
        "decisions.csv.gz",
        [
            *("--agent", "loan-desk", "--action", "mortgage.grant", "--map"),
            "id=id,amount=amount_thousand_usd,verdict=decision",
        ],
        lambda row: row["decision"] == "reject",
        lambda row: True,
        Rule("context.obligation_ratio_pct <= limit && context.housing_ratio_pct <= 28", 36, _ratios),
        [
            Rule("context.obligation_ratio_pct <= limit && context.housing_ratio_pct <= 28", 40, _ratios),
            Rule("context.obligation_ratio_pct <= limit && context.housing_ratio_pct <= 28", 30, _ratios),
            Rule(
                "context.credit_meets_guidelines == 1 && context.loan_to_price <= 0.8",
                0,
                lambda row, _: _asks(row["credit_meets_guidelines"] == "1" and float(row["loan_to_price"]) <= 0.8),
            ),
            Rule(
                "action.amount <= limit || context.public_record_default == 0",
                150,
                lambda row, limit: _asks(
                    float(row["amount_thousand_usd"]) <= limit or row["public_record_default"] == "0"
                ),
            ),
        ],
    ),
    "credit_outcomes": Case(
        "credits.csv.gz",
        [*("--agent", "credit-engine", "--action", "credit.grant", "--map"), "id=id,amount=amount,outcome=outcome"],
        lambda row: row["outcome"] == "bad",
        lambda row: True,
        Rule("action.amount <= limit", 2_000, lambda row, limit: _asks(float(row["amount"]) <= limit)),
        [
            Rule("action.amount <= limit", 4_000, lambda row, limit: _asks(float(row["amount"]) <= limit)),
            Rule(
                "context.checking_status == 'A14' || action.amount < limit",
                1_000,
                lambda row, limit: _asks(row["checking_status"] == "A14" or float(row["amount"]) < limit),
            ),
            Rule(
                "context.duration_months <= 24 && context.savings in ['A64', 'A65']",
                0,
                lambda row, _: _asks(int(row["duration_months"]) <= 24 and row["savings"] in ("A64", "A65")),
            ),
        ],
    ),
}
PUBLISH = """
from orchestration.policies import lifecycle
from orchestration.workspaces.models import User, Workspace
space = Workspace.objects.get(slug={slug!r})
by = User.objects.create_user(username={slug!r})
draft = lifecycle.create(space, "Judged", by, {body!r})
lifecycle.publish(draft.policy_id, draft.number, by, "To compare with")
"""
REPLAY = """
import json, time
from datetime import datetime, UTC
from orchestration.control import replaying
from orchestration.policies import lifecycle
from orchestration.policies.models import Policy
from orchestration.workspaces.models import User
policy = Policy.objects.get(workspace__slug={slug!r})
by = User.objects.get(username={slug!r})
for body in {bodies!r}:
    draft = lifecycle.save_draft(policy.pk, by, body)
    run = replaying.start(policy.workspace, draft, by, since=datetime(2000, 1, 1, tzinfo=UTC))
    while run.is_open:
        time.sleep(0.1)
        run.refresh_from_db()
    print(json.dumps(run.report))
"""


def judge(imports: Imports, agreement: Agreement) -> None:
    for name, case in CASES.items():
        if imports.has(name):
            rows = imports.rows(name, case.file)
            reports = _replayed(imports, name, case)
            agreement.count(name, "decisions", len(rows), reports[0]["decisions"])
            for rule, report in zip(case.drafts, reports, strict=True):
                _compare(agreement, (name, case), rule, rows, report)


def _replayed(imports: Imports, name: str, case: Case) -> list[Thing]:
    slug = imports.workspace(name)
    imports.stand.manage("shell", "-v", "0", "-c", PUBLISH.format(slug=slug, body=case.live.body))
    path = imports.folder / name / case.file
    said = imports.stand.manage("import_decisions", str(path), "--workspace", slug, *case.options)
    imports.say(f"{name}: {said}")
    bodies = [rule.body for rule in case.drafts]
    out = imports.stand.manage("shell", "-v", "0", "-c", REPLAY.format(slug=slug, bodies=bodies))
    return [json.loads(line) for line in out.splitlines()]


def _compare(agreement: Agreement, of: tuple[str, Case], rule: Rule, rows: Sequence[Row], report: Thing) -> None:
    name, case = of
    truth, simple = _direct(case, rule, rows), _simple(case, rows)
    after = report["after"]
    said = {
        "freed": report["freed"],
        "freed, though wrong": report["freed_wrong"],
        "held": report["held"],
        "held, and wrong": report["held_right"],
        "tickets": after["tickets"],
        "passed, though wrong": after["missed"],
        "passed, never judged": after["unjudged"],
        f"cost {COST}:1": COST * after["missed"] + after["tickets"] - after["caught"],
    }
    for what, n in said.items():
        agreement.count(name, f"{rule.name}: {what}", truth[what], n, simple if what.startswith("cost") else "")
    if report["curve"]:
        right = sum(
            (point["tickets"], point["missed"]) == _point(case, rule, rows, point["limit"]) for point in report["curve"]
        )
        agreement.share(name, f"{rule.name}: points of the curve", right, len(report["curve"]))


def _direct(case: Case, rule: Rule, rows: Sequence[Row]) -> dict[str, int]:
    told: list[tuple[str, str, bool, bool]] = [
        (case.live.says(row, case.live.limit), rule.says(row, rule.limit), case.wrong(row), case.judged(row))
        for row in rows
    ]

    def count(holds: Callable[[str, str, bool, bool], Any]) -> int:
        return sum(bool(holds(*each)) for each in told)

    found = {
        "freed": count(lambda was, now, wrong, judged: was != now == "allow"),
        "freed, though wrong": count(lambda was, now, wrong, judged: was != now == "allow" and wrong),
        "held": count(lambda was, now, wrong, judged: was == "allow" and now == "hold"),
        "held, and wrong": count(lambda was, now, wrong, judged: was == "allow" and now == "hold" and wrong),
        "tickets": count(lambda was, now, wrong, judged: now == "hold"),
        "passed, though wrong": count(lambda was, now, wrong, judged: now == "allow" and wrong),
        "passed, never judged": count(lambda was, now, wrong, judged: now == "allow" and not judged),
    }
    good = count(lambda was, now, wrong, judged: now == "hold" and not wrong)
    return found | {f"cost {COST}:1": COST * found["passed, though wrong"] + good}


def _point(case: Case, rule: Rule, rows: Sequence[Row], limit: float) -> tuple[int, int]:
    says = [(rule.says(row, limit), case.wrong(row)) for row in rows]
    return sum(now == "hold" for now, _ in says), sum(now == "allow" and wrong for now, wrong in says)


def _simple(case: Case, rows: Sequence[Row]) -> str:
    wrong = sum(case.wrong(row) for row in rows)
    return f"{COST * wrong:,} if all pass, {len(rows) - wrong:,} if all are asked"
