"""`/routing.csv`, `/routing.json`: the matrix as a file, from the source that the page and the API read."""

from __future__ import annotations

import orjson
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.views.load import file_of, table_of
from orchestration.control import route_figures
from orchestration.workspaces.current import MEMBER, Here, needs

FORMS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


@require_safe
@needs(MEMBER)
def export(request: Here, form: str) -> HttpResponse:
    if form not in FORMS:
        raise Http404("A file is csv or json")
    lines = route_figures.lines(request.workspace.pk)
    name = f"reliability-{timezone.now():%Y%m%d}.{form}"
    if form == "json":
        return file_of(orjson.dumps({"items": lines}, option=orjson.OPT_INDENT_2), FORMS[form], name)
    return file_of(table_of(route_figures.LINE, [tuple(each.values()) for each in lines]).encode(), FORMS[form], name)
