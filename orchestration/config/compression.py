"""What is sent smaller, or not sent again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class Gzip(GZipMiddleware):
    """Django's, less event streams, whose events it would hold back until its buffer is full, and parts of files."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.get("Content-Type", "").startswith("text/event-stream") or response.status_code == 206:
            return response
        if isinstance(response, FileResponse):
            response = whole(response)
        return super().process_response(request, response)


def whole(file: FileResponse) -> HttpResponse:
    """A static file as one piece: ASGI would have to fetch its pieces through a thread, one by one."""
    content = b"".join(cast("Iterator[bytes]", file.streaming_content))
    if file.file_to_stream:  # closed alone: `file.close()` would say that the request is over
        file.file_to_stream.close()
    return HttpResponse(content, status=file.status_code, headers=dict(file.headers))


def digest_of(*paths: Path) -> str:
    """A short name for the content of files and folders."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(path)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:10]
