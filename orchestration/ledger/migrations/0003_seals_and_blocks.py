from django.db import migrations, models

FORBID = (
    "create trigger ledger_block_rows before update or delete on ledger_block for each row "
    "execute function ledger_forbid();"
    "create trigger ledger_block_whole before truncate on ledger_block for each statement "
    "execute function ledger_forbid();"
)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_insert_only")]
    operations = [
        migrations.CreateModel(
            name="Block",
            fields=[
                ("number", models.IntegerField(primary_key=True, serialize=False)),
                ("root", models.BinaryField(max_length=32)),
            ],
        ),
        migrations.AddField(
            model_name="entry",
            name="seal",
            field=models.BinaryField(
                default=b"", help_text="HMAC of the digest, by a key that is not in the database", max_length=32
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(
            FORBID, "drop trigger ledger_block_rows on ledger_block; drop trigger ledger_block_whole on ledger_block;"
        ),
    ]
