from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("policies", "0006_decisions_people_spoke_of"),
    ]

    operations = [
        migrations.AddField(
            model_name="decision",
            name="forgotten_at",
            field=models.DateTimeField(help_text="Since when facts and answer are gone", null=True),
        ),
        migrations.AddField(
            model_name="decision",
            name="received_at",
            field=models.DateTimeField(help_text="Of an imported one; its age counts from here", null=True),
        ),
    ]
