"""A simulator: a bank at work, seen by Baton as a stranger's would be.

It speaks OTLP and the public API and nothing else, so it may import `client` and `lib` only. `agents` says who works
here, `emit` how each writes its telemetry, `faults` what may go wrong; `refunds`, `scenarios`, `screening`, `loans` and
`robots` tell what happens, out of the pieces in `scene`; `shared` is what agents tell each other where they are to.
`rhythm` and `arrivals` say when, as pure functions of time, so any part of the company's life can be told by itself:
`company` lives the present, `history` tells the past, `memory` keeps how far. `stage` plays many stories at once. Read
`scenarios` first, then `arrivals`.
"""
