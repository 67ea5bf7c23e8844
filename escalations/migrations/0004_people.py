import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("escalations", "0003_acts"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="notice",
            name="notice_due",
        ),
        migrations.AddField(
            model_name="batch",
            name="covered_at",
            field=models.DateTimeField(blank=True, help_text="When they are; null: nobody knows", null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="pinned",
            field=models.BooleanField(
                db_default=False, default=False, help_text="Given by a person: nobody else is chosen for it"
            ),
        ),
        migrations.AddField(
            model_name="batch",
            name="short",
            field=models.SmallIntegerField(
                db_default=0, default=0, help_text="People who would have to be on duty for it and are not"
            ),
        ),
        migrations.AddField(
            model_name="escalation",
            name="subjects",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                help_text="Whom and what it touches, in small letters; null: not looked at yet",
                null=True,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="about",
            field=models.JSONField(
                default=list,
                help_text="Alarm, batch and case of each thing it tells of; its words are made of them when it goes",
            ),
        ),
        migrations.AddField(
            model_name="notice",
            name="dead_at",
            field=models.DateTimeField(blank=True, help_text="When it was given up", null=True),
        ),
        migrations.AddField(
            model_name="telling",
            name="late_breaks",
            field=models.BooleanField(db_default=False, default=False, help_text="What is late is told in quiet hours"),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(
                condition=models.Q(("dead_at", None), ("sent_at", None)), fields=["due_at"], name="notice_waits"
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(fields=["workspace", "person", "-due_at"], name="notice_whose"),
        ),
    ]
