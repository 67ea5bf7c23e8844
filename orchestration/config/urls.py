"""Addresses. The doors for telemetry are not here: `asgi` hands those out before Django is asked."""

from __future__ import annotations

from allauth.account.views import login, logout, reauthenticate
from django.urls import include, path

from orchestration.api import health
from orchestration.api.root import api

urlpatterns = [
    path("", include("dashboard.urls")),
    path("accounts/login/", login, name="account_login"),
    path("accounts/logout/", logout, name="account_logout"),
    path("accounts/again/", reauthenticate, name="account_reauthenticate"),
    path("api/v1/", api.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]

handler400 = "dashboard.views.errors.bad_request"
handler403 = "dashboard.views.errors.denied"
handler404 = "dashboard.views.errors.not_found"
handler500 = "dashboard.views.errors.failed"
