from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "reconciliation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from common.approvals import register
        from reconciliation.services import closing, resolutions, rule_sets

        for act in (*closing.ACTS, *resolutions.ACTS, rule_sets.ACT):
            register(act)
