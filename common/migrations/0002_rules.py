"""The audit log is append-only, and its chain too."""

from django.db import migrations

from common.triggers import INSTALL_FUNCTIONS, append_only


class Migration(migrations.Migration):
    dependencies = [("common", "0001_initial")]
    operations = [INSTALL_FUNCTIONS, append_only("audit_record"), append_only("audit_link")]
