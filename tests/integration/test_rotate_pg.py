"""pg-two-login and pg-login by `agent rotate`, from KV to a real server that logs every statement."""
from __future__ import annotations

import socket
import struct
import threading
from urllib.parse import urlsplit

import psycopg

from tests.lib.case import Case
from tests.lib.logins import Scene, one_login, server_of, set_password, two, two_logins
from tests.lib.postgres import quote_name, quote_text
from tests.lib.processes import Program, free_port, listening, plain_environment, wait_until
from tests.lib.project import Project
from tests.lib.rotating import results

SHORT_GRACE = "1s"


# ---- two logins ------------------------------------------------------------------------------------------


def test_two_logins_take_turns_and_the_former_ends_behind_grace(case: Case) -> None:
    scene = two_logins(case, grace="1h")
    first = scene.published()
    parked = scene.rotated()
    assert (parked["ending"], parked["step"]) == ("soaking", "soak"), parked
    second = scene.published()
    assert second["user"] == scene.logins[1] and scene.fields()["other"] == "stays"
    assert scene.logs_in(first) and scene.logs_in(second), "both work until grace is over"
    scene.says(two(scene, SHORT_GRACE))
    record = scene.record("DATABASE_URL")
    record["state"]["soak_until"] = record["state"]["promoted_at"]  # an hour later
    scene.put_record("DATABASE_URL", record)
    [done] = results(scene.rotate("--resume", "DATABASE_URL", "--json").expect(0))
    assert done["ending"] == "done" and done["sessions"] == 0, done
    assert not scene.logs_in(first) and scene.logs_in(second)
    assert scene.record("DATABASE_URL") == {}
    scene.says(two(scene))
    scene.rotated()  # and back
    third = scene.published()
    assert third["user"] == scene.logins[0] and scene.logs_in(third) and not scene.logs_in(second)
    scene.assert_log_is_clean(first, second, third)


def test_a_url_keeps_every_byte_but_user_and_password(case: Case) -> None:
    scene = two_logins(case, as_url=True)
    before = scene.fields()["url"]
    scene.rotated()
    after = scene.fields()["url"]
    now = scene.published()
    assert after == scene.url(now["user"], now["password"]) and before != after
    assert scene.logs_in(now) and scene.fields()["other"] == "stays"


def test_what_a_login_owns_is_refused_and_the_printed_plan_cures_it(case: Case) -> None:
    scene = two_logins(case)
    first = scene.published()
    login = quote_name(scene.logins[0])
    scene.database.sql(
        f"CREATE TABLE public.mine (n int); ALTER TABLE public.mine OWNER TO {login};"
        f"CREATE TABLE public.theirs (n int); GRANT SELECT ON public.theirs TO {login}")
    refused = scene.rotate("DATABASE_URL").expect(6)
    assert "owns 1 object in database" in refused.stderr and "REASSIGN OWNED BY" in refused.stderr
    assert scene.published() == first and scene.record("DATABASE_URL") == {}
    shown = scene.rotate("DATABASE_URL", "--dry-run").stdout
    plan = [line.strip() for line in shown.splitlines()
            if line.strip().startswith(("\\connect", "REASSIGN", "GRANT"))]
    assert len(plan) >= 3, shown
    scene.server.sql("\n".join(plan))  # as psql reads it
    assert scene.rotated()["ending"] == "done"
    assert scene.session(scene.published()).execute("SELECT count(*) FROM mine, theirs").fetchone()


def test_sessions_that_outlive_their_login_are_reported_and_ended_on_demand(case: Case) -> None:
    scene = two_logins(case)
    old = scene.session(scene.published())
    done = scene.rotated()
    assert done["ending"] == "done" and done["sessions"] == 1, done
    old.execute("SELECT 1")
    scene.server.sql(f"GRANT pg_signal_backend TO {quote_name(scene.admin.name)}")
    old = scene.session(scene.published())
    assert scene.rotated("--terminate")["sessions"] == 0
    try:
        old.execute("SELECT 1")
        raise AssertionError("the session lives on")
    except psycopg.OperationalError:
        pass


def test_each_exchange_is_one_that_its_step_needs(case: Case) -> None:
    """What rotate/pg_two_login.c lists: four connections, three exchanges to log in each, and six
    messages. (Where a connection ends in peace, its last word is counted, too.)"""
    proxy = case.proxy(server_of(case).port)
    scene = two_logins(case, port=proxy.port, admin_port=proxy.port)
    proxy.reset()
    scene.rotated()
    current, admin, new, former = [traffic.round_trips for traffic in proxy.connections]
    assert (current, admin, new, former) == (3 + 1 + 1, 3 + 4 + 1, 3 + 1 + 1, 3)
    proxy.reset()
    scene.says({"strategy": "pg-login", "login": scene.logins[1]})
    scene.rotated()
    current, admin, new, former = [traffic.round_trips for traffic in proxy.connections]
    assert (current, admin, new, former) == (3 + 1 + 1, 3 + 3 + 1, 3 + 1 + 1, 3)


def pooler(case: Case) -> int:
    """A PgBouncer in transaction mode that asks the server for each login's verifier; its port."""
    server, port = server_of(case), free_port()
    folder = str(server.socket_folder)
    settings = case.folder.write("pgbouncer.ini", f"""[databases]
* = host={folder} port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_user = postgres
auth_query = SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin
auth_file = {case.folder.write("users.txt", '"postgres" ""', 0o644)}
pool_mode = transaction
ignore_startup_parameters = extra_float_digits
""", 0o644)
    case.folder.path.chmod(0o755)
    log = case.folder.write("pgbouncer.log", "", 0o666)
    program = Program(["pgbouncer", str(settings)], log, plain_environment(case.folder.path),
                      case.folder.path, server.user)
    case.defer(program.stop)
    wait_until(lambda: listening(port), "pgbouncer", program)
    return port


def test_an_application_behind_a_pooler_is_rotated_too(case: Case) -> None:
    scene = two_logins(case, port=pooler(case))
    first = scene.published()
    assert scene.rotated()["ending"] == "done"
    second = scene.published()
    assert second["user"] == scene.logins[1] and scene.logs_in(second)
    assert not scene.logs_in(first)
    assert scene.rotated()["ending"] == "done"
    assert scene.published()["user"] == scene.logins[0]
    scene.says({"strategy": "pg-login", "login": scene.logins[0]})
    third = scene.published()
    assert scene.rotated()["ending"] == "done"
    assert scene.logs_in(scene.published()) and not scene.logs_in(third)


def test_the_former_login_is_left_while_a_roll_out_fails(case: Case) -> None:
    scene = two_logins(case)
    first = scene.published()
    scene.says({**two(scene), "after": [{"command": ["./rollout"]}]})
    case.folder.write("rollout", "#!/bin/sh\nexec test -e go\n", 0o755)
    left = scene.rotated(code=1)
    assert (left["ending"], left["step"]) == ("warnings", "retire"), left
    assert "the former is left" in left["error"]["message"], left
    assert scene.logs_in(first) and scene.logs_in(scene.published())
    case.folder.write("go", "")
    scene.rotate("--resume", "DATABASE_URL").expect(0)
    assert not scene.logs_in(first) and scene.logs_in(scene.published()) and scene.record("DATABASE_URL") == {}


def test_abort_and_rollback_leave_what_was(case: Case) -> None:
    scene = two_logins(case, grace="1h")
    first = scene.published()
    scene.rotated()
    second = scene.published()
    scene.rotate("--rollback", "DATABASE_URL").expect(0)
    assert scene.published() == first and scene.logs_in(first), "within grace nothing is lost"
    assert scene.record("DATABASE_URL") == {}
    # A test that fails takes the idle login's password away again.
    scene.says({**two(scene), "test": {"command": ["false"]}})
    failed = scene.rotate("DATABASE_URL", "--json")
    assert failed.code != 0 and scene.published() == first and scene.logs_in(first)
    assert not scene.logs_in(second), "it was replaced and taken away"
    assert scene.server.value("SELECT rolcanlogin FROM pg_roles WHERE rolname = "
                              + quote_text(scene.logins[1])) == "f"
    scene.says(two(scene))
    assert scene.rotated()["ending"] == "done"


def test_init_goes_from_one_login_to_two_while_the_application_runs(case: Case) -> None:
    scene = Scene(case, {})
    scene.says(two(scene))
    legacy = {"user": f"legacy_{scene.mark}", "password": case.canaries.new("legacy")}
    name = quote_name(legacy["user"])
    scene.database.sql(f"CREATE ROLE {name} LOGIN; CREATE SCHEMA app AUTHORIZATION {name};"
                       f"SET ROLE {name}; CREATE TABLE app.orders (n int)")
    set_password(scene, legacy["user"], legacy["password"])
    scene.put(**legacy)
    application = scene.session(legacy)
    refused = scene.rotate("--init", "DATABASE_URL").expect(6)
    assert "owns 2 objects" in refused.stderr and "--init DATABASE_URL again" in refused.stderr
    application.execute("INSERT INTO app.orders VALUES (1)")
    scene.database.sql(f"REASSIGN OWNED BY {name} TO {quote_name(scene.owner)}")
    application.execute("INSERT INTO app.orders VALUES (2)")  # it is a member of the owner
    scene.rotate("--init", "DATABASE_URL").expect(0)
    now = scene.published()
    assert now["user"] == scene.logins[0]
    assert scene.session(now).execute("SELECT count(*) FROM app.orders").fetchone() == (2,)
    assert scene.logs_in(legacy), "it is none of ours: left as it is"
    assert scene.rotated()["ending"] == "done"
    assert scene.published()["user"] == scene.logins[1] and not scene.logs_in(now)


def test_init_makes_the_first_value_from_the_admins_url(case: Case) -> None:
    scene = Scene(case, {}, as_url=True)
    scene.says(two(scene))
    scene.rotate("--init", "DATABASE_URL").expect(0)
    now = scene.published()
    assert now["user"] == scene.logins[0] and scene.logs_in(now)
    assert scene.fields()["url"] == scene.url(now["user"], now["password"])
    scene.rotate("--init", "DATABASE_URL").expect(0)
    assert scene.published() == now, "what is there is kept"


def test_an_admin_of_another_server_changes_nothing(case: Case) -> None:
    scene = two_logins(case)
    first = scene.published()
    other = case.postgres
    other.sql("; ".join(
        [f"CREATE ROLE {quote_name(scene.owner)}"]
        + [f"CREATE ROLE {quote_name(login)} IN ROLE {quote_name(scene.owner)}; ALTER ROLE "
           f"{quote_name(login)} SET role = {quote_name(scene.owner)}" for login in scene.logins]))
    scene.bao.put(f"{scene.mount}/admin", {"url": other.url("postgres")})
    refused = scene.rotate("DATABASE_URL").expect(6)
    assert "on another server" in refused.stderr
    assert other.value("SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL AND rolname "
                       f"LIKE '%{scene.mark}'") == "0"
    assert scene.published() == first and scene.logs_in(first)


# ---- one login -------------------------------------------------------------------------------------------


def test_one_login_is_replaced_and_the_gap_is_measured(case: Case) -> None:
    scene = one_login(case)
    first = scene.published()
    old = scene.session(first)
    done = scene.rotated()
    now = scene.published()
    assert done["ending"] == "done" and done["gap_ms"] >= 0 and done["sessions"] == 1, done
    assert now["user"] == first["user"] and scene.logs_in(now) and not scene.logs_in(first)
    old.execute("SELECT 1")
    assert "gap" in scene.rotate("DATABASE_URL", "--dry-run").expect(0).stdout
    scene.assert_log_is_clean(first, now)


def test_logins_in_the_sealed_store_are_rotated_without_vault(case: Case) -> None:
    scene = two_logins(case)
    env = {"AGENT_SEALED_KEY_FILE": str(case.folder.path / "key")}
    Project(case).contract({
        "DATABASE_URL": {"type": "postgres-url", "secret": True, "source": "sealed:DATABASE_URL",
                         "rotate": {**two(scene), "every": "30d", "admin": "ADMIN_URL"}},
        "ADMIN_URL": {"type": "postgres-url", "secret": True, "expose": "agent",
                      "source": "sealed:ADMIN_URL",
                      "rotate": {"strategy": "none", "why": "a test"}}})
    case.agent("seal", "init", env=env).expect(0)
    first = scene.published()
    for name, value in (("DATABASE_URL", scene.url(first["user"], first["password"])),
                        ("ADMIN_URL", scene.admin_url)):
        case.agent("seal", "set", name, env=env, text=value.encode()).expect(0)
    [one] = results(case.agent("rotate", "DATABASE_URL", "--json", env=env).expect(0))
    assert one["ending"] == "done", one
    shown = case.agent("seal", "get", "DATABASE_URL", env=env, prints_secrets=True).expect(0).stdout
    parts = urlsplit(shown)
    now = {"user": parts.username or "",
           "password": case.canaries.add("sealed password", parts.password or "")}
    assert now["user"] == scene.logins[1] and scene.logs_in(now) and not scene.logs_in(first)
    assert shown == scene.url(now["user"], now["password"])


def test_a_failed_test_gives_the_former_password_back(case: Case) -> None:
    scene = one_login(case, extra={"test": {"command": ["false"]}})
    first = scene.published()
    failed = scene.rotate("DATABASE_URL", "--json")
    assert failed.code != 0
    assert scene.published() == first and scene.logs_in(first)
    assert scene.record("DATABASE_URL") == {}
    scene.assert_log_is_clean(first)


def test_what_somebody_published_meanwhile_survives_an_abort(case: Case) -> None:
    case.folder.write("hold", "#!/bin/sh\n: >here\nuntil [ -e go ]; do sleep 0.02; done\n", 0o755)
    scene = one_login(case, extra={"test": {"command": ["./hold"]}})
    running = case.make_agent().start("rotate", "DATABASE_URL", env=scene.env)
    wait_until(lambda: (case.folder.path / "here").exists(), "the step 'test'")
    by_hand = case.canaries.new("by hand")
    set_password(scene, scene.logins[0], by_hand)
    scene.put(scene.logins[0], by_hand)
    case.folder.write("go", "")
    running.wait().expect(7)
    scene.rotate("--abort", "DATABASE_URL").expect(0)
    now = scene.published()
    assert now["password"] == by_hand and scene.logs_in(now) and scene.record("DATABASE_URL") == {}


def test_a_rollback_that_a_mirror_missed_stays_one(case: Case) -> None:
    scene = one_login(case)
    scene.says({"strategy": "pg-login", "login": scene.logins[0], "grace": "1h",
                "mirrors": [f"vault:{scene.mount}/mirror#url"]})
    scene.rotated()
    rest = {f"{scene.mount}/data/*": ["create", "read", "update", "patch"],
            f"{scene.mount}/metadata/*": ["create", "read", "update", "patch", "delete"]}
    denied = scene.bao.policy({**rest, f"{scene.mount}/data/mirror": ["deny"]})
    scene.rotate("--rollback", "DATABASE_URL", env={"VAULT_TOKEN": scene.bao.new_token([denied])}).expect(7)
    assert scene.record("DATABASE_URL")["step"] == "rollback"
    assert scene.logs_in(scene.published())
    scene.rotate("--resume", "DATABASE_URL").expect(0)
    mirrored = urlsplit(scene.fields("mirror")["url"])
    case.canaries.add("mirrored", mirrored.password or "")
    assert mirrored.password == scene.published()["password"] and scene.record("DATABASE_URL") == {}


def test_a_password_that_was_changed_by_hand_stops_it(case: Case) -> None:
    scene = one_login(case)
    set_password(scene, scene.logins[0], case.canaries.new("by hand"))
    before = scene.published()
    refused = scene.rotate("DATABASE_URL").expect(6)
    assert "log in with the current credential" in refused.stderr
    assert scene.published() == before and scene.record("DATABASE_URL") == {}


class Refusing:
    """Before a server without TLS: it answers ALTER ROLE with a verifier as hosts do that keep passwords
    themselves, and hands everything else on."""

    SAYS = ('Received HTTP code 400 from control plane: "Neon only supports being given plaintext '
            'passwords"')

    def __init__(self, port: int) -> None:
        self._to, self._listener = port, socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """No new connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            for run in (self._requests, self._answers):
                threading.Thread(target=run, args=(client, server), daemon=True).start()

    @staticmethod
    def _answers(client: socket.socket, server: socket.socket) -> None:
        try:
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        stream = client.makefile("rb")
        try:
            head = stream.read(4)  # the start-up message has no type
            server.sendall(head + stream.read(struct.unpack("!I", head)[0] - 4))
            while head := stream.read(5):
                body = stream.read(struct.unpack("!I", head[1:])[0] - 4)
                if head[:1] == b"Q" and b"PASSWORD 'SCRAM-SHA-256$" in body:
                    self._refuse(client)
                else:
                    server.sendall(head + body)
            server.shutdown(socket.SHUT_WR)
        except (OSError, struct.error):
            pass

    def _refuse(self, client: socket.socket) -> None:
        fields = b"SERROR\0VERROR\0CXX000\0M" + self.SAYS.encode() + b"\0\0"
        client.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields + b"Z\0\0\0\x05I")


def test_a_host_that_refuses_verifiers_is_told_by_name_and_gets_them_plain_on_demand(
        case: Case) -> None:
    refusing = Refusing(server_of(case).port)
    case.defer(refusing.stop)
    scene = one_login(case, admin_port=refusing.port)
    first = scene.published()
    refused = scene.rotate("DATABASE_URL")
    assert refused.code == 7, refused  # open: the contract may be put right, and it goes on
    assert '"password": "plain"' in refused.stderr and "plaintext" in refused.stderr
    assert scene.published() == first and scene.logs_in(first)
    scene.says({"strategy": "pg-login", "login": scene.logins[0], "password": "plain"})
    scene.rotate("--resume", "DATABASE_URL").expect(0)
    now = scene.published()
    assert scene.logs_in(now) and not scene.logs_in(first)
    # What the contract asks for is said: here the server's log does have it.
    assert now["password"] in scene.server.log_text()
    assert "the server's log" in scene.rotate("DATABASE_URL", "--dry-run").expect(0).stdout
