"""The tamper-evident record: entries for decisions, verdicts, actions and changes of policy, chained and signed.

Empty so far: what it records is still to come. May import `workspaces` and `lib`. Subjects will be (kind, id) pairs,
never foreign keys, so that the record needs no room above it.
"""
