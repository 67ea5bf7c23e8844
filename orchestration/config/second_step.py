"""The pages on which people switch the second step of logging in on and off, and what the ledger is told of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import activate_totp, deactivate_totp
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from orchestration.control.administration import note_second_step
from orchestration.workspaces.models import User

View = Callable[..., HttpResponse]


def noted(view: View) -> View:
    """What changes is noted in the same transaction; a look at the page changes nothing."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST" or not isinstance(request.user, User):
            return view(request, *args, **kwargs)
        with transaction.atomic():
            before = _is_on(request.user)
            response = view(request, *args, **kwargs)
            after = _is_on(request.user)
            if before != after:
                note_second_step(request.user, on=after)
        return response

    return answer


def _is_on(user: User) -> bool:
    return bool(Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists())


switch_on = never_cache(noted(activate_totp))
switch_off = never_cache(noted(deactivate_totp))
