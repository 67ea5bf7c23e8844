"""The JSON API: one NinjaAPI, a router a subject, and one shape for whatever goes wrong (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import orjson
import structlog
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path
from django.utils.cache import add_never_cache_headers
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser as PlainParser
from ninja.renderers import BaseRenderer

from orchestration.api import (
    actions,
    conformance,
    context,
    definitions,
    description,
    figures,
    handoffs,
    hold_lists,
    ledger,
    mess,
    policies,
    route,
    triggers,
)
from orchestration.api.parsed import checked
from orchestration.api.refusals import Refused, invalid, only, problem, unavailable, wrong
from orchestration.handoffs.given import Fault, Wrong
from orchestration.lib.paging import BadCursor
from orchestration.lib.told import dumps

log = structlog.get_logger(__name__)
PROBLEM = "application/problem+json"
PLACES = frozenset(("query", "path", "body", "form", "header", "cookie"))


class Renderer(BaseRenderer):
    """Times as UTC with a Z, amounts of money as numbers."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return dumps(data, default=float, option=orjson.OPT_UTC_Z)


class Parser(PlainParser):
    def parse_body(self, request: HttpRequest) -> Any:
        given = super().parse_body(request)
        checked(request.body)
        return given


class Api(NinjaAPI):
    _described: Any = None

    def get_openapi_schema(self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None) -> Any:
        """Made once: it takes a fifth of a second, and what it is made from does not change."""
        if self._described is None:
            made = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
            self._described = description.complete(made)
        return self._described

    def _get_urls(self) -> list[URLResolver | URLPattern]:
        found = [*super()._get_urls(), path("docs", description.docs(self), name="docs"), re_path("", _nothing)]
        for pattern in found:
            if isinstance(pattern, URLPattern):
                pattern.callback = _plainly(pattern.callback)
        return found


def refuse(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> HttpResponse:
    body = orjson.dumps(problem(status, detail, **more))
    return HttpResponse(body, status=status, content_type=PROBLEM, headers=dict(headers or {}))


def _plainly(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """What no handler sees (an address that is none, a method that is not served) is a problem too; nothing is kept
    in a cache."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except Http404 as error:
            response = _not_found(request, error)
        if response.status_code == 405:
            allowed = response["Allow"]
            response = refuse(405, f"This address answers {allowed}.", {"Allow": allowed})
        add_never_cache_headers(response)
        return response

    answer.csrf_exempt = True  # type: ignore[attr-defined]  # callers come with a key; with a session they only read
    return answer


def _knowing(view: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that nobody knows is named, as is one that is given twice: without it the answer would look right."""
    models = view._ninja_operation.models  # type: ignore[attr-defined]
    known = {
        name for model in models if model.__ninja_param_source__ == "query" for name in model.__ninja_flatten_map__
    }

    @wraps(view)
    def answer(request: HttpRequest, **values: Any) -> Any:
        only(dict(request.GET.lists()), known)
        return view(request, **values)

    return answer


def _nothing(request: HttpRequest) -> HttpResponse:
    raise Http404("There is nothing at this address; /api/v1/docs says what there is.")


api = Api(
    title="Baton",
    version="1",
    description="What agents, scripts and other programs use to talk to Baton.",
    urls_namespace="api",
    docs_url=None,
    renderer=Renderer(),
    parser=Parser(),
)
api.add_decorator(_knowing)
api.add_router("", figures.router)
api.add_router("", conformance.router)
api.add_router("", definitions.router)
api.add_router("", triggers.router)
api.add_router("", hold_lists.router)
api.add_router("", policies.router)
api.add_router("", ledger.router)
api.add_router("", actions.router)
api.add_router("", handoffs.router)
api.add_router("", context.router)
api.add_router("", mess.router)
api.add_router("", route.router)


@api.exception_handler(Refused)
def _refused(request: HttpRequest, error: Refused) -> HttpResponse:
    return refuse(error.status, error.detail, error.headers)


@api.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, Wrong):  # of the parser, whose faults ninja tells no apart
        return _wrong(request, error.__cause__)
    return refuse(error.status_code, error.message)


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return refuse(404, str(error) or "There is no such thing in this workspace.")


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    return _wrong(request, Wrong(Fault(_field(each["loc"]), "invalid", _words(each["msg"])) for each in error.errors))


@api.exception_handler(Wrong)
def _wrong(request: HttpRequest, error: Wrong) -> HttpResponse:
    """What the schema found, and what only the engine could find."""
    return HttpResponse(orjson.dumps(invalid(error)), status=422, content_type=PROBLEM)


@api.exception_handler(BadCursor)
def _bad_cursor(request: HttpRequest, error: BadCursor) -> HttpResponse:
    return _wrong(request, wrong("cursor", "a cursor that this list gave out"))


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
def _unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    log.warning("database_unavailable", path=request.path, error=type(error).__name__)
    refused = unavailable()
    return refuse(refused.status, refused.detail, refused.headers)


@api.exception_handler(Exception)
def _broken(request: HttpRequest, error: Exception) -> HttpResponse:
    log.exception("api_failed", path=request.path)
    return refuse(500, "Baton failed to answer. The log says why.")


def _field(place: Sequence[Any]) -> str:
    """`("query", "wanted", "limit")`, perhaps with a choice of types behind it, is the field `limit` to the caller; so
    is `("body", "wanted", "about", "to")` the field `about.to`, and a body that is none `body`."""
    names = [str(part) for part in place if part not in PLACES]
    if place[0] == "body":
        return ".".join(names[1:]) or "body"
    return names[min(1, len(names) - 1)] if names else ""


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")
