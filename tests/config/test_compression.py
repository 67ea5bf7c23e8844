"""What is sent smaller, and what must not be."""

from __future__ import annotations

import asyncio
import gzip
import warnings
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.http import StreamingHttpResponse
from django.templatetags.static import static
from django.test import AsyncClient, Client, RequestFactory

from orchestration.config.compression import Gzip, digest_of

pytestmark = pytest.mark.django_db  # a file that was sent is closed as a request is: old connections go
SCRIPT = "django_htmx/htmx-2.min.js"


def test_a_static_file_is_compressed_and_kept_for_good(client: Client) -> None:
    answer = client.get(static(SCRIPT), headers={"Accept-Encoding": "gzip"})

    found = finders.find(SCRIPT)
    assert isinstance(found, str)
    assert gzip.decompress(answer.content) == Path(found).read_bytes()
    assert "immutable" in answer["Cache-Control"]


def test_a_part_of_a_file_is_sent_as_it_is(client: Client) -> None:
    answer = client.get(static(SCRIPT), headers={"Accept-Encoding": "gzip", "Range": "bytes=0-999"})

    assert answer.status_code == 206
    assert "Content-Encoding" not in answer
    assert len(b"".join(answer)) == 1000


def test_a_static_files_head_has_no_body(client: Client) -> None:
    assert client.head(static(SCRIPT)).content == b""


def test_a_static_file_is_served_without_a_complaint_of_asgi() -> None:
    async def asked() -> int:
        return (await AsyncClient().get(static(SCRIPT))).status_code

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        status = asyncio.run(asked())

    assert status == 200


def test_an_event_stream_is_not_held_back(rf: RequestFactory) -> None:
    stream = StreamingHttpResponse(iter([b"data: 1\n\n" * 100]), content_type="text/event-stream")
    request = rf.get("/live/", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in Gzip(lambda _: stream).process_response(request, stream)


def test_a_digest_changes_with_any_content(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a")
    before = digest_of(tmp_path)

    (tmp_path / "a.css").write_text("b")

    assert digest_of(tmp_path) != before
