"""What programs tell about themselves: received, kept, understood one span at a time, counted, forgotten.

Lives here: deliveries and their bodies (`otlp`, `events` decode them), the shapes of a span on its way in (`spans`),
what it means by its own attributes (`conventions`), rows in bulk (`writer`), additive figures (`rollups`), who is alive
(`liveness`), what may not be kept (`redaction`) and for how long (`retention`).

Decoding and conventions are pure: bytes to dataclasses, no model, no clock, no settings. What a span means only by its
neighbours (whose it is, a retry, a handoff, a finished run) is not decided here but in `workflows.fold`.

May import: registry, ledger, lib. Read first: `spans`, then `conventions`.
"""
