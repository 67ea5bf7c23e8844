"""Tenants, the people in them and the keys of machines.

`current` says which workspace a request is about and which role it takes; `keys` makes, finds and revokes keys, of
which only a digest is stored. May import `lib`. Read `models` first.
"""
