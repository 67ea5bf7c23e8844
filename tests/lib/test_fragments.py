"""The page or the region."""

from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from orchestration.lib.fragments import wanted


def asked(**headers: str) -> HttpRequest:
    request = RequestFactory().get("/", headers=headers)
    request.htmx = HtmxDetails(request)  # type: ignore[attr-defined]
    return request


@pytest.mark.parametrize(
    ("headers", "region"),
    [
        ({}, ""),
        ({"HX-Target": "rows"}, ""),
        ({"HX-Request": "true"}, ""),
        ({"HX-Request": "true", "HX-Target": "rows"}, "rows"),
        ({"HX-Request": "true", "HX-Target": "rows", "HX-Boosted": "true"}, ""),
        ({"HX-Request": "true", "HX-Target": "rows", "HX-History-Restore-Request": "true"}, ""),
    ],
)
def test_only_htmx_that_names_a_region_gets_one(headers: dict[str, str], region: str) -> None:
    assert wanted(asked(**headers)) == region
