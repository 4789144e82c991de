"""The contract's `files`: written before the application starts, whole or not at all."""
from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from typing import Any, Dict, List

from tests.lib.case import Case, lacks
from tests.lib.processes import wait_until
from tests.lib.project import Project
from tests.lib.servers import ROOT

EXAMPLE = ROOT / "examples" / "entrypoint" / "passfile.contract.json"
SECRET = {"type": "string", "secret": True, "source": "env", "expose": "agent"}
LOGIN = """\
import sys
import psycopg
for turn in range(2):
    with psycopg.connect("") as connection:
        print(connection.execute("SELECT session_user").fetchone()[0], flush=True)
    if turn == 0:
        open("first", "w").close()
        sys.stdin.readline()
"""


def contract(case: Case, files: List[Dict[str, Any]], **variables: Any) -> Dict[str, str]:
    """A contract with these files and the secret PASSWORD; gives the environment."""
    Project(case).contract({"PASSWORD": SECRET, **variables}, files=files)
    return {"PASSWORD": case.canaries.new("password", prefix="a:b\\'")}


def test_a_file_has_what_the_environment_has_not(case: Case) -> None:
    env = contract(case, [{"path": "pw", "var": "PASSWORD"},
                          {"path": "conf", "mode": "0440", "template": "p={PASSWORD|json}{{}}\n"}])
    case.folder.write("app.sh", "echo \"${PASSWORD-none}\"; stat -c %a pw conf\n")
    result = case.agent("run", "--", "sh", "app.sh", env=env).expect(0)
    assert result.stdout == "none\n400\n440\n", result
    assert (case.folder / "pw").read_text() == env["PASSWORD"]
    assert (case.folder / "conf").read_text() == f"p={json.dumps(env['PASSWORD'])}{{}}\n"
    before = os.stat(case.folder / "pw")
    case.agent("run", "--", "true", env=env).expect(0)
    after = os.stat(case.folder / "pw")
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_example_logs_in_with_files_that_were_written_anew(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name, ttl="20m")
    case.defer(lambda: bao.request("PUT", f"sys/leases/revoke-prefix/{mount}"))
    text = EXAMPLE.read_text().replace("/run/acme", str(case.folder.path))
    text = text.replace("database/creds/acme", f"{mount}/creds/app")
    document = json.loads(text)
    del document["vault"], document["run"]
    for name, value in (("DB_HOST", "127.0.0.1"), ("DB_PORT", case.postgres.port),
                        ("DB_NAME", database.name)):
        document["vars"][name]["default"] = value
    case.folder.write("contract.json", json.dumps(document))
    case.folder.write("login.py", LOGIN)
    case.folder.write("more.sh", "cat pg_service.conf\n")
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token}
    started = case.make_agent().start("run", "--replace", "--", sys.executable, "login.py", env=env)
    wait_until(lambda: (case.folder / "first").exists() or started.ended(), "the first login")
    other = case.agent("run", "--replace", "--", "sh", "more.sh", env=env).expect(0)
    (user,) = [line[5:] for line in other.stdout.splitlines() if line.startswith("user=")]
    result = started.wait(text=b"\n").expect(0)
    users = result.stdout.split()
    assert len(users) == 2 and users[0] != users[1] == user, (result, other)
    assert stat.S_IMODE(os.stat(case.folder / "pgpass").st_mode) == 0o400


def test_a_link_at_the_place_starts_nothing(case: Case) -> None:
    env = contract(case, [{"path": "first", "var": "PASSWORD"}, {"path": "pw", "var": "PASSWORD"}])
    case.folder.write("kept", "kept\n")
    os.symlink("kept", case.folder / "pw")
    result = case.agent("run", "--", "touch", "started", env=env).expect(125)
    assert not lacks(result.stderr, ["pw' is a symbolic link", "not started (code 2)"]), result
    assert (case.folder / "kept").read_text() == "kept\n"
    assert not (case.folder / "started").exists() and not (case.folder / "first").exists()


def test_a_value_that_a_file_lacks_starts_nothing(case: Case) -> None:
    env = contract(case, [{"path": "pw", "template": "{PASSWORD}{GONE}"}],
                   GONE={"type": "string", "source": "env", "required": False})
    result = case.agent("run", "--", "touch", "started", env=env).expect(125)
    assert not lacks(result.stderr, ["contract.json", "'pw'", "'GONE' has no value", "code 1"]), result
    assert not (case.folder / "started").exists() and not (case.folder / "pw").exists()


def test_a_full_disk_leaves_the_old_file(case: Case) -> None:
    if os.geteuid() != 0:
        case.skip("only root may mount a small file system")
    env = contract(case, [{"path": "small/pw", "var": "PASSWORD"}])
    agent = shlex.quote(str(case.make_agent().binary))
    case.folder.write("kept", "the old one\n")
    script = ("mkdir small && mount -t tmpfs -o size=16k none small && cp kept small/pw && "
              "dd if=/dev/zero of=small/fill bs=1k count=64 2>/dev/null; "
              f"{agent} run -- touch started; echo $? >code; ls -a small >names; cp small/pw after")
    result = case.tool("unshare", "-m", "sh", "-c", script, env=env)
    if "unshare" in result.stderr or "mount:" in result.stderr:
        case.skip("no mount namespace here")
    assert (case.folder / "code").read_text() == "125\n", result
    assert "small/pw" in result.stderr and "No space left" in result.stderr, result
    assert (case.folder / "after").read_text() == "the old one\n"
    assert (case.folder / "names").read_text().split() == [".", "..", "fill", "pw"]
    assert not (case.folder / "started").exists()


def test_an_owner_that_can_not_be_is_said(case: Case) -> None:
    env = contract(case, [{"path": "pw", "var": "PASSWORD", "owner": "nobody-of-this-name"}])
    result = case.agent("run", "--", "true", env=env).expect(125)
    assert "there is no user 'nobody-of-this-name' here" in result.stderr, result
    assert not (case.folder / "pw").exists()
