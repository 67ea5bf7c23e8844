"""What whoever works on a run should know of the others: who is in it, what is done, which facts are fetched already,
what a customer was asked, which policies are in force, who waits for whom. Pages and agents are told the same.

A claim whose key begins with `ask:` is a request to the customer: `ask:address`. While it is in hand, nobody else need
ask; and as long as it is done without a result, the answer is still to come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from orchestration.control.coordinating import coordinates
from orchestration.control.gates import Gate, gates
from orchestration.control.run_words import Words, said, sentence
from orchestration.handoffs.models import STANDING, Claim, Envelope, Holding, Passing
from orchestration.handoffs.told import state_of
from orchestration.holds.models import Hold
from orchestration.lib.names import agent_key, same_agent
from orchestration.policies import live
from orchestration.policies.evaluate import Rule
from orchestration.policies.scopes import Scope
from orchestration.workflows import account
from orchestration.workflows.account import RunDetail
from orchestration.workflows.runs import RunLine
from orchestration.workflows.story import ToolCall

MOST = 100  # of each kind
ASKS = "ask:"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Member:
    """`doing`: what it has claimed and has in hand."""

    name: str
    calls: int
    failures: int
    doing: list[str]


@dataclass(frozen=True, slots=True)
class Done:
    agent: str
    what: str
    at: datetime | None
    by: str  # step | handoff


@dataclass(frozen=True, slots=True)
class Fact:
    """What was fetched: the result of a claim, or a tool call that went well (whose result stands in its span)."""

    key: str
    agent: str
    at: datetime
    source: str  # claim | tool
    system: str | None = None
    result: Any = None
    times: int = 1
    agents: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """To the customer."""

    what: str
    agent: str
    since: datetime
    by: str  # claim | decision | step


@dataclass(frozen=True, slots=True)
class InForce:
    slug: str
    name: str
    version: int
    effect: str
    words: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A hold that is open."""

    id: UUID
    agent: str
    question: str
    since: datetime
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Context:
    """`words` is the sentence at the top, `line` None for a run of which only claims and handoffs are known.
    `coordination`: its agents are to tell each other what they do."""

    run: str
    line: RunLine | None
    words: Words
    agents: list[Member]
    named: list[str]  # the same, with their application where it is known
    done: list[Done]
    facts: list[Fact]
    in_hand: list[Claim]
    requests: list[Request]
    policies: list[InForce]
    holds: list[Waiting]
    handoffs: list[Envelope]  # that are open
    declared: list[Envelope]  # all
    coordination: bool
    as_of: datetime

    @property
    def status(self) -> str:
        return self.line.status if self.line else "unknown"

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.words)


def context(
    workspace_id: int,
    run: str,
    detail: RunDetail | None = None,
    gone_by: Sequence[Gate] | None = None,
    *,
    workflow: str = "",
) -> Context | None:
    """Of the run that is called so; None when nothing of that name is known. `detail` and `gone_by`: where the run and
    its gates were told already. `workflow`: what the run is one of, where nothing may have come of it yet."""
    detail = detail or account.run(workspace_id, run, steps=0)
    gathered = _Gathered(workspace_id, run, detail, gone_by, workflow)
    known = detail or gathered.claims or gathered.envelopes or gathered.holds or workflow
    return gathered.context() if known else None


class _Gathered:
    """What the rows say, read once."""

    def __init__(
        self, workspace_id: int, run: str, detail: RunDetail | None, gone_by: Sequence[Gate] | None, workflow: str
    ) -> None:
        self.workspace_id, self.run, self.detail, self.now = workspace_id, run, detail, timezone.now()
        self.line = line = detail.run if detail else None
        self.workflow = line.workflow if line else workflow
        self.names = [run, str(line.id), line.id.hex, *line.trace_ids, line.external_key or run] if line else [run]
        self.gates = (gates(workspace_id, line) if line else []) if gone_by is None else gone_by
        self.calls: list[ToolCall] = detail.story.tool_calls if detail else []
        claims = Claim.objects.filter(self._mine("ref"), workspace=workspace_id, state__in=STANDING)
        self.claims = list(claims.order_by("since")[:MOST])
        self.in_hand = [row for row in self.claims if row.state == Holding.HELD and row.until > self.now]
        envelopes = Envelope.objects.filter(self._mine("run"), workspace=workspace_id)
        self.envelopes = list(envelopes.order_by("-sent_at")[:MOST])[::-1]
        self.holds = self._holds()

    def context(self) -> Context:
        open_ = [row for row in self.envelopes if state_of(row, self.now) in (Passing.SENT, Passing.ACCEPTED)]
        named, requests = self._named(), self._requests()
        agents = self._agents(named)
        return Context(
            run=str(self.line.id) if self.line else self.run,
            line=self.line,
            words=sentence(self.detail, self.holds, requests, open_, self.in_hand),
            agents=agents,
            named=named,
            done=self._done(),
            facts=self._facts(),
            in_hand=self.in_hand,
            requests=requests,
            policies=in_force(self.workspace_id, self.workflow, [each.rpartition("/")[2] or each for each in named]),
            holds=self.holds,
            handoffs=open_,
            declared=self.envelopes,
            coordination=coordinates(self.workspace_id, self.workflow, self.line.started_at if self.line else None),
            as_of=self.now,
        )

    def _mine(self, named: str) -> Q:
        wanted = Q(**{f"{named}__in": self.names})
        return wanted | Q(run_id=self.line.id) if self.line else wanted

    def _holds(self) -> list[Waiting]:
        found = Hold.objects.filter(self._mine("run"), workspace=self.workspace_id).pending()
        rows = found.order_by("opened_at")[:MOST]
        return [Waiting(row.pk, row.agent, row.question, row.opened_at, row.due_at) for row in rows]

    def _agents(self, named: Sequence[str]) -> list[Member]:
        """By telemetry, then whoever only claims or is handed something."""
        whose = {
            name: _place(named, name) for name in {*map(_caller, self.calls), *(row.agent for row in self.in_hand)}
        }
        calls = Counter(whose[_caller(call)] for call in self.calls)
        wrong = Counter(whose[_caller(call)] for call in self.calls if not call.ok)
        alike = Counter(agent_key(name) for name in named)
        return [
            Member(
                name if alike[agent_key(name)] > 1 else name.rpartition("/")[2] or name,
                calls[place],
                wrong[place],
                [row.key for row in self.in_hand if whose[row.agent] == place],
            )
            for place, name in enumerate(named)
        ]

    def _named(self) -> list[str]:
        """Each once; a name without its application is whoever is called so already."""
        found: list[str] = []
        for name in self._said():
            place = _place(found, name)
            if place < 0:
                found.append(name)
            elif "/" in name and "/" not in found[place]:
                found[place] = name
        return found

    def _said(self) -> Iterable[str]:
        yield from (_full(each.application, each.name) for each in (self.line.agent_list if self.line else ()))
        for row in self.envelopes:
            yield row.sender
            yield row.receiver
        yield from (row.agent for row in self.claims)

    def _done(self) -> list[Done]:
        """Turns of agents that ended well, and what they say they did when they handed over."""
        found = [
            Done(each.agent, each.step.name, _at(each.step.end_ns), "step")
            for each in (self.detail.story.placed if self.detail else ())
            if each.kind.word == "agent" and each.step.end_ns and not each.failed
        ][-MOST:]
        for row in self.envelopes:
            found += [Done(row.sender, said(each), row.sent_at, "handoff") for each in row.body.get("done", ())]
            if row.state == Passing.COMPLETED:
                found.append(Done(row.receiver, str(row.body.get("asked") or ""), row.ended_at, "handoff"))
        return found[-MOST:]

    def _facts(self) -> list[Fact]:
        finished = [row for row in self.claims if row.state == Holding.DONE and not row.key.startswith(ASKS)]
        found = [Fact(row.key, row.agent, row.ended_at or row.since, "claim", result=row.result) for row in finished]
        together: dict[tuple[str, str], list[ToolCall]] = {}
        asking = {each.span_id for each in self.detail.story.escalations} if self.detail else set()
        for call in self.calls:
            if call.ok and call.span_id not in asking:  # that a person was asked tells nobody anything
                together.setdefault((call.tool, call.system), []).append(call)
        for (tool, system), calls in together.items():
            who, last = len({call.agent for call in calls}), calls[-1]
            found.append(Fact(tool, last.agent, _at(last.at_ns), "tool", system or None, times=len(calls), agents=who))
        return found[:MOST]

    def _requests(self) -> list[Request]:
        asked = [row for row in self.claims if row.key.startswith(ASKS)]
        found = [
            Request(row.key.removeprefix(ASKS), row.agent, row.since, "claim")
            for row in asked
            if row in self.in_hand or (row.state == Holding.DONE and row.result is None)
        ]
        found += [Request(gate.words or gate.what, gate.agent, gate.at, "decision") for gate in unanswered(self.gates)]
        if self.detail and not self.holds:
            asked_in = [each for each in self.detail.story.escalations if each.state == "open"]
            found += [Request(each.question, each.agent, _at(each.at_ns), "step") for each in asked_in]
        return found[:MOST]


def in_force(workspace_id: int, workflow: str, agents: Sequence[str]) -> list[InForce]:
    """Live policies that may speak in a run of this workflow with these agents."""
    return [
        InForce(rule.slug, rule.name, rule.version, rule.then.kind.value, rule.then.words)
        for rule in live.book(workspace_id).rules
        if _concerns(rule, workflow, agents)
    ][:MOST]


def _concerns(rule: Rule, workflow: str, agents: Sequence[str]) -> bool:
    flows, named = Scope(workflows=rule.scope.workflows), Scope(agents=rule.scope.agents)
    if not flows.takes({"run.workflow": workflow}):
        return False
    return not named.agents or any(named.takes({"agent.name": name}) for name in agents)


def unanswered(found: Sequence[Gate]) -> list[Gate]:
    """Answers "bring evidence" after which the same was not asked again."""
    last = {(gate.agent, gate.what): gate for gate in found}
    return [gate for gate in last.values() if gate.effect == "evidence"]


def _place(named: Sequence[str], name: str) -> int:
    return next((place for place, known in enumerate(named) if same_agent(known, name)), -1)


def _caller(call: ToolCall) -> str:
    return _full(call.application, call.agent)


def _full(application: str, name: str) -> str:
    return f"{application}/{name}" if application and name else name


def _at(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)
