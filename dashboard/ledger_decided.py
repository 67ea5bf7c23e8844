"""Beside the receipt of a decision: the rules as they stood then, what they looked at, and whether the facts that are
kept are those that the receipt speaks of."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from dashboard.policy_check import Token, tokens
from dashboard.policy_words import fact_words, grouped, laid_out, lower
from orchestration.ledger.reading import Line
from orchestration.lib.told import dumps
from orchestration.policies import cel
from orchestration.policies.effects import WORDS, Kind
from orchestration.policies.models import Decision, PolicyVersion

VALUE_CHARS = 200


@dataclass(frozen=True, slots=True)
class Reason:
    """`version` is None where it was no policy that spoke, or one that is gone."""

    name: str
    says: str
    words: str
    version: PolicyVersion | None = None
    code: list[list[Token]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Why:
    """`looked_at`: facts that these rules name, as words, path and value. `whole`: all facts, as JSON. `same`: their
    hash is the receipt's."""

    decision: Decision
    reasons: list[Reason]
    looked_at: list[tuple[str, str, str]]
    whole: str
    same: bool


def why(workspace_id: int, line: Line) -> Why | None:
    """None for an entry about something else, or whose facts were forgotten."""
    decision = _decision(workspace_id, line) if line.kind == "decision" else None
    if decision is None or not decision.facts:
        return None
    told = decision.answer.get("reasons") or []
    versions = _versions(workspace_id, told)
    kept = dumps(decision.facts, option=orjson.OPT_SORT_KEYS)
    looked_at = {path: value for each in versions.values() for path, value in _read(each, decision.facts)}
    return Why(
        decision=decision,
        reasons=[_reason(each, versions.get((each["policy"], each["version"]))) for each in told],
        looked_at=[(fact_words(path), path, value) for path, value in sorted(looked_at.items())],
        whole=dumps(decision.facts, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode(),
        same=hashlib.sha256(kept).hexdigest() == line.told.get("facts_sha256"),
    )


def _decision(workspace_id: int, line: Line) -> Decision | None:
    try:
        wanted = UUID(line.subject_id)
    except ValueError:
        return None
    return Decision.objects.filter(workspace_id=workspace_id, id=wanted, forgotten_at=None).first()


def _versions(workspace_id: int, told: list[dict[str, Any]]) -> dict[tuple[str, int], PolicyVersion]:
    wanted = {(each["policy"], each["version"]) for each in told}
    slugs, numbers = {slug for slug, _ in wanted}, {number for _, number in wanted}
    found = PolicyVersion.objects.filter(policy__workspace_id=workspace_id, policy__slug__in=slugs, number__in=numbers)
    by_name = {(each.policy.slug, each.number): each for each in found.select_related("policy")}
    return {name: version for name, version in by_name.items() if name in wanted}


def _reason(told: Mapping[str, Any], version: PolicyVersion | None) -> Reason:
    kind = told.get("effect")
    says = lower(WORDS[Kind(kind)]) if kind in set(Kind) else str(kind or "")
    words = str(told.get("words") or "")
    if version is None:
        return Reason(str(told.get("policy") or ""), says, words)
    code = tokens("\n".join(laid_out(version.body["condition"])))
    return Reason(version.policy.name, says, words, version, code)


def _read(version: PolicyVersion, facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the rule names, with its value then; a limit is the version's own. Nothing of a rule that cannot be read any
    more."""
    with contextlib.suppress(cel.Invalid):
        for path in cel.compiled(version.body["condition"]).reads - {"known"}:
            limit = path.removeprefix("limits.") if path == "limit" or path.startswith("limits.") else ""
            yield path, grouped(version.body["limits"][limit]) if limit else _value(facts, path)


def _value(facts: Mapping[str, Any], path: str) -> str:
    value: Any = facts.get(path)
    if path not in facts:
        head = max((name for name in facts if path.startswith(f"{name}.")), key=len, default="")
        value = facts.get(head)
        for part in path[len(head) + 1 :].split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    return "not known" if value is None else dumps(value).decode()[:VALUE_CHARS]
