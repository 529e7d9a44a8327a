from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "reconciliation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from common.approvals import register
        from reconciliation.services import closing

        for act in closing.ACTS:
            register(act)
