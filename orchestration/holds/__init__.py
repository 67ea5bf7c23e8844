"""Work that waits for a person, and what the person answered: the seam between the engine and the reviewers' pages.

Files: `models` the hold itself, `verdicts` opening, deciding, applying, expiring (each a conditional change of one
row). A hold stores its verdict, so that rooms which learn from people never look at the screens. May import `policies`,
`workflows`, `registry`, `ledger`, `lib`.
"""
