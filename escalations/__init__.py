"""The reviewers' pages: what needs a person's decision.

A datum travels one way: a hold is taken in (`intake`), finds its batch (`batching`, by the `closeness` of fields and
`texts`) and the person who may decide it (`matching`), its clocks are set (`sla`), people are told (`notices`), a page
shows it (`views`), the verdict goes back to the hold, and what was said teaches (`judged`, `fitting`, `odds`: which
cases are nearly always let pass; `precedents` within bounds, `covering`; `sampling`). What needs much memory
(`fitting`, `grouping`) runs in a process that ends afterwards; `forgetting` empties what is old.

What a page shows is made by `listing` (which batches), `opened` (one of them, its `columns`) and `pane` (one case, its
`trail`); `acts` and `sorting` do what people press, `claims` says who is reading. Imports any room of `orchestration`
and never `dashboard`.
"""
