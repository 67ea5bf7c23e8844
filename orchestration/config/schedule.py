"""What Celery beat starts, and how often. Every entry is a sweep that may run twice or be skipped.

Each message expires after about its own period, so that a worker which was away does not work through a pile of them;
but not within seconds: on a busy machine one that is always a little late would find nothing but what has expired.
"""

from __future__ import annotations

from typing import Any

LEAST_S = 15.0


def every(seconds: float, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"expires": max(seconds, LEAST_S)}}


def together(seconds: float, queue: str, *tasks: str) -> dict[str, Any]:
    """Tasks that take a moment, one after the other. What waits for others or for the network has its own message."""
    entry = every(seconds, "orchestration.config.tasks.sweep")
    entry["options"]["queue"] = queue
    return entry | {"args": [tasks]}


SCHEDULE = {
    "digest": every(0.5, "orchestration.control.tasks.digest"),  # what is due is settled at its end
    "each second": together(
        1,
        "actions",
        "orchestration.holds.tasks.sweep",  # verdicts whose time to be undone is over
        "orchestration.control.tasks.drive",
        "orchestration.ledger.tasks.link",
        "escalations.tasks.take_in",
    ),
    "deadlines": together(2, "actions", "escalations.tasks.ring", "orchestration.autonomy.tasks.carry_out"),
    "now and then": together(
        5,
        "work",
        "escalations.tasks.match",
        "orchestration.control.tasks.sweep_pauses",
        "orchestration.handoffs.tasks.sweep",
        "orchestration.control.tasks.sweep_replays",
        "orchestration.control.tasks.sweep_shadows",
    ),
    "healing": together(5, "actions", "orchestration.routing.tasks.sweep", "orchestration.autonomy.tasks.heal"),
    "notices": every(5, "escalations.tasks.send"),
    "capacity": every(60, "escalations.tasks.weigh"),
    "old cases": every(3600, "escalations.tasks.forget"),
    "samples": every(1800, "escalations.tasks.draw_samples"),
    "odds": every(20, "escalations.tasks.sweep_learning"),
    "briefs": every(10, "escalations.tasks.sweep_drafts"),
    "signals": every(5, "orchestration.control.tasks.sweep_signals"),
    "coordination": every(15, "orchestration.control.tasks.sweep_coordination"),
    "triggers": every(5, "orchestration.control.tasks.fire"),
    "trails": every(15, "orchestration.control.tasks.sweep_trails"),
    "reliability": every(60, "orchestration.routing.tasks.measure"),
    "slices": every(300, "orchestration.routing.tasks.look"),
    "old choices": every(3600, "orchestration.routing.tasks.forget"),
    "messages": every(5, "orchestration.outbox.tasks.deliver"),
    "old messages": every(3600, "orchestration.outbox.tasks.forget_old"),
    "replay worker": every(20, "orchestration.control.tasks.replay"),  # so that it gives a sign of life
    "stalled runs": every(30, "orchestration.control.tasks.sweep_stalled"),
    "hours": every(5, "orchestration.control.tasks.roll_hours"),
    "retention": every(3600, "orchestration.control.tasks.keep"),
}
