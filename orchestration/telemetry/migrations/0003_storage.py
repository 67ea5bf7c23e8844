"""How rows lie on disk: a queue is vacuumed at once, hot figures leave room for updates in place."""

from django.db import migrations

FORWARD = """
alter table telemetry_delivery alter column body set storage external;
alter table telemetry_delivery set (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 500,
    toast.autovacuum_vacuum_cost_delay = 0
);
alter table telemetry_spanminute set (fillfactor = 60);
alter table telemetry_pulse set (fillfactor = 50);
alter table telemetry_intake set (fillfactor = 50);
alter table telemetry_touchedhour set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
"""


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0002_spans_by_day")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
