"""What starts runs of a declared workflow beside its API: a clock, the end of a run of another one, a rule on signals.
Pure. In a definition:

    {"on": "schedule", "cron": "30 6 * * 1-5", "zone": "Europe/Berlin",
     "missed": "tell" | "start"}            what was missed while Baton was away: only told, or the last started late
    {"on": "run", "workflow": "Invoices", "ends": "completed" | "failed" | "either"}
    {"on": "rule", "rule": "refunds-fail"}  address of a rule on signals: each time that it begins to hold

Each may carry `input`, which a run begins with beside `trigger`, which says what happened. What a clock does not hold
back says how many runs it may start within an hour at most (`most_an_hour`, 300 unless told otherwise).
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from cronsim import CronSim, CronSimError

from orchestration.workflows.fields import Fields

KINDS = ("api", "schedule", "run", "rule")
MISSED, ENDS = ("tell", "start"), ("completed", "failed", "either")
MOST_INPUT = 4_096
MOST_AN_HOUR, MOST_EVER = 300, 10_000  # runs that one trigger may start: usually, and at the very most
MOST_DUE = 2_000  # occurrences that are counted at once
_ONCE = datetime(2026, 1, 1, tzinfo=UTC)
_OF: Mapping[str, tuple[str, ...]] = {
    "api": (),
    "schedule": ("cron", "zone", "missed", "input"),
    "run": ("workflow", "ends", "input", "most_an_hour"),
    "rule": ("rule", "input", "most_an_hour"),
}


@dataclass(frozen=True, slots=True)
class Trigger:
    """`on` is one of KINDS; the other fields belong to one of them."""

    on: str = "api"
    cron: str = ""
    zone: str = "UTC"
    missed: str = "tell"
    workflow: str = ""
    ends: str = "completed"
    rule: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)
    most_an_hour: int = MOST_AN_HOUR

    def stored(self) -> dict[str, Any]:
        """As JSON that `read` takes again. What is as usual need not be said."""
        usual = {"input": {}, "most_an_hour": MOST_AN_HOUR}
        told = {name: getattr(self, name) for name in _OF[self.on]}
        return {"on": self.on} | {name: value for name, value in told.items() if value != usual.get(name)}

    @property
    def digest(self) -> str:
        """By which a trigger is known from one version of its workflow to the next, whatever it may start an hour."""
        told = {name: value for name, value in self.stored().items() if name != "most_an_hour"}
        return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


API = Trigger()


def read(fields: Fields, own: str) -> Trigger:
    """`own`: the name of the workflow that it starts."""
    on = fields.choice("on", "api", KINDS)
    made = _READ[on](fields)
    fields.done()
    if on == "run" and made.workflow == own:
        fields.wrong("workflow", "A workflow cannot be started by its own end: that would never stop.")
    return made


def _schedule(fields: Fields) -> Trigger:
    cron, zone = fields.text("cron", 120, needed=True), fields.text("zone", 60) or "UTC"
    if fault := _cron_fault(cron):
        fields.wrong("cron", fault)
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        fields.wrong("zone", "There is no such time zone. Write it like Europe/Berlin.")
    return Trigger("schedule", cron, zone, fields.choice("missed", "tell", MISSED), input=_input(fields))


def _cron_fault(cron: str) -> str:
    if not cron:
        return ""
    if len(cron.split()) != 5:
        return "Five parts: minute, hour, day of the month, month, day of the week."
    try:
        next(CronSim(cron, _ONCE))
    except (CronSimError, StopIteration):
        return "No clock ever shows this. Write it like 30 6 * * 1-5."
    return ""


def _run(fields: Fields) -> Trigger:
    name, ends = fields.text("workflow", 120, needed=True), fields.choice("ends", "completed", ENDS)
    return Trigger("run", workflow=name, ends=ends, input=_input(fields), most_an_hour=_most(fields))


def _rule(fields: Fields) -> Trigger:
    rule = fields.text("rule", 80, needed=True)
    return Trigger("rule", rule=rule, input=_input(fields), most_an_hour=_most(fields))


def _most(fields: Fields) -> int:
    return fields.whole("most_an_hour", MOST_AN_HOUR, 1, MOST_EVER)


def _input(fields: Fields) -> Mapping[str, Any]:
    given = fields.raw("input")
    if given is None:
        return {}
    try:
        small = len(orjson.dumps(given)) <= MOST_INPUT
    except (TypeError, ValueError):
        small = False
    if not isinstance(given, dict) or not small:
        fields.wrong("input", f"This has to be an object of at most {MOST_INPUT // 1024} KiB.")
        return {}
    if "trigger" in given:
        fields.wrong("input", "What happened stands in trigger: choose another name.")
    return given


_READ = {"api": lambda fields: API, "schedule": _schedule, "run": _run, "rule": _rule}


def first_after(trigger: Trigger, at: datetime) -> datetime | None:
    """Of a schedule, in UTC; None: never again."""
    return next(_times(trigger, at), None)


def due(trigger: Trigger, first: datetime, until: datetime) -> list[datetime]:
    """`first`, which is one, and all after it up to `until`; the newest of them where they are too many to be told."""
    later = takewhile(lambda at: at <= until, _times(trigger, first))
    return list(deque(chain([first], later), maxlen=MOST_DUE))


def words(trigger: Trigger) -> str:
    """At 06:30 on Monday through Friday (Europe/Berlin)"""
    if trigger.on == "schedule":
        return f"{CronSim(trigger.cron, _ONCE).explain()} ({trigger.zone})"
    if trigger.on == "run":
        how = {"completed": "is completed", "failed": "has failed", "either": "has ended"}[trigger.ends]
        return f"When a run of {trigger.workflow} {how}"
    return f"When the rule {trigger.rule} begins to hold" if trigger.on == "rule" else "By its API, or by people"


def _times(trigger: Trigger, after: datetime) -> Iterator[datetime]:
    for at in CronSim(trigger.cron, after.astimezone(ZoneInfo(trigger.zone))):
        yield at.astimezone(UTC)
