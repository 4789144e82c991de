"""`agent run`: what the application gets, what it does not get, and what becomes of agent."""
from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.processes import plain_environment, wait_until
from tests.lib.project import HEAD, Project, assert_made, assert_untouched
from tests.lib.servers import Answer, BaoError

SECRET = {"type": "string", "secret": True}
STATUS = ("Umask", "SigBlk", "SigIgn", "NoNewPrivs", "CapEff")
PROBE = """\
import ctypes, json, os, resource, sys
fds = []
for name in os.listdir("/proc/self/fd"):
    try:
        os.readlink("/proc/self/fd/" + name)
        fds.append(int(name))
    except OSError:
        pass
print(json.dumps({"fds": sorted(fds), "pid": os.getpid(), "arguments": sys.argv[1:],
                  "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
                  "core": resource.getrlimit(resource.RLIMIT_CORE)}))
"""


def child_environment(result: Result) -> Dict[str, str]:
    """What `env -0` printed, without what the shells between put in."""
    entries = [entry for entry in result.stdout.split("\0") if entry]
    names = [entry.partition("=")[0] for entry in entries]
    assert len(names) == len(set(names)), names
    return dict(entry.partition("=")[::2] for entry in entries)


def vault_environment(case: Case) -> Dict[str, str]:
    """Where OpenBao is, and a token that may read everything."""
    return {"VAULT_ADDR": case.openbao.address, "VAULT_TOKEN": case.openbao.token}


def login_tokens(case: Case, path: str) -> List[Dict[str, Any]]:
    """The tokens that live and were made by logging in at a path."""
    bao, found = case.openbao, []
    for accessor in bao.request("LIST", "auth/token/accessors")["data"]["keys"]:
        try:
            data = bao.write("auth/token/lookup-accessor", {"accessor": accessor})["data"]
        except BaoError:
            continue  # it has ended since it was listed
        if data["path"] == path:
            found.append(data)
    return found


# ---- the environment --------------------------------------------------------------------------------


def environment_case(case: Case, **sections: Any) -> Dict[str, str]:
    """A contract with a variable of each kind; gives the environment to start agent with."""
    bao, canaries = case.openbao, case.canaries
    mount = bao.kv(2)
    bao.put(f"{mount}/staging/app", {"API_KEY": canaries.new("api key"), "N": 5,
                                     "AGENT_ONLY": canaries.new("what agent alone uses")})
    project = Project(case)
    project.contract({
        "ROLE": {"type": "enum", "values": ["dev", "staging"], "source": "env"},
        "API_KEY": SECRET, "N": {"type": "int"},
        "LEVEL": {"type": "string", "source": "env", "default": "info"},
        "FROM_ENV": {"type": "string", "source": "env"},
        "GONE": {"type": "string", "required": False},
        "AGENT_ONLY": {**SECRET, "expose": "agent"}},
        profile={"var": "ROLE", "values": ["dev", "staging"]},
        base={"source": f"vault:{mount}/{{profile}}/app#{{name}}"}, **sections)
    return {**vault_environment(case), "BAO_TOKEN": bao.token, "VAULT_SECRET_ID": "not for it",
            "VAULT_JWT": "nor this", "SSLKEYLOGFILE": "/dev/null",
            "OPENSSL_CONF": "/dev/null", "HOSTALIASES": "/dev/null",
            "FROM_ENV": "it's \"here\"\n", "GONE": "an old value", "API_KEY": "an old value",
            "AGENT_ONLY": "an old value", "OTHER": "passed on", "UNWANTED": "1", "EMPTY": ""}


def wanted_of_contract() -> Dict[str, str]:
    """What environment_case's contract gives the application, but for API_KEY."""
    return {"ROLE": "staging", "N": "5", "LEVEL": "info",
            "FROM_ENV": "it's \"here\"\n"}


def test_the_child_has_the_contracts_values_and_nothing_of_ours(case: Case) -> None:
    env = environment_case(case, run={"unset": ["UNWANTED"]})
    result = case.agent("run", "--profile", "staging", "--", "env", "-0", env=env,
                        prints_secrets=True).expect(0)
    got = child_environment(result)
    key = got.pop("API_KEY")
    assert key.startswith("canary"), "the source is canonical"
    kept = plain_environment(case.folder.path)
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
        got.pop(name)
    assert got == {**kept, "VAULT_ADDR": case.openbao.address, "SSLKEYLOGFILE": "/dev/null",
                   "OPENSSL_CONF": "/dev/null", "HOSTALIASES": "/dev/null", "OTHER": "passed on",
                   "EMPTY": "", **wanted_of_contract()}
    assert "shadowed" in result.stderr and "API_KEY" in result.stderr, result


def test_only_the_contract_is_passed_on_when_asked_for(case: Case) -> None:
    basic = {"USER": "joe", "TZ": "UTC", "TERM": "dumb"}
    env = {**environment_case(case), **basic}
    by_option = case.agent("run", "--only-contract", "--profile=staging", "--", "/usr/bin/env", "-0",
                           env=env, prints_secrets=True).expect(0)
    environment_case(case, run={"only_contract": True})
    by_contract = case.agent("run", "--profile=staging", "--", "/usr/bin/env", "-0", env=env,
                             prints_secrets=True).expect(0)
    plain = plain_environment(case.folder.path)
    for result in (by_option, by_contract):
        got = child_environment(result)
        assert got.pop("API_KEY").startswith("canary")
        assert got == {**basic, **{name: plain[name] for name in ("PATH", "HOME", "LANG")},
                       **wanted_of_contract()}


def test_the_profiles_variable_is_set_from_its_default_too(case: Case) -> None:
    Project(case).contract({"X": {"type": "string", "default": "1", "source": "env"},
                            "ROLE": {"type": "string", "source": "env"}},
                           profile={"var": "ROLE", "values": ["dev", "prod"], "default": "dev"})
    got = case.agent("run", "--", "sh", "-c", "echo $ROLE $X").expect(0)
    assert got.stdout == "dev 1\n"


# ---- the process ------------------------------------------------------------------------------------


def test_the_child_is_the_same_process_with_three_descriptors(case: Case) -> None:
    env = {**environment_case(case), "ROLE": "staging"}
    case.folder.write("probe.py", PROBE)
    started = case.make_agent().start("run", "--", "python3", "probe.py", "a b", "--json", "",
                                      env=env)
    got = started.wait().expect(0).json()
    assert got["pid"] == started.pid
    assert got["fds"] == [0, 1, 2]
    assert got["arguments"] == ["a b", "--json", ""], "what stands behind -- is the command's own"
    assert got["dumpable"] == 1


def test_umask_limits_and_signals_are_as_agent_found_them(case: Case) -> None:
    env = {**environment_case(case), "ROLE": "staging"}
    before = "umask 027; ulimit -Sc 4096; ulimit -Sn 256; trap '' PIPE TERM; exec "
    binary, status = case.make_agent().binary, "cat /proc/self/status /proc/self/limits"
    with_agent = case.tool("bash", "-c", f"{before} {binary} run -- {status}", env=env).expect(0)
    without = case.tool("bash", "-c", before + status, env=env).expect(0)
    assert status_of(with_agent) == status_of(without)
    plain = case.agent("run", "--", "cat", "/proc/self/status", "/proc/self/limits", env=env)
    direct = case.tool("cat", "/proc/self/status", "/proc/self/limits")
    ignored = [line for line in status_of(plain) if line.startswith("SigIgn")]
    assert ignored == [line for line in status_of(direct) if line.startswith("SigIgn")]


def status_of(result: Result) -> List[str]:
    """What a process is handed on by execve, of /proc's status and limits."""
    return [line for line in result.stdout.splitlines()
            if line.split(":")[0] in STATUS or line.startswith("Max ")]


def test_every_exit_code_of_the_application_is_the_commands(case: Case) -> None:
    loop = ("for code in $(seq 0 255); do \"$0\" run -- sh -c \"exit $code\"; "
            "got=$?; [ $got = $code ] || echo \"$code became $got\"; done")
    got = case.tool("sh", "-c", loop, str(case.make_agent().binary)).expect(0)
    assert got.stdout == "" and got.stderr == "", got


def test_a_signal_that_ends_the_application_ends_the_command(case: Case) -> None:
    for number in (1, 2, 9, 15):
        assert case.agent("run", "--", "sh", "-c", f"kill -{number} $$").code == -number


# ---- what can't be started ----------------------------------------------------------------------------


def refused(case: Case, code: int, *command: str, env: Optional[Mapping[str, str]] = None,
            options: Any = ()) -> Result:
    """Run a command that can't be started: `code`, on stderr, and in the JSON of the log."""
    said = case.agent("run", *options, "--", *command, env=env).expect(code)
    assert said.stdout == "" and said.stderr.startswith("error"), said
    logged = case.agent("run", *options, "--log", "json", "--", *command, env=env).expect(code)
    lines = [json.loads(line) for line in logged.stderr.splitlines()]
    assert lines[-1]["level"] == "error" and lines[-1]["msg"], logged
    assert isinstance(lines[-1]["code"], int), logged
    return said


def test_what_is_not_there_is_127(case: Case) -> None:
    assert not lacks(refused(case, 127, "no-such-command").stderr, ["no-such-command"])
    assert not lacks(refused(case, 127, "./no/such").stderr, ["./no/such", "No such file"])
    script = case.folder.write("lost", "#!/no/such/shell\n", 0o755)
    assert str(script) in refused(case, 127, str(script)).stderr


def test_what_can_not_be_executed_is_126(case: Case) -> None:
    plain = case.folder.write("plain", "x", 0o644)
    assert not lacks(refused(case, 126, str(plain)).stderr, [str(plain), "Permission denied"])
    assert str(case.folder.path) in refused(case, 126, str(case.folder.path)).stderr
    headless = case.folder.write("headless", "echo never run by a shell\n", 0o755)
    assert "#!/bin/sh" in refused(case, 126, str(headless)).stderr
    wide = case.folder.write("wide", "x" * 200_000)  # the kernel's limit for one text is 128 KiB
    said = refused(case, 126, "true", env={"WIDE": f"file:{wide}"})
    assert "larger than the system takes" in said.stderr


def test_agents_own_failures_are_125_and_say_their_code(case: Case) -> None:
    said = refused(case, 125, "true", options=["--contract", "missing.json"])
    assert not lacks(said.stderr, ["missing.json", "No such file"])
    log = case.agent("run", "--contract=missing.json", "--log=json", "--", "true").expect(125)
    assert json.loads(log.stderr.splitlines()[-1])["code"] == 2
    document = case.agent("run", "--contract=missing.json", "--json", "--", "true").expect(125).json()
    assert document["command"] == "run" and document["ok"] is False, document
    assert document["error"]["code"] == 2 and document["error"]["kind"] == "file"
    for call, words in {("run",): ["a command to start is missing", "agent run"],
                        ("run", "--"): ["a command to start is missing"],
                        ("run", "true"): ["'true' stands before '--'"],
                        ("run", "--supervise", "--replace", "--", "true"): ["--supervise", "exclude"],
                        ("run", "--bootstrap", "--", "true"): ["--bootstrap needs a contract"],
                        ("run", "--only-contract", "--", "true"): ["--only-contract needs a contract"],
                        ("run", "--profile=dev", "--", "true"): ["--profile needs a contract"],
                        ("run", "--bootstrp", "--", "true"): ["--bootstrp", "--bootstrap"]}.items():
        said = case.agent(*call).expect(125)
        assert not lacks(said.stderr, ["not started (code 2)", *words]), said


def test_a_violation_starts_nothing(case: Case) -> None:
    Project(case).contract({"PORT": {"type": "port", "source": "env"},
                            "MISSING": {"type": "string", "source": "env"}})
    said = case.agent("run", "--", "touch", "started", env={"PORT": "99999"}).expect(125)
    assert not lacks(said.stderr, ["PORT", "MISSING", "required", "2 errors"]), said
    assert not (case.folder / "started").exists()


def test_the_timeout_ends_when_the_command_starts(case: Case) -> None:
    case.agent("run", "--timeout", "1s", "--", "sleep", "1.5").expect(0)


def test_the_timeout_holds_for_what_comes_before(case: Case) -> None:
    server = case.scripted(lambda _request: wait_for_end())

    def wait_for_end() -> Answer:
        server.stopping.wait(30)
        return Answer(500)

    began = time.monotonic()
    said = case.agent("run", "--timeout=1s", "--", "true",
                      env={"VAULT_ADDR": server.address, "VAULT_TOKEN": "t" * 20,
                           "X": "vault:secret/app#x"}).expect(125)
    assert time.monotonic() - began < 20
    assert not lacks(said.stderr, [server.address, "X"]), said


# ---- tokens and leases --------------------------------------------------------------------------------


def approle_contract(case: Case, variables: Mapping[str, Any], rules: Mapping[str, List[str]]
                     ) -> Dict[str, str]:
    """A contract whose Vault is logged in to with an AppRole; gives the environment."""
    bao = case.openbao
    role = bao.approle([bao.policy(rules)], token_ttl="30m")
    case.canaries.add("secret id", role.secret_id)
    Project(case).contract(variables, vault={
        "address": bao.address, "auth": {"method": "approle", "mount": role.mount,
                                         "role_id": "env:ROLE_ID", "secret_id": "env:SECRET_ID"}})
    case.folder.write("mount", role.mount)
    return {"ROLE_ID": role.role_id, "SECRET_ID": role.secret_id}


def test_a_token_of_our_own_without_a_lease_is_revoked_before_the_start(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": case.canaries.new("x")})
    env = approle_contract(case, {"X": {**SECRET, "source": f"vault:{mount}/app#x"}},
                           {f"{mount}/data/app": ["read"]})
    path = f"auth/{(case.folder / 'mount').read_text()}/login"
    for command in (["run", "--", "true"], ["fetch", "-o", "out"]):
        said = case.agent(*command, env=env).expect(0)
        assert login_tokens(case, path) == [], said
        assert "will end" not in said.stderr, said


def leased(case: Case) -> Tuple[str, Dict[str, str]]:
    """The mount of a database engine, and the environment for a contract with a lease of it."""
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name, ttl="20m")
    env = approle_contract(case, {"U": {**SECRET, "source": f"vault:{mount}/creds/app#username"},
                                  "P": {**SECRET, "source": f"vault:{mount}/creds/app#password"}},
                           {f"{mount}/creds/app": ["read"]})
    case.defer(lambda: bao.request("PUT", f"sys/leases/revoke-prefix/{mount}"))
    return mount, env


def test_a_token_of_our_own_with_a_lease_stays_and_its_end_is_said(case: Case) -> None:
    bao, (mount, env) = case.openbao, leased(case)
    said = case.agent("run", "--replace", "--", "true", env=env).expect(0)
    assert len(bao.leases(f"{mount}/creds/app")) == 1, "one path, one lease"
    tokens = login_tokens(case, f"auth/{(case.folder / 'mount').read_text()}/login")
    assert len(tokens) == 1
    assert not lacks(said.stderr, ["warn", "a lease will end", f"{mount}/creds/app", "ends=20",
                                   "the token that the leases hang on will end", "approle"]), said


def test_with_a_lease_agent_stays_and_revokes_it_when_the_application_has_ended(case: Case) -> None:
    bao, (mount, env) = case.openbao, leased(case)
    case.folder.write("look.sh", "echo $PPID; cat go >/dev/null\n")
    os.mkfifo(case.folder / "go")
    started = case.make_agent().start("run", "--", "sh", "look.sh", env=env)
    with open(case.folder / "go", "wb"):  # it has started
        assert len(bao.leases(f"{mount}/creds/app")) == 1
    result = started.wait().expect(0)
    assert result.stdout == f"{started.pid}\n", result
    wait_until(lambda: bao.leases(f"{mount}/creds/app") == [], "the end of the leases")
    assert login_tokens(case, f"auth/{(case.folder / 'mount').read_text()}/login") == []


def test_a_token_that_was_given_is_not_revoked(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "hello"})
    token = bao.new_token([bao.policy({f"{mount}/data/app": ["read"]})])
    case.canaries.add("given token", token)
    got = case.agent("run", "--", "sh", "-c", "echo $X", env={
        "VAULT_ADDR": bao.address, "VAULT_TOKEN": token, "X": f"vault:{mount}/app#x"}).expect(0)
    assert got.stdout == "hello\n" and got.stderr == "", got
    assert bao.request("GET", "auth/token/lookup-self", token=token)["data"]["ttl"] > 0


# ---- without a contract -------------------------------------------------------------------------------


def test_references_in_the_environment_are_resolved_without_a_contract(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(1)
    secret = case.canaries.new("password")
    bao.put(f"{mount}/db", {"url": f"postgresql://u:{secret}@h/d"}, version=1)
    kept = case.folder.write("kept", "from a file\n")
    env = {**vault_environment(case), "DATABASE_URL": f"vault:{mount}/db#url", "F": f"file:{kept}",
           "PLAIN": "vaulted", "COLON": "vault: no reference"}
    got = child_environment(case.agent("run", "--", "env", "-0", env=env,
                                       prints_secrets=True).expect(0))
    assert got["DATABASE_URL"] == f"postgresql://u:{secret}@h/d"
    assert got["F"] == "from a file"
    assert got["PLAIN"] == "vaulted" and got["COLON"] == "vault: no reference"
    assert "VAULT_TOKEN" not in got


def test_a_reference_that_can_not_be_resolved_starts_nothing(case: Case) -> None:
    mount = case.openbao.kv(2)
    case.openbao.put(f"{mount}/db", {"user": "u", "host": "h"})
    for reference, words in {f"vault:{mount}/none#x": [f"{mount}/data/none", "nothing at that path"],
                             f"vault:{mount}/db#url": ["url", "user", "host"],
                             "sealed:X": ["VALUE", "there is no sealed store 'sealed.json'", "agent seal init"],
                             "file:/no/such": ["/no/such", "No such file"]}.items():
        said = case.agent("run", "--", "touch", "started",
                          env={**vault_environment(case), "VALUE": reference}).expect(125)
        assert not lacks(said.stderr, ["VALUE", *words]), said
    assert not (case.folder / "started").exists()


# ---- with the database --------------------------------------------------------------------------------


def test_from_vault_to_a_stamped_database_to_the_application(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name, member_of=database.owner.name)
    url = {**SECRET, "type": "postgres-url",
           "source": {"user": f"vault:{mount}/creds/app#username",
                      "password": f"vault:{mount}/creds/app#password"},
           "compose": f"postgresql://{{user|url}}:{{password|url}}@127.0.0.1:{case.postgres.port}/"
                      f"{database.name}"}
    Project(case).database_contract(url=url, owner=database.owner.name, expect=["users", "orgs"])
    env = vault_environment(case)
    said = case.agent("run", "--bootstrap", "--", "alembic", "current", env=env).expect(0)
    assert f"{HEAD} (head)" in said.stdout
    assert "the database was made and stamped" in said.stderr
    assert_made(database)
    owners = database.sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert owners == [[database.owner.name]]
    again = case.agent("run", "--bootstrap", "--", "alembic", "upgrade", "heads", env=env).expect(0)
    assert "the database is current" in again.stderr
    assert "Running upgrade" not in again.stderr
    bao.request("PUT", f"sys/leases/revoke-prefix/{mount}")


def test_without_bootstrap_nobody_looks_at_the_database(case: Case) -> None:
    database = case.database()
    Project(case).database_contract()
    case.agent("run", "--", "true", env={"DATABASE_URL": database.url()}).expect(0)
    assert_untouched(database)
    case.agent("run", "--", "true", env={"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}).expect(0)


def test_the_application_starts_only_in_accepted_states(case: Case) -> None:
    database, project = case.database(), Project(case)
    env = {"DATABASE_URL": database.url()}
    project.database_contract()
    case.agent("run", "--bootstrap", "--", "true", env=env).expect(0)
    states = {"unknown-revision": "UPDATE alembic_version SET version_num = 'from the future'",
              "behind": "UPDATE alembic_version SET version_num = 'a1'",
              "lost-stamp": "DELETE FROM alembic_version"}
    for state, change in states.items():
        database.sql(change)
        project.database_contract(accept=["current"])
        said = case.agent("run", "--bootstrap", "--", "touch", "started", env=env).expect(125)
        assert state in said.stderr, said
        assert not (case.folder / "started").exists()
        project.database_contract(accept=["current", state])
        said = case.agent("run", "--bootstrap", "--", "true", env=env).expect(0)
        assert not lacks(said.stderr, ["accepts", f"state={state}"]), said
        assert said.code == 0
    assert database.stamped() == [], "run migrates and repairs nothing"


def test_an_accepted_state_is_no_excuse_for_a_database_that_is_away(case: Case) -> None:
    Project(case).database_contract(accept=["current", "behind", "unknown-revision"], wait="1s")
    said = case.agent("run", "--bootstrap", "--log=json", "--", "true",
                      env={"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}).expect(125)
    assert json.loads(said.stderr.splitlines()[-1])["code"] == 5, said


def test_relative_paths_and_commands_start_from_the_contracts_folder(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.database_contract()
    elsewhere: Path = case.folder / "elsewhere"
    elsewhere.mkdir()
    got = case.agent("run", "--bootstrap", "--contract", "../contract.json", "--", "pwd",
                     env={"DATABASE_URL": database.url()}, cwd=elsewhere).expect(0)
    assert got.stdout.strip() == str(elsewhere)
    assert_made(database)


# ---- what agent was handed, and what it leaves ------------------------------------------------------------


def test_descriptors_that_were_handed_down_stop_at_agent(case: Case) -> None:
    case.folder.write("probe.py", PROBE)
    agent = f"{case.make_agent().binary} run -- python3 probe.py"
    got = case.tool("bash", "-c", f"exec 5</dev/null 9</dev/null; exec {agent}").expect(0)
    assert got.json()["fds"] == [0, 1, 2]
    activated = f"exec 3</dev/null 4</dev/null 9</dev/null; LISTEN_FDS=2 LISTEN_PID=$$ exec {agent}"
    got = case.tool("bash", "-c", activated).expect(0)
    assert got.json()["fds"] == [0, 1, 2, 3, 4], "systemd's sockets are the application's"
    others = f"exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=1 exec {agent}"
    assert case.tool("bash", "-c", others).expect(0).json()["fds"] == [0, 1, 2]


def test_closed_standard_streams_do_not_become_files(case: Case) -> None:
    binary = case.make_agent().binary
    got = case.tool("bash", "-c", f"{binary} run -- ls -l /proc/self/fd <&- 2>&-").expect(0)
    assert "/dev/null" in got.stdout, got


def test_nothing_is_left_in_vault_when_the_start_fails(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name)
    variables = {"P": {**SECRET, "source": f"vault:{mount}/creds/app#password"},
                 "PORT": {"type": "port", "source": "env"}}
    env = approle_contract(case, variables, {f"{mount}/creds/app": ["read"]})
    case.agent("run", "--", "true", env={**env, "PORT": "none"}).expect(125)
    case.agent("fetch", env={**env, "PORT": "none"}).expect(1)
    wait_until(lambda: bao.leases(f"{mount}/creds/app") == [], "the end of the leases")
    assert login_tokens(case, f"auth/{(case.folder / 'mount').read_text()}/login") == []


def test_a_large_environment_is_no_trouble(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    many = {f"NAME_{number}": "x" for number in range(20_000)}
    got = case.agent("run", "--", "sh", "-c", "env | grep -c ^NAME_", env={**many, "A": "1"})
    assert got.expect(0).stdout == "20000\n"


def test_a_name_that_is_there_twice_reaches_the_application_once(case: Case) -> None:
    binary = str(case.make_agent().binary)
    # Python's environment has each name once: that needs a program in C.
    twice = case.folder.write("twice.c", """
#include <unistd.h>
int main(int argc, char **argv) {
    (void)argc;
    char *env[] = {"A=1", "PATH=/usr/bin:/bin", "A=2", "no equals sign", 0};
    char *args[] = {argv[1], "run", "--", "env", "-0", 0};
    return execve(argv[1], args, env);
}
""")
    case.tool("gcc", "-o", "twice", str(twice)).expect(0)
    got = case.tool("./twice", binary).expect(0)
    assert got.stdout.split("\0")[:-1] == ["A=1", "PATH=/usr/bin:/bin"], got
    assert not lacks(got.stderr, ["twice", "variable=A"]), got


def test_a_stop_while_the_database_is_made_leaves_nothing(case: Case) -> None:
    database, project = case.database(), Project(case)
    project.folder.write("schema.sql", "CREATE TABLE early (n int);\nSELECT pg_sleep(30);\n")
    project.database_contract()
    for number in (signal.SIGTERM, signal.SIGINT):
        started = case.make_agent().start("run", "--bootstrap", "--", "touch", "started",
                                          env={"DATABASE_URL": database.url()})
        wait_until(lambda: database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = "
            "current_database()") == "1", "agent in its schema")
        started.signal(number)
        began = time.monotonic()
        assert started.wait().code in (-number, 128 + number, 125)
        assert time.monotonic() - began < 10
        wait_until(lambda: database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                          "current_database() AND pid <> pg_backend_pid()") == "0",
                   "the end of the session", seconds=20)
        assert_untouched(database)
    assert not (case.folder / "started").exists()
