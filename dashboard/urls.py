"""Addresses of the dashboard."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def overview(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Baton")


app_name = "dashboard"
urlpatterns = [path("", overview, name="overview")]
