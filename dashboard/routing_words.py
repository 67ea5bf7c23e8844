"""What the page of routing opens with, and how its figures are said. Pure."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone

from dashboard.finding import Finding, Part, foreign, say
from orchestration.control.route_figures import Figures, MovedWork, Record
from orchestration.lib.stats import ENOUGH
from orchestration.lib.templatetags.baton import number, plural
from orchestration.routing.models import Breaker, Circuit, Slice

TONES = {Circuit.OPEN.value: "crit", Circuit.HALF.value: "human", Circuit.CLOSED.value: "ok"}
LABELS = {Circuit.OPEN.value: "Open", Circuit.HALF.value: "Half open", Circuit.CLOSED.value: "Closed"}


def finding(found: Figures) -> Finding:
    """The first that holds."""
    if found.moves:
        return _moved(found.moves)
    if found.proposed:
        first = found.proposed[0]
        here = Part(plural(len(found.proposed), "move waits,moves wait"), "#proposed")
        return Finding(say(here, " for your word"), say("Of ", foreign(first.name), f": {first.reason.rstrip('.')}."))
    broken = [row for row in found.circuits if row.state != Circuit.CLOSED]
    if broken:
        return _broken(broken)
    if not found.records:
        return Finding(
            say("Nothing is measured yet"),
            say("Calls of systems are counted as spans arrive, and weighed each minute."),
        )
    return _sound(found)


def since(at: object) -> str:
    """The time of day, with the day where that was another one."""
    local = timezone.localtime(at)  # type: ignore[arg-type]
    same = local.date() == timezone.localtime().date()
    return f"{local:%H:%M}" if same else f"{local:%-d %b %H:%M}"


def success(record: Record | None) -> str:
    """In whole percents with interval and count; without a rate where there are too few calls for one."""
    if record is None:
        return "not measured"
    if record.n < ENOUGH:
        return f"{record.n - record.failures} of {record.n} calls, too few for a rate"
    return f"{record.success * 100:.0f}% ({record.low * 100:.0f} to {record.high * 100:.0f}, n={number(record.n)})"


def saved(move: MovedWork) -> str:
    """How many failures there were fewer by it, as an estimate that says so."""
    if not move.sent:
        return "nobody has asked yet"
    asks = f"of {plural(move.sent, 'ask,asks')}"
    if move.saved is None:
        return f"{asks}, not known"
    about, low, high = (round(each) for each in move.saved)
    return f"about {number(about)} ({number(low)} to {number(high)}), {asks}"


def slice_words(row: Slice) -> tuple[list[tuple[str, str]], str, str, str]:
    """Its traits, how much of it fails, how much of the rest, and how sure that is."""
    traits = [(str(name).removeprefix("context.").removeprefix("arguments."), str(value)) for name, value in row.traits]
    sure = f"{row.evidence:,.0f} to 1" if row.evidence < 1e6 else "more than a million to 1"
    return traits, _share(row.failures, row.n), _share(row.rest_failures, row.rest), sure


def _share(part: int, whole: int) -> str:
    return f"{part / whole * 100:.0f}% ({part:,} of {whole:,})" if whole >= ENOUGH else f"{part:,} of {whole:,}"


def _moved(moves: list[MovedWork]) -> Finding:
    first = moves[0]
    where = say(" on ", foreign(first.system)) if first.system else ()
    title = say(
        "Work moved from ", foreign(first.agent), " to ", foreign(first.to), *where, f" since {since(first.since)}"
    )
    measured = f"{success(first.before)} against {success(first.after)}. " if first.before and first.after else ""
    reason = say("Because ", foreign(first.reason.rstrip(".")), ". ") if first.reason else ()
    why = reason if first.by.startswith("baton:") else say(*reason, measured) if measured else reason
    fewer = say(f"Failures fewer by it: {saved(first)}. ") if first.saved else ()
    tried = say(f"{first.share:.0%} of it goes back as probes. ") if first.share else ()
    more = say(Part(plural(len(moves) - 1, "more move,more moves"), "#moved"), " below.") if len(moves) > 1 else ()
    return Finding(title, say(*why, *fewer, *tried, *more) or say(foreign(first.words)))


def _broken(broken: list[Breaker]) -> Finding:
    first = broken[0]
    here = Part(plural(len(broken), "path is,paths are"), "#circuits")
    title = (
        say(here, " broken")
        if len(broken) > 1
        else say(
            "The path of ",
            foreign(first.agent.name),
            " to ",
            foreign(first.system.name),
            f" is {LABELS[first.state].lower()}",
        )
    )
    nothing = "No work was moved: an operator may, below, or an admin may let Baton do it."
    return Finding(title, say(f"{first.words}, {since(first.since)}. ", nothing))


def _sound(found: Figures) -> Finding:
    worst = min((each for each in found.records.values() if each.n >= ENOUGH), key=lambda each: each.high, default=None)
    title = say(f"No path is broken: {plural(len(found.records), 'is,are')} in use")
    if worst is None:
        return Finding(title, say("None has calls enough for a rate."))
    who = foreign(found.agents[worst.agent][0], reverse("dashboard:agent", args=[found.agents[worst.agent][1]]))
    return Finding(
        title, say("The least reliable: ", who, " on ", foreign(found.systems[worst.system][0]), f", {success(worst)}.")
    )
