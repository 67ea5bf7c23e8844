"""Lists of runs by how long they took, how many steps they had and how many failed, without reading the month; and the
few that have stalled, without reading the day."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("workflows", "0019_declared_standing")]

    operations = [
        AddIndexConcurrently("run", models.Index(fields=["workspace", "-duration_ms", "-id"], name="run_took")),
        AddIndexConcurrently("run", models.Index(fields=["workspace", "-spans", "-id"], name="run_steps")),
        AddIndexConcurrently("run", models.Index(fields=["workspace", "-errors", "-id"], name="run_errors")),
        AddIndexConcurrently(
            "run",
            models.Index(fields=["workspace", "workflow_id", "-duration_ms", "-id"], name="run_workflow_took"),
        ),
        AddIndexConcurrently(
            "run",
            models.Index(fields=["workspace", "started_at"], name="run_stalled", condition=models.Q(status="stalled")),
        ),
    ]
