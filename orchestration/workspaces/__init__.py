"""Tenants, the people in them and the keys of machines.

`current` says which workspace a request is about and which role it takes; `members` and `invitations` say who belongs
to one; `keys` makes, finds and revokes keys, of which only a digest is stored; `ways` is what an admin sets for all.
May import `lib`. Read `models` first.
"""
