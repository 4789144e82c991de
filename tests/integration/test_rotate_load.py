"""Rotations of a database under load: clients that connect anew for each transaction, with what is
published at that time. No connection and no transaction may fail.

`make test` takes a few rotations; AGENT_LONG=1 a hundred, under sixteen clients.
"""
from __future__ import annotations

import os
import threading
import time
from typing import List

import psycopg

from tests.lib.case import Case
from tests.lib.logins import Scene, one_login, two_logins

VARIANT = "release"
LONG = bool(os.environ.get("AGENT_LONG"))
ROTATIONS, CLIENTS = (100, 16) if LONG else (5, 6)
GRACE_SECONDS = 1.0


class Client(threading.Thread):
    """Reads what is published, connects, does a transaction, closes; again, until it is told to stop."""

    def __init__(self, scene: Scene, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.scene, self.stop = scene, stop
        self.done, self.slow = 0, 0
        self.failures: List[str] = []

    def run(self) -> None:
        while not self.stop.is_set():
            read_at = time.monotonic()
            login = self.scene.fields()
            try:
                self._transaction(login["user"], login["password"])
                self.done += 1
            except psycopg.Error as problem:
                # Who takes longer than grace from reading to connecting was told that it won't do.
                if time.monotonic() - read_at > GRACE_SECONDS:
                    self.slow += 1
                else:
                    self.failures.append(f"{login['user']}: {problem}")

    def _transaction(self, user: str, password: str) -> None:
        with psycopg.connect(host="127.0.0.1", port=self.scene.server.port, user=user,
                             password=password, dbname=self.scene.database.name,
                             sslmode="disable", connect_timeout=30) as connection:
            connection.execute("INSERT INTO public.orders VALUES (1)")


def under_load(scene: Scene, rotations: int) -> List[Client]:
    """That many rotations, one after another; the clients, when they have ended."""
    stop = threading.Event()
    clients = [Client(scene, stop) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for _ in range(rotations):
            done = scene.rotated("--wait")
            assert done["ending"] == "done", done
            scene.published()  # a canary from here on
    finally:
        stop.set()
        for client in clients:
            client.join()
    return clients


def test_nothing_fails_while_two_logins_take_turns(case: Case) -> None:
    scene = two_logins(case, grace=f"{GRACE_SECONDS:g}s")
    clients = under_load(scene, ROTATIONS)
    done = sum(client.done for client in clients)
    failures = [text for client in clients for text in client.failures]
    if LONG:
        print(f"{ROTATIONS} rotations, {CLIENTS} clients: {done} transactions, {len(failures)} "
              f"failed, {sum(client.slow for client in clients)} took longer than grace")
    assert not failures, failures[:3]
    assert done >= ROTATIONS * CLIENTS, "there was hardly a load"
    assert scene.database.value("SELECT count(*) FROM public.orders") == str(done)


def test_the_gap_of_one_login_is_all_that_fails(case: Case) -> None:
    scene = one_login(case)
    scene.database.sql("CREATE TABLE public.orders (n int); GRANT INSERT ON public.orders TO PUBLIC")
    gaps = [scene.rotated()["gap_ms"] for _ in range(2)]
    assert all(gap >= 0 for gap in gaps), gaps
    if LONG:
        clients = under_load(scene, ROTATIONS // 5)
        failed = sum(len(client.failures) for client in clients)
        print(f"one login: {failed} of {sum(client.done for client in clients) + failed} "
              "transactions fell into the gap")
