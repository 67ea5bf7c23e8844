"""`/settings/members/`: who belongs here and as what, and the one-time links by which others join."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.addresses import public_address
from dashboard.forms import InviteForm, RolesForm
from dashboard.proof import freshly_proven
from orchestration.control import administration
from orchestration.workspaces import members, second_step
from orchestration.workspaces.current import Here, needs
from orchestration.workspaces.members import LastAdmin
from orchestration.workspaces.models import Invitation, Membership

MAY = {
    "operator": ("Sees what works and what fails", "Retry, roll back, route around, quarantine, escalate"),
    "reviewer": ("Decides what agents must not", "Decide, assign, snooze, split, ask for more"),
    "admin": ("Sets what humans stop deciding", "All of that, and policies, stages, members, keys, prices, retention"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
@freshly_proven
def page(request: Here) -> HttpResponse:
    """All members; sent, it makes an invitation and shows its link, once."""
    form = InviteForm(request.POST or None, initial={"roles": ["reviewer"]})
    link, made = "", None
    wrong = request.method == "POST" and not form.is_valid()
    if request.method == "POST" and not wrong:
        made, secret = administration.invite(
            request.workspace, form.offer(), request.user, once=form.cleaned_data["once"]
        )
        link = public_address(request) + reverse("dashboard:join", args=[secret])
        form = InviteForm(initial={"roles": ["reviewer"]})
    found = members.members(request.workspace)
    context = {
        "members": found,
        "admins": sum(1 for each in found if "admin" in each.roles),
        "open": Invitation.objects.open().filter(workspace=request.workspace).order_by("expires_at"),
        "form": form,
        "link": link,
        "made": made,
        "may": MAY,
    }
    return render(request, "dashboard/members.html", context, status=422 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("admin")
@freshly_proven
def detail(request: Here, member_id: int) -> HttpResponse:
    """One member; sent, the roles are those of the form and no others."""
    member = member_of(request, member_id)
    held = {"roles": member.roles, "sees_content": member.sees_content}
    form = RolesForm(request.POST or None, initial=held)
    wrong = request.method == "POST"
    if wrong and form.is_valid():
        try:
            administration.change_member(
                member, form.cleaned_data["roles"], form.cleaned_data["sees_content"], request.user
            )
        except LastAdmin as refusal:
            form.add_error("roles", str(refusal))
        else:
            messages.success(request, f"Saved what {member.user.get_username()} may do.", extra_tags="ok")
            return HttpResponseRedirect(reverse("dashboard:members"))
    context = {
        "member": member,
        "form": form,
        "may": MAY,
        "is_me": member.user_id == request.user.pk,
        "is_last": members.is_last_admin(member),
        "second_step": second_step.is_on(member.user),
    }
    return render(request, "dashboard/member.html", context, status=422 if wrong else 200)


@require_POST
@needs("admin")
@freshly_proven
def remove(request: Here, member_id: int) -> HttpResponse:
    member = member_of(request, member_id, gone=True)
    name = member.user.get_username()
    try:
        administration.remove_member(member, request.user)
    except LastAdmin as refusal:
        messages.error(request, f"{name} was not removed. {refusal}", extra_tags="crit")
        return HttpResponseRedirect(reverse("dashboard:member", args=[member.pk]))
    messages.success(request, f"Removed {name}, who sees nothing of this workspace any more.", extra_tags="ok")
    return HttpResponseRedirect(
        reverse("dashboard:members" if member.user_id != request.user.pk else "dashboard:overview")
    )


@require_POST
@needs("admin")
@freshly_proven
def drop_second_step(request: Here, member_id: int) -> HttpResponse:
    member = member_of(request, member_id)
    name = member.user.get_username()
    try:
        done = administration.remove_second_step(member, request.user)
    except second_step.NotAllTheirs as refusal:
        messages.error(request, f"The second step of {name} stays. {refusal}", extra_tags="crit")
    else:
        said = f"{name} logs in with the password alone now, and is logged out everywhere."
        messages.success(request, said if done else f"{name} has no second step.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:member", args=[member.pk]))


@require_POST
@needs("admin")
def withdraw(request: Here, invitation_id: int) -> HttpResponse:
    invitation = Invitation.objects.filter(workspace=request.workspace, pk=invitation_id).first()
    if invitation is None:
        raise Http404("Not an invitation to this workspace")
    administration.withdraw_invitation(invitation, request.user)
    messages.success(request, f"Withdrew the invitation for {invitation.note}.", extra_tags="ok")
    return HttpResponseRedirect(reverse("dashboard:members"))


def member_of(request: Here, member_id: int, *, gone: bool = False) -> Membership:
    """A member of this workspace; with `gone` also one who was removed, so that a second press is no error."""
    member = Membership.objects.filter(workspace=request.workspace, pk=member_id).select_related("user").first()
    if member is None or not (member.roles or gone):
        raise Http404("Not a member of this workspace")
    return member
