"""Addresses of pages that carry the range one looks at."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Links:
    """Where a number's evidence is, over the same range."""

    range: str

    def agents(self, **narrowed: str) -> str:
        return self._to("agents", narrowed)

    def agent(self, slug: str) -> str:
        return self._to("agent", {}, slug)

    def workflows(self, **narrowed: str) -> str:
        return self._to("workflows", narrowed)

    def workflow(self, slug: str) -> str:
        return self._to("workflow", {}, slug)

    def runs(self, **narrowed: str) -> str:
        return self._to("runs", narrowed)

    def runs_now(self, **narrowed: str) -> str:
        """Runs that are not over, whenever they began."""
        return f"{reverse('dashboard:runs')}?{urlencode(narrowed)}"

    def actions(self, **narrowed: str) -> str:
        return f"{reverse('dashboard:actions')}?{urlencode(narrowed)}"

    def action(self, action_id: str) -> str:
        return reverse("dashboard:action", args=[action_id])

    def inbox(self) -> str:
        return reverse("escalations:inbox")

    def health(self) -> str:
        return self._to("health", {})

    def _to(self, name: str, narrowed: dict[str, str], *parts: str) -> str:
        return f"{reverse(f'dashboard:{name}', args=parts)}?{urlencode({**narrowed, 'range': self.range})}"
