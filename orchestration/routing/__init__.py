"""How reliable each agent is on each system, which path is broken, and who gets the work.

Files, in the order a figure takes: `reliability` counts to posteriors (pure), `measure` reads the rollups and keeps the
cells, `breakers` a circuit's next state (pure), `circuits` keeps them, `slices` where cases fail more than the rest
(pure), `slicing` looks for them among runs, `moves` work that was moved from one agent to
another, `choose` picks one (pure), `limits` what an admin set, `forgetting` what is let go. May import `assessment`,
`workflows`, `telemetry`, `registry`, `ledger`, `lib`. Which agent is stopped, and what policies say, is known further
up: `control.routes` puts it together. Read `models` first.
"""
