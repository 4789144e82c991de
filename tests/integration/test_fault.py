"""What the machine refuses: memory, descriptors, disk, calls that are interrupted or fail, a clock that jumps.

Each command ends with one of its exit codes and a text, prints no half of a result, and leaves a database
that is whole or untouched. `make test` takes a slice of the points; AGENT_LONG=1 takes every one.
"""
from __future__ import annotations

import json
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional, Sequence, Set, Tuple, Union

from tests.integration.test_crash import Site, points
from tests.lib.agent import Result
from tests.lib.case import ACME, Case
from tests.lib.processes import ROOT, NotReady, plain_environment, wait_until
from tests.lib.project import Project, assert_untouched
from tests.lib.servers import Answer, Postgres, PostgresError, RawServer, Request

VARIANT = "release"
LONG = bool(os.environ.get("AGENT_LONG"))
RUN_SECONDS = 60
OWN_FAILURES = {1, 2, 3, 4, 5, 6, 9, 125}
TOKEN = "fault-canary-token-0123456789"
VALUE = "fault-canary-value-0123456789"
SECRET = {"type": "string", "secret": True}


def fault(name: str) -> str:
    """The shared object with that fault."""
    made = ROOT / "build" / "release" / "fault" / f"{name}.so"
    assert made.exists(), f"{made}: not built"
    return str(made)


def run_with(case: Case, args: Sequence[str], env: Mapping[str, str],
             before: Optional[Callable[[], None]] = None, prefix: Sequence[str] = (),
             stdout: Union[int, object] = subprocess.PIPE) -> Result:
    """Run the agent without the watching of Case.agent: these are hundreds of runs."""
    argv = [*prefix, str(case.make_agent().binary), *args]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=stdout,  # type: ignore[call-overload]
                          stderr=subprocess.PIPE, timeout=RUN_SECONDS, cwd=case.folder.path,
                          env=plain_environment(case.folder.path, env), preexec_fn=before)
    result = Result(argv, done.returncode, done.stdout or b"", done.stderr)
    for secret in (TOKEN, VALUE):
        assert secret not in result.stderr, "a secret is on stderr"
    return result


# The loader's own last words where memory ends for what a library keeps for each thread: it ends the
# process itself, and no program can do anything about it.
LOADER_GIVES_UP = "cannot allocate memory for thread-local data: ABORT"


def without_times(text: str) -> str:
    """A result without what differs from run to run."""
    return re.sub(r"\bin \d\S*;", "in TIME;", text)


def check_end(result: Result, whole: str, where: str) -> bool:
    """It did what it does without the fault, or said why not; gives whether it did."""
    assert result.code >= 0, f"{where}: ended by signal {-result.code}\n{result.stderr}"
    if result.code == 0:
        assert without_times(result.stdout) == without_times(whole), \
            f"{where}: another\n{result}\nwithout the fault:\n{whole}"
        return True
    if result.code == 127 and LOADER_GIVES_UP in result.stderr:
        return False
    assert result.code in OWN_FAILURES, f"{where}: exit {result.code}\n{result}"
    assert result.stderr.strip() or result.stdout.strip(), f"{where}: exit {result.code}, no text"
    assert all(line.strip() for line in result.stderr.splitlines()), f"{where}\n{result}"
    return False


# ---- memory -----------------------------------------------------------------------------------------------


def allocations(case: Case, args: Sequence[str], env: Mapping[str, str]) -> Tuple[int, Result]:
    """How many there are without a fault, and the result."""
    count = case.folder / "count"
    result = run_with(case, args, {**env, "LD_PRELOAD": fault("failmalloc"),
                                   "FAULT_COUNT": str(count)})
    return int(count.read_text()), result


def without_memory(case: Case, args: Sequence[str], env: Mapping[str, str], most: int,
                   after: Callable[[Result], None] = lambda _result: None,
                   expected: int = 0, before: Callable[[], None] = lambda: None) -> None:
    """Fail one allocation after the other, alone and with all behind it."""
    before()
    count, whole = allocations(case, args, env)
    assert whole.code == expected, whole
    ended: Set[int] = set()
    for step in points(count, most):
        for behind in ("", "+"):
            before()
            result = run_with(case, args, {**env, "LD_PRELOAD": fault("failmalloc"),
                                           "FAULT_MALLOC": f"{step}{behind}"})
            where = f"agent {shlex.join(args)}, allocation {step}{behind} of {count}"
            if result.code == expected != 0:
                assert result.stdout in (whole.stdout, "") and result.stderr.strip() + result.stdout
            elif not check_end(result, whole.stdout, where) and args[0] in ("fetch", "run"):
                printed = ("", whole.stdout) if LOADER_GIVES_UP in result.stderr else ("",)
                assert result.stdout in printed, f"{where}: half of a result\n{result}"
            after(result)
            ended.add(result.code)
    assert 9 in ended or 125 in ended, ended


def test_memory_fails_where_files_are_read(case: Case) -> None:
    shutil.copytree(ACME, case.folder.path, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("__pycache__"))
    most = 12
    without_memory(case, ["version"], {}, most)
    without_memory(case, ["version", "--json"], {}, most)
    without_memory(case, ["help", "run"], {}, most)
    without_memory(case, ["completion", "bash"], {}, most)
    without_memory(case, ["check", "--lint"], {}, most)
    without_memory(case, ["check", "--env-only", "--profile=dev"], {}, most, expected=1)
    without_memory(case, ["check", "--env-only", "--profile=dev", "--json"], {}, most, expected=1)
    for form in ("text", "json", "dot", "mermaid", "svg"):
        without_memory(case, ["graph", f"--format={form}", "--profile=dev"], {}, most)


def scripted_vault(request: Request) -> Answer:
    """An AppRole, and one secret."""
    if request.path.endswith("/login"):
        return Answer(200, json.dumps({"auth": {"client_token": TOKEN, "lease_duration": 60}}))
    if request.path.endswith("/revoke-self"):
        return Answer(204)
    if request.path.endswith("/kv/data/app"):
        return Answer(200, json.dumps({"data": {"data": {"x": VALUE, "y": VALUE + "2"},
                                                "metadata": {"version": 1}}}))
    return Answer(404, '{"errors": []}')


def vault_contract(case: Case, address: str, **vault: object) -> Dict[str, str]:
    """Two variables of one path behind an AppRole; gives the environment."""
    auth = {"method": "approle", "role_id": "env:ROLE", "secret_id": "env:SECRET_ID"}
    Project(case).contract({"X": {**SECRET, "source": "vault:kv/app#x"},
                            "Y": {**SECRET, "source": "vault:kv/app#y"}},
                           vault={"address": address, "auth": auth, "kv": {"kv": 2},
                                  "deadline": "2s", **vault})
    return {"ROLE": "r", "SECRET_ID": TOKEN + "-id"}


def test_memory_fails_in_fetch_and_in_run(case: Case) -> None:
    env = vault_contract(case, case.scripted(scripted_vault).address)
    without_memory(case, ["fetch", "--format=json"], env, 30)
    started = case.folder / "started"

    def nothing_started_by_half(result: Result) -> None:
        if started.exists():
            assert started.read_text() == f"{VALUE} {VALUE}2\n", result
            started.unlink()
        else:
            assert result.code in (125, 127), result  # 127: see LOADER_GIVES_UP

    without_memory(case, ["run", "--", "sh", "-c", 'echo "$X $Y" >started'], env, 15,
                   nothing_started_by_half)


def test_memory_fails_in_bootstrap_and_in_verify(case: Case) -> None:
    site = Site(case)
    env = {"DATABASE_URL": site.database.url()}

    def all_or_nothing(result: Result) -> None:
        made = site.is_made()
        assert made or result.code != 0, result

    without_memory(case, ["bootstrap"], env, 9, all_or_nothing, before=site.empty)
    site.go_on()
    without_memory(case, ["verify"], env, 15)


def test_memory_fails_in_doctor(case: Case) -> None:
    env = vault_contract(case, case.scripted(scripted_vault).address)
    count, whole = allocations(case, ["doctor", "--json"], env)
    assert whole.code in (0, 1) and whole.json()["findings"], whole
    ended = set()
    for step in points(count, 10):
        for behind in ("", "+"):
            result = run_with(case, ["doctor", "--json"], {
                **env, "LD_PRELOAD": fault("failmalloc"), "FAULT_MALLOC": f"{step}{behind}"})
            if result.code != 127 or LOADER_GIVES_UP not in result.stderr:
                assert result.code in (0, 1, 9) and (result.stderr.strip() or result.json()), result
            ended.add(result.code)
    assert 9 in ended, ended


def test_a_small_address_space_is_no_crash(case: Case) -> None:
    env = vault_contract(case, case.scripted(scripted_vault).address)
    whole = run_with(case, ["fetch"], env).expect(0)
    ended = set()
    for megabytes in points(60, 60 if LONG else 15):
        size = (8 + megabytes * 3) * 1024 * 1024
        result = run_with(case, ["fetch"], env, lambda size=size: resource.setrlimit(  # type: ignore
            resource.RLIMIT_AS, (size, size)))
        if result.code == 127 and "error while loading shared libraries" in result.stderr:
            continue  # the loader itself had no room
        if result.code < 0:  # nor had it here, and could not even say so
            assert not result.stdout and megabytes < 10, (megabytes, result)
            continue
        ended.add(check_end(result, whole.stdout, f"{size} bytes of address space"))
    assert True in ended, ended


# ---- descriptors, disk --------------------------------------------------------------------------------------


def test_descriptors_run_out(case: Case) -> None:
    site = Site(case)
    database = {"DATABASE_URL": site.database.url()}
    Path(case.folder / "contract.json").rename(case.folder / "database.json")
    vault = vault_contract(case, case.scripted(scripted_vault).address)
    commands = ((["version"], {}), (["check", "--lint"], {}), (["fetch", "--format=json"], vault),
                (["verify", "--contract=database.json"], database))
    site.case.agent("bootstrap", "--contract=database.json", env=database).expect(0)
    for args, env in commands:
        whole = run_with(case, args, env).expect(0)
        ended = set()
        for most in range(3, 28, 1 if LONG else 2):
            result = run_with(case, args, env, lambda most=most: resource.setrlimit(  # type: ignore
                resource.RLIMIT_NOFILE, (most, most)))
            if result.code == 127 and "error while loading shared libraries" in result.stderr:
                continue
            ended.add(check_end(result, whole.stdout, f"{args}: {most} descriptors"))
        assert True in ended, (args, ended)


def test_descriptors_run_out_while_a_database_is_made(case: Case) -> None:
    site = Site(case, {"emit": ["cat", "schema.sql"]})
    for most in (4, 5, 6, 7, 8, 10, 12, 16):
        site.empty()
        result = run_with(case, ["bootstrap"], {"DATABASE_URL": site.database.url()},
                          lambda most=most: resource.setrlimit(  # type: ignore
                              resource.RLIMIT_NOFILE, (most, most)))
        assert result.code == 0 or (result.code > 0 and result.stderr.strip()), (most, result)
        assert site.is_made() == (result.code == 0), (most, result)


def test_a_disk_without_room(case: Case) -> None:
    env = vault_contract(case, case.scripted(scripted_vault).address)
    with open("/dev/full", "wb") as full:
        for args in (["fetch"], ["version"], ["check", "--lint", "--json"], ["help"]):
            result = run_with(case, args, env, stdout=full)
            assert result.code == 9 and "No space left" in result.stderr, result
    if os.geteuid() != 0:
        case.skip("the rest mounts a small file system, which only root may")
    case.folder.write("kept", "the old one\n")
    agent = shlex.quote(str(case.make_agent().binary))
    script = (f"mkdir small && mount -t tmpfs -o size=16k none small && cp kept small/out && "
              f"dd if=/dev/zero of=small/fill bs=1k count=64 2>/dev/null; "
              f"{agent} fetch -o small/out; echo $? >code; ls -a small >names; cp small/out after")
    result = run_with(case, [], env, prefix=["unshare", "-m", "sh", "-c", script])
    if "unshare" in result.stderr or "mount:" in result.stderr:
        case.skip("no mount namespace here")
    code = (case.folder / "code").read_text().strip()
    assert code in ("2", "9") and "No space left" in result.stderr, (code, result)
    assert (case.folder / "after").read_text() == "the old one\n"
    assert (case.folder / "names").read_text().split() == [".", "..", "fill", "out"]


# ---- calls --------------------------------------------------------------------------------------------------


def traced(case: Case, args: Sequence[str], env: Mapping[str, str], *options: str) -> Result:
    """A run under strace, which has calls fail."""
    if shutil.which("strace") is None:
        case.skip("strace is not installed")
    return run_with(case, args, env, prefix=["strace", "-qq", "-f", "-o",
                                             str(case.folder / "trace"), *options])


INTERRUPTED = ("read", "write", "recvfrom", "sendto", "poll", "ppoll", "wait4", "waitid", "openat",
               "epoll_wait", "getrandom", "accept4", "recvmsg", "sendmsg", "pread64")


def test_interrupted_calls_change_nothing(case: Case) -> None:
    site = Site(case, {"emit": ["cat", "schema.sql"]})
    database = {"DATABASE_URL": site.database.url()}
    Path(case.folder / "contract.json").rename(case.folder / "database.json")
    vault = vault_contract(case, case.scripted(scripted_vault).address, deadline="20s")
    whole = run_with(case, ["fetch"], vault).expect(0)
    for name in INTERRUPTED:
        # Every third of its calls, those of the loader left out.
        inject = ("-e", f"trace=?{name}", "-e", f"inject=?{name}:error=EINTR:when=4+3")
        if name in ("openat", "read", "pread64"):
            inject = ("-e", f"trace=?{name}", "-e", f"inject=?{name}:error=EINTR:when=60+3")
        result = traced(case, ["fetch"], vault, *inject)
        assert result.code == 0 and result.stdout == whole.stdout, (name, result)
        site.empty()
        result = traced(case, ["bootstrap", "--contract=database.json"], database, *inject)
        assert result.code == 0, (name, result)
        assert site.is_made()


FAILING = (("read", "EIO"), ("write", "ENOSPC"), ("write", "EIO"), ("fsync", "EIO"),
           ("rename", "EROFS"), ("renameat", "EROFS"), ("openat", "EMFILE"), ("openat", "EACCES"),
           ("socket", "EMFILE"), ("socket", "ENOMEM"), ("connect", "EACCES"), ("poll", "ENOMEM"),
           ("sendto", "EPIPE"), ("recvfrom", "EIO"), ("mmap", "ENOMEM"), ("mprotect", "ENOMEM"),
           ("fstat", "EIO"), ("newfstatat", "EIO"), ("getrandom", "ENOSYS"), ("prctl", "EPERM"),
           ("fchmod", "EPERM"), ("eventfd2", "EMFILE"), ("clone3", "EAGAIN"), ("mlock", "EPERM"))


def loader_calls(case: Case, name: str) -> int:
    """How many calls of that name come before agent's own: those of `agent version`."""
    traced(case, ["version"], {}, "-e", f"trace=?{name}")
    return len(re.findall(rf"\b{name}\(", (case.folder / "trace").read_text()))


def test_calls_that_fail_leave_the_old_file_or_the_new_one(case: Case) -> None:
    env = vault_contract(case, case.scripted(scripted_vault).address)
    target = case.folder / "out"
    run_with(case, ["fetch", "-o", "out"], env).expect(0)
    whole = target.read_text()
    failed = 0
    for name, error in FAILING:
        before = loader_calls(case, name)
        for k in (1, 2, 3, 5, 9) if LONG else (1, 3):
            target.write_text("the old one\n")
            result = traced(case, ["fetch", "-o", "out"], env, "-e", f"trace=?{name}", "-e",
                            f"inject=?{name}:error={error}:when={before + k}")
            where = f"{name} {error} at {before + k}"
            check_end(result, "", where)
            failed += result.code != 0
            assert target.read_text() == (whole if result.code == 0 else "the old one\n"), where
            left = [path.name for path in case.folder.path.iterdir() if "out" in path.name]
            assert left == ["out"], (where, left)
    assert failed >= len(FAILING) // 3, failed


# ---- time ---------------------------------------------------------------------------------------------------


def test_the_wall_clock_jumps(case: Case) -> None:
    site = Site(case)
    database = {"DATABASE_URL": site.database.url()}
    Path(case.folder / "contract.json").rename(case.folder / "database.json")
    refusals = iter([503, 200, 500] * 100)

    def sometimes(request: Request) -> Answer:
        status = next(refusals)
        return scripted_vault(request) if status == 200 else Answer(status, '{"errors": ["later"]}')

    vault = vault_contract(case, case.scripted(sometimes).address, deadline="30s")
    whole = run_with(case, ["fetch"], vault).expect(0)
    for seconds in (3600, 10 * 365 * 86400):
        jumps = {"LD_PRELOAD": fault("oddclock"), "FAULT_CLOCK": str(seconds)}
        assert run_with(case, ["fetch"], {**vault, **jumps}).expect(0).stdout == whole.stdout
        site.empty()
        run_with(case, ["bootstrap", "--contract=database.json"], {**database, **jumps}).expect(0)
        assert site.is_made()


def test_another_time_namespace(case: Case) -> None:
    env = vault_contract(case, case.scripted(scripted_vault).address)
    whole = run_with(case, ["fetch"], env).expect(0)
    ahead = ["unshare", "--time", "--fork", "--monotonic", "315360000", "--boottime", "315360000"]
    result = run_with(case, ["fetch"], env, prefix=ahead)
    if result.code == 1 and "unshare" in result.stderr:
        case.skip("no time namespace here")
    assert result.expect(0).stdout == whole.stdout


def test_no_deadline_looks_at_the_wall_clock() -> None:
    """The wall clock is read in one place, for what people read."""
    places = []
    for folder in ("base", "vault", "envcontract", "migrations", "bootstrap", "agent"):
        for path in sorted((ROOT / folder).glob("*.c")):
            text = path.read_text()
            places += [path.name for _ in re.findall(
                r"CLOCK_REALTIME|\btime\((?:NULL|0|&)|\bgettimeofday\(|\blocaltime", text)]
    assert set(places) <= {"clock.c"}, places


def test_stopped_and_continued(case: Case) -> None:
    def slowly(request: Request) -> Answer:
        time.sleep(0.1)
        return scripted_vault(request)

    env = vault_contract(case, case.scripted(slowly).address, deadline="30s")
    whole = run_with(case, ["fetch"], env).expect(0)
    running = case.make_agent().start("fetch", env=env, prints_secrets=True)
    for _ in range(20):
        if running.ended():
            break
        running.signal(signal.SIGSTOP)
        time.sleep(0.01)
        running.signal(signal.SIGCONT)
        time.sleep(0.01)
    assert running.wait().expect(0).stdout == whole.stdout


# ---- signals ------------------------------------------------------------------------------------------------


def test_a_signal_while_waiting_for_the_lock_leaves_nothing(case: Case) -> None:
    site = Site(case, {"emit": ["sh", "-c", "cat schema.sql; echo 'SELECT pg_sleep(6);'"]})
    env = {"DATABASE_URL": site.database.url()}
    holder = case.make_agent().start("bootstrap", env=env)
    wait_until(lambda: bool(site.look()["lock"]), "the lock")
    for number in (signal.SIGTERM, signal.SIGINT):
        waiter = case.make_agent().start("bootstrap", env=env)
        time.sleep(0.7)  # it is between two tries then: its sessions come and go
        assert not waiter.ended()
        waiter.signal(number)
        assert waiter.wait(10).code in (-number, 128 + number)
    holder.wait().expect(0)
    assert site.is_made()


def test_a_signal_while_the_database_is_made_undoes_it(case: Case) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        site = Site(case)
        case.folder.write("schema.sql", (case.folder / "schema.sql").read_text()
                          + "SELECT pg_sleep(60);\n")
        running = case.make_agent().start("bootstrap", env={"DATABASE_URL": site.database.url()})
        wait_until(lambda: bool(site.look()["lock"]), "the lock")
        running.signal(number)
        assert running.wait(10).code in (-number, 128 + number)
        assert not site.is_made()


# ---- Vault is not there -------------------------------------------------------------------------------------


def test_without_its_secrets_a_start_touches_no_database(case: Case) -> None:
    """Away, sealed, refusing, without the field: the application is not started, nothing is made."""
    database, answer = case.database(), [Answer(503, '{"errors": ["Vault is sealed"]}')]
    server = case.scripted(lambda _request: answer[0])
    Project(case).database_contract(
        variables={"X": {**SECRET, "source": "vault:kv/app#x"}},
        url={"type": "postgres-url", "secret": True, "source": {"password": "vault:kv/app#x"},
             "compose": f"postgresql://{database.owner.name}:{{password|url}}@127.0.0.1:"
                        f"{case.postgres.port}/{database.name}"},
        sections={"vault": {"kv": {"kv": 2}, "deadline": "300ms", "timeout": "300ms"}})
    missing = json.dumps({"data": {"data": {"y": VALUE}, "metadata": {"version": 1}}})
    for address, what, code in (("http://127.0.0.1:1", None, 3), (server.address, answer[0], 3),
                                (server.address, Answer(403, '{"errors": ["denied"]}'), 4),
                                (server.address, Answer(200, missing), 4)):
        answer[0] = what or answer[0]
        env = {"VAULT_ADDR": address, "VAULT_TOKEN": TOKEN}
        result = run_with(case, ["bootstrap"], env)
        assert result.code == code and re.search("kv/(data/)?app", result.stderr), result
        result = run_with(case, ["run", "--bootstrap", "--", "touch", "started"], env)
        assert result.code == 125 and result.stderr.strip(), result
        assert not (case.folder / "started").exists()
        assert_untouched(database)


# ---- the server dies ----------------------------------------------------------------------------------------


def test_a_server_that_dies_leaves_all_or_nothing(case: Case) -> None:
    """Its backend is killed, it stops at once, it is killed: while the DDL runs, and while it commits."""
    # What the test itself commits has to outlive the server's death too: the empty schema above all.
    server = case.server_of_its_own(
        options={"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"})
    site = Site(case, server=server)
    schema = (case.folder / "schema.sql").read_text()
    first, last = "SELECT pg_sleep(2);\n" + schema, schema + "SELECT pg_sleep(2);\n"
    at_commit = schema + (
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); "
        "RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON orgs DEFERRABLE INITIALLY "
        "DEFERRED FOR EACH ROW EXECUTE FUNCTION slow(); INSERT INTO orgs VALUES (2, 'Slow');\n")
    deaths = ("backend", "immediate", "postmaster")
    every = [(place, death) for place in (first, last, at_commit) for death in deaths]
    for place, death in every if LONG else ((last, "immediate"), (at_commit, "backend")):
        case.folder.write("schema.sql", place)
        site.empty()
        running = case.make_agent().start("bootstrap", "--json",
                                          env={"DATABASE_URL": site.database.url()})
        wait_until(lambda: sleeping(site) > 0, "the statement that waits")
        backend, postmaster = sleeping(site), server.program
        assert postmaster is not None
        if death == "backend":
            os.kill(backend, signal.SIGKILL)
        elif death == "immediate":
            os.kill(postmaster.pid, signal.SIGQUIT)
        else:
            postmaster.kill()
        if death != "backend":
            wait_until(lambda: not Path(f"/proc/{backend}").exists(), "the backend's end")
            postmaster.process.wait()
            start_again(server)
        result = running.wait()
        assert result.code in (0, 5), (death, result)
        wait_until(lambda: answers(site), "the server")
        assert site.is_made() == (result.code == 0), (death, result)
        case.folder.write("schema.sql", schema)
        site.go_on()


def start_again(server: Postgres) -> None:
    """Start a server that was killed: what was its children may hold its memory for a moment."""
    for tries in range(20):
        (server.data / "postmaster.pid").unlink(missing_ok=True)
        try:
            server.start()
            return
        except NotReady:
            if tries == 19:
                raise
            time.sleep(0.2)


def sleeping(site: Site) -> int:
    """The backend that makes the database and waits; 0: none."""
    try:
        rows = site.database.sql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    except PostgresError:
        return 0
    return int(rows[0][0]) if rows else 0


def answers(site: Site) -> bool:
    """Is the server there again?"""
    try:
        return site.database.value("SELECT 1") == "1"
    except PostgresError:
        return False


# ---- the wire -----------------------------------------------------------------------------------------------


def cut_vault(case: Case, cut: Callable[[bytes, socket.socket], None]) -> int:
    """A server whose answers `cut` sends; gives its port."""

    def talk(connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = stream.readline()
                if not line:
                    return
                head += line
            found = re.search(rb"content-length: (\d+)", head.lower())
            stream.read(int(found.group(1)) if found else 0)
            path = head.split()[1].decode()
            cut(scripted_vault(Request("GET", path, {}, b"")).bytes(), connection)

    server = RawServer(talk)
    case.defer(server.stop)
    return server.port


def test_an_answer_cut_at_any_byte_exports_nothing(case: Case) -> None:
    at = [0]

    def cut(answer: bytes, connection: socket.socket) -> None:
        if VALUE.encode() in answer and at[0] < len(answer):
            connection.sendall(answer[:at[0]])
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(answer)

    port = cut_vault(case, cut)
    env = vault_contract(case, f"http://127.0.0.1:{port}", deadline="200ms", timeout="200ms")
    length = len(scripted_vault(Request("GET", "/v1/kv/data/app", {}, b"")).bytes())
    for at[0] in points(length - 1, 12):
        result = run_with(case, ["fetch"], env)
        assert result.code in (3, 4) and result.stdout == "" and result.stderr.strip(), (at, result)
    at[0] = length
    run_with(case, ["fetch"], env).expect(0)


def test_an_answer_that_stalls_at_any_byte_ends_with_the_deadline(case: Case) -> None:
    at = [0]

    def stall(answer: bytes, connection: socket.socket) -> None:
        connection.sendall(answer[:at[0]])
        connection.recv(1)  # until the client gives up

    port = cut_vault(case, stall)
    env = vault_contract(case, f"http://127.0.0.1:{port}", deadline="300ms", timeout="300ms")
    for at[0] in (0, 1, 9, 15, 60, 100):
        result = run_with(case, ["fetch"], env)
        assert result.code == 3 and result.stdout == "" and "127.0.0.1" in result.stderr, (at, result)


def test_many_fetches_at_once_into_one_file(case: Case) -> None:
    env = vault_contract(case, case.scripted(scripted_vault).address, deadline="30s")
    whole = run_with(case, ["fetch"], env).expect(0).stdout
    running = [case.make_agent().start("fetch", "-o", "out", env=env) for _ in range(12)]
    for one in running:
        one.wait().expect(0)
    target = case.folder / "out"
    assert target.read_text() == whole and stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in case.folder.path.iterdir() if "out" in path.name] == ["out"]
