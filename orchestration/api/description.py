"""The description of the JSON API: completed for programs, and as a plain page for people.

Ninja's own page loads its scripts from elsewhere, which a Baton without internet cannot, and no Baton should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from ninja import NinjaAPI

from orchestration.api import described, described_asks, described_coordination, described_leases
from orchestration.api.shapes import ProblemOut

FAULTS = {
    "401": "No key, or none that is known",
    "403": "The key or the person may not do this",
    "404": "Nothing of that name in this workspace",
    "405": "Not with this method",
    "422": "A field of the request is wrong; `errors` names it",
    "500": "Baton failed to answer",
    "503": "Not now: try again after `Retry-After` seconds",
}
UNREAD = {"400": "The body is not JSON"}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
KEY = {"type": "http", "scheme": "bearer", "description": "An API key of the workspace, with the scope that is needed"}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    place: str  # path | query
    kind: str
    default: str
    words: str


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    address: str
    summary: str
    words: str
    parameters: list[Parameter]
    fields: list[tuple[str, str]]


def complete(schema: Any) -> Any:
    """Adds what ninja does not know: the doors, how to authenticate, and what errors look like."""
    schema["paths"]["/api/v1/events"] = {"post": described.events()}
    schema["paths"]["/api/v1/decisions"] = {"post": described_asks.decisions()}
    schema["paths"]["/api/v1/holds"]["post"] = described_asks.holds()
    described_coordination.add(schema["paths"])
    described_leases.add(schema["paths"])
    components = schema["components"]
    components.setdefault("schemas", {})["ProblemOut"] = ProblemOut.model_json_schema()
    components.setdefault("securitySchemes", {})["key"] = KEY
    for operation in _operations(schema):
        operation["security"] = [{"key": []}]
        for status, words in (FAULTS | UNREAD if "requestBody" in operation else FAULTS).items():
            operation["responses"].setdefault(status, {"description": words})
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                answer.setdefault("content", PROBLEM)
    return schema


def docs(api: NinjaAPI) -> Callable[[HttpRequest], HttpResponse]:
    """The view of `/api/v1/docs`, made from the same description."""

    @require_safe
    def page(request: HttpRequest) -> HttpResponse:
        return render(request, "api/docs.html", {"operations": list(operations(api.get_openapi_schema()))})

    return page


def operations(schema: Any) -> Iterator[Operation]:
    """All operations of a description, as the page lists them."""
    names = schema["components"]["schemas"]
    for address, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield Operation(
                method=method.upper(),
                address=address,
                summary=operation.get("summary", ""),
                words=operation.get("description", ""),
                parameters=[*map(_parameter, operation.get("parameters", [])), *_body(operation, names)],
                fields=_fields(operation, names),
            )


def _operations(schema: Any) -> Iterator[Any]:
    for methods in schema["paths"].values():
        yield from methods.values()


def _parameter(given: Any) -> Parameter:
    shape = given["schema"]
    default = shape.get("default")
    return Parameter(
        given["name"],
        given["in"],
        _kind(shape),
        "" if default in (None, "") else str(default),
        given.get("description", ""),
    )


def _body(operation: Any, names: Any) -> Iterator[Parameter]:
    """The fields of a request's body; where it holds but one list, those of its items."""
    if "requestBody" not in operation:
        return
    shape = _named(operation["requestBody"]["content"]["application/json"]["schema"], names)
    inner = list(shape.get("properties", {}).values())
    if len(inner) == 1 and "items" in inner[0]:
        shape = _named(inner[0]["items"], names)
    for name, each in shape.get("properties", {}).items():
        yield Parameter(name, "body", _kind(each), "", each.get("description", ""))


def _fields(operation: Any, names: Any) -> list[tuple[str, str]]:
    """Names and kinds of what a good answer holds; of a list what its items hold."""
    good = {str(status): answer for status, answer in operation["responses"].items()}.get("200", {})
    content = good.get("content", {}).get("application/json")
    if content is None:
        return []
    shape = _named(content["schema"], names)
    items = shape.get("properties", {}).get("items")
    if items:
        shape = _named(items["items"], names)
    return [(name, _kind(each)) for name, each in shape.get("properties", {}).items()]


def _named(shape: Any, names: Any) -> Any:
    """Of several shapes the first, which is the plain one."""
    found: Any = names.get(shape["$ref"].rpartition("/")[2], {}) if "$ref" in shape else shape
    return found["anyOf"][0] if "anyOf" in found else found


def _kind(shape: Any) -> str:
    """A shape in a word or two."""
    if "$ref" in shape:
        return str(shape["$ref"].rpartition("/")[2]).removesuffix("Out")
    for choice in ("anyOf", "allOf"):
        if choice in shape:
            return " or ".join(dict.fromkeys(_kind(each) for each in shape[choice]))
    if "enum" in shape or "const" in shape:
        return " | ".join(str(each) for each in shape.get("enum", [shape.get("const")]) if each != "")
    if shape.get("type") == "array":
        return f"list of {_kind(shape['items'])}" if "items" in shape else "list"
    kind = shape.get("format") or shape.get("type") or "anything"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
