"""Addresses of the reviewers' pages."""

from django.urls import path

from escalations.views import inbox

app_name = "escalations"
urlpatterns = [
    path("inbox/", inbox.page, name="inbox"),
    path("inbox/<uuid:hold_id>/decide/", inbox.decide, name="decide"),
    path("inbox/verdicts/<uuid:hold_id>/undo/", inbox.undo, name="undo"),
]
