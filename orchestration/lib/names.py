"""How names are compared: the same agent or tool is spelled differently by different producers."""

from __future__ import annotations


def normal(name: str) -> str:
    """What tells names apart: case, `-` and `_` do not."""
    return name.casefold().replace("-", "").replace("_", "")


def forms(tool: str) -> tuple[str, str, str]:
    """A tool's name as lists of tools may spell it: whole, and without the prefix of a server or of a plugin
    (`server.tool`, `mcp__server__tool`, `Plugin-tool`)."""
    tool = tool.casefold()
    whole = tool.replace("-", "_").replace(" ", "_")
    served = whole.replace("__", ".").replace("/", ".").replace(":", ".").rpartition(".")[2]
    return whole, served, tool.rpartition("-")[2]
