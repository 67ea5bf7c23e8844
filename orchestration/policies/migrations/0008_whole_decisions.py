from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What was brought in before this counts as received today: nothing of it goes unawares."""

    atomic = False
    dependencies = [("policies", "0007_forgotten_facts")]

    operations = [
        migrations.RunSQL(
            "update policies_decision set received_at = now() where imported and received_at is null",
            migrations.RunSQL.noop,
        ),
        AddIndexConcurrently(
            model_name="decision",
            index=models.Index(
                condition=models.Q(("forgotten_at__isnull", True)), fields=["workspace", "at"], name="decision_facts"
            ),
        ),
    ]
