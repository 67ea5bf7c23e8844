"""Whether Baton lives and can take data."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET


@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "alive"})


@require_GET
def readyz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ready"})


@require_GET
def metrics(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})
