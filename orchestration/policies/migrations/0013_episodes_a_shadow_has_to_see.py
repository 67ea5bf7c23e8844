from django.db import migrations


class Migration(migrations.Migration):
    """Rules on signals hold of something seldom: those whose gate nobody has touched ask for five episodes."""

    dependencies = [("policies", "0012_gate_of_signal_rules")]
    operations = [
        migrations.RunSQL(
            "update policies_policy set shadow_decisions = 5 where subject = 'signal' and shadow_decisions = 200",
            migrations.RunSQL.noop,
        )
    ]
