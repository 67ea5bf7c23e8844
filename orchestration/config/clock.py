"""Celery's beat for a table that stands still. By itself beat compares the whole table with a copy of it before each
message, reckons in time zones, and has each message made anew, which was most of what a Baton without work took."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

from celery import signals
from celery.beat import Scheduler
from kombu.serialization import dumps

STEP_S = 0.5  # entries come at whole steps, so that beat wakes once for several, and few at one step

Message = tuple[str, float, dict[str, Any], dict[str, Any]]  # queue, how long it is good for, headers, all else


class Clock(Scheduler):
    """Each entry comes first within its period, and then at the period's pace."""

    def setup_schedule(self) -> None:
        super().setup_schedule()
        now = monotonic()
        entries = list(enumerate(self.schedule.values()))
        self._due = [(now + _period(entry) - place * STEP_S % _period(entry), place, entry) for place, entry in entries]
        heapq.heapify(self._due)
        self._messages: dict[str, Message] = {}

    def tick(self, *args: Any, **kwargs: Any) -> float:
        now = monotonic()
        due, place, entry = self._due[0]
        if due > now:
            return due - now
        missed = (now - due) // _period(entry)
        heapq.heapreplace(self._due, (due + (missed + 1) * _period(entry), place, entry))
        self.apply_entry(entry)
        return 0

    def apply_async(self, entry: Any, *args: Any, **kwargs: Any) -> None:
        """What Celery's own would send, made once but for its ids and its end."""
        queue, lasts_s, headers, rest = self._message(entry)
        task_id = str(uuid4())
        expires = (datetime.now(UTC) + timedelta(seconds=lasts_s)).isoformat()
        message = rest | {
            "headers": headers | {"id": task_id, "root_id": task_id, "expires": expires},
            "properties": rest["properties"] | {"correlation_id": task_id},
        }
        self._channel.basic_publish(message, "", queue)
        signals.after_task_publish.send(sender=entry.task)

    @property
    def _channel(self) -> Any:
        return self.producer.channel

    def _message(self, entry: Any) -> Message:
        found = self._messages.get(entry.name)
        if found is None:
            amqp = self.app.amqp
            made = amqp.as_task_v2("", entry.task, entry.args, entry.kwargs, ignore_result=True)
            content_type, encoding, body = dumps(made.body, "json")
            rest = self._channel.prepare_message(
                body, content_type=content_type, content_encoding=encoding, properties=made.properties
            )
            queue = amqp.router.route(dict(entry.options), entry.task)["queue"].name
            found = self._messages[entry.name] = queue, entry.options["expires"], made.headers, rest
        return found


def _period(entry: Any) -> float:
    return float(entry.schedule.run_every.total_seconds())
