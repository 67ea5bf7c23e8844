from django.db import migrations

TABLES = ("ledger_entry", "ledger_link", "ledger_checkpoint")
FORBID = """
create function ledger_forbid() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is insert only: % on % is forbidden', lower(tg_op), tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;
"""
TRIGGERS = "".join(
    f"create trigger {table}_rows before update or delete on {table} for each row execute function ledger_forbid();"
    f"create trigger {table}_whole before truncate on {table} for each statement execute function ledger_forbid();"
    for table in TABLES
)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]
    operations = [
        migrations.RunSQL(
            FORBID + TRIGGERS,
            "".join(f"drop trigger {t}_rows on {t}; drop trigger {t}_whole on {t};" for t in TABLES)
            + "drop function ledger_forbid();",
        )
    ]
