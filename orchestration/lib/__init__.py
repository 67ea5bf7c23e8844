"""Pure helpers that more than one room needs, without a model and without a word of the domain: how names are compared,
numbers and durations are shown, intervals and histograms computed, lists paged, pages or their parts rendered, and
signals published.

Imports nothing of ours. Nothing enters before two rooms need it. Read `stats` first: every figure goes through it.
"""
