"""`/ledger/`: can we prove that what was done was allowed? Entries, one entry with its checks, evidence to hand out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import orjson
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.actors import key, keys_among
from dashboard.finding import Finding, Part, say
from dashboard.ledger_acts import act_of
from dashboard.ledger_decided import why
from dashboard.ledger_words import rule_of, what_of
from dashboard.narrowing import Pages, address_of, text_of
from dashboard.period import Period, period_of
from orchestration.ledger import evidence, reading, seals, verify
from orchestration.ledger.checkpoints import Discontinued
from orchestration.ledger.reading import Check, Line
from orchestration.lib.fragments import render_page_or_fragment, wanted
from orchestration.lib.paging import BadCursor
from orchestration.lib.templatetags.baton import number, plural
from orchestration.lib.told import dumps
from orchestration.workspaces.current import MEMBER, Here, may_read_content, needs

LIMIT = 50
MOST_EVIDENCE = 500
MOST_CHECKED = 50_000  # links that a page may check while somebody waits; beyond it the command does
LATE = timedelta(minutes=1)
PILLS = {"allow": "ok", "approve": "ok", "deny": "crit", "reject": "crit", "hold": "human", "amend": "human"}


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as the list says it: who did what to what, under which rule, with which result."""

    line: Line
    who: str
    who_kind: str  # agent | person | baton
    act: str
    what: str
    result: str
    tone: str
    rule: str
    late: bool  # no place in the chain though it should have one


@dataclass(frozen=True, slots=True)
class LedgerPage:
    rows: list[Row]
    finding: Finding
    kinds: list[str]
    kind: str
    q: str
    pages: Pages
    narrowed: bool
    evidence: str  # address of the file with these entries


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    period = period_of(request)
    asked = reading.Asked(text_of(request, "kind"), text_of(request, "q"), period.since, period.until)
    if request.GET.get("as") == "evidence":
        return _evidence(request, asked)
    if request.GET.get("verify") and request.is_admin and wanted(request) in ("", "verify"):
        return _verified(request, period)
    context = {"page": _page(request, asked, period), "period": period, "key": _key()}
    return render_page_or_fragment(
        request, "dashboard/ledger.html", {"entries": "dashboard/_ledger_rows.html"}, context
    )


@require_safe
@needs(MEMBER)
def detail(request: Here, entry_id: UUID) -> HttpResponse:
    found = reading.entry(request.workspace.pk, entry_id)
    if found is None:
        raise Http404("Not in this workspace")
    if request.GET.get("as") == "evidence":
        return _file(request, [entry_id], f"evidence-{entry_id}.json")
    checks: list[Check] | None = None
    if request.GET.get("verify"):
        try:
            checks = reading.checks(request.workspace.pk, entry_id)
        except evidence.NotYet:
            checks = [Check("It has no place in the chain yet; it gets one within a second.", False)]
        except Discontinued as broken:
            checks = [Check(f"Nothing is signed at the moment. {broken}", False)]
    context = {
        "row": _row(found, keys_among(request.workspace.pk, [found.actor])),
        "checks": checks,
        "proved": bool(checks) and all(check.good for check in checks or ()),
        "told": dumps(found.told, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode(),
        "key": _key(),
        "why": why(request.workspace.pk, found),
        "readable": request.is_reviewer or may_read_content(request.membership),
    }
    return render_page_or_fragment(
        request, "dashboard/ledger_entry.html", {"verify": "dashboard/_ledger_checks.html"}, context
    )


def _page(request: Here, asked: reading.Asked, period: Period) -> LedgerPage:
    try:
        page = reading.entries(request.workspace.pk, asked, LIMIT, request.GET.get("cursor") or None)
    except BadCursor as error:
        raise BadRequest("The cursor is not one that this list gave out.") from error
    keys = keys_among(request.workspace.pk, [line.actor for line in page.items])
    rows = [_row(line, keys) for line in page.items]
    older = address_of(request, cursor=page.next) if page.next else ""
    newest = address_of(request) if request.GET.get("cursor") else ""
    words = f"{number(len(rows))} entries" if rows else ""
    return LedgerPage(
        rows=rows,
        finding=_finding(rows, period),
        kinds=reading.kinds(request.workspace.pk),
        kind=asked.kind,
        q=asked.q,
        pages=Pages(words, newest, older),
        narrowed=bool(asked.kind or asked.q),
        evidence=address_of(request, **{"as": "evidence"}) if rows else "",
    )


def _finding(rows: list[Row], period: Period) -> Finding:
    late = sum(row.late for row in rows)
    size = reading.size()
    if late:
        return Finding(
            say(Part(plural(late, "entry,entries"), tone="crit"), " of these has no place in the chain"),
            say("Entries get theirs within a second. Verify says whether somebody wrote them past Baton."),
        )
    if not size:
        return Finding(say("Nothing is on record yet"), say("The first decision or change of a policy is."))
    return Finding(
        say("Every act leaves a receipt"),
        say(f"{number(size)} of this installation's entries are chained; each can be proved without trusting Baton."),
    )


def _row(line: Line, keys: Mapping[str, str]) -> Row:
    who_kind, _, who = line.actor.partition(":")
    told = line.told
    result = str(told.get("effect") or told.get("verdict") or "")
    return Row(
        line=line,
        who=key(who, keys) if who_kind == "key" else who or "Baton",
        who_kind=who_kind,
        act=act_of(line.kind),
        what=what_of(line),
        result=result,
        tone=PILLS.get(result, "line"),
        rule=rule_of(told),
        late=line.seq is None and line.at < timezone.now() - LATE,
    )


def _verified(request: Here, period: Period) -> HttpResponse:
    report = verify.verify() if reading.size() <= MOST_CHECKED else None
    context = {"report": report, "key": _key(), "period": period}
    if wanted(request) == "verify":
        return render(request, "dashboard/_ledger_verify.html", context)
    asked = reading.Asked(text_of(request, "kind"), text_of(request, "q"), period.since, period.until)
    return render(request, "dashboard/ledger.html", context | {"page": _page(request, asked, period)})


def _evidence(request: Here, asked: reading.Asked) -> HttpResponse:
    found = reading.entries(request.workspace.pk, asked, MOST_EVIDENCE).items
    linked = [line.id for line in found if line.seq is not None]
    return _file(request, linked, f"evidence-{timezone.now():%Y%m%d-%H%M}.json")


def _file(request: Here, entry_ids: Sequence[UUID], name: str) -> HttpResponse:
    """Nothing is handed out that Baton would not sign."""
    try:
        bundle = evidence.bundle(request.workspace.pk, entry_ids)
    except Discontinued as broken:
        messages.error(request, f"Nothing is signed at the moment. {broken}", extra_tags="crit")
        return HttpResponseRedirect(reverse("dashboard:ledger"))
    answer = HttpResponse(dumps(bundle, option=orjson.OPT_INDENT_2), content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _key() -> str:
    return base64.b64encode(seals.public_key()).decode()
