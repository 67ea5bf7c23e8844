"""How far the demo's history has come, for whoever sits in front: one line that is written over on a terminal, else one
line at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from orchestration.demo.memory import Telling, telling_in


class Out(Protocol):
    def write(self, text: str, *, ending: str | None = None) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class Progress:
    """Looks into the file that the simulator keeps, as often as it is asked, until all is told."""

    def __init__(self, folder: Path, out: Out) -> None:
        self._folder, self._out = folder, out
        self._over_since = 0  # looks at which nothing was left
        self._told = ""
        self._begun = False

    def show(self) -> None:
        if self._over_since > 30:
            return  # this start has nothing to tell
        telling = telling_in(self._folder)
        if telling.left:
            self._begun, self._over_since = True, 0
            if self._out.isatty():
                self._say(f"\r  history    {telling.of - len(telling.left)} of {days(telling)}", ending="")
            return
        self._over_since += 1
        if self._begun:
            self._begun = False
            lead = "\r" if self._out.isatty() else ""
            self._say(f"{lead}  history    all {days(telling)} told in {telling.seconds:.0f} s   ", ending="\n")

    def _say(self, text: str, ending: str) -> None:
        if text != self._told:
            self._told = text
            self._out.write(text, ending=ending)
            self._out.flush()


def days(telling: Telling) -> str:
    return f"{telling.of} days, {telling.spans:,} spans and {telling.events:,} events"
