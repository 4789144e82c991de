"""`agent check --drift`: the contract against the code and files around it, and against a real OpenBao."""
from __future__ import annotations

import ast
import os
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

from tests.lib.agent import Result
from tests.lib.case import ACME, Case, lacks
from tests.lib.processes import ROOT
from tests.lib.project import Project
from tests.lib.scripted import Answer, Request, ScriptedHttp

TEXT = {"type": "string", "source": "env", "required": False}
SECRET = {"type": "string", "secret": True}
MONTHLY = {"strategy": "random", "bytes": 32, "as": "base64", "every": "30d"}
LONG_AGO = "2020-02-03T04:05:06Z"


def drift(case: Case, *args: str, env: Optional[Mapping[str, str]] = None) -> Result:
    """`agent check --drift code --json`."""
    return case.agent("check", "--drift", "code", "--json", *args, env=dict(env or {}))


def problems(result: Result) -> List[Tuple[str, str, str]]:
    """(variable, rule, severity) of each problem, in their order."""
    return [(p["variable"], p["rule"], p["severity"]) for p in result.json()["problems"]]


def problem(result: Result, variable: str, rule: str) -> Dict[str, Any]:
    """The one problem of that variable and rule."""
    found = [p for p in result.json()["problems"] if (p["variable"], p["rule"]) == (variable, rule)]
    assert len(found) == 1, found
    return dict(found[0])


# ---- code and files -----------------------------------------------------------------------------------


def test_each_language_is_read_and_each_first_use_has_its_place(case: Case) -> None:
    files = {
        "a.py": "import os\n\nos.environ['PY_NAME']\nos.getenv('PY_NAME')\n",
        "b/settings.py": "from pydantic_settings import BaseSettings\n\n\nclass S(BaseSettings):\n"
                         "    field_name: str\n",
        "c.ts": "const { TS_NAME } = process.env\n",
        "d.sh": "# $NOT\necho \"${SH_NAME:-x}\"\n",
        "e/compose.yaml": "services:\n  a:\n    environment:\n      YAML_NAME: ${INTERPOLATED}\n",
        "f/pod.yaml": "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - env:\n    - name: POD_NAME\n"
                      "      value: x\n",
        "g/Dockerfile": "FROM a\nENV IMAGE_NAME=1\n",
        ".env.example": "DOTENV_NAME=\n",
        "run": "#!/bin/sh\necho $SHEBANG_NAME\n",
    }
    for name, text in files.items():
        case.folder.write(f"code/{name}", text)
    Project(case).contract({"USED": TEXT})
    found = drift(case, "--env-only").expect(1)
    places = {p["variable"]: (p["file"], p["line"]) for p in found.json()["problems"]
              if p["rule"] == "unknown"}
    assert places == {
        "PY_NAME": ("code/a.py", 3), "FIELD_NAME": ("code/b/settings.py", 5),
        "TS_NAME": ("code/c.ts", 1), "SH_NAME": ("code/d.sh", 2),
        "YAML_NAME": ("code/e/compose.yaml", 4), "INTERPOLATED": ("code/e/compose.yaml", 4),
        "POD_NAME": ("code/f/pod.yaml", 6), "IMAGE_NAME": ("code/g/Dockerfile", 2),
        "DOTENV_NAME": ("code/.env.example", 1), "SHEBANG_NAME": ("code/run", 2)}, places
    assert "1 more time" in problem(found, "PY_NAME", "unknown")["message"]
    assert problem(found, "USED", "drift")["severity"] == "warning"
    assert found.json()["checked"] == 1 and found.json()["error"]["kind"] == "violation"
    again = drift(case, "--env-only").expect(1)
    assert again.stdout == found.stdout


def test_a_mistyped_name_gets_the_nearest_one(case: Case) -> None:
    case.folder.write("code/a.py", "import os\nos.environ['DATABSE_URL']\n")
    Project(case).contract({"DATABASE_URL": TEXT})
    found = drift(case, "--env-only").expect(1)
    assert "'DATABASE_URL'" in problem(found, "DATABSE_URL", "unknown")["hint"]


def test_what_is_nobodys_configuration_is_left_alone(case: Case) -> None:
    case.folder.write("code/a.sh", "echo $PATH $HOME $CI $GITHUB_SHA $ACME_LOCAL_X $PGDATA_X\n")
    case.folder.write("code/compose.yml",
                      "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: x\n")
    contract = Project(case)
    contract.contract({"A": TEXT}, unknown={"prefix": ["ACME_"], "ignore": ["ACME_LOCAL_*"]})
    assert problems(drift(case, "--env-only").expect(1)) == [
        ("A", "drift", "warning"), ("PGDATA_X", "unknown", "error")]
    contract.contract({"A": TEXT}, unknown={"prefix": ["ACME_"], "ignore": ["ACME_*", "PGDATA_X"]})
    assert problems(drift(case, "--env-only").expect(0)) == [("A", "drift", "warning")]
    case.folder.write("code/b.py", "import os\nos.environ['POSTGRES_PASSWORD']\n")
    assert ("POSTGRES_PASSWORD", "unknown", "error") in problems(drift(case, "--env-only").expect(1))


def test_declared_and_unused_is_a_warning_but_not_for_what_agent_uses(case: Case) -> None:
    case.folder.write("code/a.py", "import os\nos.environ['USED']\n")
    case.folder.write("code/.env", "UNUSED=1\n")
    Project(case).contract(
        {"USED": TEXT, "UNUSED": TEXT, "ROLE": {**TEXT, "values": ["dev"], "type": "enum"},
         "LOGIN": {**TEXT, "expose": "agent"}, "URL": {"type": "postgres-url", "source": "env"},
         "OTHER": {**TEXT, "source": "env:FROM_HERE"}, "FROM_HERE": TEXT, "IN_FILE": TEXT},
        profile={"var": "ROLE", "values": ["dev"]}, database={"url": "URL"},
        files=[{"path": "/run/x", "template": "a={IN_FILE}\n"}])
    found = drift(case, "--env-only").expect(0)
    assert problems(found) == [("UNUSED", "drift", "warning"), ("OTHER", "drift", "warning")]
    assert ".env" in problem(found, "UNUSED", "drift")["message"]
    assert problem(found, "UNUSED", "drift")["file"] == "contract.json"


def test_what_cannot_be_known_is_said_and_not_guessed(case: Case) -> None:
    case.folder.write("code/a.py", "import os\nos.environ[name]\nos.environ[other]\n")
    case.folder.write("code/pod.yaml", "apiVersion: v1\nkind: Pod\nspec:\n  a:\n    envFrom: []\n")
    case.folder.write("code/big.py", "#" * (1024 * 1024 + 1))
    Project(case).contract({"USED": TEXT})
    found = drift(case, "--env-only").expect(0)
    text = " | ".join(f"{p['file']}:{p['line']} {p['message']}" for p in found.json()["problems"])
    missing = lacks(text, ["code/a.py:2 computed names", "first of 2", "code/pod.yaml:5 envFrom",
                           "code/big.py:None is longer than 1048576 bytes"])
    assert not missing, (missing, text)


def test_the_walk_leaves_out_what_others_made(case: Case) -> None:
    reads = "import os\nos.environ['{}']\n"
    for folder in ("node_modules", "venv", ".venv", "__pycache__", "build", "dist", "target", ".git"):
        case.folder.write(f"code/{folder}/a.py", reads.format("SKIPPED"))
    case.folder.write("outside/a.py", reads.format("OUTSIDE"))
    case.folder.write("code/binary.py", reads.format("BINARY") + "\0")
    case.folder.write("code/sub/.github/workflows/x.yml", "on: push\njobs:\n  a:\n    env:\n      FLOW: 1\n")
    (case.folder / "code" / "link").symlink_to(case.folder / "outside")
    (case.folder / "code" / "loop").symlink_to(case.folder / "code")
    (case.folder / "code" / "file.py").symlink_to(case.folder / "outside" / "a.py")
    Project(case).contract({"A": TEXT})
    assert problems(drift(case, "--env-only").expect(0)) == [
        ("A", "drift", "warning"), ("FLOW", "unknown", "warning")]
    found = case.agent("check", "--json", "--env-only", "--drift", "code/build", "--drift", "outside")
    assert problems(found.expect(1))[1:] == [("SKIPPED", "unknown", "error"),
                                             ("OUTSIDE", "unknown", "error")]


def test_a_folder_that_is_not_there_is_exit_2(case: Case) -> None:
    Project(case).contract({"A": TEXT})
    for wrong in ("nothing", "contract.json"):
        result = case.agent("check", "--env-only", "--drift", wrong).expect(2)
        assert wrong in result.stderr and "folder" in result.stderr, result.stderr
    for other in (("--lint",), ("--env-file", "x")):
        assert "exclude" in case.agent("check", "--drift", ".", *other).expect(2).stderr


def test_text_ends_with_what_was_looked_at(case: Case) -> None:
    case.folder.write("code/a.py", "import os\nos.environ['A']\n")
    Project(case).contract({"A": TEXT})
    result = case.agent("check", "--env-only", "--drift", "code").expect(0)
    assert result.stdout == "contract.json: 1 variable declared, 1 file read\n", result.stdout


def names_by_ast(text: bytes) -> Set[str]:
    """The names that Python's own parser finds in code: read from os.environ, by whatever name, or by getenv."""
    tree = ast.parse(text)
    called = {"environ": set(), "getenv": set()}  # type: Dict[str, Set[str]]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            for alias in node.names:
                called.get(alias.name, set()).add(alias.asname or alias.name)
        given: List[Tuple[ast.AST, ast.AST]] = []
        if isinstance(node, ast.Assign):
            given = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign) and node.value:
            given = [(node.target, node.value)]
        elif isinstance(node, ast.arguments):
            given = list(zip((node.posonlyargs + node.args)[::-1], node.defaults[::-1]))
            given += [(name, value) for name, value in zip(node.kwonlyargs, node.kw_defaults) if value]
        for name, value in given:
            means_what = {"os.environ": "environ", "os.environ.get": "getenv", "os.getenv": "getenv"}
            if isinstance(value, ast.Attribute) and ast.unparse(value) in means_what:
                called[means_what[ast.unparse(value)]].add(
                    name.arg if isinstance(name, ast.arg) else ast.unparse(name))

    def means(node: ast.AST, what: str) -> bool:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return node.value.id == "os" and node.attr in (what, what + "b")
        return isinstance(node, ast.Name) and node.id in called[what]

    found: Set[Any] = set()
    for node in ast.walk(tree):
        key: Optional[ast.AST] = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and means(node.value, "environ"):
            key = node.slice
        elif isinstance(node, ast.Call) and node.args:
            function = node.func
            if means(function, "getenv") or (
                    isinstance(function, ast.Attribute) and function.attr in ("get", "pop", "setdefault")
                    and means(function.value, "environ")):
                key = node.args[0]
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)) and \
                means(node.comparators[0], "environ"):
            key = node.left
        if isinstance(key, ast.Constant):
            found.add(key.value.decode() if isinstance(key.value, bytes) else key.value)
    return {name for name in found if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)}


def test_python_is_read_as_its_own_parser_reads_it(case: Case) -> None:
    library = Path(os.__file__).parent
    expected: Set[str] = set()
    sources = [path for path in sorted(library.rglob("*.py"))
               if not {"test", "site-packages"} & set(path.relative_to(library).parts)]
    for number, source in enumerate(sources):
        text = source.read_bytes()
        if (b"environ" not in text and b"getenv" not in text) or len(text) > 100000:
            continue
        try:
            expected |= names_by_ast(text)
        except (SyntaxError, ValueError):
            continue  # the library's tests have files that are wrong on purpose
        (case.folder / "code").mkdir(exist_ok=True)
        (case.folder / "code" / f"{number}.py").write_bytes(text)
    Project(case).contract({})
    found = {p[0] for p in problems(drift(case, "--env-only").expect(1)) if p[1] == "unknown"}
    assert len(expected) > 30 and found <= expected, found - expected
    case.say(f"{len(expected)} names, of which {len(found)} are nobody's")
    Project(case).contract({name: TEXT for name in expected - found})
    unused = {p[0] for p in problems(drift(case, "--env-only").expect(1)) if p[1] == "drift"}
    assert not (expected - found) & unused, unused


def test_the_example_has_no_drift(case: Case) -> None:
    folder = case.folder / "acme"
    shutil.copytree(ACME, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "examples" / "entrypoint", folder / "deploy")
    shutil.copy(ROOT / "examples" / "ci" / "dev.env", folder / "dev.env")
    found = case.agent("check", "--env-only", "--drift", ".", "--json", cwd=folder).expect(0)
    assert found.json()["problems"] == []


# ---- Vault --------------------------------------------------------------------------------------------


def forwarding(case: Case, replace: Tuple[str, str] = ("", "")) -> ScriptedHttp:
    """A server before OpenBao: what is asked is in its `requests`; a pattern in answers is replaced."""
    def forward(request: Request) -> Answer:
        headers = {name: value for name, value in request.headers.items()
                   if name.startswith("x-vault-")}
        there = urllib.request.Request(case.openbao.address + request.path, request.body or None,
                                       headers, method=request.method)
        try:
            with urllib.request.urlopen(there, timeout=30) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            status, body = answer.code, answer.read()
        if replace[0]:
            body = re.sub(replace[0].encode(), replace[1].encode(), body)
        return Answer(status, body)
    return case.scripted(forward)


def asked(server: ScriptedHttp) -> List[str]:
    """The paths that were asked for."""
    return [f"{request.method} {request.path}" for request in server.requests]


def through(case: Case, server: ScriptedHttp, token: Optional[str] = None) -> Dict[str, str]:
    """The environment for it."""
    return {"VAULT_ADDR": server.address, "VAULT_TOKEN": token or case.openbao.token}


def test_vault_is_asked_for_names_and_never_for_a_value(case: Case) -> None:
    bao, database, new = case.openbao, case.database(), case.canaries.new
    kv = bao.kv(2)
    engine = bao.database_engine(case.postgres, database.name)
    static = bao.static_role(case.postgres, database.name, database.owner.name)
    bao.put(f"{kv}/app", {"there": new("value"), "deep": {"a": new("deep")}, "other": new("other")})
    for name in ("gone", "burnt"):
        bao.put(f"{kv}/{name}", {"v": new(name)})
    bao.request("DELETE", f"{kv}/data/gone")
    bao.write(f"{kv}/destroy/burnt", {"versions": [1]})
    (case.folder / "code").mkdir()
    at = f"vault:{kv}/app#"
    Project(case).contract({
        "THERE": {**SECRET, "source": at + "there"}, "DATA": {**SECRET, "source": f"vault:{kv}/data/app#other"},
        "FIELD": {**SECRET, "source": at + "thre"}, "OBJECT": {**SECRET, "source": at + "deep"},
        "OPTIONAL": {**SECRET, "source": at + "maybe", "required": False},
        "PATH": {**SECRET, "source": f"vault:{kv}/nothing#v"},
        "GONE": {**SECRET, "source": f"vault:{kv}/gone#v"},
        "BURNT": {**SECRET, "source": f"vault:{kv}/burnt#v"},
        "LOGIN": {**SECRET, "source": f"vault:{engine}/creds/app#password"},
        "NO_ROLE": {**SECRET, "source": f"vault:{engine}/creds/nobody#password"},
        "STATIC": {**SECRET, "source": f"vault:{static}/static-creds/app#password"},
        "NO_STATIC": {**SECRET, "source": f"vault:{static}/static-creds/nobody#password"}})
    server = forwarding(case)
    found = drift(case, env=through(case, server)).expect(1)
    of_vault = [p for p in problems(found) if p[1] != "drift" or p[0] == "OPTIONAL"]
    assert [p for p in of_vault if p != ("OPTIONAL", "drift", "warning")] == [
        (name, "required", "error")
        for name in ("FIELD", "OBJECT", "PATH", "GONE", "BURNT", "NO_ROLE", "NO_STATIC")], of_vault
    assert of_vault.count(("OPTIONAL", "drift", "warning")) == 2  # not in Vault, and used nowhere
    assert lacks(problem(found, "FIELD", "required")["hint"], ["'deep'", "'other'", "'there'"]) == []
    assert "is an object" in problem(found, "OBJECT", "required")["message"]
    assert all(p["hint"] for p in found.json()["problems"] if p["rule"] == "required"), found
    assert "deleted" in problem(found, "GONE", "required")["message"]
    assert "destroyed" in problem(found, "BURNT", "required")["message"]
    paths = asked(server)
    assert [p for p in paths if re.search(r"/data/|/creds/|/static-creds/", p)
            and "/ui/mounts/" not in p] == [], paths
    assert paths.count(f"GET /v1/{kv}/subkeys/app") == 2, paths  # once as each of its spellings
    assert not bao.leases(f"{engine}/creds/app")


def test_an_age_beyond_the_period_is_expired(case: Case) -> None:
    bao, kv = case.openbao, case.openbao.kv(2)
    bao.put(f"{kv}/app", {"a": case.canaries.new("a"), "b": case.canaries.new("b")})
    bao.write(f"{kv}/metadata/app", {"custom_metadata": {
        "agent.A": f'{{"at": "{LONG_AGO}", "id": "x", "by": "y"}}', "agent.C": "no record"}})
    (case.folder / "code").mkdir()
    variables = {name: {**SECRET, "source": f"vault:{kv}/app#{name.lower()}", "rotate": MONTHLY}
                 for name in ("A", "B")}
    variables["NEVER"] = {**SECRET, "source": f"vault:{kv}/app#a",
                          "rotate": {"strategy": "none", "why": "a test"}}
    # a host that was written since makes its login no younger
    bao.put(f"{kv}/login", {"password": case.canaries.new("login")})
    bao.write(f"{kv}/metadata/login", {"custom_metadata": {
        "agent.URL": f'{{"at": "{LONG_AGO}", "id": "x", "by": "y"}}'}})
    bao.put(f"{kv}/host", {"host": "db.internal"})
    variables["URL"] = {**SECRET, "source": {"password": f"vault:{kv}/login#password",
                                             "host": f"vault:{kv}/host#host"},
                        "compose": "{host}/{password}", "rotate": MONTHLY}
    Project(case).contract(variables)
    env = through(case, forwarding(case))
    found = drift(case, env=env).expect(1)
    assert [p for p in problems(found) if p[1] == "expired"] == [
        ("A", "expired", "error"), ("URL", "expired", "error")]
    assert lacks(problem(found, "A", "expired")["message"], [LONG_AGO, "30d"]) == []
    old = forwarding(case, (r'"created_time":"[^"]*"', f'"created_time":"{LONG_AGO}"'))
    found = drift(case, env=through(case, old)).expect(1)
    assert [p[0] for p in problems(found) if p[1] == "expired"] == ["A", "B", "URL"]


def test_what_a_policy_or_an_old_engine_hides_is_a_warning(case: Case) -> None:
    bao, kv, old = case.openbao, case.openbao.kv(2), case.openbao.kv(1)
    bao.put(f"{kv}/app", {"a": case.canaries.new("a")})
    bao.put(f"{old}/app", {"a": case.canaries.new("old")}, version=1)
    (case.folder / "code").mkdir()
    Project(case).contract({"NEW": {**SECRET, "source": f"vault:{kv}/app#a"},
                            "OLD": {**SECRET, "source": f"vault:{old}/app#a"},
                            "LOST": {**SECRET, "source": f"vault:{kv}/lost#a"}})
    values_only = bao.new_token([bao.policy({f"{kv}/data/*": ["read"], f"{old}/*": ["read"]})])
    server = forwarding(case)
    found = drift(case, env=through(case, server, values_only)).expect(0)
    assert [p for p in problems(found) if p[1] == "source"] == [
        (name, "source", "warning") for name in ("NEW", "OLD", "LOST")]
    assert f'path "{kv}/subkeys/app"' in problem(found, "NEW", "source")["hint"]
    assert "KV version 2" in problem(found, "OLD", "source")["message"]
    assert not [p for p in asked(server) if p.startswith(f"GET /v1/{old}/")], asked(server)
    with_metadata = bao.new_token([bao.policy({f"{kv}/metadata/*": ["read"]})])
    found = drift(case, env=through(case, server, with_metadata)).expect(1)
    assert [p for p in problems(found) if p[0] in ("NEW", "LOST") and p[1] != "drift"] == [
        ("LOST", "required", "error")], problems(found)


def test_without_vault_or_a_living_token_drift_does_not_pass(case: Case) -> None:
    bao, kv = case.openbao, case.openbao.kv(2)
    bao.put(f"{kv}/app", {"a": case.canaries.new("a")})
    (case.folder / "code").mkdir()
    Project(case).contract({"A": {**SECRET, "source": f"vault:{kv}/app#a"}})
    dead = case.canaries.new("dead token")
    result = drift(case, env={"VAULT_ADDR": bao.address, "VAULT_TOKEN": dead}).expect(4)
    assert "the token has expired" in result.json()["error"]["message"]
    closed = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": dead, "VAULT_MAX_RETRIES": "0"}
    result = drift(case, env=closed).expect(3)
    assert result.json()["error"]["kind"] == "source-down"
    drift(case, "--env-only", env=closed).expect(0)


def test_a_log_in_for_drift_is_revoked(case: Case) -> None:
    bao, kv = case.openbao, case.openbao.kv(2)
    bao.put(f"{kv}/app", {"a": case.canaries.new("a")})
    role = bao.approle([bao.policy({f"{kv}/subkeys/*": ["read"]})])
    secret_id = case.folder.write("secret-id", role.secret_id, 0o600)
    (case.folder / "code").mkdir()
    server = forwarding(case)
    Project(case).contract(
        {"A": {**SECRET, "source": f"vault:{kv}/app#a"}},
        vault={"address": server.address, "auth": {
            "method": "approle", "mount": role.mount, "role_id": role.role_id,
            "secret_id": f"file:{secret_id}"}})
    found = drift(case).expect(0)
    assert problems(found) == [("A", "drift", "warning")]
    assert asked(server)[-1].endswith("/v1/auth/token/revoke-self"), asked(server)
