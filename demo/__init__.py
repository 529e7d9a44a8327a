"""The demo: a few merchants at the provider sandbox and a short business day, played through the real HTTP doors.

Installed in local and test settings only; production does not know it.
"""
