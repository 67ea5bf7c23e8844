"""The days of what was counted before there were any: later ones are made by the sweep of hours."""

from django.db import migrations

KEYS = "workflow_id, step_id, measure"
SUMS = ("n", "failed", "ms")
BUCKETS = [f"b{i:02d}" for i in range(96)]
VALUES = [f"least({2**61}, sum({name}))" for name in SUMS] + [f"sum({name})" for name in BUCKETS]
FORWARD = f"""
insert into workflows_workflowday (workspace_id, at, {KEYS}, {", ".join([*SUMS, *BUCKETS])})
select workspace_id, date_trunc('day', at, 'UTC'), {KEYS}, {", ".join(VALUES)}
from workflows_workflowhour group by workspace_id, 2, {KEYS}
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0004_days")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
