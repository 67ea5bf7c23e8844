"""Addresses. The doors for telemetry are not here: `asgi` hands those out before Django is asked."""

from __future__ import annotations

from allauth.account.views import login, logout, password_change, reauthenticate
from allauth.mfa.base.views import authenticate
from allauth.mfa.base.views import reauthenticate as reauthenticate_by_code
from allauth.mfa.recovery_codes.views import generate_recovery_codes, view_recovery_codes
from django.urls import include, path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView

from orchestration.api import health
from orchestration.api.root import api
from orchestration.config.second_step import switch_off, switch_on

urlpatterns = [
    path("", include("dashboard.urls")),
    path("", include("escalations.urls")),
    path("accounts/login/", login, name="account_login"),
    path("accounts/logout/", logout, name="account_logout"),
    path("accounts/again/", reauthenticate, name="account_reauthenticate"),
    path("accounts/password/", never_cache(password_change), name="account_change_password"),
    path("accounts/code/", never_cache(authenticate), name="mfa_authenticate"),
    path("accounts/again/code/", reauthenticate_by_code, name="mfa_reauthenticate"),
    path("accounts/second-step/", RedirectView.as_view(pattern_name="dashboard:profile"), name="mfa_index"),
    path("accounts/second-step/on/", switch_on, name="mfa_activate_totp"),
    path("accounts/second-step/off/", switch_off, name="mfa_deactivate_totp"),
    path("accounts/second-step/codes/", never_cache(view_recovery_codes), name="mfa_view_recovery_codes"),
    path("accounts/second-step/codes/new/", never_cache(generate_recovery_codes), name="mfa_generate_recovery_codes"),
    path("api/v1/", api.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
]

handler400 = "dashboard.views.errors.bad_request"
handler403 = "dashboard.views.errors.denied"
handler404 = "dashboard.views.errors.not_found"
handler500 = "dashboard.views.errors.failed"
