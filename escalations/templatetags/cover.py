"""For pages of others: whether cases wait for somebody who is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

from escalations.assigning import uncovered

register = template.Library()


@register.inclusion_tag("escalations/_uncovered.html", takes_context=True)
def cover(context: Mapping[str, Any]) -> dict[str, Any]:
    """One note for each skill that too few people on duty have."""
    request = context["request"]
    return {"missing": uncovered(request.workspace), "request": request}
