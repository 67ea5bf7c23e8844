"""Work that waits for a person, and what the person answered: the seam between the engine and the reviewers' pages.

Files: `models` the hold itself, `asking` an agent's question to a person, `verdicts` deciding, applying, expiring (each
a conditional change of one row), `told` a hold as agents may see it, `likeness` what makes two alike, `placing` and
`haste` what the reviewers' screens write here and how they hear of news, `forgetting` what is old. A hold stores its
verdict, so that rooms which learn from people never look at the screens. May import `policies`, `workflows`,
`registry`, `ledger`, `outbox`, `lib`.
"""
