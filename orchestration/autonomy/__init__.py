"""What Baton does by itself or at a person's press, and how far it may go: rows first, then effects, each with a
receipt, undone where that can be.

Files, in the order an act takes: `limits` what Baton may do without being asked, `ordering` makes the rows (one, or one
for each of a chosen many), `work` claims and carries them out, `effects` what each kind does, `stops` who may not go on
now, which every decision looks at.
`rerouting` moves work, `healing` does so by itself where a path breaks, and back. `episodes` acts once for what a rule
on signals holds of, `verifying` asks for a check. `loops` finds calls that go round in circles, `breaker` acts on them.
May import
`routing`, `assessment`, `holds`, `policies`, `workflows`, `registry`, `outbox`, `ledger`, `lib`. Read `models` first.
"""
