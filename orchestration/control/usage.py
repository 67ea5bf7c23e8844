"""Calls and failures out of the figures, by agent, system and kind."""

from __future__ import annotations

Interval = tuple[float, float]  # Wilson, 95 %
