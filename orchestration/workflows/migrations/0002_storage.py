"""Rows that are rewritten in place leave room for it."""

from django.db import migrations

FORWARD = """
alter table workflows_trace set (fillfactor = 70);
alter table workflows_run set (fillfactor = 80);
alter table workflows_workflowminute set (fillfactor = 70);
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
