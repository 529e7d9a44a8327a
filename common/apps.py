from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "common"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Records"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from common.connections import end_with_threads
        from common.console.session_end import note_sign_in

        end_with_threads()
        user_logged_in.connect(note_sign_in)
