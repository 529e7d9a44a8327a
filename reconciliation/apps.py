from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ReconciliationConfig(AppConfig):
    name = "reconciliation"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from common.approvals import register
        from payments.services.reconciled import answer_with
        from reconciliation.limits import sync_limits
        from reconciliation.selectors import reconciliation_states
        from reconciliation.services import closing, mappings, payouts, quarantine, resolutions, rule_sets, terms
        from reconciliation.services.settings import SETTINGS
        from reconciliation.sources import sync_sources

        for act in (
            *closing.ACTS,
            *payouts.ACTS,
            *resolutions.ACTS,
            rule_sets.ACT,
            quarantine.ACT,
            terms.ACT,
            mappings.ACT,
        ):
            register(act)
        for setting in SETTINGS:
            register(setting.act)
        post_migrate.connect(sync_sources, sender=self)
        post_migrate.connect(sync_limits, sender=self)
        answer_with(reconciliation_states)
