"""One agent passing work to another, as rows: who, to whom, in which run, when, and by which sign it was seen.

Handoffs are found by the fold (`workflows.fold_handoffs`) and written when a run is settled; envelopes and claims that
agents send are still to come. May import `workflows` and every room below it. Read `models` first.
"""
