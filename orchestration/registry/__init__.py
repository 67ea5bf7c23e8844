"""Who acts and what is acted upon: applications, agents, systems, tools and prices.

Telemetry says names; `resolve` turns them into the ids that big tables carry, `labels` turns ids back into names,
`prices` tells what tokens cost. May import `ledger`, `workspaces` and `lib`; `models` is the file to read first.
"""
