import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("escalations", "0001_initial"),
        ("workspaces", "0003_invitations_and_ways_of_showing"),
    ]

    operations = [
        migrations.AddField(
            model_name="escalation",
            name="risk",
            field=models.FloatField(
                blank=True,
                help_text="How likely approving it would be wrong, by what people said of such cases",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="Odds",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("agent", models.TextField()),
                ("action_type", models.TextField()),
                ("judged", models.IntegerField(default=0, help_text="Cases it was learnt from")),
                (
                    "wrong",
                    models.IntegerField(
                        default=0, help_text="Of those, how many ought not to have been approved as they were"
                    ),
                ),
                ("model", models.JSONField(null=True)),
                ("learnt_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "odds",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "agent", "action_type"), name="one_odds_an_act")
                ],
            },
        ),
    ]
