"""The harness itself: a server that does not count, or a canary that is not found, proves nothing."""
from __future__ import annotations

import base64
import os
import socket
import subprocess
import time

from tests.lib.agent import Canaries, Leak, Running
from tests.lib.case import Case
from tests.lib.project import Project
from tests.lib.servers import (Answer, BaoError, Proxy, RawServer, plain_environment, reachable,
                               server_user, wait_until)
from tests.run import count_cmocka


def talk_back(connection: socket.socket) -> None:
    """Answer each message with itself."""
    while True:
        data = connection.recv(4096)
        if not data:
            return
        connection.sendall(data)


def test_a_canary_is_found_in_each_of_its_forms(case: Case) -> None:
    secret = case.canaries.new("x", prefix="p/ä+")
    raw = secret.encode()
    shapes = [raw, raw.hex().encode(), secret.replace("/", "%2F").replace("ä", "%C3%A4")
              .replace("+", "%2B").encode()]
    shapes += [base64.b64encode(b"user"[:n] + raw + b"tail") for n in range(4)]
    for shape in shapes:
        try:
            case.canaries.check(b"before " + shape + b" after", "here")
        except Leak as leak:
            assert secret not in str(leak)
        else:
            raise AssertionError(f"not found: {shape!r}")
    case.canaries.check(b"nothing of it " + raw[:12], "here")


def test_the_proxy_counts_trips_and_connections(case: Case) -> None:
    server = RawServer(talk_back)
    case.defer(server.stop)
    proxy = case.proxy(server.port)
    for trips in (1, 3):
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            for _ in range(trips):
                client.sendall(b"one message")
                assert client.recv(100) == b"one message"
    assert [traffic.round_trips for traffic in proxy.connections] == [1, 3]
    assert proxy.round_trips == 4


def test_the_proxy_makes_the_line_longer_and_not_narrower(case: Case) -> None:
    server = RawServer(talk_back)
    case.defer(server.stop)
    proxy = case.proxy(server.port, delay_ms=50)
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        began = time.monotonic()
        for _ in range(5):  # without waiting: one trip
            client.sendall(b"x")
            time.sleep(0.005)
        got = b""
        while len(got) < 5:
            got += client.recv(100)
        assert time.monotonic() - began >= 0.1
    assert proxy.round_trips == 1


def test_the_proxy_swallows_one_answer(case: Case) -> None:
    heard = []

    def listen(connection: socket.socket) -> None:
        heard.append(connection.recv(4096))
        connection.sendall(b"done")

    server = RawServer(listen)
    case.defer(server.stop)
    proxy = Proxy(server.port)
    case.defer(proxy.stop)
    proxy.swallow_answer_to(b"COMMIT")
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(b"COMMIT")
        try:
            assert client.recv(100) == b""
        except ConnectionResetError:
            pass
    assert heard == [b"COMMIT"]


def test_postgres_is_ours_and_asks_for_passwords(case: Case) -> None:
    database = case.database()
    database.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (NULL)")
    assert database.sql("SELECT n FROM t ORDER BY n") == [["1"], [""]]
    assert database.tables() == ["public.t"]
    with_password = case.tool("psql", "-X", "-d", database.url(), "-c", "SELECT 1")
    assert with_password.code == 0, with_password
    wrong = case.tool("psql", "-X", "-w", "-d", database.url(password="not it"), "-c", "SELECT 1")
    assert "password authentication failed" in wrong.stderr


def test_postgres_stops_and_goes_on(case: Case) -> None:
    server = case.server_of_its_own(options={"max_connections": "7"})
    pid = server.program.pid if server.program else 0
    server.sql("CREATE TABLE kept (n int)")
    server.stop()
    assert not os.path.exists(f"/proc/{pid}")
    server.start()
    assert server.value("SHOW max_connections") == "7"
    assert server.value("SELECT count(*) FROM kept") == "0"


def test_postgres_with_tls_shows_a_certificate_of_our_ca(case: Case) -> None:
    server = case.postgres_tls
    database = case.database(server)
    url = database.url(query={"sslmode": "verify-full", "sslrootcert": str(server.ca_cert)})
    got = case.tool("psql", "-X", "-At", "-d", url, "-c", "SELECT ssl FROM pg_stat_ssl "
                    "WHERE pid = pg_backend_pid()")
    assert got.stdout.strip() == "t", got


def test_a_private_folder_is_closed_to_a_servers_user(case: Case) -> None:
    inside = case.folder / "inside"
    inside.mkdir()
    assert reachable(inside, None)
    if server_user() is None:
        case.skip("not root: servers run as we do")
    assert not reachable(inside, server_user())


def test_openbao_has_what_the_others_need(case: Case) -> None:
    bao = case.openbao
    old, new = bao.kv(1), bao.kv(2)
    bao.put(f"{old}/app", {"a": "1"}, version=1)
    bao.put(f"{new}/app", {"a": "2"})
    assert bao.request("GET", f"{old}/app")["data"] == {"a": "1"}
    assert bao.request("GET", f"{new}/data/app")["data"]["data"] == {"a": "2"}
    policy = bao.policy({f"{new}/data/app": ["read"]})
    role = bao.approle([policy])
    login = bao.request("POST", f"auth/{role.mount}/login",
                        {"role_id": role.role_id, "secret_id": role.secret_id}, token=None)
    token = login["auth"]["client_token"]
    assert bao.request("GET", f"{new}/data/app", token=token)["data"]["data"] == {"a": "2"}
    try:
        bao.request("GET", f"{old}/app", token=token)
    except BaoError as problem:
        assert problem.status == 403
    else:
        raise AssertionError("the policy lets through what it does not name")
    mount = bao.userpass("joe", "a long password", [policy])
    assert bao.request("POST", f"auth/{mount}/login/joe", {"password": "a long password"},
                       token=None)["auth"]["client_token"]


def test_openbao_makes_logins_and_keeps_static_ones(case: Case) -> None:
    database, bao = case.database(), case.openbao
    mount = bao.database_engine(case.postgres, database.name)
    made = bao.request("GET", f"{mount}/creds/app")
    login = {"user": made["data"]["username"], "password": made["data"]["password"]}
    got = case.tool("psql", "-X", "-At", "-d", database.url(**login), "-c", "SELECT current_user")
    assert got.stdout.strip() == login["user"], got
    assert len(bao.leases(f"{mount}/creds/app")) == 1
    bao.request("PUT", "sys/leases/revoke", {"lease_id": made["lease_id"]})
    assert bao.leases(f"{mount}/creds/app") == []
    kept = bao.static_role(case.postgres, database.name, database.owner.name)
    assert bao.request("GET", f"{kept}/static-creds/app")["data"]["username"] == database.owner.name


def test_openbao_speaks_tls_and_has_namespaces(case: Case) -> None:
    bao = case.openbao_tls
    inside = bao.namespace()
    mount = bao.kv(2, namespace=inside)
    bao.put(f"{mount}/app", {"a": "1"}, namespace=inside)
    assert bao.request("GET", f"{mount}/data/app", namespace=inside)["data"]["data"] == {"a": "1"}


def test_openbao_is_sealed_and_opened_again(case: Case) -> None:
    bao = case.openbao_of_its_own()
    bao.put("secret/app", {"a": "1"})
    bao.seal()
    try:
        bao.request("GET", "secret/data/app")
    except BaoError as problem:
        assert problem.status == 503
    else:
        raise AssertionError("it answers, sealed")
    bao.unseal()
    assert bao.request("GET", "secret/data/app")["data"]["data"] == {"a": "1"}


def test_a_scripted_server_answers_as_told(case: Case) -> None:
    server = case.scripted(lambda request: Answer(418, '{"path": "%s"}' % request.path))
    got = case.tool("python", "-c", "import urllib.request as u, urllib.error as e\n"
                    f"try: u.urlopen('{server.address}/v1/x')\n"
                    "except e.HTTPError as p: print(p.code, p.read().decode())")
    assert got.stdout == '418 {"path": "/v1/x"}\n', got
    assert [request.path for request in server.requests] == ["/v1/x"]


def test_canaries_of_another_test_are_not_ours() -> None:
    Canaries().check(b"anything", "here")


def run_shell(case: Case, script: str, prints_secrets: bool = False) -> None:
    """A shell in agent's place: it has the secret in its environment."""
    secret = case.canaries.new("shell's")
    running = Running(["sh", "-c", script], plain_environment(case.folder.path, {"S": secret}),
                      case.folder.path, case.canaries, prints_secrets, lambda _result: None)
    running.wait()


def test_a_secret_is_seen_in_output_and_in_arguments(case: Case) -> None:
    run_shell(case, "true")
    run_shell(case, 'echo "$S"', prints_secrets=True)
    shown = {"stdout": 'echo "$S"', "stderr": 'echo "$S" | base64 >&2',
             "arguments": '(python3 -c "import time; time.sleep(0.5)" "$S"); true'}
    for where, script in shown.items():
        try:
            run_shell(case, script)
        except Leak as leak:
            assert where in str(leak), leak
        else:
            raise AssertionError(f"not seen in {where}")


def test_an_alembic_that_needs_no_start_says_what_alembic_says(case: Case) -> None:
    project = Project(case)
    its_own = plain_environment(case.folder.path)["PATH"]
    for args in (["heads", "-v"], ["upgrade", "heads", "--sql"], ["upgrade", "nosuch", "--sql"], ["nosuch"]):
        said = [case.tool("alembic", *args, cwd=project.path, env={"PATH": path})
                for path in (its_own, case.alembic_path)]
        first, second = ((one.code, one.stdout, one.stderr) for one in said)
        assert first == second, said
    project.folder.write("migrations/env.py", "import os\nos.kill(os.getpid(), 15)\n")
    killed = case.tool("alembic", "current", cwd=project.path, env={"PATH": case.alembic_path})
    assert killed.code == -15, killed


def test_an_alembic_that_needs_no_start_ends_with_who_asked(case: Case) -> None:
    project = Project(case)
    project.folder.write("migrations/env.py", "import os, time\nprint(os.getpid(), os.environ['MARK'], "
                         "os.getcwd(), flush=True)\ntime.sleep(600)\n")
    asked = subprocess.Popen(["alembic", "current"], cwd=project.path, stdout=subprocess.PIPE, text=True,
                             env=plain_environment(case.folder.path, {
                                 "PATH": case.alembic_path, "MARK": "of this one alone"}))
    case.defer(asked.kill)
    assert asked.stdout
    pid, said = asked.stdout.readline().split(maxsplit=1)
    assert said.strip() == f"of this one alone {project.path}", said
    asked.kill()
    asked.wait()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of what it asked for")


CMOCKA = """[==========] Running 3 test(s).
[ RUN      ] one
[       OK ] one
[ RUN      ] two
text without an end[  SKIPPED ] two
[ RUN      ] three
[  FAILED  ] three
[  FAILED  ] tests: 1 test(s), listed below:
[  FAILED  ] three
"""


def test_tests_in_c_are_counted_one_by_one() -> None:
    counted = count_cmocka(CMOCKA, 1, "")
    assert (counted.passed, counted.failed, counted.skipped) == (1, 1, 1)
    died = count_cmocka("[ RUN      ] one\n[       OK ] one\n[ RUN      ] two\n", -11, "")
    assert (died.passed, died.failed) == (1, 1) and died.note == "signal 11 in two"
    leaked = count_cmocka("[ RUN      ] one\n[       OK ] one\n", 23, "")
    assert (leaked.passed, leaked.failed) == (1, 1)
    assert count_cmocka("", 0, "").failed == 1
    late = count_cmocka("[ RUN      ] one\n", -9, "too long")
    assert late.failed == 1 and late.note == "too long"
    skipped = count_cmocka("[ RUN      ] one\n[  SKIPPED ] one\n", 0, "")
    assert (skipped.failed, skipped.skipped) == (0, 1)
