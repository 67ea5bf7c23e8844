"""Sending a handoff and taking a step of it, each as one statement with its receipt."""

from __future__ import annotations

from orchestration.handoffs.models import Envelope
from orchestration.ledger import entries
from orchestration.lib.prepared import Prepared
from orchestration.workflows.run_search import FIND

COLUMNS = tuple(field.attname for field in Envelope._meta.concrete_fields)
JSON = ("body", "result", "acts", "problem")
ENTRY = ", ".join(entries.COLUMNS)
DRAFTED = ", ".join(f"%(entry_{name})s" for name in entries.COLUMNS)

# Nothing comes back where the pair needs something else by now, or the key is used this very moment.
SEND = Prepared(
    "handoffs_send",
    f"""
with demanded as (
    select coalesce((select id from handoffs_demand where workspace_id = %(workspace)s
        and sender_key = any(%(senders)s::text[]) and receiver_key = any(%(receivers)s::text[])
        order by length(sender_key) + length(receiver_key) desc, version desc limit 1), 0) as id
), before as (
    select {", ".join(COLUMNS)} from handoffs_envelope
    where workspace_id = %(workspace)s and sender_key = %(sender_key)s::text and key = %(key)s::text and key <> ''
        and (sender_app = %(sender_app)s::text or sender_app = '' or %(sender_app)s = '')
), made as (
    insert into handoffs_envelope (id, workspace_id, key, digest, version, run, run_id, sender, sender_key, sender_app,
        receiver, receiver_key, receiver_app, body, demands, state, sent_at, expires_at, reason, acts)
    select %(made)s::uuid, %(workspace)s, %(key)s, %(digest)s::bytea, 1, %(run)s::text, ({FIND}), %(sender)s::text,
        %(sender_key)s, %(sender_app)s, %(receiver)s::text, %(receiver_key)s::text, %(receiver_app)s::text,
        %(body)s::jsonb, %(version)s::int, 'sent', %(now)s::timestamptz, %(expires_at)s::timestamptz, '', '{{}}'
    from demanded d where d.id = %(demand)s::bigint and not exists (select 1 from before)
    on conflict do nothing returning *
), entry as (insert into ledger_entry ({ENTRY}) select {DRAFTED} from made)
select {", ".join(COLUMNS)} from made union all select {", ".join(COLUMNS)} from before
""",
)

# Only from where it was read to be: who comes second finds nothing to change, and looks again.
STEP = Prepared(
    "handoffs_step",
    f"""
with moved as (
    update handoffs_envelope set state = %(state)s::text, acts = %(acts)s::jsonb,
        accepted_at = %(accepted_at)s::timestamptz, ended_at = %(ended_at)s::timestamptz,
        due_at = %(due_at)s::timestamptz, fence = %(fence)s::int, reason = %(reason)s::text, result = %(result)s::jsonb
    where workspace_id = %(workspace)s and id = %(id)s::uuid and state = %(was)s::text and acts = %(before)s::jsonb
        and returned = %(returned)s::smallint
    returning *
), entry as (insert into ledger_entry ({ENTRY}) select {DRAFTED} from moved)
select {", ".join(COLUMNS)} from moved
""",
)
