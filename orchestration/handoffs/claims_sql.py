"""Claiming as one statement after one lock. A grant that takes over from a holder who was given up names that holder's
claim (`before`); if another one stands by then, nothing is done but to tell of it."""

from __future__ import annotations

from orchestration.handoffs.models import Claim
from orchestration.ledger import entries
from orchestration.lib.prepared import Prepared
from orchestration.workflows.run_search import FIND

COLUMNS = tuple(field.attname for field in Claim._meta.concrete_fields)
ENTRY = ", ".join(entries.COLUMNS)
DRAFTED = ", ".join(f"%(entry_{name})s" for name in entries.COLUMNS)

CLAIM = Prepared(
    "handoffs_claim_work",
    f"""
with place as (select ({FIND}) as id), names as (
    select %(run)s::text as name
    union select p.id::text from place p where p.id is not null
    union select r.external_key from place p
        join workflows_run r on r.workspace_id = %(workspace)s and r.id = p.id where r.external_key <> ''
    union (select encode(t.trace_id, 'hex') from place p
        join workflows_trace t on t.workspace_id = %(workspace)s and t.run_id = p.id limit 50)
), standing as (
    select {", ".join(COLUMNS)}, case when state = 'held' then until <= %(now)s::timestamptz
        else forgotten_at is not null or coalesce(coalesce(ended_at, since) < %(older)s::timestamptz, false) end as over
    from handoffs_claim where workspace_id = %(workspace)s and digest = %(digest)s::bytea
        and ref in (select name from names) and state in ('held', 'done')
    for update
), first as (select * from standing order by since limit 1), ended as (
    update handoffs_claim c set state = case c.state when 'held' then 'lost' else 'stale' end,
        ended_at = coalesce(c.ended_at, %(now)s)
    from first f where c.id = f.id and f.over and f.id = %(before)s::uuid returning c.fence
), go as (
    select fence + 1 as fence from ended
    union all select 1 where %(before)s::uuid is null and not exists (select 1 from standing)
), made as (
    insert into handoffs_claim ({", ".join(COLUMNS)})
    select %(made)s::uuid, %(workspace)s, %(run)s, p.id, coalesce(p.id::text, %(run)s), %(key)s, %(digest)s, %(agent)s,
        %(once)s::text, 'held', go.fence, %(now)s, %(until)s::timestamptz, null, null, false, null, 0, null
    from go, place p returning *
), entry as (insert into ledger_entry ({ENTRY}) select {DRAFTED} from made), asked as (
    update handoffs_claim c set asked_again = c.asked_again + 1
    from first f where c.id = f.id and not f.over and (%(once)s = '' or f.once <> %(once)s)
)
select true, false, {", ".join(COLUMNS)} from made union all select false, over, {", ".join(COLUMNS)} from first
""",
    first="select pg_advisory_xact_lock(%(lock)s::int, hashtext(%(hex)s))",
)
