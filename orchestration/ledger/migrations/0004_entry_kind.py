from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_seals_and_blocks")]
    operations = [
        migrations.AddIndex(
            model_name="entry", index=models.Index(fields=["workspace", "kind", "-id"], name="entry_kind")
        ),
        migrations.AddIndex(model_name="entry", index=models.Index(fields=["workspace", "-id"], name="entry_newest")),
    ]
