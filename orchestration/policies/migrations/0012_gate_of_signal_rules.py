from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("policies", "0011_signals_and_readings")]
    operations = [
        migrations.AddField(
            model_name="policyversion",
            name="early",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="What its shadow lacked, and it went live",
                max_length=200,
            ),
        ),
        migrations.AlterField(
            model_name="policy",
            name="shadow_decisions",
            field=models.PositiveIntegerField(
                db_default=200,
                default=200,
                help_text="What a shadow has to see before it may go live; of a rule on signals, episodes",
            ),
        ),
    ]
