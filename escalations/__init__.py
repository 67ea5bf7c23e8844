"""The reviewers' pages: what needs a person's decision, in batches of like cases.

Empty for now: agents cannot ask for a decision yet, so there is nothing to decide. It will turn holds into escalations,
group them, find who is qualified, and hand back what people answered. Imports any room of `orchestration` and never
`dashboard`.
"""
