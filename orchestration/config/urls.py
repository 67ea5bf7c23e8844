"""Addresses. The doors for telemetry are not here: `asgi` hands those out before Django is asked."""

from __future__ import annotations

from allauth.account.views import login, logout, reauthenticate
from django.urls import include, path

from orchestration.api import health
from orchestration.api.root import api

urlpatterns = [
    path("", include("dashboard.urls")),
    path("account/login/", login, name="account_login"),
    path("account/logout/", logout, name="account_logout"),
    path("account/again/", reauthenticate, name="account_reauthenticate"),
    path("api/v1/", api.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]
