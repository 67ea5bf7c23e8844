import django.db.models.deletion
from django.db import migrations, models

# Those that were shown so far.
COUNTED = """
insert into handoffs_pairhour (workspace_id, at, from_agent_id, to_agent_id, n)
select workspace_id, to_timestamp(floor(extract(epoch from at) / 3600) * 3600), from_agent_id, to_agent_id, count(*)
from handoffs_handoff group by 1, 2, 3, 4
"""


class Migration(migrations.Migration):
    dependencies = [
        ("handoffs", "0005_handoff_fence"),
        ("workspaces", "0005_facts_of_decisions"),
    ]

    operations = [
        migrations.CreateModel(
            name="PairHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "at",
                        "from_agent_id",
                        "to_agent_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("at", models.DateTimeField()),
                ("from_agent_id", models.IntegerField()),
                ("to_agent_id", models.IntegerField()),
                ("n", models.IntegerField()),
                (
                    "workspace",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="workspaces.workspace",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(COUNTED, migrations.RunSQL.noop),
    ]
