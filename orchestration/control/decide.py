"""Answers "may I?": rules and facts to an answer, and everything that has to be stored with it, in one statement.

0. stopped   a quarantined or paused agent, a cancelled run: told so, and no rule is asked
             (work that was moved to another agent, and an agent that is supervised, are different: rules are asked,
             and what is stricter wins)
1. facts     the ask's own, secrets taken out before any rule sees them, so that a replay sees the same
2. evaluate  `policies.evaluate`: the strictest effect, every match, what was missing
3. answer    as the caller is told it, and kept as it was told: the same key gets the same words again
4. store     decision, key, what rules look back on, the hold if a person is asked, the ledger entry, webhooks: `STORE`

`STORE` writes only if the rules were still those in force (`fresh`) and the key was not used before (`go`), so that
deciding twice, with whatever raced in between, has one effect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from orchestration.autonomy.stops import Stopped
from orchestration.control.facts import Who
from orchestration.holds.told import SHOWN
from orchestration.holds.told import told as hold_told
from orchestration.ledger import entries
from orchestration.lib.canonical import Plain
from orchestration.policies import asks
from orchestration.policies.asks import Ask
from orchestration.policies.effects import STRICTNESS, Effect, Kind
from orchestration.policies.evaluate import DEFAULT, Answer, bound, concluded, judge, words
from orchestration.policies.live import Book
from orchestration.policies.vocabulary import WINDOWS
from orchestration.routing.moves import Moved
from orchestration.telemetry.redaction import redact_attributes, redact_text

MOVED = "reroute"  # what stands in the place of a policy where work was moved
SUPERVISED = "supervise"  # and where its agent may do nothing alone
ALONE = (Kind.ALLOW, Kind.AMEND, Kind.PEER)  # after which an agent acts without a person
CENT = Decimal("0.01")
EXPLAINED = 3  # of the matches that an answer goes into, so many with the values that decided

STORE = """
with fresh as (
    select 1 from policies_rulebook where workspace_id = %(workspace)s and generation = %(generation)s
), keyed as (
    insert into policies_asked (workspace_id, key, digest, decision_id, at)
    select %(workspace)s, %(key)s::text, %(digest)s::bytea, %(id)s::uuid, %(at)s::timestamptz
    from fresh where %(key)s::text is not null
    on conflict do nothing returning 1
), go as (
    select 1 from fresh where %(key)s::text is null union all select 1 from keyed
), decision as (
    insert into policies_decision
    select r.* from go, jsonb_populate_record(null::policies_decision, %(decision)s::jsonb) r returning 1
), past as (
    insert into policies_past
    select r.* from go, jsonb_populate_recordset(null::policies_past, %(past)s::jsonb) r
), hold as (
    insert into holds_hold
    select r.* from go, jsonb_populate_recordset(null::holds_hold, %(hold)s::jsonb) r
), entry as (
    insert into ledger_entry select r.* from go, jsonb_populate_record(null::ledger_entry, %(entry)s::jsonb) r
), message as (
    insert into outbox_message
        (id, workspace_id, endpoint_id, event, key, data, state, attempts, fence, due_at, created_at, error)
    select gen_random_uuid(), e.workspace_id, e.id, m.event, m.event || ' ' || (m.data ->> 'id'), m.data,
        'pending', 0, 0, now(), now(), ''
    from go, outbox_endpoint e, lateral (
        values ('hold.opened', %(opened)s::jsonb),
            ('decision.made', (%(decision)s::jsonb - array['facts', 'answer', 'shadow', 'workspace_id', 'key_id',
                'agent_id', 'imported', 'verdict', 'reviewer', 'minutes', 'outcome']))
    ) m(event, data)
    where e.workspace_id = %(workspace)s and m.data is not null and m.event = any(e.events)
)
select (select count(*) from fresh), (select count(*) from decision)
"""
STORED_BEFORE = """
select a.digest, d.answer from policies_asked a
left join policies_decision d on d.workspace_id = a.workspace_id and d.id = a.decision_id
where a.workspace_id = %s and a.key = %s
"""
LOCK_PAST = """
select pg_advisory_xact_lock(k) from (
    select distinct hashtextextended(%s::text || ' ' || subject || ' ' || value, 0) k
    from unnest(%s::text[], %s::text[]) x(subject, value) order by 1
) locks
"""
READ_PAST = (
    "select x.subject, "
    + ", ".join(
        f"count(*) filter (where mine and p.at > %(now)s - interval '{seconds} s'), "
        f"coalesce(sum(p.amount) filter (where mine and p.at > %(now)s - interval '{seconds} s'), 0)"
        for seconds in WINDOWS.values()
    )
    + ", coalesce(array_agg(distinct p.agent) filter (where p.at > %(now)s - interval '24 hours'), '{}') "
    "from unnest(%(subjects)s::text[], %(values)s::text[]) x(subject, value) "
    "left join lateral (select *, counts and action_type = %(type)s as mine from policies_past "
    "where workspace_id = %(workspace)s and subject = x.subject and value = x.value "
    "and at > %(now)s - interval '30 days') p on true group by x.subject"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """An ask with who sent it and under which key, at the moment it came."""

    ask: Ask
    workspace_id: int
    key_id: int
    vouched: bool
    who: Who
    at: datetime
    key: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What the caller is told, and what `values` makes ready to be stored."""

    asked: Asked
    answer: Answer
    told: dict[str, Any]
    hold: UUID | None
    row: dict[str, Any]
    generation: int
    stopped: str = ""  # by what, where no rule was asked

    @property
    def lacks_run(self) -> bool:
        """Who has to decide wants to see the run, and it was not looked up."""
        return bool(self.hold and self.asked.ask.run and not self.row["run_id"])

    def values(self, run_id: UUID | None = None) -> dict[str, Any]:
        """Of `STORE`. `run_id`: of the run that the ask names, where no rule wanted to know it."""
        asked, answer, told, row = self.asked, self.answer, self.told, self.row
        if run_id:
            row = row | {"run_id": str(run_id)}
        hold = _hold(asked, answer, told, self.hold, row) if self.hold else None
        return {
            "workspace": asked.workspace_id,
            "generation": self.generation,
            "key": asked.key,
            "digest": asked.digest,
            "id": told["id"],
            "at": row["at"],
            "decision": _json(row),
            "past": _json([] if self.stopped else _past(asked, row, answer)),
            "hold": _json([hold]) if hold else "[]",
            "opened": _json(hold_told({**dict.fromkeys(SHOWN), **hold})) if hold else None,
            "entry": _json(entries.row(_entry(self))),
        }


def digest_of(body: Any) -> bytes:
    """By which the same ask is known again, however its JSON was written."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


def clean(ask: Ask) -> Ask:
    """Without secrets. The very same when there are none."""
    arguments, context = redact_attributes(ask.arguments)[0], redact_attributes(ask.context)[0]
    proposal, evidence = redact_text(ask.proposal)[0] if ask.proposal else "", ask.evidence
    if evidence:
        evidence = list(redact_attributes({str(i): each for i, each in enumerate(evidence)})[0].values())
    kept = arguments is ask.arguments and context is ask.context and evidence == ask.evidence
    if kept and proposal == ask.proposal:
        return ask
    return replace(ask, arguments=arguments, context=context, proposal=proposal, evidence=evidence)


def facts_of(asked: Asked, book: Book, more: Mapping[str, Any]) -> dict[str, Any]:
    facts = asks.facts_of(asked.ask, asked.at, book.zone, book.currency, book.rates)
    facts |= asked.who.facts
    facts["agent.vouched"] = asked.vouched
    return {**facts, **more}


def needs(book: Book, facts: Mapping[str, Any]) -> frozenset[str]:
    """What has to be looked up: by rules in whose scope the ask may lie, and by scopes that name workflows."""
    found: set[str] = set()
    for rule in book.needing:
        if rule.scope.workflows:
            found.add("run")
        if rule.needs and (rule.scope.workflows or rule.scope.takes(facts)):
            found |= rule.needs
    return frozenset(found)


def past_facts(rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Rows of `READ_PAST` by the names of the vocabulary."""
    facts: dict[str, Any] = {}
    for subject, *values, agents in rows:
        for place, window in enumerate(WINDOWS):
            facts[f"past.count_{subject}_{window}"] = float(values[2 * place])
            facts[f"past.amount_{subject}_{window}"] = float(values[2 * place + 1])
        if subject != "agent":
            facts[f"past.agents_{subject}_24h"] = sorted(agents)
    return facts


def decide(
    asked: Asked, book: Book, facts: Mapping[str, Any], moved: Moved | None = None, over: Stopped | None = None
) -> Decided:
    """Pure but for the new ids. `moved`: to whom this work goes now, `over`: by what its agent is supervised, unless
    rules say something stricter."""
    facts = dict(facts)
    run_id = facts.pop("_run_id", None)
    kept = asks.stored(facts)
    answer = book.ready.evaluate(facts)
    answer, instead = _instead(answer, moved, over)
    decision_id = uuid7()
    hold_id = uuid7() if answer.effect.kind == Kind.HOLD else None
    told = _told(answer, facts, book, decision_id, hold_id)
    if instead:
        said = answer.effect
        told["reasons"] = [{"policy": instead, "version": 0, "words": said.words, "effect": said.kind.value}]
    row = _row(asked, answer, kept, told)
    row |= {"id": told["id"], "hold_id": told["hold"], "run_id": str(run_id) if run_id else None}
    row["shadow"] = _shadow(book, facts, answer)
    return Decided(asked, answer, told, hold_id, row, book.generation)


def _instead(answer: Answer, moved: Moved | None, over: Stopped | None) -> tuple[Answer, str]:
    """What is answered in the place of rules that are less strict, and by what ("": nothing)."""
    if moved and STRICTNESS[answer.effect.kind] < STRICTNESS[Kind.ROUTE]:
        effect, instead = Effect(Kind.ROUTE, moved.words, to=moved.to), MOVED
    elif over and answer.effect.kind in ALONE:
        effect, instead = Effect(Kind.HOLD, over.words), SUPERVISED
    else:
        return answer, ""
    return Answer(effect, (), answer.missing, answer.degraded), instead


def refuse(asked: Asked, book: Book, stopped: Stopped) -> Decided:
    """The answer to who is stopped. What is paused may ask again; what is quarantined or cancelled may not go on."""
    facts = facts_of(asked, book, {})
    again_s = stopped.again_s(asked.at) if stopped.passes else 0
    answer = Answer(Effect(Kind.DELAY if stopped.passes else Kind.DENY, stopped.words, seconds=again_s), ())
    told = _told(answer, facts, book, uuid7(), None)
    told["stopped"] = stopped.kind
    told["reasons"] = [
        {"policy": stopped.kind, "version": 0, "words": stopped.words, "effect": answer.effect.kind.value}
    ]
    row = _row(asked, answer, asks.stored(facts), told)
    row |= {"id": told["id"], "hold_id": None, "run_id": None, "shadow": None}
    return Decided(asked, answer, told, None, row, book.generation, stopped.kind)


def _told(
    answer: Answer, facts: Mapping[str, Any], book: Book, decision_id: UUID, hold_id: UUID | None
) -> dict[str, Any]:
    effect = answer.effect
    told: dict[str, Any] = {
        "id": str(decision_id),
        "effect": effect.kind.value,
        "reasons": _reasons(answer, facts),
        "hold": str(hold_id) if hold_id else None,
        "route_to": effect.to or None,
        "amend": _amend(answer, facts) if effect.kind == Kind.AMEND else None,
        "retry_after_s": effect.seconds or None,
        "obligations": _obligations(answer, decision_id),
        "degraded": answer.degraded,
        "missing": list(answer.missing),
    }
    if effect.kind == Kind.EVIDENCE:
        told["evidence"] = list(effect.evidence)
    if not answer.matches:
        told["reasons"] = [
            {"policy": DEFAULT, "version": 0, "words": "No policy speaks of this.", "effect": effect.kind}
        ]
    return told


def _reasons(answer: Answer, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Explained where it matters; what merely allows is named."""
    reasons = list(answer.reasons)
    for place, match in enumerate(answer.matches[:EXPLAINED]):
        if match.effect.kind != Kind.ALLOW or isinstance(match.outcome, str):
            reasons[place] = {**reasons[place], "words": words(match, facts)}
    return reasons


def _amend(answer: Answer, facts: Mapping[str, Any]) -> dict[str, Any]:
    winner = answer.winner
    amount = answer.effect.amount
    if amount is None and winner:
        amount = winner.rule.limits.get("limit")
    asked, rate = facts.get("action.amount"), facts.get("action.rate")
    amount = amount if amount is None or asked is None else min(amount, asked)
    return {"amount": amount if amount is None or rate is None else _stated(amount, facts)}


def _stated(amount: float, facts: Mapping[str, Any]) -> float:
    """In the currency of the ask, no cent above what the limit is worth there."""
    there = Decimal(str(amount)) / Decimal(str(facts["action.rate"]))
    return min(float(facts["action.stated"]), float(there.quantize(CENT, ROUND_FLOOR)))


def _obligations(answer: Answer, decision_id: UUID) -> list[dict[str, Any]]:
    """A share is looked at afterwards: which cases is fixed by their ids, so that nobody can choose."""
    if answer.effect.kind != Kind.ALLOW or not answer.shares:
        return []
    place = int.from_bytes(hashlib.sha256(decision_id.bytes).digest()[:8], "big") / 2**64
    return [
        {"type": "check_after", "policy": rule.slug, "version": rule.version, "share": share, "chosen": place < share}
        for rule, share in answer.shares
    ]


def _row(asked: Asked, answer: Answer, kept: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """`kept`: the facts as JSON holds them."""
    ask, winner = asked.ask, answer.winner
    return {
        "workspace_id": asked.workspace_id,
        "at": asked.at.isoformat(),
        "agent": kept["agent.name"],
        "application": kept.get("agent.application", ""),
        "agent_id": asked.who.agent_id,
        "action_type": ask.type,
        "system": ask.system,
        "amount": str(ask.amount) if ask.amount is not None else None,
        "currency": kept.get("action.currency", ""),
        "run": ask.run,
        "effect": answer.effect.kind.value,
        "policy_id": str(winner.rule.policy) if winner else None,
        "version": winner.rule.version if winner else None,
        "facts": kept,
        "answer": told,
        "degraded": answer.degraded,
        "key_id": asked.key_id,
        "imported": False,
        "verdict": "",
        "reviewer": "",
        "minutes": None,
        "outcome": "",
    }


def _shadow(book: Book, facts: Mapping[str, Any], answer: Answer) -> dict[str, Any] | None:
    """What would have been answered with each shadow version live, by policy; None where no shadow runs. The other
    rules have said what they say, with a shadow or without one."""
    if not book.shadows:
        return None
    found, activation = {}, bound(facts)
    for shadow in book.shadows:
        said = [match for match in answer.matches if match.rule.policy != shadow.policy]
        if shadow.scope.takes(facts) and (mine := judge(shadow, facts, activation)):
            said.append(mine)
        found[str(shadow.policy)] = {
            "version": shadow.version,
            "effect": concluded(said, book.default).effect.kind.value,
        }
    return {"live": answer.effect.kind.value, "tried": found}


def _past(asked: Asked, row: Mapping[str, Any], answer: Answer) -> list[dict[str, Any]]:
    common = {
        "workspace_id": asked.workspace_id,
        "decision_id": row["id"],
        "at": row["at"],
        "action_type": asked.ask.type,
        "agent": row["agent"],
        "amount": _compared(row),
        "counts": answer.effect.kind != Kind.DENY,
    }
    return [{**common, "subject": subject, "value": value} for subject, value in asks.subjects_of(asked.ask).items()]


def _compared(row: Mapping[str, Any]) -> str | None:
    """The amount in the workspace's currency."""
    facts = row["facts"]
    if "action.amount" not in facts:
        return None
    return f"{facts['action.amount']:.4f}" if "action.rate" in facts else row["amount"]


def _hold(
    asked: Asked, answer: Answer, told: Mapping[str, Any], hold_id: UUID, row: Mapping[str, Any]
) -> dict[str, Any]:
    ask, effect, winner = asked.ask, answer.effect, answer.winner
    amount = f" of {ask.amount.normalize():f} {row['currency']}".rstrip() if ask.amount is not None else ""
    return {
        "id": str(hold_id),
        "workspace_id": asked.workspace_id,
        "source": "decision",
        "state": "open",
        "revision": 0,
        "decision_id": row["id"],
        "key": "",
        "agent": row["agent"],
        "application": row["application"],
        "run": ask.run,
        "run_id": row["run_id"],
        "step": ask.step,
        "question": str(ask.context.get("question") or f"May {row['agent']} {ask.type}{amount}?")[:300],
        "proposal": ask.proposal or f"{ask.type}{amount}",
        "why": " ".join(reason["words"] for reason in told["reasons"] if reason["effect"] == "hold"),
        "evidence": ask.evidence,
        "cost_of_waiting": str(ask.context.get("cost_of_waiting") or "")[:300],
        "reversible": ask.context.get("reversible") if isinstance(ask.context.get("reversible"), bool) else None,
        "policy_id": row["policy_id"],
        "policy": winner.rule.slug if winner else told["reasons"][0]["policy"],
        "version": row["version"],
        "skill": effect.skill,
        "people": effect.people,
        "on_timeout": effect.on_timeout,
        "opened_at": row["at"],
        "due_at": (asked.at + timedelta(seconds=effect.due_s)).isoformat(),
        "verdict": "",
        "note": "",
    }


def _entry(decided: Decided) -> entries.Draft:
    """The receipt: no content, only names, numbers and the hash of what was seen."""
    asked, answer, told, kept = decided.asked, decided.answer, decided.told, decided.row["facts"]
    seen = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    return entries.draft(
        asked.workspace_id,
        "decision",
        ("decision", told["id"]),
        f"agent:{kept['agent.name']}",
        Plain(  # texts, whole numbers and lists of texts
            effect=told["effect"],
            action=asked.ask.type,
            system=asked.ask.system,
            amount=str(asked.ask.amount) if asked.ask.amount is not None else None,
            run=asked.ask.run,
            facts_sha256=hashlib.sha256(seen).hexdigest(),
            matches=answer.by_effect,
            missing=list(answer.missing),
            hold=told["hold"],
            key=asked.key_id,
            **({"stopped": decided.stopped} if decided.stopped else {}),
        ),
        asked.at,
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def now() -> datetime:
    return datetime.now(UTC)


def default_effect(kind: str) -> Effect:
    return Effect(Kind(kind))
