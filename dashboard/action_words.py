"""Actions in words: what is or was done to what, why, and with what effect. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from django.urls import reverse

from dashboard.actors import key
from dashboard.finding import Finding, Part, foreign, say
from orchestration.autonomy.models import Action, Cause, Kind, Order, State, Target
from orchestration.lib.templatetags.baton import duration, number, plural

DOING: Mapping[str, tuple[str, str, str]] = {  # as an order, in the past, while it goes on
    Kind.QUARANTINE: ("Quarantine", "Quarantined", "Quarantining"),
    Kind.RELEASE: ("Release", "Released", "Releasing"),
    Kind.PAUSE: ("Pause", "Paused", "Pausing"),
    Kind.RESUME: ("Resume", "Resumed", "Resuming"),
    Kind.SUPERVISE: ("Supervise", "Supervised", "Supervising"),
    Kind.TRUST: ("Trust again", "Trusted again", "Trusting again"),
    Kind.CANCEL: ("Cancel", "Cancelled", "Cancelling"),
    Kind.REOPEN: ("Reopen", "Reopened", "Reopening"),
    Kind.RETRY: ("Retry", "Retried", "Retrying"),
    Kind.COMPENSATE: ("Undo the effects of", "Asked to undo the effects of", "Asking to undo the effects of"),
    Kind.NOTIFY: ("Tell", "Told", "Telling"),
    Kind.VERIFY: ("Ask to check", "Asked to check", "Asking to check"),
    Kind.REROUTE: ("Move the work of", "Moved the work of", "Moving the work of"),
    Kind.RESTORE: ("Give back the work of", "Gave back the work of", "Giving back the work of"),
}
TONES: Mapping[str, str] = {
    State.PROPOSED: "human",
    State.QUEUED: "",
    State.RUNNING: "accent",
    State.DONE: "ok",
    State.FAILED: "human",
    State.DEAD: "crit",
    State.UNDONE: "line",
    State.DECLINED: "line",
}
EFFECTS: Mapping[tuple[str, str], str] = {
    (Kind.QUARANTINE, Target.AGENT): "Whatever it asks is denied until it is released.",
    (Kind.RELEASE, Target.AGENT): "It may act again as policies let it.",
    (Kind.PAUSE, Target.AGENT): "Whatever it asks is put off: it is told when to ask again.",
    (Kind.RESUME, Target.AGENT): "What it asks is decided again.",
    (Kind.SUPERVISE, Target.AGENT): "What it could do alone is a person's to decide.",
    (Kind.TRUST, Target.AGENT): "It may again do alone what policies let it.",
    (Kind.PAUSE, Target.WORKFLOW): "Whatever agents ask for its runs is put off.",
    (Kind.RESUME, Target.WORKFLOW): "What agents ask for its runs is decided again.",
    (Kind.CANCEL, Target.RUN): "It counts as cancelled, and agents that ask for it are told to stop.",
    (Kind.REOPEN, Target.RUN): "It has again the state that its spans tell. Questions taken back with it stay so.",
    (Kind.RETRY, Target.RUN): "Its agent was asked to try again.",
    (Kind.COMPENSATE, Target.RUN): "Its agent was asked to take back what it did.",
    (Kind.RETRY, Target.MESSAGE): "It was sent once more.",
    (Kind.VERIFY, Target.AGENT): "A person checks what it did lately.",
    (Kind.VERIFY, Target.RUN): "A person checks it.",
    (Kind.NOTIFY, Target.WORKSPACE): "Whoever takes such messages was told.",
    (Kind.REROUTE, Target.AGENT): "Who asks is sent to the other agent, and it is chosen for this work.",
    (Kind.RESTORE, Target.AGENT): "It does this work itself again.",
}


def did(action: Action) -> str:
    """The verb, as far as it has come."""
    order, past, going = DOING[action.kind]
    if action.state in (State.PROPOSED, State.DECLINED, State.DEAD):
        return order
    return past if action.state in (State.DONE, State.UNDONE) else going


def tone(action: Action) -> str:
    return TONES[action.state]


def state_words(action: Action) -> str:
    if action.state == State.DONE and action.result.get("changed") is False:
        return "Nothing to do"
    return action.get_state_display()


def effect(action: Action) -> str:
    """What is otherwise since, or why nothing is."""
    if action.error:
        return action.error
    if action.kind == Kind.VERIFY and action.state in (State.RUNNING, State.DONE):
        return _checked(action)
    if action.state != State.DONE:
        return _not_done(action)
    if action.result.get("changed") is False:
        return f"Nothing was changed: it was {action.result.get('was', 'so before')}."
    return _would(action) + _withdrawn(action) + _answered(action)


def _not_done(action: Action) -> str:
    if action.state == State.PROPOSED:
        return f"Waits for a person. {_would(action)}"
    if action.state == State.RUNNING:
        return f"On its way to {plural(int(action.result.get('receivers') or 1), 'receiver,receivers')}."
    said = {State.UNDONE: "It was taken back.", State.DECLINED: "Nothing was done."}
    return said.get(State(action.state), "Not done yet.")


def _checked(action: Action) -> str:
    said = {
        "approve": "It is as it should be",
        "reject": "It is not as it should be",
        "amend": "It should have been otherwise",
        "more": "More has to be known",
    }
    answer = said.get(str(action.result.get("answer")))
    return f"{answer}, says {action.result.get('by')}." if answer else "Waits for the answer."


def _answered(action: Action) -> str:
    """What agents answered at their own addresses."""
    if action.waits:
        return " Its agent is told."
    answers = action.result.get("answers") or []
    told = [str(each.get("status") or each.get("error") or "nothing") for each in answers]
    return f" Its agent answered {', '.join(told)}." if told and action.result.get("asked") else ""


def _withdrawn(action: Action) -> str:
    n = action.result.get("withdrawn")
    return f" {plural(n, 'question was,questions were')} taken out of the inbox." if isinstance(n, int) and n else ""


def _would(action: Action) -> str:
    if "steps" in action.result:
        tried = plural(len(action.result["steps"]), "step that had failed waits,steps that had failed wait")
        return f"{tried} to be taken again."
    if "effects" in action.result:
        return f"What it did is taken back, newest first: {plural(int(action.result['effects']), 'effect,effects')}."
    return EFFECTS.get((action.kind, action.target_kind), "")


def who(action: Action, keys: Mapping[str, str]) -> str:
    """A person's name, a key's (`actors.keys_among`), or Baton itself."""
    kind, _, name = action.by.partition(":")
    return name if kind == "person" else key(name, keys) if kind == "key" else "Baton"


def why(action: Action) -> str:
    if action.reason:
        return action.reason
    return {Cause.PERSON: "No reason given", Cause.RULE: "A rule", Cause.FINDING: "A finding"}[Cause(action.cause)]


def came(before: str, after: str) -> str:
    """The figure for which a rule acted, then and now."""
    if not before:
        return ""
    return f"{before} then, {'clear since' if after == 'clear' else f'{after} now' if after else 'not known now'}."


def cause_href(action: Action) -> str:
    """Of the rule, or the run in which something was found; "" for what a person ordered."""
    if action.cause == Cause.RULE and "@" in action.cause_id:
        return reverse("dashboard:policy", args=[action.cause_id.partition("@")[0]])
    kind, _, found = action.cause_id.partition(":")
    if action.cause == Cause.FINDING and kind == "run" and found:
        return reverse("dashboard:run", args=[found])
    return ""


def target_href(action: Action, slugs: Mapping[tuple[str, str], str]) -> str:
    """Where the thing itself is; "" where it has no page, or is gone."""
    slug = slugs.get((action.target_kind, action.target), "")
    if action.target_kind == Target.RUN:
        return reverse("dashboard:run", args=[action.target])
    if not slug:
        return ""
    return reverse(f"dashboard:{action.target_kind}", args=[slug])


def took(action: Action) -> str:
    """From being ordered to its end."""
    if not action.ended_at:
        return ""
    return duration((action.ended_at - action.created_at).total_seconds() * 1000)


def finding(states: Mapping[str, int], latest: Action | None) -> Finding:
    """What the page opens with, the first that holds."""
    proposed, dead = states.get(State.PROPOSED, 0), states.get(State.DEAD, 0)
    under_way = sum(states.get(state, 0) for state in (State.QUEUED, State.RUNNING, State.FAILED))
    going = f"{plural(under_way, 'act is,acts are')} under way." if under_way else "Nothing is under way."
    if proposed:
        here = Part(plural(proposed, "act waits,acts wait"), f"{reverse('dashboard:actions')}?state=proposed")
        return Finding(say(here, " for your word"), say(going))
    if dead:
        here = Part(plural(dead, "act was,acts were"), f"{reverse('dashboard:actions')}?state=dead")
        return Finding(say(here, " given up"), say("The reason stands beside each; it can be tried again. ", going))
    if latest is None:
        return Finding(say("Baton has done nothing yet"), say("What is done from here on stands on this page."))
    if under_way:
        return Finding(say(f"{plural(under_way, 'act is,acts are')} under way"))
    return Finding(say("Nothing waits for you"), say(f"Last: {did(latest).lower()} ", foreign(latest.name), "."))


def order_finding(order: Order, ended: int, changed: int) -> Finding:
    verb = DOING[order.kind][1] if ended >= order.total else DOING[order.kind][2]
    left = order.total - ended
    rest = f"{number(left)} to go." if left else f"{plural(changed, 'is,are')} otherwise now."
    things = {"run": "run,runs", "agent": "agent,agents", "workflow": "workflow,workflows", "action": "act,acts"}
    return Finding(say(f"{verb} {plural(order.total, things.get(order.target_kind, 'message,messages'))}"), say(rest))
