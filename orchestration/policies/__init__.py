"""Guardrails: what admins let agents do alone, and the decisions that were made by them.

Files: `cel` the one place that knows the rule engine, `syntax` its expressions as a tree, `vocabulary` the typed facts
that a rule may name, `scopes` for whom a policy speaks, `effects` what it says, `evaluate` rules and facts to an answer
(pure), `models` policies, their immutable versions and decisions, `lifecycle` draft to shadow to live, `live` the rules
in force in a process.

Rules on signals share versions and lifecycle; `bodies` tells the two kinds apart, `signal_kinds` says what can be
measured, `signal_rules` what such a rule says, `readings` keeps what was measured. May import `workflows`, `registry`,
`ledger`, `outbox`, `lib`.
"""
