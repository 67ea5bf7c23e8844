"""Event logs, as process mining has them, to the events of `/api/v1/events`: a row says what was done when to what.

A case becomes a run, each activity of it a step. Three ways in which rows tell how long a step took:
- lifecycle   rows of one activity in pairs, start and complete; the first start is ended by the first complete
- states      a row holds until the next row of its case
- neither     a row is a moment
A resource that no pattern calls automatic is a person, whose name is kept in the step and who never becomes an agent.
Steps are known by activity and time, so the same log, or an overlapping later one, gives the same steps again. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from fnmatch import fnmatchcase
from typing import Any

from orchestration.telemetry.admission import clean

# attributes of a step: a person's own work and no question to one; who began it, who ended it; since when it waited
WORK, PERSON, ENDED_BY, QUEUED = "baton.work", "baton.person", "baton.ended_by", "baton.queued_since"
NAME_CHARACTERS = 150
TEXT_CHARACTERS = 1000
FIELDS = ("case", "activity", "time", "lifecycle", "resource")
# the lifecycle of XES, and what other tools write
BEGINS = frozenset({"start", "started", "begin"})
ENDS = frozenset({"complete", "completed", "end", "finish", "finished", "closed"})
FAILS = frozenset({"fail", "failed", "error", "ate_abort", "pi_abort", "abort", "aborted"})
QUEUES = frozenset({"schedule", "scheduled", "assign", "assigned", "reassign", "enqueue", "enable"})
PASSES = frozenset({"suspend", "resume", "unknown", "withdraw", "manualskip", "autoskip", "release", ""})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Event = dict[str, Any]


class BadRow(ValueError):
    """What is wrong with one row: the field as `--map` calls it, and words that quote no more than needed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Reading:
    """How a log is to be read. `columns`: field to the columns that make it, joined by a space and a stroke."""

    workflow: str
    columns: Mapping[str, tuple[str, ...]]
    automatic: tuple[tuple[str, str], ...] = ()  # pattern of a resource, and the agent's name ("": the resource's)
    waiting: tuple[str, ...] = ()  # patterns of activities in which nobody works
    states: bool = False
    zone: tzinfo = UTC


@dataclass(slots=True)
class _Case:
    first_ns: int
    last_ns: int
    open: dict[str, deque[tuple[str, str]]] = field(default_factory=dict)  # activity to steps begun: key, person
    queued: dict[str, str] = field(default_factory=dict)
    holds: str = ""  # the step that lasts until the next row, where rows are states
    moment: tuple[int, tuple[str, ...]] = (0, ())  # the last time that began steps, and which


class Log:
    """A log on its way in. Remembers of each case what is open, and tells the ends of all cases at the end."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.cases: dict[str, _Case] = {}
        self._mapped = {column for columns in reading.columns.values() for column in columns}

    def events(self, row: Mapping[str, str]) -> Iterator[Event]:
        """The events that one row adds. Raises BadRow before anything of it is remembered."""
        name = self._text(row, "case", needed=True)
        activity = self._text(row, "activity", needed=True)[:NAME_CHARACTERS]
        at = self._time(row)
        word = self._lifecycle(row)
        return self._told(row, name, activity, at, word)

    def _told(self, row: Mapping[str, str], name: str, activity: str, at: int, word: str) -> Iterator[Event]:
        case = self.cases.get(name)
        if case is None or at < case.first_ns:
            yield self._of_run("run.started", name, at)
        if case is None:
            case = self.cases[name] = _Case(at, at)
        case.first_ns, case.last_ns = min(case.first_ns, at), max(case.last_ns, at)
        step = {"run": self.run(name), "name": activity, "at": at}
        if self.reading.states:
            yield from self._state(case, step, row)
        elif word in QUEUES:
            case.queued[activity] = datetime.fromtimestamp(at / 1e9, UTC).isoformat()
        elif word in BEGINS:
            yield self._begin(case, step, row)
        elif word in ENDS or word in FAILS:
            yield from self._end(case, step, row, failed=word in FAILS)

    def ends(self) -> Iterator[Event]:
        """That every case came to its end, at its last row: to be told when the whole log was read."""
        for name, case in self.cases.items():
            if case.holds:
                yield {"type": "step.finished", "run": self.run(name), "step": case.holds, "at": case.last_ns}
            yield self._of_run("run.finished", name, case.last_ns)

    def run(self, case: str) -> str:
        return f"{self.reading.workflow}:{case}"

    def _of_run(self, kind: str, case: str, at: int) -> Event:
        return {"type": kind, "run": self.run(case), "workflow": self.reading.workflow, "name": case, "at": at}

    def _state(self, case: _Case, step: Event, row: Mapping[str, str]) -> Iterator[Event]:
        """What held so far ends; of a state in which nobody works only its beginning is a step."""
        ended = {"type": "step.finished", "run": step["run"], "at": step["at"]}
        if case.holds:
            yield {**ended, "step": case.holds}
        begun = self._begin(case, step, row)
        yield begun
        case.open.clear()
        case.holds = begun["step"]
        if self._idle(step["name"]):
            yield {**ended, "step": begun["step"]}
            case.holds = ""

    def _begin(self, case: _Case, step: Event, row: Mapping[str, str]) -> Event:
        at, activity = step["at"], step["name"]
        same = case.moment[1] if case.moment[0] == at else ()
        twins = same.count(activity)
        case.moment = at, (*same, activity)
        key = f"{activity}@{at}#{twins + 1}" if twins else f"{activity}@{at}"
        who = self._who(row, activity)
        if since := case.queued.pop(activity, None):
            who["attributes"][QUEUED] = since
        case.open.setdefault(activity, deque()).append((key, who["attributes"].get(PERSON, "")))
        return {"type": "step.started", **step, "step": key, **who}

    def _end(self, case: _Case, step: Event, row: Mapping[str, str], *, failed: bool) -> Iterator[Event]:
        """Without a beginning the end is all there is: a moment."""
        if step["name"] not in case.open:
            yield self._begin(case, step, row)
        begun = case.open[step["name"]]
        key, person = begun.popleft()
        if not begun:
            del case.open[step["name"]]
        ended = {
            "type": "step.failed" if failed else "step.finished",
            "run": step["run"],
            "step": key,
            "at": step["at"],
        }
        by = self._who(row, step["name"])["attributes"].get(PERSON, "")
        if by and by != person:
            ended["attributes"] = {ENDED_BY if person else PERSON: by}
        yield ended

    def _idle(self, activity: str) -> bool:
        return any(fnmatchcase(activity, pattern) for pattern in self.reading.waiting)

    def _who(self, row: Mapping[str, str], activity: str) -> Event:
        attributes = {
            key: clean(value)[:TEXT_CHARACTERS] for key, value in row.items() if value and key not in self._mapped
        }
        if "resource" not in self.reading.columns or self._idle(activity):
            return {"kind": "other", "attributes": attributes}
        resource = self._text(row, "resource")
        for pattern, agent in self.reading.automatic:
            if fnmatchcase(resource, pattern):
                return {
                    "kind": "other",
                    "agent": f"{self.reading.workflow}/{agent or resource}",
                    "attributes": attributes,
                }
        if resource:
            attributes[PERSON] = resource
        return {"kind": "human", "attributes": {**attributes, WORK: "own"}}

    def _text(self, row: Mapping[str, str], field: str, *, needed: bool = False) -> str:
        parts = [clean((row.get(column) or "").strip()) for column in self.reading.columns.get(field, ())]
        text = " / ".join(part for part in parts if part)
        if needed and not text:
            raise BadRow(field, "is empty")
        if len(text) > NAME_CHARACTERS:
            raise BadRow(field, f"is longer than {NAME_CHARACTERS} characters")
        return text

    def _time(self, row: Mapping[str, str]) -> int:
        text = self._text(row, "time", needed=True)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise BadRow("time", f"{text[:40]!r} is no time such as 2026-01-31T12:00:00+01:00") from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.reading.zone)
        since = moment - _EPOCH
        at = (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
        if at <= 0:
            raise BadRow("time", "lies before 1970")
        return at

    def _lifecycle(self, row: Mapping[str, str]) -> str:
        if self.reading.states or "lifecycle" not in self.reading.columns:
            return "complete"
        word = self._text(row, "lifecycle").lower()
        if word in BEGINS or word in ENDS or word in FAILS or word in QUEUES or word in PASSES:
            return word
        raise BadRow("lifecycle", f"{word[:40]!r} is no lifecycle word; is this a log of states (--states)?")
