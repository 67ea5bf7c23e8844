"""The reviewers' pages: what needs a person's decision.

A datum travels one way: a hold is taken in (`intake`), finds its batch (`batching`) and the person who may decide it
(`matching`), its clocks are set (`sla`), people are told (`notices`), a page shows it (`views`), the verdict goes back
to the hold, and what was said teaches (`learning`, `precedents`, `sampling`, `forecast`). Imports any room of
`orchestration` and never `dashboard`.
"""
