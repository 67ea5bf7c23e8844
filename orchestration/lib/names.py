"""How names are compared: the same agent or tool is spelled differently by different producers."""

from __future__ import annotations

from collections.abc import Collection

REMEMBERED = 4_096  # names; beyond that all are forgotten


def normal(name: str) -> str:
    """What tells names apart: case, `-` and `_` do not."""
    return name.casefold().replace("-", "").replace("_", "")


class _Normal(dict[str, str]):
    """Normal forms, remembered."""

    def __missing__(self, name: str) -> str:
        if len(self) >= REMEMBERED:
            self.clear()
        form = self[name] = normal(name)
        return form


known_normal = _Normal().__getitem__  # `normal`, for who asks a hundred times for each run


def agent_key(name: str) -> str:
    """By which an agent that may be called `application/name` is known again, however it is spelled."""
    return normal(name.rpartition("/")[2] or name)


def same_agent(one: str, other: str) -> bool:
    """Whether both may be the same: of one name, and of one application where both say it."""
    first, second = one.rpartition("/"), other.rpartition("/")
    if agent_key(one) != agent_key(other):
        return False
    return not (first[0] and second[0]) or normal(first[0]) == normal(second[0])


def speaks_for(listed: Collection[str], agent: str) -> bool:
    """Whether who may speak for the agents of a list (empty: for any) is this one."""
    return not listed or any(same_agent(each, agent) for each in listed)


def forms(tool: str) -> tuple[str, str, str]:
    """A tool's name as lists of tools may spell it: whole, and without the prefix of a server or of a plugin
    (`server.tool`, `mcp__server__tool`, `Plugin-tool`)."""
    tool = tool.casefold()
    whole = tool.replace("-", "_").replace(" ", "_")
    served = whole.replace("__", ".").replace("/", ".").replace(":", ".").rpartition(".")[2]
    return whole, served, tool.rpartition("-")[2]
