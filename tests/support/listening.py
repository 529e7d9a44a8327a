"""The web servers of tests, which many call at the same moment."""

from __future__ import annotations

from http.server import ThreadingHTTPServer


class Listening(ThreadingHTTPServer):
    """Beyond the five callers of the standard library's queue the kernel answers with cookies, one in a hundred of which it then does not know."""

    request_queue_size = 128
    daemon_threads = True
