"""Spans and logs, partitioned by day of their start: SQL, since Django cannot say it, beside the same as state."""

import django.db.models.deletion
from django.db import migrations, models

SPAN = """
create table telemetry_span (
    workspace_id bigint not null,
    started_at timestamptz not null,
    trace_id bytea not null,
    span_id bytea not null,
    parent_id bytea,
    ended_at timestamptz,
    application_id integer not null,
    agent_id integer not null,
    system_id integer not null,
    kind smallint not null,
    outcome smallint not null,
    claimed boolean not null,
    name text not null,
    subject text not null,
    workflow text,
    conversation text,
    tokens_in integer not null,
    tokens_out integer not null,
    cost bigint,
    error text,
    hints jsonb,
    attrs jsonb not null,
    primary key (workspace_id, started_at, trace_id, span_id)
) partition by range (started_at);
create index span_trace on telemetry_span (workspace_id, trace_id);
"""

LOG = """
create table telemetry_logrecord (
    workspace_id bigint not null,
    at timestamptz not null,
    id bytea not null,
    trace_id bytea,
    span_id bytea,
    application_id integer not null,
    name text not null,
    attrs jsonb not null,
    primary key (workspace_id, at, id)
) partition by range (at);
create index log_trace on telemetry_logrecord (workspace_id, trace_id) where trace_id is not null;
"""


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0001_initial"), ("workspaces", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(SPAN, "drop table telemetry_span")],
            state_operations=[
                migrations.CreateModel(
                    name="Span",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "workspace_id",
                                "started_at",
                                "trace_id",
                                "span_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("started_at", models.DateTimeField()),
                        ("trace_id", models.BinaryField(max_length=16)),
                        ("span_id", models.BinaryField(max_length=8)),
                        ("parent_id", models.BinaryField(max_length=8, null=True)),
                        ("ended_at", models.DateTimeField(null=True)),
                        ("application_id", models.IntegerField()),
                        ("agent_id", models.IntegerField()),
                        ("system_id", models.IntegerField()),
                        ("kind", models.SmallIntegerField()),
                        ("outcome", models.SmallIntegerField()),
                        ("claimed", models.BooleanField()),
                        ("name", models.TextField()),
                        ("subject", models.TextField()),
                        ("workflow", models.TextField(null=True)),
                        ("conversation", models.TextField(null=True)),
                        ("tokens_in", models.IntegerField()),
                        ("tokens_out", models.IntegerField()),
                        ("cost", models.BigIntegerField(null=True)),
                        ("error", models.TextField(null=True)),
                        ("hints", models.JSONField(null=True)),
                        ("attrs", models.JSONField()),
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
                    options={
                        "managed": True,
                    },
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(LOG, "drop table telemetry_logrecord")],
            state_operations=[
                migrations.CreateModel(
                    name="LogRecord",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "workspace_id",
                                "at",
                                "id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("at", models.DateTimeField()),
                        ("id", models.BinaryField(max_length=16)),
                        ("trace_id", models.BinaryField(max_length=16, null=True)),
                        ("span_id", models.BinaryField(max_length=8, null=True)),
                        ("application_id", models.IntegerField()),
                        ("name", models.TextField()),
                        ("attrs", models.JSONField()),
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
            ],
        ),
    ]
