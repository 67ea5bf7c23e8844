"""The tamper-evident record: entries for decisions, verdicts, actions and changes of policy, chained and signed.

Files: `models` the three insert-only tables, `entries` makes an entry with its cause, `chain` links waiting entries,
`merkle` roots and proofs (RFC 6962), `checkpoints` signs heads and writes them outside the database, `verify` checks
all of it. May import `workspaces` and `lib`. Subjects are (kind, id) pairs, never foreign keys, so that the record
needs no room above it.
"""
