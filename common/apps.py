from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "common"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Records"

    def ready(self) -> None:
        from common.connections import end_with_threads

        end_with_threads()
