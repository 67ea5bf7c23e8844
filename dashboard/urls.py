"""Addresses of the dashboard."""

from django.urls import path

from dashboard.live import live
from dashboard.views import agents, health, keys, overview, place, run, runs, search, settings, workflows

app_name = "dashboard"
urlpatterns = [
    path("", overview.page, name="overview"),
    path("workflows/", workflows.listing, name="workflows"),
    path("workflows/<slug:slug>/", workflows.detail, name="workflow"),
    path("runs/", runs.listing, name="runs"),
    path("runs/<uuid:run_id>/", run.page, name="run"),
    path("agents/", agents.listing, name="agents"),
    path("agents/<slug:slug>/", agents.detail, name="agent"),
    path("settings/", settings.index, name="settings"),
    path("settings/profile/", settings.profile, name="profile"),
    path("settings/health/", health.page, name="health"),
    path("settings/prices/", settings.prices, name="prices"),
    path("settings/keys/", keys.page, name="keys"),
    path("settings/keys/<int:key_id>/revoke/", keys.withdraw, name="revoke_key"),
    path("workspace/", place.workspace, name="workspace"),
    path("settings/theme/", place.theme, name="theme"),
    path("search/", search.page, name="search"),
    path("live/", live, name="live"),
    path("live/counts/", place.counts, name="counts"),
]
