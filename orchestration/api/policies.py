"""Policies as JSON, and the bundle of live ones that a client evaluates for itself, signed."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any, Literal

import rfc8785
from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404, HttpResponse
from django.utils.http import parse_etags
from ninja import Field, Query, Router, Schema

from orchestration.api.auth import KeyAuth
from orchestration.api.shapes import Asked, PageIn, Text
from orchestration.autonomy import stops
from orchestration.ledger import seals
from orchestration.lib.paging import Page, cut
from orchestration.lib.told import dumps
from orchestration.policies import rulebook, standing
from orchestration.policies.models import Policy, PolicyVersion, State, Subject
from orchestration.policies.standing import Figures
from orchestration.workspaces.models import Workspace

router = Router(auth=KeyAuth("read"), tags=["Policies"])
FORMAT = 2  # of the bundle: since 2 with `stops`, which come before all policies


class PolicyOut(Schema):
    id: str = Field(description="Its slug")
    name: str
    purpose: str
    subject: Literal["ask", "signal"] = Field(description="Whether it answers asks, or acts on what is measured")
    sensitive: bool
    live: int | None
    shadow: int | None
    draft: int | None
    retired_at: datetime | None
    last_edit_at: datetime
    decisions: int = Field(description="Asks that it decided in the last 30 days")
    tickets: int = Field(description="Of these, asks that went to a person")
    judged: int = Field(description="Of the tickets, those a person has decided")
    changed: int = Field(description="Of those, the ones not approved as they were")


class PoliciesOut(Schema):
    items: list[PolicyOut]
    next: str | None


class VersionOut(Schema):
    number: int
    state: Literal["draft", "shadow", "live", "retired"]
    sha256: str = Field(description="Of the body as canonical JSON")
    author: str | None
    reason: str
    saved_at: datetime
    published_by: str | None
    published_at: datetime | None
    ended_at: datetime | None


class PolicyAloneOut(PolicyOut):
    body: dict[str, Any] | None = Field(description="What the live version says")
    versions: list[VersionOut]


class BundleOut(Schema):
    """`body` is canonical JSON as text: what was signed is what is sent, byte for byte."""

    body: str
    signature: str = Field(description="Ed25519 over `body`, base64")
    public_key: str = Field(description="The ledger's, base64")
    key: str = Field(description="A short name of that key")


class PoliciesIn(PageIn):
    state: Literal["", "live", "shadow", "draft", "retired"] = ""


@router.get("/policies", response=PoliciesOut, summary="Policies, by name")
def list_policies(request: Asked, wanted: Query[PoliciesIn]) -> Page[dict[str, Any]]:
    found = _policies(request.auth.workspace_id)
    if wanted.q:
        found = found.filter(Q(name__icontains=wanted.q) | Q(slug__icontains=wanted.q))
    if wanted.state == "retired":
        found = found.filter(retired_at__isnull=False)
    elif wanted.state:
        found = found.filter(versions__state=wanted.state).distinct()
    figures = standing.figures(request.auth.workspace_id)
    page = cut(list(found), wanted.limit, wanted.cursor)
    return Page([_told(policy, figures.get(policy.pk, Figures())) for policy in page.items], page.next)


@router.get("/policies/bundle", response=BundleOut, summary="Live policies for local evaluation, signed")
def bundle(request: Asked) -> HttpResponse:
    """Also who is stopped now (`stops`), which comes before all policies; but for `supervise`: policies are asked of
    such an agent, and what they would let it do alone is to be asked of Baton. Ask again with `If-None-Match`: 304 as
    long as nothing of it has changed."""
    body = rfc8785.dumps(bundle_of(Workspace.objects.get(pk=request.auth.workspace_id)))
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    asked = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in asked or etag in {each.removeprefix("W/") for each in asked}:
        return HttpResponse(status=304, headers={"ETag": etag})
    told = {
        "body": body.decode(),
        "signature": base64.b64encode(seals.sign(body)).decode(),
        "public_key": base64.b64encode(seals.public_key()).decode(),
        "key": seals.key_id(),
    }
    return HttpResponse(dumps(told), content_type="application/json", headers={"ETag": etag})


@router.get("/policies/{policy_id}", response=PolicyAloneOut, summary="One policy with its versions, by slug")
def get_policy(request: Asked, policy_id: Text) -> dict[str, Any]:
    policy = _policies(request.auth.workspace_id).filter(slug=policy_id).first()
    if policy is None:
        raise Http404("There is no such policy in this workspace.")
    told = _told(policy, standing.figures(request.auth.workspace_id).get(policy.pk, Figures()))
    versions = list(policy.versions.all())
    live = next((version for version in versions if version.number == policy.live), None)
    return told | {"body": live.body if live else None, "versions": [_version(version) for version in versions]}


def bundle_of(workspace: Workspace) -> dict[str, Any]:
    """What is in force, without anything that changes while it stays in force. Who is stopped comes before all
    policies: an ask of such an agent, or for such a run or workflow, is answered by the stop alone. Who is supervised
    stands among them too, and does nothing that is allowed without asking."""
    book = rulebook.rulebook(workspace)
    live = PolicyVersion.objects.filter(
        policy__workspace=workspace, policy__subject=Subject.ASK, policy__retired_at__isnull=True, state=State.LIVE
    ).select_related("policy")
    return {
        "format": FORMAT,
        "workspace": workspace.slug,
        "zone": workspace.zone,
        "currency": workspace.currency,
        "default": book.default_effect,
        "stops": stops.told(workspace.pk),
        "policies": [
            {
                "policy": version.policy.slug,
                "name": version.policy.name,
                "version": version.number,
                "sha256": version.digest,
                "body": {part: value for part, value in version.body.items() if part != "examples"},
            }
            for version in live.order_by("policy__created_at", "policy__id")
        ],
    }


def _policies(workspace_id: int) -> QuerySet[Policy]:
    versions = PolicyVersion.objects.select_related("author", "published_by").order_by("-number")
    found = Policy.objects.filter(workspace_id=workspace_id, versions__isnull=False).distinct()
    return found.prefetch_related(Prefetch("versions", versions)).order_by("name", "pk")


def _told(policy: Policy, figures: Figures) -> dict[str, Any]:
    versions = list(policy.versions.all())
    return {
        "id": policy.slug,
        "name": policy.name,
        "purpose": policy.purpose,
        "subject": policy.subject,
        "sensitive": policy.sensitive,
        "live": policy.live,
        "shadow": policy.shadow,
        "draft": next((version.number for version in versions if version.state == State.DRAFT), None),
        "retired_at": policy.retired_at,
        "last_edit_at": max(version.saved_at for version in versions),
        "decisions": figures.decisions,
        "tickets": figures.tickets,
        "judged": figures.judged,
        "changed": figures.changed,
    }


def _version(version: PolicyVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "state": version.state,
        "sha256": version.digest,
        "author": version.author.get_username() if version.author else None,
        "reason": version.reason,
        "saved_at": version.saved_at,
        "published_by": version.published_by.get_username() if version.published_by else None,
        "published_at": version.published_at,
        "ended_at": version.ended_at,
    }
