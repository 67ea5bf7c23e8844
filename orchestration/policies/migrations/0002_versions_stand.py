from django.db import migrations

KEEP = """
create function policies_keep_version() returns trigger language plpgsql as $$
begin
    if old.state <> 'draft' and (new.body, new.digest, new.number, new.policy_id)
       is distinct from (old.body, old.digest, old.number, old.policy_id) then
        raise exception 'version % of a policy is no draft any more and cannot change', old.number
            using errcode = 'check_violation';
    end if;
    return new;
end
$$;
create trigger policies_version_stands before update on policies_policyversion
    for each row execute function policies_keep_version();
"""


class Migration(migrations.Migration):
    dependencies = [("policies", "0001_initial")]
    operations = [
        migrations.RunSQL(
            KEEP,
            "drop trigger policies_version_stands on policies_policyversion; drop function policies_keep_version();",
        )
    ]
