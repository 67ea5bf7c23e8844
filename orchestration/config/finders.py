"""Scripts that come out of their wheels: found where they were installed, never copied into the repository."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

# Address below the static files: package, and the file inside it.
FILES: Mapping[str, tuple[str, str]] = {"plotly/plotly.min.js": ("plotly", "package_data/plotly.min.js")}


class WheelFinder(BaseFinder):
    """Knows only the files of `FILES`. Packages are located and not imported, which would cost every start."""

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = located(path)
        if found is None:
            return []  # in Django's terms: nothing, also where one is looked for
        return [str(found)] if find_all else str(found)

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        for path in FILES:
            if found := located(path):
                storage = FileSystemStorage(location=found.parent)
                storage.prefix = path.rpartition("/")[0]  # type: ignore[attr-defined]  # as Django's own finders do
                yield found.name, storage


def located(path: str) -> Path | None:
    package, inside = FILES.get(path, ("", ""))
    spec = find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / inside
    return file if file.is_file() else None
