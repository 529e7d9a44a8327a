"""The admin app with our console as its site."""

from django.contrib.admin.apps import AdminConfig


class ConsoleConfig(AdminConfig):
    default_site = "common.console.site.ConsoleSite"
