"""`agent fetch` and `agent check`: from every source, over every rule of who wins, to the writing out."""
from __future__ import annotations

import base64
import json
import os
import pty
import socket
import stat
import subprocess
import threading
from typing import Any, Dict, List, Mapping, Optional

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.processes import plain_environment, wait_until
from tests.lib.project import Project
from tests.lib.servers import Answer, Certificates, RawServer, Request, ScriptedHttp

SECRET = {"type": "string", "secret": True}
TOKEN = "scripted-token-canary"


def fetch(case: Case, *args: str, env: Optional[Mapping[str, str]] = None) -> Result:
    """`agent fetch --format json`, whose stdout may have secrets."""
    return case.agent("fetch", "--format=json", *args, env={**vault(case), **(env or {})},
                      prints_secrets=True)


def vault(case: Case) -> Dict[str, str]:
    """Where OpenBao is, and a token that may read everything."""
    return {"VAULT_ADDR": case.openbao.address, "VAULT_TOKEN": case.openbao.token}


# ---- sources ------------------------------------------------------------------------------------------


def test_each_source_gives_its_value(case: Case) -> None:
    bao, database, new = case.openbao, case.database(), case.canaries.new
    one, two = bao.kv(1), bao.kv(2)
    old, young, spoken = new("kv1"), new("kv2"), new("command")
    bao.put(f"{one}/deep/app", {"v": old}, version=1)
    bao.put(f"{two}/deep/app", {"v": young, "number": 9007199254740992, "yes": True})
    engine = bao.database_engine(case.postgres, database.name)
    static = bao.static_role(case.postgres, database.name, database.owner.name)
    case.folder.write("secret", "from a file\n\n", 0o600)
    Project(case).contract({
        "KV1": {**SECRET, "source": f"vault:{one}/deep/app#v"},
        "KV2": {**SECRET, "source": f"vault:{two}/deep/app#v"},
        "KV2_DATA": {**SECRET, "source": f"vault:{two}/data/deep/app#v"},
        "NUMBER": {"type": "int", "source": f"vault:{two}/deep/app#number"},
        "YES": {"type": "bool", "source": f"vault:{two}/deep/app#yes"},
        "USER": {"type": "string", "source": f"vault:{engine}/creds/app#username"},
        "PASSWORD": {**SECRET, "source": f"vault:{engine}/creds/app#password"},
        "STATIC": {"type": "string", "source": f"vault:{static}/static-creds/app#username"},
        "FILE": {"type": "string", "source": "file:secret"},
        "COMMAND": {**SECRET, "source": {"command": ["printf", spoken + "\\n"]}},
        "OTHER": {"type": "string", "source": "env:ANOTHER_NAME"},
        "OWN": {"type": "string", "source": "env"},
        "INLINE": {**SECRET, "source": "env"},
        "NOTHING": {"type": "string", "source": "none", "required": False},
        "DEFAULT": {"type": "string", "source": "none", "default": "by default"}})
    case.canaries = type(case.canaries)()  # the command's argv has its secret: this test's own doing
    got = fetch(case, env={"ANOTHER_NAME": "a", "OWN": "", "DEFAULT": "by default", "OWN": "o",
                           "INLINE": f"vault:{two}/deep/app#v"}).expect(0).json()
    assert got.pop("USER").startswith("v-") and len(got.pop("PASSWORD")) >= 16
    assert got == {"KV1": old, "KV2": young, "KV2_DATA": young, "NUMBER": "9007199254740992",
                   "YES": "true", "STATIC": database.owner.name, "FILE": "from a file\n",
                   "COMMAND": spoken, "OTHER": "a", "OWN": "o", "INLINE": young,
                   "DEFAULT": "by default"}
    bao.request("PUT", f"sys/leases/revoke-prefix/{engine}")


def test_names_choose_and_agents_own_come_only_when_named(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"},
                            "B": {"type": "string", "source": "env"},
                            "MINE": {"type": "string", "source": "env", "expose": "agent"}})
    env = {"A": "1", "B": "2", "MINE": "3"}
    assert fetch(case, env=env).expect(0).json() == {"A": "1", "B": "2"}
    assert fetch(case, "B", env=env).expect(0).json() == {"B": "2"}
    assert fetch(case, "MINE", "A", "A", env=env).expect(0).json() == {"A": "1", "MINE": "3"}
    assert fetch(case, "B", env={"B": "2"}).expect(0).json() == {"B": "2"}, "what is not asked for"
    wrong = fetch(case, "MINNE", env=env).expect(2)
    assert not lacks(wrong.stderr, ["MINNE", "Did you mean 'MINE'?"]), wrong


def test_values_are_composed_with_filters(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    user, password = "ann@acme", case.canaries.add("password", "p/ä \"' \\{x}%canary0123456789")
    bao.put(f"{mount}/db", {"user": user, "password": password, "host": " db.internal \n"})
    Project(case).contract({
        "URL": {"type": "postgres-url", "secret": True,
                "source": {"u": f"vault:{mount}/db#user", "p": f"vault:{mount}/db#password",
                           "h": f"vault:{mount}/db#host", "port": "env:DB_PORT"},
                "compose": "postgresql+asyncpg://{u|url}:{p|url}@{h|trim}:{port}/app"},
        "JSON": {**SECRET, "source": {"p": f"vault:{mount}/db#password"},
                 "compose": "{{\"p\": {p|json}}}"},
        "B64": {**SECRET, "source": {"p": f"vault:{mount}/db#password"}, "compose": "{p|base64}"}})
    got = fetch(case, env={"DB_PORT": "5433"}).expect(0).json()
    assert got["URL"] == ("postgresql+asyncpg://ann%40acme:p%2F%C3%A4%20%22%27%20%5C%7Bx%7D%25"
                          "canary0123456789@db.internal:5433/app")
    assert password in json.dumps(got["JSON"], ensure_ascii=False) or json.loads(got["JSON"])
    assert base64.b64decode(got["B64"]).decode() == password


def test_a_namespace_is_asked_by_header(case: Case) -> None:
    bao = case.openbao
    inside = bao.namespace()
    mount = bao.kv(2, namespace=inside)
    bao.put(f"{mount}/app", {"x": "inside"}, namespace=inside)
    variables = {"X": {"type": "string", "source": f"vault:{mount}/app#x"}}
    Project(case).contract(variables)
    assert fetch(case, env={"VAULT_NAMESPACE": inside + "/"}).expect(0).json() == {"X": "inside"}
    fetch(case).expect(4)
    Project(case).contract(variables, vault={"namespace": inside})
    assert fetch(case).expect(0).json() == {"X": "inside"}
    fetch(case, env={"BAO_NAMESPACE": "elsewhere"}).expect(4)


# ---- how often ----------------------------------------------------------------------------------------


def test_each_path_is_asked_once_whatever_the_number_of_variables(case: Case) -> None:
    def answer(request: Request) -> Answer:
        if request.path.startswith("/v1/sys/internal/ui/mounts/"):
            return Answer(200, json.dumps({"data": {"path": "kv/", "type": "kv",
                                                    "options": {"version": "2"}}}))
        data = {name: request.path[-1] + name for name in "abc"}
        return Answer(200, json.dumps({"data": {"data": data, "metadata": {"version": 3}}}))

    server = case.scripted(answer)
    Project(case).contract({
        **{f"V{path}{field}": {"type": "string", "source": f"vault:kv/app{path}#{field}"}
           for path in (1, 2, 3) for field in "abc"}},
        vault={"address": server.address, "kv": {"kv": 2}})
    got = case.agent("fetch", "--format=json", env={"VAULT_TOKEN": TOKEN}).expect(0).json()
    assert got["V2b"] == "2b" and len(got) == 9
    asked = sorted(request.path for request in server.requests)
    assert asked == ["/v1/kv/data/app1", "/v1/kv/data/app2", "/v1/kv/data/app3"], asked
    assert {request.headers.get("x-vault-token") for request in server.requests} == {TOKEN}
    assert server.connections <= 6


def test_two_spellings_of_a_path_are_one_request_of_kv_2_and_two_of_kv_1(case: Case) -> None:
    """And where nobody knows the mount, the one that was guessed right is not asked again."""
    secrets = {"/v1/kv/data/app": {"data": {"x": "one"}, "metadata": {"version": 3}}}

    def kv_2(request: Request) -> Answer:
        if request.path in secrets:
            return Answer(200, json.dumps({"data": secrets[request.path]}))
        return Answer(403, '{"errors": ["permission denied"]}')

    def kv_1(request: Request) -> Answer:
        found = {"/v1/kv/app": {"x": "short"}, "/v1/kv/data/app": {"x": "long"}}
        if request.path in found:
            return Answer(200, json.dumps({"data": found[request.path]}))
        return Answer(404, '{"errors": []}')

    orders = (("kv/app", "kv/data/app"), ("kv/data/app", "kv/app"))
    for script, known, asked, values in (
            (kv_2, {"kv": 2}, ["/v1/kv/data/app"], {"one"}), (kv_2, {}, ["/v1/kv/data/app"], {"one"}),
            (kv_1, {"kv": 1}, ["/v1/kv/app", "/v1/kv/data/app"], {"short", "long"}),
            (kv_1, {}, ["/v1/kv/app", "/v1/kv/data/app", "/v1/kv/data/app"], {"short", "long"})):
        for first, second in orders:
            server = case.scripted(script)
            Project(case).contract({"A": {"type": "string", "source": f"vault:{first}#x"},
                                    "B": {"type": "string", "source": f"vault:{second}#x"}},
                                   vault={"address": server.address, "kv": known})
            got = case.agent("fetch", "--format=json", env={"VAULT_TOKEN": TOKEN}).expect(0).json()
            assert set(got.values()) == values and len(got) == 2, got
            paths = sorted(request.path for request in server.requests
                           if not request.path.startswith("/v1/sys/")
                           and not request.path.startswith("/v1/auth/"))
            assert paths == asked, (script, known, first, paths)


def test_variables_of_one_path_share_one_lease(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name)
    source = {"u": f"vault:{mount}/creds/app#username", "p": f"vault:{mount}/creds/app#password"}
    Project(case).contract({
        "URL": {**SECRET, "source": source, "compose": "{u}:{p}"},
        "USER_NAME": {"type": "string", "source": source["u"]}})
    got = fetch(case).expect(0)
    assert got.json()["URL"].startswith(got.json()["USER_NAME"] + ":")
    assert len(bao.leases(f"{mount}/creds/app")) == 1
    assert not lacks(got.stderr, ["a lease will end", f"{mount}/creds/app"]), got
    bao.request("PUT", f"sys/leases/revoke-prefix/{mount}")


# ---- who wins -----------------------------------------------------------------------------------------


def precedence(case: Case, **more: Any) -> str:
    """A contract with one variable that is in Vault; gives what it is there."""
    bao = case.openbao
    mount = bao.kv(2)
    value = case.canaries.new("value")
    bao.put(f"{mount}/app", {"x": value})
    Project(case).contract({"X": {**SECRET, "source": f"vault:{mount}/app#x", **more},
                            "ROLE": {"type": "string", "source": "env"}},
                           profile={"var": "ROLE", "values": ["dev", "prod"], "default": "dev"},
                           strict_profiles=["prod"])
    return value


def test_the_source_wins_and_says_what_it_overshadows(case: Case) -> None:
    value = precedence(case)
    mine = case.canaries.new("what is in the environment")
    got = fetch(case, env={"X": mine}).expect(0)
    assert got.json()["X"] == value
    assert not lacks(got.stderr, ["shadowed", "X", "warning"]), got
    same = fetch(case, env={"X": value}).expect(0)
    assert "shadowed" not in same.stderr
    quiet = fetch(case, "-q", env={"X": mine}).expect(0)
    assert quiet.stderr == ""


def test_the_environment_wins_where_it_may(case: Case) -> None:
    value = precedence(case, override=True)
    mine = case.canaries.new("what is in the environment")
    assert fetch(case, env={"X": mine}).expect(0).json()["X"] == mine
    assert fetch(case).expect(0).json()["X"] == value
    strict = fetch(case, "--profile=prod", env={"X": mine})
    assert strict.code == 2 or strict.json()["X"] == value, strict
    assert "X" in strict.stderr


def test_a_source_that_is_the_environment_may_be_said_to_be_overridden(case: Case) -> None:
    Project(case).contract({"A": {"type": "string"}, "B": {"type": "string", "required": False,
                                                           "aliases": [{"name": "OLD"}]}},
                           base={"override": True, "source": "env"})
    for env, wanted in (({"A": "1", "B": "2"}, "2"), ({"A": "1", "OLD": "3"}, "3")):
        assert case.agent("fetch", "--json", env=env).expect(0).json() == {"A": "1", "B": wanted}
    got = case.agent("run", "--", "sh", "-c", "echo $A$B", env={"A": "1", "B": "2"}).expect(0)
    assert got.stdout == "12\n", got


def test_a_reference_that_overrides_a_source_is_resolved(case: Case) -> None:
    mine = case.canaries.new("mine")
    case.folder.write("mine", mine + "\n", 0o600)
    case.folder.write("value", "of the source")
    Project(case).contract({"A": {**SECRET, "source": "file:value", "override": True},
                            "B": {**SECRET, "override": True, "required": False, "compose": "{a}-{b}",
                                  "source": {"a": "file:value", "b": "file:value"}}})
    def fetched(**env: str) -> Result:
        return case.agent("fetch", "--json", env=env, prints_secrets=True)
    assert fetched(A="file:mine", B="file:mine").expect(0).json() == {"A": mine, "B": mine}
    got = fetched(A="file:gone", B="file:gone")
    assert got.code in (1, 4) and "A" in got.stderr and "gone" in got.stderr, got
    assert "of the source" not in got.stdout
    denied = fetched(A="file:.")
    assert denied.code not in (0, 9) and "A" in denied.stderr, denied


def test_what_is_empty_in_the_environment_overrides_nothing(case: Case) -> None:
    case.folder.write("value", "of the source")
    plain = {"type": "string", "source": "file:value", "override": True}
    Project(case).contract({"A": plain, "B": {**plain, "default": "the default"},
                            "C": {**plain, "required": False}, "D": {**plain, "empty": "ok"}})
    got = case.agent("fetch", "--json", env=dict.fromkeys("ABCD", "")).expect(0).json()
    assert got == {**dict.fromkeys("ABC", "of the source"), "D": ""}, got


def test_a_profile_that_differs_from_the_environment_is_refused(case: Case) -> None:
    precedence(case)
    got = fetch(case, "--profile=dev", env={"ROLE": "prod"}).expect(2)
    assert got.stdout == "" and not lacks(got.stderr, ["--profile", "dev", "ROLE", "prod"]), got
    assert fetch(case, "--profile=prod", env={"ROLE": "prod"}).expect(0).json()["ROLE"] == "prod"
    assert fetch(case, "--profile=prod").expect(0).json()["ROLE"] == "prod"
    assert not lacks(fetch(case, "--profile=pord").expect(2).stderr, ["pord", "prod"])


def test_required_optional_and_absent(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"user": "u", "host": "h", "empty": ""})
    Project(case).contract({
        "PATH_GONE": {"type": "string", "source": f"vault:{mount}/none#x", "required": False},
        "FIELD_GONE": {"type": "string", "source": f"vault:{mount}/app#x", "required": False},
        "EMPTY_OK": {"type": "string", "source": f"vault:{mount}/app#empty", "empty": "ok"},
        "FALLS_BACK": {"type": "string", "source": f"vault:{mount}/app#x", "default": "d"}})
    assert fetch(case).expect(0).json() == {"EMPTY_OK": "", "FALLS_BACK": "d"}
    Project(case).contract({
        "PATH_GONE": {"type": "string", "source": f"vault:{mount}/none#x"},
        "FIELD_GONE": {"type": "string", "source": f"vault:{mount}/app#x"},
        "EMPTY": {"type": "string", "source": f"vault:{mount}/app#empty"}})
    got = fetch(case)
    assert got.code == 4 and got.stdout == "", got
    assert not lacks(got.stderr, ["PATH_GONE", "FIELD_GONE", "host", "user", "EMPTY",
                                  "3 errors"]), got


def test_being_refused_is_an_error_for_optional_variables_too(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "1"})
    token = bao.new_token([bao.policy({f"{mount}/data/other": ["read"]})])
    Project(case).contract({"X": {"type": "string", "source": f"vault:{mount}/app#x",
                                  "required": False}})
    got = fetch(case, env={"VAULT_TOKEN": token}).expect(4)
    assert not lacks(got.stderr, ["X", f"{mount}/data/app", "403", "permission denied"]), got


def test_what_could_not_be_fetched_hides_nothing_that_is_wrong_besides(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "1"})
    token = bao.new_token([bao.policy({f"{mount}/data/app": ["read"]})])
    Project(case).contract({
        "FIELD_GONE": {"type": "string", "source": f"vault:{mount}/app#y"},
        "DENIED": {"type": "string", "source": f"vault:{mount}/other#x"},
        "UNSET": {"type": "string", "source": "env"},
        "PORT": {"type": "port", "source": "env"}})
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": token, "PORT": "none"}
    for command, code in ((["check"], 4), (["fetch"], 4), (["fetch", "--explain"], 4),
                          (["run", "--", "true"], 125)):
        got = case.agent(*command, env=env).expect(code)
        said = got.stdout + got.stderr
        assert not lacks(said, ["FIELD_GONE", "it has: x", "403", "UNSET", "PORT", "4 errors"]), got
        assert "DENIED: read" in got.stderr.splitlines()[-2], got
    some = case.agent("fetch", "DENIED", "PORT", env=env).expect(4)
    assert "2 errors" in some.stderr and "UNSET" not in some.stderr, some


def test_a_database_whose_url_is_not_to_be_had_hides_nothing_besides(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    token = bao.new_token([bao.policy({f"{mount}/data/other": ["read"]})])
    Project(case).contract({
        "DATABASE_URL": {"type": "postgres-url", "secret": True, "source": f"vault:{mount}/app#url"},
        "SCHEMA_PORT": {"type": "port", "source": "env"}},
        database={"url": "DATABASE_URL", "env": ["SCHEMA_PORT"],
                  "stamp": {"style": "plain", "revision": "1"}})
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": token, "SCHEMA_PORT": "none"}
    for command in ("bootstrap", "verify"):
        got = case.agent(command, env=env).expect(4)
        assert not lacks(got.stderr, ["DATABASE_URL: read", "403", "SCHEMA_PORT"]), got


def test_a_part_that_is_a_broken_reference_is_no_password(case: Case) -> None:
    Project(case).contract({"URL": {
        "type": "postgres-url", "secret": True, "source": {"user": "env:WHO", "pw": "env:PW"},
        "compose": "postgresql://{user|url}:{pw|url}@h/d", "rotate": {"strategy": "none", "why": "x"}}})
    env = {"WHO": "app", "PW": "vault:secret/app"}
    for command, code in ((["fetch"], 1), (["check"], 1), (["run", "--", "true"], 125)):
        got = case.agent(*command, env=env).expect(code)
        assert not lacks(got.stdout + got.stderr, ["URL", "unresolved", "its part `pw`"]), got


# ---- where it goes ------------------------------------------------------------------------------------


def test_a_file_is_replaced_in_one_step_with_mode_0600(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"},
                            "PORT": {"type": "port", "source": "env", "required": False}})
    target = case.folder.write("out", "what was there\n", 0o644)
    before = target.stat()
    case.agent("fetch", "-o", "out", env={"A": "1", "PORT": "none"}).expect(1)
    after = target.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert target.read_text() == "what was there\n"
    got = case.agent("fetch", "--output=out", env={"A": "1"}).expect(0)
    assert got.stdout == "" and target.read_text() == "A=1\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.stat().st_ino != before.st_ino
    assert sorted(path.name for path in case.folder.path.iterdir()
                  if path.name.startswith(("out", ".out", "."))) == ["out"]
    assert "no/such" in case.agent("fetch", "-o", "no/such/out", env={"A": "1"}).expect(2).stderr


def test_a_terminal_is_refused_unless_revealed(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    agent, env = case.make_agent(), plain_environment(case.folder.path, {"A": "one"})

    def on_terminal(*options: str) -> "tuple[int, str, str]":
        outer, inner = pty.openpty()
        try:
            done = subprocess.run([str(agent.binary), "fetch", *options], stdin=subprocess.DEVNULL,
                                  stdout=inner, stderr=subprocess.PIPE, env=env,
                                  cwd=case.folder.path, timeout=60)
            os.set_blocking(outer, False)
            try:
                text = os.read(outer, 4096).decode()
            except BlockingIOError:
                text = ""
        finally:
            os.close(outer)
            os.close(inner)
        return done.returncode, text, done.stderr.decode()

    code, text, said = on_terminal()
    assert code == 2 and text == "" and not lacks(said, ["terminal", "--reveal", "-o"]), said
    assert on_terminal("--reveal") == (0, "A=one\r\n", "")
    assert on_terminal("-o", "out")[:2] == (0, "")
    assert (case.folder / "out").read_text() == "A=one\n"
    assert on_terminal("-o", "-")[:2] == (2, "")  # it is standard output, not a file of that name
    assert on_terminal("-o", "-", "--reveal")[:2] == (0, "A=one\r\n")
    assert not (case.folder / "-").exists()


def test_each_format_and_json_alone(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"},
                            "B": {"type": "string", "source": "env"}})
    env = {"A": "it's $5", "B": "2"}
    shapes = {"env": "A=it's $5\nB=2\n", "json": '{"A":"it\'s $5","B":"2"}\n'}
    for name, text in shapes.items():
        assert case.agent("fetch", "--format", name, env=env).expect(0).stdout == text
    assert case.agent("fetch", env=env).expect(0).stdout == shapes["env"]
    assert json.loads(case.agent("fetch", "--json", env=env).expect(0).stdout) == env
    for name in ("dotenv", "shell"):
        assert case.agent("fetch", "--format", name, env=env).expect(0).stdout.count("\n") == 2
    broken = case.agent("fetch", env={"A": "two\nlines", "B": "2"}).expect(1)
    assert broken.stdout == "" and not lacks(broken.stderr, ["A", "line"]), broken
    assert "1 problem: A: " in broken.stderr, broken
    wrong = case.agent("fetch", "--format", "yaml", env=env).expect(2)
    assert not lacks(wrong.stderr, ["yaml", "env|dotenv|json|shell|github|kubernetes|systemd"]), wrong


def test_every_value_that_a_format_can_not_carry_is_named(case: Case) -> None:
    Project(case).contract({name: {"type": "string", "source": "env"} for name in "ABCD"})
    env = {"A": case.canaries.new("a line") + "\nend", "B": "fine", "C": "x\r",
           "D": case.canaries.new("not UTF-8") + "\udcff"}
    for options, hints in ((("-o", "out"), ["--format json, dotenv", "--format shell or kubernetes"]),
                           (("--log", "json"), ["\"rule\":\"format\"", "contract.json:"])):
        got = case.agent("fetch", *options, env=env).expect(1)
        assert not lacks(got.stderr, ["'A' cannot", "'C' cannot", "'D' cannot", "3 problems", *hints]), got
        assert "'B' cannot" not in got.stderr and got.stdout == "", got
        assert not (case.folder / "out").exists()
    got = case.agent("fetch", "--json", env=env).expect(1)
    assert got.json()["error"]["line"] > 0 and not lacks(got.stderr, ["'D' cannot", "as json"]), got


# ---- GitHub, Kubernetes -------------------------------------------------------------------------------


def test_github_masks_first_and_appends(case: Case) -> None:
    key, password = case.canaries.new("key"), case.canaries.new("password")
    Project(case).contract({
        "KEY": {**SECRET, "source": "env"},
        "URL": {"type": "postgres-url", "secret": True, "source": "env"},
        "PEM": {**SECRET, "source": "env"}, "OPEN": {"type": "string", "source": "env"},
        "JSON": {**SECRET, "source": "env"}})
    part = case.canaries.new("a part of JSON")
    env = {"JSON": json.dumps({"user": "ann", "password": part}), "KEY": key, "URL": f"postgresql://ann:{password}@db/app", "OPEN": "no secret",
           "PEM": f"line {key} one\n\n  \n100% two\r\n"}
    target = case.folder.write("github", "OLD=1")
    got = case.agent("fetch", "--format=github", env={**env, "GITHUB_ENV": str(target)},
                     prints_secrets=True).expect(0)
    assert got.stdout.splitlines() == [
        f"::add-mask::{key}", f"::add-mask::{env['URL']}", f"::add-mask::{password}",
        f"::add-mask::line {key} one", "::add-mask::100%25 two",
        f"::add-mask::{env['JSON']}", f"::add-mask::{part}"], got
    lines = target.read_text().split("\n")
    assert lines[0] == "OLD=1" and lines[1].startswith("KEY<<agent_") and lines[2] == key
    assert len({line.partition("<<")[2] for line in lines if "<<" in line}) == 5, "a delimiter each"
    assert target.read_bytes().count(b"\r") == 1


def test_github_writes_nothing_where_something_is_wrong(case: Case) -> None:
    Project(case).contract({"A": {**SECRET, "source": "env"}, "PORT": {"type": "port", "source": "env"},
                            "RUNNER_X": {"type": "string", "source": "env", "required": False}})
    target = case.folder.write("github", "")
    env = {"A": case.canaries.new("a"), "PORT": "1", "GITHUB_ENV": str(target)}
    ask = ["fetch", "--format=github"]
    cases = [(ask, {"PORT": "none"}, 1, ["PORT"]), (ask, {"RUNNER_X": "1"}, 1, ["RUNNER_X", "runner"]),
             (ask, {"GITHUB_ENV": ""}, 2, ["GITHUB_ENV"]),
             (ask, {"GITHUB_ENV": "/no/such/file"}, 2, ["/no/such/file"]),
             ([*ask, "-o", "out"], {}, 2, ["-o", "GITHUB_ENV"])]
    for call, more, code, words in cases:
        got = case.agent(*call, env={**env, **more}).expect(code)
        assert got.stdout == "" and target.read_text() == "" and not lacks(got.stderr, words), got
    assert not (case.folder / "out").exists()


def test_kubernetes_takes_name_and_namespace(case: Case) -> None:
    variables = {"A": {"type": "string", "source": "env"}}
    Project(case).contract(variables, project="acme-api")
    ask, env = ["fetch", "--format=kubernetes"], {"A": "1"}
    assert '  name: "acme-api"\ntype' in case.agent(*ask, env=env).expect(0).stdout
    named = case.agent(*ask, "--name=other", "--namespace", "prod", env=env).expect(0).stdout
    assert '  name: "other"\n  namespace: "prod"\n' in named
    Project(case).contract(variables)
    assert "--name" in case.agent(*ask, env=env).expect(2).stderr
    for wrong in ("Acme", "a_b", "-a", "a" * 254):
        assert "--name" in case.agent(*ask, "--name=" + wrong, env=env).expect(2).stderr
    assert "a.b" in case.agent(*ask, "--name=a", "--namespace=a.b", env=env).expect(2).stderr
    assert "kubernetes" in case.agent("fetch", "--name=a", env=env).expect(2).stderr


def test_json_and_another_format_exclude_each_other(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    got = case.agent("fetch", "--json", "--format=shell", env={"A": "1"}).expect(2)
    assert got.json()["error"]["kind"] == "usage" and "--format" in got.stderr
    assert case.agent("fetch", "--json", "--format=json", env={"A": "1"}).expect(0).json() == {"A": "1"}


# ---- without a contract -------------------------------------------------------------------------------


def test_without_a_contract_references_of_the_environment_are_fetched(case: Case) -> None:
    bao = case.openbao
    mount, value = bao.kv(2), case.canaries.new("value")
    bao.put(f"{mount}/app", {"x": value})
    case.folder.write("secret", "from a file\n", 0o600)
    env = {"X": f"vault:{mount}/app#x", "F": "file:secret", "PLAIN": "as it is"}
    assert fetch(case, env=env).expect(0).json() == {"X": value, "F": "from a file"}
    assert fetch(case, "PLAIN", "F", "F", env=env).expect(0).json() == {
        "PLAIN": "as it is", "F": "from a file"}
    wrong = fetch(case, "PLAYN", env=env).expect(2)
    assert not lacks(wrong.stderr, ["PLAYN", "Did you mean 'PLAIN'?"]), wrong
    gone = fetch(case, env={**env, "GONE": f"vault:{mount}/app#y"}).expect(4)
    assert gone.stdout == "" and not lacks(gone.stderr, ["GONE", "no field 'y'"]), gone
    nothing = case.agent("fetch").expect(2)
    assert nothing.stdout == "" and not lacks(nothing.stderr, ["contract.json", "--contract"]), nothing
    assert "--profile" in fetch(case, "--profile=dev", env=env).expect(2).stderr


def test_every_problem_of_inline_references_is_said_at_once(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "1"})
    token = bao.new_token([bao.policy({f"{mount}/data/app": ["read"], f"{mount}/data/none": ["read"]})])
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": token, "FINE": f"vault:{mount}/app#x", "PATH_GONE": f"vault:{mount}/none#x",
           "FIELD_GONE": f"vault:{mount}/app#y", "DENIED": f"vault:{mount}/other#x"}
    said = ["PATH_GONE", f"{mount}/data/none", "FIELD_GONE", "no field 'y'; it has: x", "DENIED", "403",
            "3 errors"]
    for command, code in ((["fetch"], 4), (["fetch", "--json"], 4), (["run", "--", "true"], 125)):
        got = case.agent(*command, env=env).expect(code)
        assert not lacks(got.stderr, said), got
        assert "environment variable 'DENIED'" in got.stderr.splitlines()[-2], got  # it decides the code


def test_every_inline_value_that_a_format_can_not_carry_is_named(case: Case) -> None:
    for name in ("one", "two"):
        case.folder.write(name, "a line\nand another")
    got = case.agent("fetch", env={"ONE": "file:one", "TWO": "file:two"}).expect(1)
    assert got.stdout == "" and not lacks(got.stderr, ["'ONE' cannot", "'TWO' cannot", "2 problems"]), got


def test_a_broken_inline_reference_is_never_handed_on(case: Case) -> None:
    env = {"VAULT_ADDR": "http://127.0.0.1:1"}  # nothing is asked
    print_it = ["run", "--", "sh", "-c", "echo started with $X"]
    for value, words in (("vault:secret/app", ["'#'"]), ("vault:secret/app#", ["field"]),
                         ("vault:secret//app#x", ["empty segment"]), ("sealed:two words", ["blank"]),
                         ("file:secret\n", ["white space"])):
        for command, code in ((["fetch"], 2), (["fetch", "X"], 2), (["fetch", "--explain"], 2),
                              (print_it, 125)):
            got = case.agent(*command, env={**env, "X": value}).expect(code)
            assert got.stdout == "" and not lacks(got.stderr, ["'X'", *words]), got
    both = case.agent("fetch", env={**env, "X": "vault:secret", "Y": "vault:a/b"}).expect(2)
    assert not lacks(both.stderr, ["X", "Y", "2 errors"]), both
    for value in ("vault:8200", "vault:8200/v1", "vault:v1:Zm9v/YmFy==", "vault"):
        got = case.agent(*print_it, env={"X": value}).expect(0)
        assert got.stdout == f"started with {value}\n", got


def test_no_reference_decides_what_code_is_loaded(case: Case) -> None:
    library = f"file:{case.folder.write('library', 'library.so')}"
    bare = case.folder.path / "bare"  # of a contract
    bare.mkdir()
    Project(case).contract({"LD_EXTRA": {"type": "string", "source": "env:OTHER"}})
    for cwd, name in ((case.folder.path, "OTHER"), (bare, "LD_EXTRA")):
        for command, code in ((["fetch"], 2), (["fetch", "LD_EXTRA"], 2), (["run", "--", "env"], 125)):
            got = case.agent(*command, env={name: library}, cwd=cwd).expect(code)
            assert got.stdout == "" and not lacks(got.stderr, [name, "what code is loaded"]), got
        got = case.agent("run", "--", "env", env={name: "library.so"}, cwd=cwd).expect(0)
        assert "LD_EXTRA=library.so\n" in got.stdout, got


# ---- TLS ----------------------------------------------------------------------------------------------


def tls_variables(case: Case) -> Dict[str, str]:
    """A secret behind TLS, a contract for it; gives the environment without a CA."""
    bao = case.openbao_tls
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "over TLS"})
    Project(case).contract({"X": {"type": "string", "source": f"vault:{mount}/app#x"}},
                           vault={"deadline": "5s"})
    return {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token}


def test_the_right_ca_is_believed_and_the_wrong_one_is_not(case: Case) -> None:
    env, ca = tls_variables(case), str(case.openbao_tls.ca_cert)
    ask = ["fetch", "--format=json"]
    assert case.agent(*ask, env={**env, "VAULT_CACERT": ca}).expect(0).json() == {"X": "over TLS"}
    assert case.agent(*ask, env={**env, "VAULT_CACERT_BYTES": open(ca).read()}).expect(0).json()
    case.folder.write("authorities/vault.pem", open(ca).read())  # as their own command line takes it
    folder = {**env, "VAULT_CAPATH": str(case.folder / "authorities")}
    assert case.agent(*ask, env=folder).expect(0).json() == {"X": "over TLS"}
    subprocess.run(["openssl", "rehash", folder["VAULT_CAPATH"]], check=True, timeout=60)
    assert case.agent(*ask, env=folder).expect(0).json() == {"X": "over TLS"}
    case.folder.write("authorities/other.pem", open(str(case.postgres_tls.ca_cert)).read())
    assert case.agent(*ask, env=folder).expect(0).json() == {"X": "over TLS"}
    none = case.agent(*ask, env=env)
    assert none.code in (3, 4) and none.stdout == "", none
    assert not lacks(none.stderr, [env["VAULT_ADDR"], "certificate", "VAULT_CACERT"]), none
    wrong = case.agent(*ask, env={**env, "VAULT_CACERT": str(case.postgres_tls.ca_cert)})
    assert wrong.code == none.code and "certificate" in wrong.stderr, wrong
    lost = case.agent(*ask, env={**env, "VAULT_CACERT": "/no/such/ca.pem"}).expect(2)
    assert "/no/such/ca.pem" in lost.stderr
    name = case.agent(*ask, env={**env, "VAULT_CACERT": ca, "VAULT_TLS_SERVER_NAME": "other.test"})
    assert name.code == none.code and name.stdout == "", name


def test_skipping_the_verification_is_said_and_strict_profiles_refuse_it(case: Case) -> None:
    env = {**tls_variables(case), "VAULT_SKIP_VERIFY": "true"}
    got = case.agent("fetch", "--format=json", env=env).expect(0)
    assert got.json() == {"X": "over TLS"} and "VAULT_SKIP_VERIFY" in got.stderr
    text = json.loads((case.folder / "contract.json").read_text())
    text["vars"]["ROLE"] = {"type": "string", "source": "env"}
    text.update(profile={"var": "ROLE", "values": ["prod"]}, strict_profiles=["prod"])
    case.folder.write("contract.json", json.dumps(text))
    strict = case.agent("fetch", "--profile=prod", env=env).expect(2)
    assert "VAULT_SKIP_VERIFY" in strict.stderr


def test_no_redirect_leaves_tls_even_to_where_it_may_go(case: Case) -> None:
    certificates = Certificates(case.folder.path)
    answer = Answer(200, json.dumps({"data": {"data": {"x": "1"}, "metadata": {"version": 1}}}))
    plain = case.scripted(lambda _request: answer)
    place = {"Location": f"{plain.address}/v1/kv/data/app"}
    server = ScriptedHttp(lambda _request: Answer(307, "", place), certificates)
    case.defer(server.stop)
    case.canaries.add("token", TOKEN)
    Project(case).contract({"X": {"type": "string", "source": "vault:kv/app#x"}}, vault={
        "address": server.address, "kv": {"kv": 2}, "redirect_hosts": [plain.address]})
    got = case.agent("fetch", env={"VAULT_TOKEN": TOKEN, "VAULT_CACERT": str(certificates.ca)})
    assert not lacks(got.expect(4).stderr, ["307", plain.address, "not followed"]), got
    assert len(server.requests) == 1 and not plain.requests


def pass_on(source: socket.socket, to: socket.socket) -> None:
    """Everything, until one of the two ends."""
    try:
        while data := source.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other direction ended both


def test_a_proxy_carries_what_it_can_not_read_and_is_told_apart_from_vault(case: Case) -> None:
    env, seen, refusal = tls_variables(case), [], bytearray()
    env["VAULT_CACERT"] = str(case.openbao_tls.ca_cert)
    password = case.canaries.new("proxy password")

    def proxy(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(65536)
            if not more:
                return  # it was opened ahead and not used
            head += more
        seen.append(head)
        if refusal:
            client.sendall(bytes(refusal))
            return
        with socket.create_connection(("127.0.0.1", case.openbao_tls.port)) as vault_itself:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=pass_on, args=(vault_itself, client), daemon=True).start()
            pass_on(client, vault_itself)

    server = RawServer(proxy)
    case.defer(server.stop)
    env["VAULT_PROXY_ADDR"] = f"http://user:{password}@127.0.0.1:{server.port}"
    assert case.agent("fetch", "--format=json", env=env).expect(0).json() == {"X": "over TLS"}
    assert len(seen) == 1 and seen[0].startswith(b"CONNECT ") and b"X-Vault-Token" not in seen[0]
    for status, code, words in ((407, 4, ["USER:PASSWORD"]), (403, 4, ["no_proxy"]),
                                (502, 3, ["proxy that the environment names"])):
        refusal[:] = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()
        got = case.agent("fetch", env={**env, "VAULT_MAX_RETRIES": "1"}).expect(code)
        assert not lacks(got.stderr, ["the proxy", str(status), *words]), got
        assert ("attempts" in got.stderr) == (code == 3), got
    env["VAULT_PROXY_ADDR"] = "http://127.0.0.1:1"
    away = case.agent("fetch", env={**env, "VAULT_MAX_RETRIES": "0"}).expect(3)
    assert not lacks(away.stderr, ["through the proxy", "proxy that the environment names"]), away
    del env["VAULT_PROXY_ADDR"]
    env.update(VAULT_MAX_RETRIES="0", VAULT_ADDR="https://0.0.0.0:1", https_proxy="http://127.0.0.1:1")
    for excepted in ("", "10.0.0.0/8, vault.example"):
        away = case.agent("fetch", env={**env, "no_proxy": excepted}).expect(3)
        assert not lacks(away.stderr, ["through the proxy", "proxy that the environment names"]), away
    away = case.agent("fetch", env={**env, "no_proxy": "0.0.0.0"}).expect(3)
    assert "Is Vault running there" in away.stderr and "proxy" not in away.stderr, away
    env["VAULT_PROXY_ADDR"] = f"http://user:{password}@127.0.0.1:99999"
    assert "VAULT_PROXY_ADDR" in case.agent("fetch", env=env).expect(2).stderr


def test_the_wrong_scheme_is_told(case: Case) -> None:
    env, bao = tls_variables(case), case.openbao
    plain = env["VAULT_ADDR"].replace("https:", "http:")
    said = case.agent("fetch", env={**env, "VAULT_ADDR": plain})
    assert said.code in (3, 4) and "https" in said.stderr.lower(), said
    secure = bao.address.replace("http:", "https:")
    said = case.agent("fetch", env={**env, "VAULT_ADDR": secure})
    assert said.code in (3, 4) and not lacks(said.stderr, [secure, "TLS"]), said


# ---- check ----------------------------------------------------------------------------------------------


def problems(result: Result) -> List[Dict[str, Any]]:
    """The problems of `agent check --json`."""
    found: List[Dict[str, Any]] = result.json()["problems"]
    return found


def test_check_says_every_problem_at_once_in_the_order_of_the_file(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bad = case.canaries.new("a bad value")
    bao.put(f"{mount}/app", {"key": bad})
    Project(case).contract({
        "KEY": {**SECRET, "prefix": "sk_", "source": f"vault:{mount}/app#key"},
        "GONE": {**SECRET, "source": f"vault:{mount}/none#key"},
        "PORT": {"type": "port", "source": "env"},
        "MODE": {"type": "enum", "values": ["smtp", "log"], "source": "env"}})
    env = {**vault(case), "PORT": "0", "MODE": "smpt"}
    got = case.agent("check", "--json", env=env).expect(4)
    assert [one["variable"] for one in problems(got)] == ["KEY", "GONE", "PORT", "MODE"]
    assert [one["rule"] for one in problems(got)][:2] == ["prefix", "required"]
    assert got.json()["checked"] == 4 and got.json()["ok"] is False
    bao.put(f"{mount}/none", {"key": "there"})
    text = case.agent("check", env=env).expect(1)
    assert not lacks(text.stdout, ["KEY", "PORT", "MODE", "3 errors", "contract.json:"])


def test_check_of_a_file_takes_the_profile_from_it(case: Case) -> None:
    Project(case).contract({"ROLE": {"type": "string", "source": "env"},
                            "URL": {"type": "url", "source": "env",
                                    "profiles": {"prod": {"url": {"scheme": "https"}}}}},
                           profile={"var": "ROLE", "values": ["dev", "prod"]})
    case.folder.write("prod.env", "ROLE=prod\nURL=http://acme.test\n")
    got = case.agent("check", "--env-file=prod.env", "--json", env={"ROLE": "dev"}).expect(1)
    assert got.json()["profile"] == "prod"
    assert [one["variable"] for one in problems(got)] == ["URL"]
    case.folder.write("dev.env", "URL=http://acme.test\n")
    case.agent("check", "--env-file=dev.env", "--profile=dev").expect(0)
    case.agent("check", "--env-file=dev.env", env={"ROLE": "dev"}).expect(2)
    assert "nowhere.env" in case.agent("check", "--env-file=nowhere.env").expect(2).stderr


def test_contract_and_env_file_may_be_pipes(case: Case) -> None:
    contract = Project(case).contract({"A": {"type": "string", "source": "env"},
                                       "F": {"type": "string", "source": "file:beside"}})
    case.folder.write("beside", "here")
    agent, text = case.make_agent().binary, contract.read_bytes()
    for place in ("-", "/dev/stdin"):
        done = case.tool(str(agent), "check", "--env-file", place, text=b"A=1\nF=f\n").expect(0)
        assert "2 variables checked" in done.stdout, done
        done = case.tool(str(agent), "fetch", f"--contract={place}", env={"A": "1"}, text=text).expect(0)
        assert done.stdout == "A=1\nF=here\n", done
    line = "exec \"$0\" check --env-file <(echo B=2; echo A=) --contract <(cat contract.json) --json"
    found = case.tool("bash", "-c", line, str(agent)).expect(1)
    assert [one["variable"] for one in problems(found)] == ["A", "F"], found
    assert "/dev/fd/" in str(problems(found)), found
    for one in ("-", "contract.json"):
        twice = case.agent("check", f"--contract={one}", f"--env-file={one}").expect(2)
        assert f"both '{one}'" in twice.stderr, twice


def test_what_is_empty_has_its_default_whatever_is_checked(case: Case) -> None:
    text, mode = {"type": "string", "source": "env"}, {"type": "enum", "values": ["a", "b"], "source": "env"}
    Project(case).contract({"ROLE": {**mode, "source": "env"}, "MODE": {**mode, "default": "b"},
                            "X": {**text, "required": {"MODE": "b"}},
                            "Y": {**text, "required": {"ROLE": "a"}}},
                           profile={"var": "ROLE", "values": ["a", "b"], "default": "a"})
    env = {"MODE": "", "ROLE": ""}
    case.folder.write("file", "MODE=\nROLE=\n")
    for how, given in (([], env), (["--env-only"], env), (["--env-file=file"], {})):
        said = problems(case.agent("check", "--json", *how, env=given).expect(1))
        assert [(one["variable"], one["rule"]) for one in said] == [("X", "required"),
                                                                    ("Y", "required")], (how, said)


def test_env_only_contacts_nothing_and_lint_runs_nothing(case: Case) -> None:
    server = case.scripted(lambda _request: Answer(500))
    Project(case).contract({"X": {**SECRET, "source": "vault:secret/app#x"},
                            "Y": {"type": "string", "source": {"command": ["touch", "ran"]}}},
                           vault={"address": server.address})
    env = {"VAULT_TOKEN": TOKEN}
    case.agent("check", "--env-only", env={**env, "X": "some long value", "Y": "y"}).expect(0)
    case.agent("check", "--env-only", env={**env, "Y": "y"}).expect(1)
    case.agent("check", "--lint", env=env).expect(0)
    assert server.connections == 0 and not (case.folder / "ran").exists()
    both = case.agent("check", "--lint", "--env-only").expect(2)
    assert "--lint" in both.stderr


def test_check_leaves_no_token_and_no_lease_behind(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name)
    role = bao.approle([bao.policy({f"{mount}/creds/app": ["read"]})])
    Project(case).contract(
        {"X": {**SECRET, "source": f"vault:{mount}/creds/app#password"}},
        vault={"auth": {"method": "approle", "mount": role.mount, "role_id": "env:ROLE_ID",
                        "secret_id": "env:SECRET_ID"}})
    env = {"VAULT_ADDR": bao.address, "ROLE_ID": role.role_id, "SECRET_ID": role.secret_id}
    case.agent("check", env=env).expect(0)
    wait_until(lambda: bao.leases(f"{mount}/creds/app") == [], "the lease's end")


def test_what_nobody_gets_is_not_left_leased_to_a_token_that_was_given(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name)
    Project(case).contract({"X": {**SECRET, "source": f"vault:{mount}/creds/app#password"},
                            "Y": {"type": "int", "source": "env"}})
    rules = {f"{mount}/creds/app": ["read"]}
    may = bao.new_token([bao.policy({**rules, "sys/leases/revoke": ["update"]})])
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": may, "Y": "1"}
    case.agent("check", env=env).expect(0)
    case.agent("fetch", "--explain", env=env).expect(0)
    case.agent("fetch", env={**env, "Y": "none"}).expect(1)
    wait_until(lambda: bao.leases(f"{mount}/creds/app") == [], "the leases' end")
    may_not = case.agent("check", env={**env, "VAULT_TOKEN": bao.new_token([bao.policy(rules)])}).expect(0)
    assert "a lease is left to expire" in may_not.stderr, may_not
    bao.request("PUT", f"sys/leases/revoke-prefix/{mount}")


def test_a_batch_token_is_left_to_its_time_and_leases_are_not(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name)
    role = bao.approle([bao.policy({f"{mount}/creds/app": ["read"], "sys/leases/revoke": ["update"]})],
                       token_type="batch")
    Project(case).contract(
        {"X": {**SECRET, "source": f"vault:{mount}/creds/app#password"}},
        vault={"auth": {"method": "approle", "mount": role.mount, "role_id": "env:ROLE_ID",
                        "secret_id": "env:SECRET_ID"}})
    env = {"VAULT_ADDR": bao.address, "ROLE_ID": role.role_id, "SECRET_ID": role.secret_id}
    assert case.agent("check", env=env).expect(0).stderr == ""
    wait_until(lambda: bao.leases(f"{mount}/creds/app") == [], "the lease's end")
    ended = case.agent("run", "--supervise", "--", "true", env=env).expect(0)
    assert "revoke" not in ended.stderr, ended
    wait_until(lambda: bao.leases(f"{mount}/creds/app") == [], "the lease's end")


def test_userpass_logs_in(case: Case) -> None:
    bao = case.openbao
    mount, password = bao.kv(2), case.canaries.new("joe's password")
    bao.put(f"{mount}/app", {"x": "hello"})
    login = bao.userpass("joe", password, [bao.policy({f"{mount}/data/app": ["read"]})])
    case.folder.write("password", password + "\n", 0o600)
    Project(case).contract({"X": {"type": "string", "source": f"vault:{mount}/app#x"}},
                           vault={"auth": {"method": "userpass", "mount": login, "username": "joe",
                                           "password": "file:password"}})
    env = {"VAULT_ADDR": bao.address}
    assert case.agent("fetch", env=env).expect(0).stdout == "X=hello\n"
    case.folder.write("password", "another one\n", 0o600)
    assert not lacks(case.agent("fetch", env=env).expect(4).stderr, ["joe", "userpass"])


def test_where_a_token_comes_from(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "hello"})
    rule = bao.policy({f"{mount}/data/app": ["read"]})
    good, bad = bao.new_token([rule]), bao.new_token(["default"])
    Project(case).contract({"X": {"type": "string", "source": f"vault:{mount}/app#x"}})
    here = {"VAULT_ADDR": bao.address}
    case.folder.write("good", good + "\n", 0o600)
    case.agent("fetch", env=here).expect(4)
    case.folder.write(".vault-token", good + "\n", 0o600)
    assert case.agent("fetch", env=here).expect(0).stderr == ""
    os.chmod(case.folder / ".vault-token", 0o644)  # Vault's own command line takes it without a word
    open_to_all = case.agent("fetch", env=here).expect(0)
    assert not lacks(open_to_all.stderr, ["warn", "read by others", ".vault-token"]), open_to_all
    case.agent("fetch", env={**here, "VAULT_TOKEN": bad}).expect(4)
    case.agent("fetch", env={**here, "VAULT_TOKEN": bad, "BAO_TOKEN": good}).expect(0)
    case.agent("fetch", "--token-file", "good", env={**here, "VAULT_TOKEN": bad}).expect(0)
    case.agent("fetch", env={**here, "BAO_TOKEN_PATH": str(case.folder / "none")}).expect(4)
    lost = case.agent("fetch", "--token-file", "none", env=here).expect(2)
    assert "none" in lost.stderr
