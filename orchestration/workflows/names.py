"""Workflow and step names to ids, as `registry.resolve` does it for agents and systems."""

from __future__ import annotations

from orchestration.registry.resolve import Book

workflows = Book("workflows_workflow", ("name",), slug=True)
steps = Book("workflows_stepname", ("workflow_id", "name", "owner"))
