"""A session alone changes no keys, no people and no retention: what does asks for the password again, unless it was
given in the last minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from allauth.account.authentication import get_authentication_records
from allauth.core.exceptions import ReauthenticationRequired
from django.conf import settings
from django.http import HttpResponse
from django.urls import resolve

from orchestration.workspaces.current import Here

P = ParamSpec("P")
View = Callable[Concatenate[Here, P], HttpResponse]


def freshly_proven(view: View[P]) -> View[P]:
    """For views that write. Looking is free; what was sent is kept while the password is asked, and then done."""

    @wraps(view)
    def guarded(request: Here, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.method == "POST" and not proven(request):
            raise ReauthenticationRequired
        request.resolver_match = resolve(request.path_info)  # still that of the password's page where it was asked
        return view(request, *args, **kwargs)

    return guarded


def proven(request: Here) -> bool:
    proofs = [record["at"] for record in get_authentication_records(request, request.user)]
    return time.time() - max(proofs, default=0.0) <= settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
