"""A simulator: agents at work, seen by Baton as a stranger's would be.

It speaks OTLP and the public API and nothing else, so it may import `client` and `lib` only. `agents` says who works
here, `emit` how each writes its telemetry, `faults` what may go wrong, `scenarios` and `robots` what happens; `stage`
plays many stories at once, and `company` opens the doors in the morning. Read `scenarios` first.
"""
