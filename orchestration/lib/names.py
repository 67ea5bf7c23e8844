"""How names are compared: the same agent or tool is spelled differently by different producers."""

from __future__ import annotations


def normal(name: str) -> str:
    """What tells names apart: case, `-` and `_` do not."""
    return name.casefold().replace("-", "").replace("_", "")
