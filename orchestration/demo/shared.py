"""What agents of one run tell each other through Baton, once an admin has said that they are to coordinate: facts that
are fetched, work that is claimed, handoffs. Without that, and in the past, there is none of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from orchestration.demo.line import Line

Told = dict[str, Any]
TTL_S = 120  # longer than the slowest work


@dataclass(slots=True)
class Shared:
    line: Line
    run: str

    @classmethod
    def of(cls, line: Line | None, run: str, workflow: str) -> Shared | None:
        """Whether the agents of this run, which begins, are to coordinate: asked of its context."""
        if line is None:
            return None
        told = line.now("GET", f"/api/v1/runs/{run}/context?workflow={quote(workflow)}")
        return cls(line, run) if told.get("coordination") is True else None

    def facts(self) -> set[str]:
        """What others have fetched, or done, and told."""
        told = self.line.now("GET", f"/api/v1/runs/{self.run}/context")
        return {str(fact.get("key")) for fact in told.get("facts", ()) if fact.get("source") == "claim"}

    def claim(self, key: str, agent: str) -> Told:
        """Empty when Baton does not answer."""
        body = {"run": self.run, "key": key, "agent": agent, "ttl_s": TTL_S}
        return self.line.now("POST", "/api/v1/claims", body, f"{self.run} {agent} {key}"[:255])

    def settle(self, claim: Told, result: Told | None) -> None:
        """Tell the result; None: give it back undone."""
        if result is None:
            self.line.now("POST", f"/api/v1/claims/{claim['id']}/release", {})
        else:
            self.line.now("PUT", f"/api/v1/claims/{claim['id']}/result", {"result": result})

    def hand_off(self, sender: str, to: str, asked: str, done: list[str], facts: Told) -> Told:
        """An envelope, which the other one takes at once."""
        lists: Told = {"done": done, "evidence": [], "open_questions": [], "constraints": [], "data_classes": []}
        body = {"version": 1, "run": self.run, "from": sender, "to": to, "asked": asked, "facts": facts, **lists}
        handed = self.line.now("POST", "/api/v1/handoffs", body, f"{self.run} {sender} {to}")
        if handed.get("id"):
            self.line.now("POST", f"/api/v1/handoffs/{handed['id']}/accept", {}, f"{self.run} {to} takes")
        return handed

    def complete(self, handed: Told, outcome: str) -> None:
        if handed.get("id"):
            path = f"/api/v1/handoffs/{handed['id']}/complete"
            self.line.now("POST", path, {"result": {"outcome": outcome}}, f"{handed['id']} done")
