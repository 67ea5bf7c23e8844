"""HTTP in, JSON out: the doors for telemetry and events, and what the pages show as JSON.

Two kinds of handlers. The doors (`otlp`, `events`) are lean ASGI applications beside Django, since they take thousands
of requests a second: `arrivals` checks and unpacks a request in the order in which refusing is cheap, `intake` stores it
and answers only then, `nudge` wakes the digest, `backlog` and `quota` bound what may wait. Everything else is a router
of the one API in `root`, with its schemas in `shapes`; a handler is parse, one call, answer.

May import every room but `config` and `demo`. Read `otlp` first.
"""
