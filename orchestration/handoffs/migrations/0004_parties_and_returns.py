from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("handoffs", "0003_coordination"),
        ("workspaces", "0005_facts_of_decisions"),
    ]

    operations: ClassVar = [
        migrations.RemoveConstraint(
            model_name="envelope",
            name="sent_once_a_key",
        ),
        migrations.AddField(
            model_name="envelope",
            name="due_at",
            field=models.DateTimeField(
                blank=True, help_text="Taken: when to look whether its receiver lives", null=True
            ),
        ),
        migrations.AddField(
            model_name="envelope",
            name="problem",
            field=models.JSONField(blank=True, help_text="Why it came back last", null=True),
        ),
        migrations.AddField(
            model_name="envelope",
            name="receiver_app",
            field=models.TextField(blank=True, db_default=""),
        ),
        migrations.AddField(
            model_name="envelope",
            name="returned",
            field=models.SmallIntegerField(db_default=0, help_text="How often whoever took it was given up"),
        ),
        migrations.AddField(
            model_name="envelope",
            name="sender_app",
            field=models.TextField(blank=True, db_default="", help_text="Application of the sender, where it is known"),
        ),
        migrations.RunSQL(
            "update handoffs_envelope set due_at = now() + interval '1 hour' where state = 'accepted'",
            migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            model_name="envelope",
            index=models.Index(condition=models.Q(("state", "accepted")), fields=["due_at"], name="handed_taken"),
        ),
        migrations.AddConstraint(
            model_name="envelope",
            constraint=models.UniqueConstraint(
                condition=models.Q(("key", ""), _negated=True),
                fields=("workspace", "sender_key", "sender_app", "key"),
                name="sent_once_by_key",
            ),
        ),
    ]
