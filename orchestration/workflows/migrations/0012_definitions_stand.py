from django.db import migrations

KEEP = """
create function workflows_keep_version() returns trigger language plpgsql as $$
begin
    if old.state <> 'draft' and (new.body, new.digest, new.number, new.definition_id)
       is distinct from (old.body, old.digest, old.number, old.definition_id) then
        raise exception 'version % of a workflow is no draft any more and cannot change', old.number
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger workflows_version_stands before update on workflows_definitionversion
    for each row execute function workflows_keep_version();
"""


class Migration(migrations.Migration):
    dependencies = [("workflows", "0011_declared")]
    operations = [
        migrations.RunSQL(
            KEEP,
            "drop trigger workflows_version_stands on workflows_definitionversion; "
            "drop function workflows_keep_version();",
        )
    ]
