"""Says that a hold has been opened or has changed, to whoever turns holds into cases.

Which task that is stands in the settings, since this room does not know the screens.
"""

from __future__ import annotations

from django.conf import settings

from orchestration.lib.nudge import Nudge

SPACING_S = 2.0  # each message costs the worker a look; in a burst the clock, which looks each second, is quick enough

_nudge = Nudge(settings.HOLDS_TASK, spacing_s=SPACING_S)
hasten = _nudge.want
