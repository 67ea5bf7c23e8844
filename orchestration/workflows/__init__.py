"""Processes and their executions: what a run was, told from its spans or from what a program says itself.

Lives here: runs, traces and steps (`models`), the plain values of a run (`story`), how spans become one (`fold`, pure,
a stage a file), which traces belong together (`stitch`, pure), reading and booking of runs, durations and bottlenecks.

Workflows that Baton coordinates: what they say (`definition`, `plans`), their versions (`declared`), and the engine
that moves their runs on (`starting`, `engine`, `leases`, `retries`, `rollback`), each move one transaction on a locked
run (`moving`). They tell of themselves by events (`reporting`), so that a declared run is a run like any other. Guards
need rules and people need holds, both further up: `control.driving` brings them. What waits for whom says `progress`;
what observed runs have in common (`trails`) becomes a draft (`learning`, `drafting`), and whether runs keep to their
path says `conformance`.

One fold serves the run page, the API, the run's row and the figures booked to rollups, so they cannot disagree. It
takes steps in any order, as many as have come, and is done anew when more come: it keeps no state.

May import: telemetry, registry, ledger, lib. Read first: `story`, then `fold`; for the engine `definition`,
then `engine`.
"""
