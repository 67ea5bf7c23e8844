"""The reviewers' pages: what needs a person's decision.

For now a plain list of open holds, most urgent first, in which each is decided for itself. It will group like cases,
find who is qualified, and learn how they are best handled. Files: `cases` what the list shows, `views/inbox` the page
and the verdicts. Imports any room of `orchestration` and never `dashboard`.
"""
