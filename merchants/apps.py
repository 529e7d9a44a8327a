from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MerchantsConfig(AppConfig):
    name = "merchants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from merchants.roles import sync_roles_at_last

        post_migrate.connect(
            sync_roles_at_last
        )  # of whichever app: after that of django.contrib.auth, which is connected earlier
