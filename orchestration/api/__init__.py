"""HTTP in, JSON out: what machines say to Baton and ask of it.

Two doors take data in, `otlp` and `events`: plain ASGI applications in front of Django with a small pool of their own
(`pool`), so that ingest neither waits for pages nor starves decisions. A request goes through `arrivals` (key, room,
body, in the order in which a refusal costs least) to a row and a nudge (`intake`); `answers` ends it. Whatever may be
tried again is refused by 503 or 429, since clients drop their data after anything else.

Everything else is one NinjaAPI (`root`) with a router a file, named as its address, the schemas on top. `auth` tells
who calls, `refusals` holds the one shape of an error (RFC 9457), `health` is what probes and Prometheus read.

May import every room below. Read first: `otlp`, then `arrivals`.
"""
