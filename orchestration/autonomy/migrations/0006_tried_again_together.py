import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("autonomy", "0005_supervised_agents")]
    operations = [
        migrations.AddField(
            model_name="action",
            name="again",
            field=models.ForeignKey(
                blank=True,
                help_text="In which it is tried anew",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="autonomy.order",
            ),
        ),
    ]
