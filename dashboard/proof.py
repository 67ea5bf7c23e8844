"""The password asked again, as the workspaces' own room has it."""

from orchestration.workspaces.proof import freshly_proven, proven

__all__ = ["freshly_proven", "proven"]
