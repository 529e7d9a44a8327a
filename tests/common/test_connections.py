"""A thread's connection is closed when the thread ends, not when the garbage collector comes by."""

from __future__ import annotations

import gc
import os
import threading
import time

import pytest
from django.db import connection

from common.connections import _of_thread


def backend_of_a_thread() -> int:
    """The backend's process of a connection that was opened in a thread, which has ended."""
    found: list[int] = []

    def ask() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            found.append(cursor.fetchone()[0])

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.django_db(transaction=True)
def test_a_connection_ends_with_its_thread():
    gc.disable()
    try:
        backends = {backend_of_a_thread() for _ in range(3)}
        until = time.monotonic() + 10
        left = backends
        while left and time.monotonic() < until:  # the backends notice by themselves
            with connection.cursor() as cursor:
                cursor.execute("SELECT pid FROM pg_stat_activity WHERE pid = ANY(%s)", [list(backends)])
                left = {pid for (pid,) in cursor.fetchall()}
    finally:
        gc.enable()

    assert len(backends) == 3
    assert not left


@pytest.mark.django_db(transaction=True)
def test_a_second_connection_of_a_thread_leaves_the_first_open() -> None:
    """A thread in which an event loop runs has one for each context."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT 2")
        with connection.cursor() as cursor:
            cursor.execute("SELECT 3")
            assert cursor.fetchone() == (3,)
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
def test_a_forked_process_does_not_end_its_parents_connection() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    child = os.fork()
    if child == 0:
        _of_thread.__dict__.clear()  # as when the thread ends there
        os._exit(0)
    os.waitpid(child, 0)

    with connection.cursor() as cursor:
        cursor.execute("SELECT 2")
        assert cursor.fetchone() == (2,)
