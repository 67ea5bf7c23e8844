"""Addresses of the dashboard."""

from django.urls import path

from dashboard.live import live
from dashboard.views import (
    agents,
    connections,
    health,
    join,
    keys,
    members,
    overview,
    place,
    prices,
    profile,
    retention,
    run,
    runs,
    search,
    settings,
    workflows,
)

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
    path("settings/profile/", profile.page, name="profile"),
    path("settings/members/", members.page, name="members"),
    path("settings/members/<int:member_id>/", members.detail, name="member"),
    path("settings/members/<int:member_id>/remove/", members.remove, name="remove_member"),
    path("settings/invitations/<int:invitation_id>/withdraw/", members.withdraw, name="withdraw_invitation"),
    path("settings/keys/", keys.page, name="keys"),
    path("settings/keys/<int:key_id>/", keys.detail, name="key"),
    path("settings/keys/<int:key_id>/rotate/", keys.turn, name="rotate_key"),
    path("settings/keys/<int:key_id>/revoke/", keys.withdraw, name="revoke_key"),
    path("settings/connections/", connections.page, name="connections"),
    path("settings/connections/test/", connections.test, name="test_span"),
    path("settings/prices/", prices.page, name="prices"),
    path("settings/prices/start/", prices.start, name="starting_prices"),
    path("settings/prices/currency/", prices.currency, name="currency"),
    path("settings/prices/<int:price_id>/restore/", prices.restore, name="restore_price"),
    path("settings/retention/", retention.page, name="retention"),
    path("settings/retention/content/", retention.content, name="keep_content"),
    path("settings/health/", health.page, name="health"),
    path("accounts/join/<str:secret>/", join.page, name="join"),
    path("workspace/", place.workspace, name="workspace"),
    path("settings/theme/", place.theme, name="theme"),
    path("search/", search.page, name="search"),
    path("live/", live, name="live"),
    path("live/counts/", place.counts, name="counts"),
]
