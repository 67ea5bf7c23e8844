"""Monitor, decide, act: where the rooms below come together.

`overview` (with `points`, `yesterday`, `attention` and `human_load`) and `fleet` answer what the pages and
`GET /api/v1/…` show, from figures alone; `health_figures` tells how Baton itself keeps up. Pages and API call the same
functions, so that they cannot disagree. `signals` measures (`measuring`), asks the rules about it and acts;
`signal_replay` tries a rule on the past. May import every room below; `overview` is the file to read first.
"""
