"""The control room: the pages of operators and of those who write policy.

A file a page in `views`, named as its address; `charts` are pure (figures to the numbers of an SVG); `live` is the
event stream; `period` reads the time range. A view reads the request and chooses the template; what is measured comes
from the rooms of `orchestration` as dataclasses, never from a query here. Imports any of those rooms and no other
screen. Read `urls` first, then `views.overview`.
"""
