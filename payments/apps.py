from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from common.approvals import register
        from payments.services import fee_plans, refund_batches, reviews

        refund_batches.register_acts()
        reviews.register_acts()
        register(fee_plans.ACT)
