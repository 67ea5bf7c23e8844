"""`/handoffs/`: how well agents hand over to each other; what a pair of them needs; one handoff with its envelope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard import handoff_words as words
from dashboard.handoff_forms import DemandForm
from dashboard.ledger_acts import act_of
from dashboard.narrowing import Chip, Pages, address_of, chips, kept, text_of
from dashboard.period import Period, period_of
from orchestration.control.run_words import said
from orchestration.handoffs import demands, lists, parties, quality
from orchestration.handoffs.demands import ChangedMeanwhile, Demanded
from orchestration.handoffs.envelope import LISTS
from orchestration.handoffs.given import Speaker
from orchestration.handoffs.lists import Asked
from orchestration.handoffs.models import Envelope, Passing
from orchestration.handoffs.quality import Line
from orchestration.handoffs.told import state_of
from orchestration.ledger import reading
from orchestration.lib.fragments import render_page_or_fragment
from orchestration.lib.names import same_agent
from orchestration.lib.paging import BadCursor
from orchestration.lib.stats import ENOUGH
from orchestration.lib.templatetags.baton import plural, short
from orchestration.workspaces.current import MEMBER, Here, may_read_content, needs, nothing_here

LIMIT = 25
STATES = (("", "Any state"), ("open", "Open"), *Passing.choices)
HEADINGS = {
    "done": "Done so far",
    "evidence": "Evidence",
    "open_questions": "Open questions",
    "constraints": "To keep to",
}


@dataclass(frozen=True, slots=True)
class PairRow:
    line: Line
    href: str  # "" where the sender named no pair
    missing: str
    enough: bool  # completed ones for a share


@dataclass(frozen=True, slots=True)
class Row:
    row: Envelope
    state: str
    tone: str
    words: str

    @property
    def run(self) -> str:
        """As its sender calls it; of Baton's own ids the end, as everywhere."""
        own = self.row.run_id
        return short(own) if own and self.row.run in (str(own), own.hex) else self.row.run


@dataclass(frozen=True, slots=True)
class Passed:
    """A list of handoffs, as the pages show it."""

    rows: list[Row]
    chips: list[Chip]
    kept: list[tuple[str, str]]
    pages: Pages
    state: str
    q: str
    narrowed: bool


@require_safe
@needs(MEMBER)
def listing(request: Here) -> HttpResponse:
    period = period_of(request, "7d")
    lines = quality.pairs(request.workspace.pk, period.since, period.until, timezone.now())
    context = {
        "period": period,
        "finding": words.finding(lines, period.words),
        "pairs": pair_rows(lines, period),
        "passed": passed(request, Asked(state=_state(request), q=text_of(request, "q"))),
        "states": STATES,
    }
    regions = {"pairs": "dashboard/_handoffs_pairs.html", "passed": "dashboard/_handoffs_rows.html"}
    return render_page_or_fragment(request, "dashboard/handoffs.html", regions, context)


@require_safe
@needs(MEMBER)
def pair(request: Here) -> HttpResponse:
    """Two agents, named in the address."""
    return _pair(request, (text_of(request, "from"), text_of(request, "to")))


@require_POST
@needs("admin")
def demand(request: Here) -> HttpResponse:
    """What a pair needs from now on."""
    form = DemandForm(request.POST)
    names = (request.POST.get("sender", "").strip()[:256], request.POST.get("receiver", "").strip()[:256])
    if not form.is_valid():
        return _pair(request, names, form, status=422)
    if same_agent(*names):
        form.add_error("receiver", "A handoff goes to another agent.")
        return _pair(request, names, form, status=422)
    try:
        made = demands.change(request.workspace, names, form.wanted, request.user)
    except ChangedMeanwhile:
        form.add_error(None, "Somebody else has changed this meanwhile. Read it again before you save.")
        return _pair(request, names, form, status=422)
    messages.success(request, f"Saved as version {made.version}; it holds for the next handoff", extra_tags="ok")
    return HttpResponseRedirect(address_of_pair(*names))


@require_safe
@needs(MEMBER)
def detail(request: Here, handoff_id: UUID) -> HttpResponse:
    row = Envelope.objects.filter(workspace=request.workspace, pk=handoff_id).first()
    if row is None:
        raise nothing_here(request, Envelope.objects.filter(pk=handoff_id))
    state = state_of(row, timezone.now())
    receipts = reading.entries(request.workspace.pk, reading.Asked(q=str(row.pk)), LIMIT).items
    context = {
        "row": _row(row, timezone.now()),
        "finding": words.story(row, state),
        "reads": may_read_content(request.membership),
        "parts": [(HEADINGS[name], [said(each) for each in row.body.get(name) or ()]) for name in LISTS],
        "facts": [(name, said(value)) for name, value in (row.body.get("facts") or {}).items()],
        "result": "" if row.result is None else said(row.result),
        "pair": address_of_pair(row.sender, row.receiver),
        "steps": [(line, _who(line.actor), act_of(line.kind).rstrip(":")) for line in receipts],
    }
    regions = {"handoff": "dashboard/_handoff_head.html"}
    return render_page_or_fragment(request, "dashboard/handoff.html", regions, context)


def _pair(request: Here, names: tuple[str, str], form: DemandForm | None = None, status: int = 200) -> HttpResponse:
    period = period_of(request, "7d")
    two = parties.between(request.workspace.pk, *names)
    key = two[0].text, two[1].text
    row = demands.row_of(request.workspace.pk, two) if all(key) else None
    lines = quality.pairs(request.workspace.pk, period.since, period.until, timezone.now()) if all(key) else []
    demanded = Demanded.of(row)
    line = next((each for each in lines if each.pair == key), Line(key, *names))
    context: dict[str, Any] = {
        "period": period,
        "names": names,
        "given": all(key),
        "pair": pair_rows([line], period)[0],
        "demanded": demanded,
        "row": row,
        "form": form or DemandForm.of(*names, demanded),
        "passed": passed(request, Asked(*names, state=_state(request))) if all(key) else None,
        "states": STATES,
    }
    regions = {"passed": "dashboard/_handoffs_rows.html"}
    return render_page_or_fragment(request, "dashboard/handoff_pair.html", regions, context, status=status)


def pair_rows(lines: Sequence[Line], period: Period) -> list[PairRow]:
    return [
        PairRow(
            line,
            address_of_pair(line.sender, line.receiver, period.text) if line.named else "",
            words.missing(line),
            line.ended >= ENOUGH,
        )
        for line in lines
    ]


def address_of_pair(sender: str, receiver: str, text: str = "") -> str:
    query = {"from": sender, "to": receiver} | ({"range": text} if text else {})
    return f"{reverse('dashboard:handoff_pair')}?{urlencode(query)}"


def passed(request: Here, asked: Asked) -> Passed:
    everybody = Speaker(request.workspace.pk, 0)
    try:
        page = lists.listing(everybody, asked, LIMIT, request.GET.get("cursor") or None)
    except BadCursor as error:
        raise BadRequest("The cursor is not one that this list gave out.") from error
    older = address_of(request, cursor=page.next) if page.next else ""
    newest = address_of(request) if request.GET.get("cursor") else ""
    now = timezone.now()
    return Passed(
        rows=[_row(row, now) for row in page.items],
        chips=chips(request, [("state", "State")]) if asked.state else [],
        kept=kept(request, ("range", "from", "to")),
        pages=Pages(plural(len(page.items), "handoff,handoffs") if page.items else "", newest, older),
        state=asked.state,
        q=asked.q,
        narrowed=bool(asked.state or asked.q),
    )


def _who(actor: str) -> str:
    kind, _, name = actor.partition(":")
    return "Baton" if kind == "baton" else name or actor


def _row(row: Envelope, now: datetime) -> Row:
    state = state_of(row, now)
    return Row(row, state, words.TONES[Passing(state)], words.WORDS[Passing(state)])


def _state(request: Here) -> str:
    state = text_of(request, "state")
    return state if state in dict(STATES) else ""
