"""Addresses of the reviewers' pages."""

from django.urls import path

from escalations.views import capacity, decide, inbox, notifications, precedents, samples, skills, writer

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
    path("inbox/uncovered/", skills.uncovered, name="uncovered"),
    path("inbox/precedents/", precedents.page, name="precedents"),
    path("inbox/precedents/<uuid:precedent_id>/", precedents.one, name="precedent"),
    path("inbox/precedents/<uuid:precedent_id>/revoke/", precedents.revoke, name="revoke_precedent"),
    path("inbox/precedents/keep/<uuid:act_id>/", precedents.keep, name="keep_precedent"),
    path("inbox/samples/", samples.page, name="samples"),
    path("inbox/samples/<uuid:decision_id>/", samples.judge, name="judge_sample"),
    path("settings/skills/", skills.page, name="skills"),
    path("settings/skills/interests/", skills.add_interest, name="add_interest"),
    path("settings/skills/interests/<int:interest_id>/remove/", skills.remove_interest, name="remove_interest"),
    path("settings/capacity/", capacity.page, name="capacity"),
    path("settings/notifications/", notifications.page, name="notifications"),
    path("settings/notifications/test/", notifications.trial, name="try_notification"),
    path("settings/briefs/", writer.page, name="writer"),
    path("settings/briefs/test/", writer.trial, name="try_writer"),
    path("settings/notifications/retry/", notifications.retry, name="retry_notifications"),
]
