"""What a rotation costs in requests, messages and connections, counted exactly."""
from __future__ import annotations

from typing import List

from tests.lib.case import Case
from tests.lib.cutter import DOWN, UP, Cutter
from tests.lib.rotation import SCENES

# Asked for together, in one round trip: the record, the receipts, the secret, whose token it is, the admin's
# URL, and which mount all that is in.
AHEAD = ["GET acme/app.pending/DATABASE_URL", "GET acme/app.receipts/DATABASE_URL",
         "GET mounts", "GET acme/app", "GET admin", "GET lookup-self"]
# One after another. Each write of the record says which step comes.
THEN = ["POST acme/app.pending/DATABASE_URL",  # set
        "POST acme/app.pending/DATABASE_URL",  # test
        "POST acme/app.pending/DATABASE_URL",  # promote
        "GET acme/app", "PATCH acme/app",
        "POST acme/app.pending/DATABASE_URL",  # retire
        "GET acme/app",  # the former is not current again
        "POST acme/app.pending/DATABASE_URL",  # done
        "PATCH acme/app", "POST acme/app.receipts/DATABASE_URL",
        "DELETE acme/app.pending/DATABASE_URL"]
# The current login, the admin's, the new one's test, the former one's refusal. A log-in is three messages
# (start, and two of SCRAM), a refused one too; behind it come the questions and the end.
CONNECTIONS = 4
LOG_IN, END = 3, 1
QUESTIONS = 1 + 4 + 1  # who it is; look, set, retire, prove; the new one's rights
FAREWELLS = 3  # who was refused says none


class Listener(Cutter):
    """Cuts nothing, and remembers the first words of each request of the client."""

    def __init__(self, port: int, http: bool) -> None:
        self.asked: List[bytes] = []
        super().__init__(port, http)

    def _is_end(self, direction: str, message: bytes) -> bool:
        if direction == UP:
            self.asked.append(message)
        return super()._is_end(direction, message)


def request_name(request: bytes, mount: str) -> str:
    """METHOD and what is behind the mount."""
    method, path = request.split(b"\r\n")[0].decode().split()[:2]
    if "/internal/ui/mounts/" in path:
        return f"{method} mounts"
    for word in ("data", "metadata"):
        path = path.replace(f"/v1/{mount}/{word}/", "")
    return f"{method} {path.replace('/v1/auth/token/', '')}"


def test_two_logins(case: Case) -> None:
    vault, server = Listener(case.openbao.port, True), Listener(case.postgres.port, False)
    case.defer(vault.stop)
    case.defer(server.stop)
    scene = SCENES["pg-two-login"](case, bao_port=vault.port, pg_port=server.port)
    case.agent(*scene.args(), env=scene.env).expect(0)  # the first receipt makes its place
    for listener in (vault, server):
        listener.asked.clear()
        listener.begin(None)
    case.agent(*scene.args(), env=scene.env).expect(0)
    names = [request_name(request, scene.mount) for request in vault.asked]
    assert sorted(names[:len(AHEAD)]) == sorted(AHEAD), names
    assert names[len(AHEAD):] == THEN, names
    starts = [message for message in server.asked if b"application_name" in message
              and b"client_encoding" in message]
    assert len(starts) == CONNECTIONS, len(starts)
    messages = CONNECTIONS * LOG_IN + QUESTIONS + FAREWELLS * END
    assert len(server.asked) == messages, [message[:40] for message in server.asked]
    assert server.counts[DOWN] > 0


def test_a_plan_does_not_promise_an_overlap_that_there_is_not(case: Case) -> None:
    scene = SCENES["pg-two-login"](case)
    plan = case.agent("rotate", "--dry-run", "DATABASE_URL", env=scene.env).expect(0).stdout
    assert "no grace: the former ends right behind 'promote'" in plan, plan
    contract = case.folder / "contract.json"
    contract.write_text(contract.read_text().replace('"every": "30d"', '"every": "30d", "grace": "1h"', 1))
    plan = case.agent("rotate", "--dry-run", "DATABASE_URL", env=scene.env).expect(0).stdout
    assert "no grace" not in plan, plan
