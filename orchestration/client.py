"""What an agent uses to talk to Baton: traces, and plain events for whatever knows no tracing.

One file, standard library only. Import it, or copy it into a program of your own:

    baton = Baton("http://127.0.0.1:8000", key, service="refunds", environment="production")

    with baton.span("invoke_agent refund", {"gen_ai.operation.name": "invoke_agent",
                                            "gen_ai.agent.name": "refund"}) as turn:
        with baton.span("execute_tool issue_refund", {"gen_ai.operation.name": "execute_tool",
                                                      "gen_ai.tool.name": "issue_refund"}, parent=turn):
            call_the_payment_service(headers={"traceparent": turn.context.traceparent})

    with baton.run("invoice-4711", workflow="invoice entry", agent="entry-bot") as run:   # no tracing needed
        with run.step("read mail", system="mailbox"):
            ...
        run.heartbeat()

    answer = baton.decide("refund", {"type": "refund", "amount": 620, "currency": "USD"}, run="invoice-4711")
    if answer.hold:
        answer = baton.wait(answer)   # for a person
    if answer.allowed:
        pay()

    with baton.claim("invoice-4711", "customer:88", agent="refund") as work:   # nobody else does it meanwhile
        if work.granted:
            work.result = look_up_the_customer()   # told to all who wanted the same
    customer = work.result
    baton.hand_off("invoice-4711", "refund", "billing", "Pay 620 EUR back", done=["Checked the customer"])

    baton.start("Refund", {"order": 17}, key="order-17")   # a workflow declared in Baton; the same key is the same run
    for step in baton.work(agent="payer", skill="payments"):   # for ever: steps as they become due
        with step:
            step.result = pay(step.input["order"], once=step.key)

    baton.close()

Spans and events wait in bounded queues and leave in batches, from threads of their own: the caller never waits and
never sees an error of the network. What could not be delivered is counted (`baton.counts()`) and logged.
What is asked (`decide`, `wait`) is answered while the caller waits; with Baton away the answer is no, unless you say
`fail="open"`. What was decided so is a span of the run that was named, with its true time, and arrives with all else
that was reported meanwhile once Baton is back: as much as the queues hold, for a day.
A batch is sent again only where that can help: no answer, or 429, 502, 503, 504, after the `Retry-After` they ask for.
"""

from __future__ import annotations

import atexit
import gzip
import http.client
import json
import logging
import os
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

Json = dict[str, Any]
Attributes = Mapping[str, Any]  # values: str, bool, int, float, and lists or dicts of those; None is left out

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5  # span kinds of OpenTelemetry
RETRYABLE = frozenset({0, 429, 502, 503, 504})  # 0: no answer at all

log = logging.getLogger("baton.client")
_UNREAL = {float("inf"): "Infinity", float("-inf"): "-Infinity"}  # as protobuf's JSON names what JSON cannot say
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


@dataclass(frozen=True, slots=True)
class Context:
    """A place in a trace: what one service hands to the next in the header `traceparent` (W3C Trace Context)."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"

    @classmethod
    def parse(cls, traceparent: str) -> Context | None:
        """The context that a header names, None when it names none."""
        found = _TRACEPARENT.fullmatch(traceparent.strip())
        return cls(found[1], found[2]) if found else None


class Span:
    """A piece of work. It is sent when it is finished, by `finish` or at the end of a `with` block."""

    def __init__(self, baton: Baton, name: str, context: Context, parent_id: str, kind: int) -> None:
        self.context = context
        self.attributes: Json = {}
        self._baton = baton
        self._sent = False
        self._json: Json = {
            "traceId": context.trace_id,
            "spanId": context.span_id,
            "name": name,
            "kind": kind,
            "startTimeUnixNano": str(baton.clock()),
        }
        if parent_id:
            self._json["parentSpanId"] = parent_id

    def set(self, attributes: Attributes) -> Span:
        """Add attributes, replacing those of the same name."""
        self.attributes.update(attributes)
        return self

    def event(self, name: str, attributes: Attributes | None = None) -> Span:
        """Note something that happened at a moment inside the span."""
        event = {"name": name, "timeUnixNano": str(self._baton.clock()), "attributes": _key_values(attributes or {})}
        self._json.setdefault("events", []).append(event)
        return self

    def link(self, context: Context) -> Span:
        """Tie this span to one of another trace."""
        self._json.setdefault("links", []).append({"traceId": context.trace_id, "spanId": context.span_id})
        return self

    def fail(self, error: str, message: str = "") -> Span:
        """Mark the span as failed: the error's type and what it said."""
        self._json["status"] = {"code": 2, "message": message or error}
        self.attributes.setdefault("error.type", error)
        return self.event("exception", {"exception.type": error, "exception.message": message})

    def succeed(self) -> Span:
        """Mark the span as explicitly successful; a span without a mark is one that nobody complained about."""
        self._json["status"] = {"code": 1}
        return self

    def finish(self) -> None:
        """End the span and send it. The second time does nothing."""
        if self._sent:
            return
        self._sent = True
        self._json["endTimeUnixNano"] = str(self._baton.clock())
        self._json["attributes"] = _key_values(self.attributes)
        self._baton.spans.put(self._json)

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None and issubclass(kind, Exception):
            self.fail(kind.__name__, str(error))
        self.finish()


class _Told:
    """A run or a step told by events: started when it is made, finished or failed at the end of a `with` block."""

    def __init__(self, baton: Baton, word: str, **fields: Any) -> None:
        self._baton, self._word, self._over = baton, word, False
        self._ids = {name: fields[name] for name in ("run", "workflow", "step", "agent") if fields.get(name)}
        self.id: str = self._ids.get("step") or self._ids["run"]
        baton.event(f"{word}.started", **fields)

    def finish(self, **fields: Any) -> None:
        self._end("finished", fields)

    def fail(self, error: str, **fields: Any) -> None:
        self._end("failed", {"error": error, **fields})

    def _end(self, how: str, fields: Json) -> None:
        if not self._over:
            self._over = True
            self._baton.event(f"{self._word}.{how}", **self._ids, **fields)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None and issubclass(kind, Exception):
            self.fail(f"{kind.__name__}: {error}")
        self.finish()


class Step(_Told):
    """A step of a run."""

    def __enter__(self) -> Step:
        return self


class Run(_Told):
    """A run of a process that is told by events. Baton shows it as live from its first one."""

    def __enter__(self) -> Run:
        return self

    def step(self, name: str, *, system: str = "", kind: str = "", **attributes: Any) -> Step:
        """Start a step; `kind` is agent, llm, tool, retrieval, human or other."""
        step = self._baton.entropy(8).hex()
        return Step(
            self._baton, "step", **self._ids, step=step, name=name, system=system, kind=kind, attributes=attributes
        )

    def heartbeat(self) -> None:
        """Say that the run's agent is still alive, where steps take long."""
        self._baton.event("heartbeat", **self._ids)


@dataclass(frozen=True, slots=True)
class Sending:
    """How a queue is emptied. `linger_s`: how long the first of a batch waits for company. `waits`: the caller waits
    for room in a full queue (for old data, which has time) and nothing is dropped. `sampler`: says of each span and
    event whether it is to be sent at all."""

    batch: int = 512
    queue: int = 4096
    linger_s: float = 1.0
    timeout_s: float = 10.0
    patience_s: float = 86_400.0  # after that a batch that nobody takes is given up
    waits: bool = False
    sampler: Callable[[Json], bool] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What Baton said to "may I?", or a person to a hold. `effect`: allow, deny, hold, evidence, peer, amend, delay,
    route; after `wait` allow, deny, amend or evidence, or hold while nobody has answered. `hold` is what to wait for.
    `away`: Baton could not be reached, and `fail` has spoken. `told` is all that was said."""

    effect: str
    hold: str = ""
    amend: Json | None = None
    away: bool = False
    told: Json = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        """As it was asked: an amended one is allowed as `amend` says."""
        return self.effect == "allow"

    @property
    def note(self) -> str:
        """What the person said to it."""
        return str(self.told.get("note") or "")


class Refused(ValueError):
    """Baton understood and will not answer: the ask or the key is wrong, and trying again changes nothing. `errors`
    name the fields that are at fault, each with `field` and `message`."""

    def __init__(self, words: str, status: int = 0, told: Json | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.told: Json = told or {}

    @property
    def errors(self) -> list[Json]:
        return list(self.told.get("errors") or ())


class Claim:
    """A piece of work of a run that one agent does for all. `granted`: it is yours; set `result` inside a `with` block,
    and all others get it when the block ends, or the work when it ends in an exception. Not granted: `result` is what
    `holder` found, where `state` is done. While the block lasts the claim is kept, however long that takes; a program
    that dies frees it. `fence` grows with each grant: pass it on to what must not take orders from a holder of old.
    `away`: Baton could not be reached, and `fail` has spoken."""

    def __init__(self, asks: _Asks, told: Json, ttl_s: float, *, away: bool = False) -> None:
        self.granted, self.away, self.told = bool(told["granted"]), away, told
        self.id, self.holder, self.state = str(told.get("id") or ""), told.get("holder"), told.get("state")
        self.fence, self.result = int(told.get("fence") or 0), told.get("result")
        self._asks, self._ttl_s = asks, ttl_s
        self._over = threading.Event()

    def finish(self, result: Any = None, timeout_s: float = 5.0) -> bool:
        """Tell the result now; False when it came too late, and another agent does the work."""
        self.result = result
        return self._end("PUT", "result", {"result": result}, timeout_s)

    def release(self, timeout_s: float = 5.0) -> bool:
        """Give it back undone."""
        return self._end("POST", "release", {}, timeout_s)

    def _end(self, method: str, step: str, body: Json, timeout_s: float) -> bool:
        self._over.set()
        if not self.granted or self.away:
            return False
        try:
            return self._asks.ask(method, f"/api/v1/claims/{self.id}/{step}", body, "", timeout_s) is not None
        except Refused as refused:
            if refused.status != 409:
                raise
            log.warning("a claim was lost: %s", refused.told.get("detail"))
            return False

    def _keep(self) -> None:
        pause = self._ttl_s / 3
        while not self._over.wait(pause):
            try:
                self._asks.ask("POST", f"/api/v1/claims/{self.id}/extend", {"ttl_s": self._ttl_s}, "", pause)
            except Refused:  # it is another's by now, which the end of the block will find out
                return

    def __enter__(self) -> Claim:
        if self.granted and not self.away:
            threading.Thread(target=self._keep, name="baton-claim", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._over.is_set():
            return
        if kind is not None:
            self.release()
        else:
            self.finish(self.result)


class StepFailed(Exception):
    """Raise it while working at a step: this attempt failed, and `error_class` says by which of the step's retry rules
    it is tried again."""

    def __init__(self, error_class: str, words: str = "") -> None:
        super().__init__(words or error_class)
        self.error_class = error_class


class Work:
    """A step of a declared workflow that this agent has taken. In a `with` block it is kept alive; when the block ends
    `result` is told and the run goes on, and after an exception the attempt has failed. `key` is the same at every
    attempt: pass it on to what you act upon. `undo`: the effect of an earlier step that is to be taken back. `effects`:
    append what you did that may have to be. `lost`: it is another's by now. `stopped`: the run was ended."""

    def __init__(self, asks: _Asks, told: Json) -> None:
        self.told: Json = told
        self.result: Json = {}
        self.effects: list[Json] = []  # each with name, and if need be key and data
        self.id, self.run, self.step, self.key = (str(told[name]) for name in ("id", "run", "step", "key"))
        self.input, self.results, self.undo = told["input"], told["results"], told["undo"]
        self.attempt, self.lost, self.stopped = int(told["attempt"]), False, False
        self._asks, self._over = asks, threading.Event()

    def complete(self, result: Json | None = None, timeout_s: float = 30.0) -> bool:
        """Tell that it is done; False when it came too late, and the step went on without you."""
        self.result = self.result if result is None else result
        return self._say("complete", {"result": self.result, "effects": self.effects}, timeout_s)

    def fail(self, error_class: str = "error", words: str = "", timeout_s: float = 30.0) -> bool:
        """Tell that this attempt failed."""
        body = {"error_class": error_class, "error": words[:4000], "effects": self.effects}
        return self._say("fail", body, timeout_s)

    def _say(self, word: str, body: Json, timeout_s: float) -> bool:
        self._over.set()
        return self._ask(word, body, timeout_s) is not None

    def _ask(self, word: str, body: Json, timeout_s: float) -> Json | None:
        try:
            return self._asks.ask("POST", f"/api/v1/leases/{self.id}/{word}", body, "", timeout_s)
        except Refused as refused:
            if refused.status != 409:
                raise
            self.lost = True
            log.warning("a step was lost: %s", refused.told.get("detail"))
            return None

    def _keep(self) -> None:
        pause = float(self.told["lease_s"]) / 3
        while not self.lost and not self._over.wait(pause):
            said = self._ask("heartbeat", {}, max(2.0, pause))
            self.stopped = self.stopped or bool(said and said["stop"])

    def __enter__(self) -> Work:
        threading.Thread(target=self._keep, name="baton-work", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if not self._over.is_set():
            if error is None:
                self.complete()
            elif isinstance(error, StepFailed):
                self.fail(error.error_class, str(error))
            else:
                self.fail("error", f"{type(error).__name__}: {error}")
        return isinstance(error, StepFailed)


class Baton:
    """The connection of one program to Baton. `service` is its name there (`service.name`); safe between threads."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        service: str,
        environment: str = "",
        version: str = "",
        resource: Attributes | None = None,
        clock: Callable[[], int] = time.time_ns,
        entropy: Callable[[int], bytes] = os.urandom,
        sending: Sending | None = None,
    ) -> None:
        self.clock, self.entropy = clock, entropy
        self.service, self.environment = service, environment
        named = {"service.name": service, "deployment.environment.name": environment, "service.version": version}
        about = _key_values({name: value for name, value in named.items() if value} | dict(resource or {}))

        def spans(items: list[Json]) -> Json:
            scope = {"scope": {"name": "baton.client"}, "spans": items}
            return {"resourceSpans": [{"resource": {"attributes": about}, "scopeSpans": [scope]}]}

        self.spans = Courier(_Line(url, "/v1/traces", key), spans, sending or Sending())
        self._asks = _Asks(url, key)
        self.events = Courier(_Line(url, "/api/v1/events", key), lambda items: {"events": items}, sending or Sending())
        atexit.register(self.close, 2.0)

    def span(
        self,
        name: str,
        attributes: Attributes | None = None,
        *,
        parent: Span | Context | None = None,
        kind: int = INTERNAL,
    ) -> Span:
        """Start a span below `parent`, or a trace of its own."""
        above = parent.context if isinstance(parent, Span) else parent
        trace_id = above.trace_id if above else self.entropy(16).hex()
        context = Context(trace_id, self.entropy(8).hex())
        return Span(self, name, context, above.span_id if above else "", kind).set(attributes or {})

    def run(self, run: str, *, workflow: str, agent: str, name: str = "", **attributes: Any) -> Run:
        """Start a run that is told by events; `run` is any text of yours that is unique in the workspace."""
        return Run(self, "run", run=run, workflow=workflow, agent=agent, name=name, attributes=attributes)

    def heartbeat(self, agent: str) -> None:
        """Say that an agent is alive though it has nothing to do."""
        self.event("heartbeat", agent=agent)

    def event(self, type: str, **fields: Any) -> None:
        """Send one event as it is. Fields: run, step, parent, workflow, agent, kind, system, name, status, error,
        attributes; what is empty is left out."""
        known = {name: value for name, value in fields.items() if value}
        self.events.put({"type": type, "at": self.clock(), **known})

    def decide(
        self, agent: str, action: Json, *, fail: str = "closed", timeout_s: float = 5.0, key: str = "", **more: Any
    ) -> Answer:
        """May I? `action` has type and, as known, system, amount, currency, arguments; `more` is run, step, context,
        proposal, evidence. Tried again for `timeout_s` with one idempotency key (yours, so that a second run of a
        script asks the same; else one of this call). Then `fail` speaks: closed denies, open allows. Raises Refused."""
        body = {"agent": agent, "action": action, **{name: value for name, value in more.items() if value}}
        said = self._asks.ask("POST", "/api/v1/decisions", body, key or self.entropy(16).hex(), timeout_s)
        if said is None:
            answer = _away(fail)
            self._tell_later(agent, action, answer, more.get("run"))
            return answer
        return Answer(said["effect"], said.get("hold") or "", said.get("amend"), told=said)

    def _tell_later(self, agent: str, action: Json, answer: Answer, run: str | None) -> None:
        """What was decided without Baton, for when it is back; of a run that nobody named there is nothing to tell."""
        if not run:
            return
        told = {f"action.{name}": value for name, value in action.items() if isinstance(value, (str, int, float))}
        told |= {"gen_ai.operation.name": "apply_guardrail", "gen_ai.agent.name": agent, "baton.away": True}
        told |= {"gen_ai.guardrail.component.name": "without Baton", "gen_ai.guardrail.result.value": answer.effect}
        its_trace = _TRACE_ID.fullmatch(run)  # which is how some call their run
        context = Context(run if its_trace else self.entropy(16).hex(), self.entropy(8).hex())
        span = Span(self, f"{answer.effect} without Baton", context, "", INTERNAL).set(told)
        span.set({} if its_trace else {"baton.run.id": run}).finish()

    def wait(self, hold: Answer | str, *, fail: str = "closed", timeout_s: float = 3600.0) -> Answer:
        """Wait for a person's verdict on a hold, by long polls; an answer without a hold is the answer. When the
        time is over and nobody has answered, the effect is still hold; silence is no consent. With Baton away at the
        end `fail` speaks. Raises Refused."""
        if isinstance(hold, Answer) and not hold.hold:
            return hold
        hold_id = hold.hold if isinstance(hold, Answer) else hold
        until, said = time.monotonic() + timeout_s, None
        while (left := until - time.monotonic()) > 0:
            patience = min(left, _POLL_S)
            said = self._asks.ask("GET", f"/api/v1/holds/{hold_id}?wait={patience:.1f}", None, "", patience + 5)
            if said and said["state"] != "open":
                effect = _EFFECTS.get(said.get("verdict") or "", "deny")
                return Answer(effect, "", said.get("amend"), told=said)
        return _away(fail) if said is None else Answer("hold", hold_id, told=said)

    def claim(
        self,
        run: str,
        key: str,
        *,
        agent: str,
        ttl_s: float = 60.0,
        wait_s: float = 30.0,
        fresh_s: float | None = None,
        fail: str = "closed",
        timeout_s: float = 5.0,
    ) -> Claim:
        """Say what is about to be done in a run (`key`: any text, the same for all who would do the same), and be the
        only one to do it, or get what the first one found; waits for that up to `wait_s`. `ttl_s`: after so long
        without a sign of life another one is granted it. `fresh_s`: an older result is no use. A request to a customer
        is called `ask:…`. With Baton away nothing is granted, or with `fail="open"` it is. Raises Refused."""
        body: Json = {"run": run, "key": key, "agent": agent, "ttl_s": ttl_s}
        body |= {} if fresh_s is None else {"fresh_s": fresh_s}
        once, until = self.entropy(16).hex(), time.monotonic() + wait_s
        while True:
            patience = max(0.0, min(_POLL_S, until - time.monotonic()))
            said = self._asks.ask("POST", f"/api/v1/claims?wait={patience:.1f}", body, once, patience + timeout_s)
            if said is None:
                return Claim(self._asks, {"granted": _away(fail).allowed}, ttl_s, away=True)
            if said["granted"] or said["state"] != "held" or time.monotonic() >= until:
                return Claim(self._asks, said, ttl_s)

    def hand_off(
        self, run: str, sender: str, to: str, asked: str, *, key: str = "", timeout_s: float = 5.0, **more: Any
    ) -> Json | None:
        """Pass work on. `more`: done, evidence, open_questions, constraints (lists of texts or objects), data_classes
        (names), facts (named values), expires_at. What the pair of agents needs and is missing raises Refused, whose
        `errors` name it. None: Baton is away; try again with the same `key` of yours."""
        lists = ("done", "evidence", "open_questions", "constraints", "data_classes")
        body: Json = {
            "version": 1,
            "run": run,
            "from": sender,
            "to": to,
            "asked": asked,
            **{name: [] for name in lists},
        }
        body |= {name: list(value) if name in lists else value for name, value in more.items() if value is not None}
        return self._asks.ask("POST", "/api/v1/handoffs", body, key or self.entropy(16).hex(), timeout_s)

    def handed(self, to: str, *, wait_s: float = 30.0, timeout_s: float = 5.0) -> list[Json]:
        """What waits for an agent, oldest first; by long poll where there is nothing yet."""
        wait_s = min(wait_s, _POLL_S)
        query = f"to={quote(to, safe='')}&state=sent&wait={wait_s:.1f}"
        said = self._asks.ask("GET", f"/api/v1/handoffs?{query}", None, "", wait_s + timeout_s)
        return list(said["items"]) if said else []

    def accept(
        self, handoff: str | Json, ttl_s: float | None = None, *, key: str = "", timeout_s: float = 5.0
    ) -> Json | None:
        """Take a handoff over; give what this answers to `extend`, `reject` and `complete`, which says by its `fence`
        that you still have it. `ttl_s`: when to give it to another one, unless you `extend` it before; else after a
        quarter of an hour without a sign of life. Raises Refused (status 409) when another one was quicker, or it has
        expired."""
        return self._hand(handoff, "accept", {"ttl_s": ttl_s}, key, timeout_s)

    def extend(
        self, handoff: str | Json, ttl_s: float | None = None, *, key: str = "", timeout_s: float = 5.0
    ) -> Json | None:
        """More time for it, from now on. Raises Refused (status 409) when it was given to another one meanwhile."""
        return self._hand(handoff, "extend", {"ttl_s": ttl_s}, key, timeout_s)

    def reject(self, handoff: str | Json, reason: str, *, key: str = "", timeout_s: float = 5.0) -> Json | None:
        """Send it back, with the reason. Raises Refused."""
        return self._hand(handoff, "reject", {"reason": reason}, key, timeout_s)

    def complete(
        self, handoff: str | Json, result: Any = None, *, key: str = "", timeout_s: float = 5.0
    ) -> Json | None:
        """What was asked is done. Raises Refused (status 409) when it was given to another one meanwhile."""
        return self._hand(handoff, "complete", {"result": result}, key, timeout_s)

    def _hand(self, handoff: str | Json, step: str, body: Json, key: str, timeout_s: float) -> Json | None:
        told = {"id": handoff} if isinstance(handoff, str) else handoff
        if step != "accept" and "fence" in told:
            body["fence"] = told["fence"]
        path = f"/api/v1/handoffs/{quote(str(told['id']), safe='')}/{step}"
        return self._asks.ask("POST", path, body, key or self.entropy(16).hex(), timeout_s)

    def context(self, run: str, *, workflow: str = "", timeout_s: float = 5.0) -> Json | None:
        """What is known and under way in a run: summary, agents, done, facts, in_hand, requests, policies, holds,
        handoffs, and whether its agents are to coordinate (`coordination`). None: Baton is away. Raises Refused (status
        404) when nobody has told of such a run, unless `workflow` says what it is that begins."""
        more = f"?workflow={quote(workflow, safe='')}" if workflow else ""
        return self._asks.ask("GET", f"/api/v1/runs/{quote(run, safe='')}/context{more}", None, "", timeout_s)

    def start(
        self, workflow: str, input: Json | None = None, *, title: str = "", key: str = "", timeout_s: float = 5.0
    ) -> Json | None:
        """Begin a run of a workflow that is declared in Baton: id, state, steps, effects. The same `key` of yours is
        the same run. None: Baton is away; try again with the same key. Raises Refused."""
        body = {"workflow": workflow, "input": input or {}, "title": title}
        return self._asks.ask("POST", "/api/v1/runs", body, key or self.entropy(16).hex(), timeout_s)

    def lease(
        self, *, agent: str, skill: str | Sequence[str] = (), most: int = 1, wait_s: float = 30.0
    ) -> list[Work] | None:
        """Take steps that name the agent or one of its skills, waiting for the first. None: Baton is away. Raises
        Refused, also (status 403) while the agent is quarantined."""
        skills = [skill] if isinstance(skill, str) else list(skill)
        body = {"agent": agent, "skills": [name for name in skills if name], "most": most}
        wait_s = min(wait_s, _POLL_S)
        said = self._asks.ask("POST", "/api/v1/leases", body | {"wait": wait_s}, "", wait_s + 5)
        if said and said["retry_after_s"]:
            time.sleep(min(wait_s, said["retry_after_s"]))  # the agent is paused
        return None if said is None else [Work(self._asks, each) for each in said["items"]]

    def work(
        self,
        *,
        agent: str,
        skill: str | Sequence[str] = (),
        wait_s: float = 30.0,
        stop: threading.Event | None = None,
    ) -> Iterator[Work]:
        """Steps as they become due, one after the other, until `stop` is set; for ever without it, also while Baton is
        away. Work on each in a `with` block. Raises Refused."""
        stop = stop or threading.Event()
        while not stop.is_set():
            found = self.lease(agent=agent, skill=skill, wait_s=wait_s)
            if found is None:
                stop.wait(random.uniform(0.5, 1.5))  # noqa: S311  not a secret
            yield from found or ()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Send what waits, now; True when all of it has left."""
        until = time.monotonic() + timeout_s
        spans, events = self.spans.flush(timeout_s), self.events.flush(until - time.monotonic())
        return spans and events

    def close(self, timeout_s: float = 5.0) -> bool:
        """Send what waits and stop; what Baton has not taken within the time is given up and counted."""
        until = time.monotonic() + timeout_s
        atexit.unregister(self.close)
        spans, events = self.spans.close(timeout_s), self.events.close(until - time.monotonic())
        return spans and events

    def counts(self) -> dict[str, int]:
        """Taken by Baton, refused by it, and dropped because it could not be reached or the queue was full."""
        both = (self.spans, self.events)
        return {name: sum(getattr(courier, name) for courier in both) for name in ("taken", "refused", "dropped")}


class Courier:
    """A bounded queue, and a thread that posts what is in it until Baton has taken it."""

    def __init__(self, line: _Line, wrap: Callable[[list[Json]], Json], sending: Sending) -> None:
        self.taken = self.refused = self.dropped = 0
        self._line, self._wrap, self._sending = line, wrap, sending
        self._waiting: deque[Json] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._under_way = 0
        self._hurry = False  # somebody waits for the queue to be empty
        self._closed_by: float | None = None  # on the monotonic clock

    def put(self, item: Json) -> None:
        """Queue an item; dropped, and counted, when the queue is full or closed."""
        if self._sending.sampler is not None and not self._sending.sampler(item):
            return
        with self._changed:
            if self._sending.waits:
                self._changed.wait_for(lambda: self._closed_by is not None or len(self._waiting) < self._sending.queue)
            if self._closed_by is not None or len(self._waiting) >= self._sending.queue:
                self.dropped += 1
                return
            self._waiting.append(item)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="baton-courier", daemon=True)
                self._thread.start()
            # the thread need not wake for each item: for the first, and when a batch is full
            if len(self._waiting) in (1, self._sending.batch):
                self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._waiting and not self._under_way, max(0.0, timeout_s))

    def close(self, timeout_s: float) -> bool:
        """Send what waits and stop; False when some of it had to be given up."""
        with self._changed:
            dropped = self.dropped
            self._closed_by = time.monotonic() + timeout_s
            self._changed.notify_all()
        if self._thread:
            self._thread.join(max(0.0, timeout_s) + 0.5)
        left = len(self._waiting) + self._under_way
        if left:
            log.warning("closed with %d items that baton has not taken", left)
        return not left and self.dropped == dropped

    def _work(self) -> None:
        while batch := self._next():
            body = json.dumps(self._wrap(batch), separators=(",", ":")).encode()
            refused, dropped = self._deliver(gzip.compress(body, 1), len(batch))
            with self._changed:
                self._under_way = 0
                self.refused += refused
                self.dropped += dropped
                self.taken += len(batch) - refused - dropped
                self._changed.notify_all()
        self._line.hang_up()

    def _next(self) -> list[Json]:
        """The next batch: a full one, or what came within `linger_s`; empty when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed_by is not None)
            self._changed.wait_for(
                lambda: len(self._waiting) >= self._sending.batch or self._hurry or self._closed_by is not None,
                self._sending.linger_s,
            )
            batch = [self._waiting.popleft() for _ in range(min(self._sending.batch, len(self._waiting)))]
            self._under_way = len(batch)
            self._hurry = self._hurry and bool(self._waiting)
            return batch

    def _deliver(self, body: bytes, items: int) -> tuple[int, int]:
        """Post until somebody answers for good; how many items were refused, how many never arrived."""
        give_up, attempt = time.monotonic() + self._sending.patience_s, 0
        while True:
            status, after, answer = self._line.post(body, self._sending.timeout_s)
            if status == 200:
                return min(items, _rejected(answer)), 0
            if status not in RETRYABLE:
                log.warning("baton refused %d items with status %d: %.200r", items, status, answer)
                return items, 0
            attempt += 1
            pause = after if after is not None else min(30.0, 0.25 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311
            if not self._wait(pause, give_up):
                log.warning("baton did not take %d items (last status %d); given up", items, status)
                return 0, items

    def _wait(self, seconds: float, give_up: float) -> bool:
        """Sleep before the next try; False when there is to be none."""
        until = time.monotonic() + seconds
        with self._changed:
            while (now := time.monotonic()) < until:
                last = give_up if self._closed_by is None else min(give_up, self._closed_by)
                if until > last:
                    return False
                self._changed.wait(until - now)
        return True


_POLL_S = 30.0
_EFFECTS = {"approve": "allow", "amend": "amend", "more": "evidence", "reject": "deny"}


def _away(fail: str) -> Answer:
    """What is done without Baton is the caller's own choice, and no is the choice of whoever made none."""
    log.warning("baton is away; failing %s", "open" if fail == "open" else "closed")
    return Answer("allow" if fail == "open" else "deny", away=True)


class _Asks:
    """Questions that the caller waits for. Each has a connection of its own, so that threads do not wait for others."""

    def __init__(self, url: str, key: str) -> None:
        self._parts = urlsplit(url)
        self._headers = {"Authorization": f"Bearer {key}", "User-Agent": "baton-client/1"}

    def ask(self, method: str, path: str, body: Json | None, key: str, timeout_s: float) -> Json | None:
        """The answer; None when Baton gave none within the time. Raises Refused."""
        until, attempt = time.monotonic() + timeout_s, 0
        while True:
            status, after, answer = self._once(method, path, body, key, max(0.1, until - time.monotonic()))
            said = _object(answer)
            if status == 200 and said is not None:
                return said
            answered = status == 409 and after is not None  # this very moment, to the same key
            if status not in RETRYABLE and status not in (200, 500) and not answered:
                words = f"baton refused with status {status}: {answer[:500].decode(errors='replace')}"
                raise Refused(words, status, said)
            attempt += 1
            pause = after if after is not None else min(2.0, 0.1 * 2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311
            if time.monotonic() + pause >= until:
                return None
            time.sleep(pause)

    def _once(
        self, method: str, path: str, body: Json | None, key: str, timeout_s: float
    ) -> tuple[int, float | None, bytes]:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=timeout_s)
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        sent = None if body is None else json.dumps(body).encode()
        try:
            headers |= {"Content-Type": "application/json"} if sent is not None else {}
            connection.request(method, self._parts.path.rstrip("/") + path, sent, headers)
            response = connection.getresponse()
            return response.status, _seconds(response.getheader("Retry-After")), response.read(1 << 20)
        except (OSError, http.client.HTTPException):
            return 0, None, b""
        finally:
            connection.close()


def _object(answer: bytes) -> Json | None:
    try:
        said = json.loads(answer or b"null")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


class _Line:
    """One kept-alive connection for posts to one address."""

    def __init__(self, url: str, path: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the address must be like http://127.0.0.1:8000")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + path
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "User-Agent": "baton-client/1",
        }
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, timeout_s: float) -> tuple[int, float | None, bytes]:
        """Status (0: no answer), seconds of Retry-After, and the answer's body."""
        kept = self._connection is not None
        try:
            return self._try(body, timeout_s)
        except (OSError, http.client.HTTPException):
            self.hang_up()
        if not kept:
            return 0, None, b""
        try:  # a kept connection may have been closed while it was idle: that says nothing about Baton
            return self._try(body, timeout_s)
        except (OSError, http.client.HTTPException):
            self.hang_up()
            return 0, None, b""

    def _try(self, body: bytes, timeout_s: float) -> tuple[int, float | None, bytes]:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=timeout_s)
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read(1 << 20)
        if response.will_close or not response.isclosed():
            self.hang_up()
        return response.status, _seconds(response.getheader("Retry-After")), answer

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _seconds(retry_after: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if not retry_after:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


def _rejected(answer: bytes) -> int:
    """How many items a 200 says were not taken, for traces and for events."""
    try:
        said = json.loads(answer or b"{}")
        partial = said.get("partialSuccess") or {}
        return int(partial.get("rejectedSpans") or said.get("rejected") or 0)
    except (ValueError, TypeError, AttributeError):
        return 0


def _key_values(attributes: Attributes) -> list[Json]:
    return [{"key": str(key), "value": _value(value)} for key, value in attributes.items() if value is not None]


def _value(value: Any) -> Json:
    """An attribute's value as OTLP/JSON has it. Words first, for most are; bool before int: it is one."""
    if isinstance(value, str):
        return {"stringValue": str(value)}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if value - value == 0 else _UNREAL.get(value, "NaN")}
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _key_values(value)}}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return {"arrayValue": {"values": [_value(one) for one in value]}}
    return {"stringValue": str(value)}
