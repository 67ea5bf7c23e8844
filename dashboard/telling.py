"""What a person would say about a run: what failed and who is waited for, and why it took as long as it did."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from dashboard.finding import Part, foreign, say
from orchestration.lib.templatetags.baton import duration, number, percent, plural
from orchestration.workflows.account import RunDetail
from orchestration.workflows.account_lines import EscalationLine, StepLine
from orchestration.workflows.story import Placed, Story

MS = 1_000_000
WORTH_SAYING = 0.1  # of the elapsed time
APART_NS = 1_000_000_000  # clocks that differ by less disagree with nothing that people see


def lede(detail: RunDetail) -> tuple[Part, ...]:
    """One sentence on top of the page, the first that holds."""
    run = detail.run
    asked = [each for each in detail.escalation_list if each.state == "open"]
    if run.status == "waiting" and asked:
        return _waits(asked)
    if run.status == "stalled":
        return say(f"Nothing was heard for ten minutes and it has not ended. {_last(detail)}")
    if run.status == "failed":
        return failed(detail.failures, run.errors, made_up_for(detail.story.placed))
    if run.status in ("running", "waiting"):
        return say(f"At work. {_trouble(run.errors, run.retries)}")
    if run.status == "cancelled":
        return say("It was cancelled before it ended.")
    if run.errors:
        return say(f"It ended well although {plural(run.errors, 'step,steps')} failed on the way.")
    return say("It ended without a failure." if run.spans else "")


def _waits(asked: Sequence[EscalationLine]) -> tuple[Part, ...]:
    first = asked[0]
    who: str | Part = foreign(first.agent) if first.agent else "An agent"
    more = f", and {plural(len(asked) - 1, 'question,questions')} more" if len(asked) > 1 else ""
    return say(who, " asked a person and waits for the answer", more, ".")


def clocks(placed: Sequence[Placed]) -> tuple[Part, ...]:
    """Of the application whose steps begin longest before what called them elsewhere: its clock is behind."""
    known = {(each.step.trace_id, each.step.span_id): each for each in placed}
    worst, behind = APART_NS, ""
    for each in placed:
        above = known.get((each.step.trace_id, each.parent))
        if above and above.application != each.application and above.step.start_ns - each.step.start_ns > worst:
            worst, behind = above.step.start_ns - each.step.start_ns, each.application
    if not behind:
        return ()
    return say(
        "Steps of ",
        foreign(behind),
        f" begin {duration(worst / MS)} before what called them: its clock is behind, and times told here are "
        "wrong by as much.",
    )


def made_up_for(placed: Iterable[Placed]) -> set[str]:
    """Failed calls whose agent made them again later, with success."""
    again: dict[tuple[str, str], int] = {}
    bad: list[tuple[Placed, tuple[str, str]]] = []
    for each in placed:
        call = each.agent, each.step.subject
        if each.failed:
            bad.append((each, call))
        elif each.attempt > 1:
            again[call] = max(again.get(call, 0), each.step.start_ns)
    return {each.step.span_id.hex() for each, call in bad if each.step.start_ns < again.get(call, 0)}


def failed(failures: Sequence[StepLine], errors: int, past: Collection[str] = ()) -> tuple[Part, ...]:
    """The last that did and was not made up for (`past`); of an agent's turn the agent is its name."""
    if not failures:
        return say("It ended in an error that no step of it tells.")
    last = ([each for each in failures if each.id not in past] or failures)[-1]
    where = say(" of ", foreign(last.agent)) if last.agent and last.agent != label(last) else ()
    cause = say(": ", foreign(last.error)) if last.error else say(".")
    more = f"One of {number(errors)} failures. " if errors > 1 else ""
    return (*say(more, foreign(label(last), f"?span={last.id}#span")), *where, *say(" failed"), *cause)


def _trouble(errors: int, retries: int) -> str:
    if not errors:
        return "No step has failed so far."
    tried = f", {plural(retries, 'call was,calls were')} tried again" if retries else ""
    return f"{plural(errors, 'step has,steps have')} failed so far{tried}."


def _last(detail: RunDetail) -> str:
    agents = detail.run.agents
    return f"{plural(detail.run.spans, 'step,steps')} of {plural(len(agents), 'agent,agents')} came before that."


def label(step: StepLine) -> str:
    """A step by what it is about: an agent's turn by the agent, a call by its tool, else by its own name."""
    if step.kind == "agent":
        return step.agent or step.name
    if step.kind in ("tool", "retrieval", "human") or step.detail in ("handoff", "guardrail"):
        return step.subject or step.name
    return step.name


def why(detail: RunDetail, waited_ns: int, elapsed_ns: int) -> tuple[Part, ...]:
    """`waited_ns` is the time in which people were waited for or worked. Nothing for a run without steps."""
    story = detail.story
    if not story.placed or elapsed_ns <= 0:
        return ()
    people = waited_ns / elapsed_ns
    most = max(story.steps, key=lambda step: step.work_ns + step.wait_ns, default=None)
    if people >= WORTH_SAYING:
        first = say(f"{percent(people)} of elapsed time was spent on people, {duration(waited_ns / MS)}. ")
    elif most and (share := min(1.0, (most.work_ns + most.wait_ns) / elapsed_ns)) >= WORTH_SAYING:
        times = f" in {number(most.count)} steps" if most.count > 1 else ""
        first = say(foreign(most.name), f" took {percent(share)} of elapsed time{times}. ")
    else:
        first = say("No single step took a tenth of the elapsed time. ")
    return (*first, *say(_lost(story, detail)))


def _lost(story: Story, detail: RunDetail) -> str:
    """What repeating cost: calls made twice, and calls that failed and were made again."""
    failed = [call for call in story.tool_calls if not call.ok]
    twice = detail.duplicates
    lost = sum(call.duration_ns for call in failed) + sum(each.lost_ns for each in twice)
    words = []
    if twice:
        words.append("the repeated call" if len(twice) == 1 else f"{number(len(twice))} repeated calls")
    if failed:
        words.append(plural(len(failed), "failed call,failed calls"))
    if not words:
        return "No call failed or was made twice."
    said = " and ".join(words)
    return f"{said[0].upper()}{said[1:]} cost another {duration(lost / MS)}."
