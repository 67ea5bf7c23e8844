"""Addresses of the reviewers' pages."""

from django.urls import path

from escalations.views import decide, inbox

app_name = "escalations"
urlpatterns = [
    path("inbox/", inbox.page, name="inbox"),
    path("inbox/<uuid:batch_id>/", inbox.page, name="batch"),
    path("inbox/<uuid:batch_id>/decide/", decide.decide, name="decide"),
    path("inbox/<uuid:batch_id>/claim/", decide.claim, name="claim"),
    path("inbox/<uuid:batch_id>/leave/", decide.leave, name="leave"),
    path("inbox/<uuid:batch_id>/cases/<uuid:hold_id>/run/", decide.look_elsewhere, name="run"),
    path("inbox/cases/<uuid:hold_id>/", inbox.case, name="case"),
    path("inbox/verdicts/<uuid:act_id>/undo/", decide.undo, name="undo"),
]
