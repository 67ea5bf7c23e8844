"""The common language of agents: work handed from one to another, and what each is about to do.

Handoffs that telemetry shows are found by the fold (`workflows.fold_handoffs`) and written when a run is settled
(`models.Handoff`). Those that agents declare are envelopes: `given` reads what somebody wrote, `envelope` knows its
shape, `demands` what a pair of agents needs in it, `sending` stores it and moves it on, `bounces` counts what was sent
back, `quality` tells how well each pair does, `settling` finds runs that were not known yet. `claims` are notices of
work that two would else do twice. `mess` counts what agents do to each other without all that; `mess_models` keeps it,
and where they are told to coordinate. `told` is both as others see them, `lists` finds them, `forgetting` ends them.
May import `workflows` and every room below it.
"""
