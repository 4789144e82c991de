"""`agent fetch --explain`: where each value came from, and never the value."""
from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from typing import Any, Dict, List, Mapping, Optional

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.processes import plain_environment, wait_until
from tests.lib.project import Project

SECRET = {"type": "string", "secret": True}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def vault(case: Case) -> Dict[str, str]:
    """Where OpenBao is, and a token that may read everything."""
    return {"VAULT_ADDR": case.openbao.address, "VAULT_TOKEN": case.openbao.token}


def explain(case: Case, *args: str, env: Optional[Mapping[str, str]] = None) -> Result:
    """`agent fetch --explain`, whose output has no secret: the canaries are looked for in it."""
    return case.agent("fetch", "--explain", *args, env={**vault(case), **(env or {})})


def by_name(result: Result) -> Dict[str, Dict[str, Any]]:
    """The variables of the document."""
    return {one["name"]: one for one in result.json()["variables"]}


def everything(case: Case) -> Dict[str, str]:
    """A contract with a variable for each origin; gives the environment for it."""
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"key": case.canaries.new("old key")})
    bao.put(f"{mount}/app", {"key": case.canaries.new("key"), "user": "ann",
                             "password": case.canaries.new("password")})
    case.folder.write("secret", case.canaries.new("file") + "\n", 0o600)
    Project(case).contract({
        "ROLE": {"type": "string", "source": "env"},
        "KEY": {**SECRET, "source": f"vault:{mount}/app#key"},
        "URL": {**SECRET, "compose": "{u}:{p}@{h}",
                "source": {"u": f"vault:{mount}/app#user", "p": f"vault:{mount}/app#password",
                           "h": "env:DB_HOST"}},
        "FILE": {**SECRET, "source": "file:secret"},
        "INLINE": {**SECRET, "source": "env"},
        "OWN": {"type": "string", "source": "env"},
        "MODE": {"type": "enum", "values": ["smtp", "log"], "default": "log", "source": "env"},
        "GONE": {"type": "string", "source": f"vault:{mount}/app#nothing", "required": False},
        "MINE": {**SECRET, "source": f"vault:{mount}/app#key", "expose": "agent"}},
        profile={"var": "ROLE", "values": ["dev", "prod"], "default": "dev"})
    return {"DB_HOST": "db", "OWN": "own value", "INLINE": f"vault:{mount}/app#key", "MOUNT": mount}


def test_each_origin_is_told(case: Case) -> None:
    env = everything(case)
    path = f"vault:{env['MOUNT']}/app"
    got = by_name(explain(case, "--json", env=env).expect(0))
    assert {name: one["origin"] for name, one in got.items()} == {
        "ROLE": "profile", "KEY": "source", "URL": "source", "FILE": "source", "INLINE": "source",
        "OWN": "environment", "MODE": "default", "GONE": "nothing", "MINE": "not resolved"}
    assert (got["KEY"]["source"], got["KEY"]["version"]) == (f"{path}#key", 2)
    assert got["KEY"]["secret"] is True and got["OWN"]["secret"] is False
    assert got["URL"]["source"] is None and got["URL"]["version"] is None
    assert [(part["name"], part["source"], part["version"]) for part in got["URL"]["parts"]] == [
        ("u", f"{path}#user", 2), ("p", f"{path}#password", 2), ("h", "env:DB_HOST", None)]
    assert got["FILE"]["source"] == "file:secret" and got["OWN"]["source"] == "env:OWN"
    assert got["INLINE"]["source"] == f"{path}#key"
    assert [part["by"] for part in got["INLINE"]["parts"]] == ["INLINE"]
    assert not lacks(got["GONE"]["because"], ["no field 'nothing'", "key", "password", "user"])
    assert got["MINE"]["because"] == "used by agent only" and got["MINE"]["parts"] == []
    assert {one["lease_ends"] for one in got.values()} == {None}
    assert {one["fingerprint"] for one in got.values()} == {None}


def test_the_text_is_aligned_and_names_paths_and_versions(case: Case) -> None:
    env = everything(case)
    path = f"vault:{env['MOUNT']}/app"
    got = explain(case, env=env).expect(0)
    lines = got.stdout.splitlines()
    assert re.fullmatch(r"VARIABLE +FROM +SOURCE +NOTES", lines[0]), got
    start, source = lines[0].index("FROM"), lines[0].index("SOURCE")
    rows = {line.split()[0]: line for line in lines[1:] if line[0] != " "}
    assert list(rows) == ["ROLE", "KEY", "URL", "FILE", "INLINE", "OWN", "MODE", "GONE", "MINE"], got
    assert rows["KEY"][source:] == f"{path}#key@2" and rows["KEY"][start:].startswith("source ")
    url = lines.index(rows["URL"])
    assert [line[source:] for line in lines[url:url + 3]] == [
        f"u: {path}#user@2", f"p: {path}#password@2", "h: env:DB_HOST"], got
    assert "by env:INLINE" in rows["INLINE"] and "used by agent only" in rows["MINE"], got
    assert rows["MINE"][start:].startswith("not resolved")
    assert not [line for line in lines if line != line.rstrip()], "no blanks at the end of a line"
    assert not lacks(got.stderr, ["no fingerprints", "--fingerprint-key-file"]), got


def test_names_choose_and_agents_own_is_resolved_when_named(case: Case) -> None:
    env = everything(case)
    got = by_name(explain(case, "--json", "MINE", "OWN", env=env).expect(0))
    assert {name: one["origin"] for name, one in got.items()} == {
        "OWN": "environment", "MINE": "source"}
    wrong = explain(case, "MINNE", env=env).expect(2)
    assert wrong.stdout == "" and not lacks(wrong.stderr, ["MINNE", "Did you mean 'MINE'?"]), wrong


def test_shadowed_and_overriding_values_are_noted(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": case.canaries.new("x")})
    other = case.canaries.new("in the environment")
    source = f"vault:{mount}/app#x"
    Project(case).contract({"HIDDEN": {**SECRET, "source": source},
                            "SAME": {**SECRET, "source": source},
                            "OVER": {**SECRET, "source": source, "override": True}})
    got = by_name(explain(case, "--json", env={"HIDDEN": other, "OVER": other}).expect(0))
    assert (got["HIDDEN"]["origin"], got["HIDDEN"]["notes"]) == ("source", ["shadowed"])
    assert (got["SAME"]["origin"], got["SAME"]["notes"]) == ("source", [])
    assert (got["OVER"]["origin"], got["OVER"]["notes"]) == ("environment", ["override"])
    text = explain(case, env={"HIDDEN": other}).expect(0).stdout
    assert re.search(r"^HIDDEN .*shadowed$", text, re.MULTILINE), text


def test_the_end_of_a_lease_is_told_and_the_lease_is_revoked(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.database_engine(case.postgres, database.name)
    role = bao.approle([bao.policy({f"{mount}/creds/app": ["read"]})])
    Project(case).contract(
        {"URL": {**SECRET, "compose": "{u}:{p}",
                 "source": {"u": f"vault:{mount}/creds/app#username",
                            "p": f"vault:{mount}/creds/app#password"}}},
        vault={"auth": {"method": "approle", "mount": role.mount, "role_id": "env:ROLE_ID",
                        "secret_id": "env:SECRET_ID"}})
    env = {"VAULT_ADDR": bao.address, "ROLE_ID": role.role_id, "SECRET_ID": role.secret_id}
    one = by_name(case.agent("fetch", "--explain", "--json", env=env).expect(0))["URL"]
    assert re.fullmatch(TIME, one["lease_ends"]), one
    assert {part["lease_ends"] for part in one["parts"]} == {one["lease_ends"]}
    wait_until(lambda: bao.leases(f"{mount}/creds/app") == [], "the lease's end")
    text = case.agent("fetch", "--explain", env=env).expect(0).stdout
    assert "LEASE ENDS" in text and re.search(TIME, text), text


def test_what_fails_is_shown_with_all_that_does_not(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "1"})
    bao.put(f"{mount}/other", {"x": "1"})
    token = bao.new_token([bao.policy({f"{mount}/data/app": ["read"]})])
    Project(case).contract({"GOOD": {"type": "string", "source": f"vault:{mount}/app#x"},
                            "DENIED": {"type": "string", "source": f"vault:{mount}/other#x"},
                            "PORT": {"type": "port", "source": "env"},
                            "BOTH": {"type": "string", "compose": "{a}{b}",
                                     "source": {"a": f"vault:{mount}/app#x",
                                                "b": f"vault:{mount}/other#x"}}})
    env = {"VAULT_TOKEN": token, "PORT": "none"}
    got = explain(case, "--json", env=env).expect(4)
    assert got.json()["ok"] is False and got.json()["error"]["kind"] == "source-denied"
    assert {name: one["origin"] for name, one in by_name(got).items()} == {
        "GOOD": "source", "DENIED": "failed", "PORT": "environment", "BOTH": "failed"}
    assert [part["state"] for part in by_name(got)["BOTH"]["parts"]] == ["set", "failed"]
    text = explain(case, env=env).expect(4)
    assert re.search(r"^DENIED +failed", text.stdout, re.MULTILINE), text
    assert not lacks(text.stderr, ["DENIED", "403", "PORT"]), text
    Project(case).contract({"PORT": {"type": "port", "source": "env"}})
    bad = explain(case, "--json", env={"PORT": "none"}).expect(1)
    assert by_name(bad)["PORT"]["origin"] == "environment"
    assert bad.json()["error"]["kind"] == "violation"


def test_without_a_contract_references_are_explained(case: Case) -> None:
    bao = case.openbao
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": case.canaries.new("x")})
    env = {"X": f"vault:{mount}/app#x", "PLAIN": "as it is", "GONE": f"vault:{mount}/app#y"}
    good = by_name(explain(case, "--json", "X", "PLAIN", env=env).expect(0))
    assert (good["X"]["origin"], good["X"]["version"]) == ("source", 1)
    assert good["PLAIN"]["origin"] == "environment"
    got = explain(case, "--json", env=env).expect(4)
    assert {name: one["origin"] for name, one in by_name(got).items()} == {
        "X": "source", "GONE": "nothing"}
    assert explain(case, "--json", env={}).expect(2).json()["error"]["kind"] == "usage"


# ---- fingerprints -------------------------------------------------------------------------------------


def fingerprints(result: Result) -> Dict[str, Optional[str]]:
    """NAME → fingerprint."""
    return {name: one["fingerprint"] for name, one in by_name(result).items()}


def test_two_hosts_with_one_key_agree_where_their_values_do(case: Case) -> None:
    Project(case).contract({name: {"type": "string", "source": "env", "required": False}
                            for name in ("A", "B", "C")})
    keys = [case.folder.write(name, case.canaries.new(name, characters=40) + "\n", 0o600)
            for name in ("key", "another-key")]
    ask = ("--json", "--fingerprint-key-file")
    first = fingerprints(explain(case, *ask, str(keys[0]), env={"A": "same", "B": "same"}).expect(0))
    second = fingerprints(explain(case, *ask, "key", env={"A": "same", "B": "other"}).expect(0))
    assert first["A"] == second["A"] and first["B"] != second["B"]
    assert first["A"] != first["B"], "the name is in it: equal values do not show"
    assert first["C"] is None and re.fullmatch("[0-9a-f]{16}", first["A"] or "")
    third = fingerprints(explain(case, *ask, str(keys[1]), env={"A": "same"}).expect(0))
    assert third["A"] != first["A"]
    by_variable = explain(case, "--json", env={"A": "same", "AGENT_FINGERPRINT_KEY_FILE": "key"})
    assert fingerprints(by_variable.expect(0))["A"] == first["A"]
    text = explain(case, "--fingerprint-key-file", "key", env={"A": "same"}).expect(0)
    assert re.search(rf"^A .*{first['A']}$", text.stdout, re.MULTILINE) and text.stderr == "", text


def test_a_key_that_others_can_read_is_refused(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    key = case.folder.write("key", "k" * 40, 0o644)
    got = explain(case, "--fingerprint-key-file=key", env={"A": "1"}).expect(2)
    assert got.stdout == "" and not lacks(got.stderr, ["key", "0644", "chmod"]), got
    key.chmod(0o600)
    key.write_text("k" * 31)
    assert "too short" in explain(case, "--fingerprint-key-file=key", env={"A": "1"}).expect(2).stderr
    assert "no-key" in explain(case, "--fingerprint-key-file=no-key", env={"A": "1"}).expect(2).stderr


# ---- where it goes ------------------------------------------------------------------------------------


def test_it_may_go_to_a_terminal_and_to_a_file(case: Case) -> None:
    secret = case.canaries.new("a")
    Project(case).contract({"A": {**SECRET, "source": "env"}})
    outer, inner = pty.openpty()
    try:
        done = subprocess.run([str(case.make_agent().binary), "fetch", "--explain"],
                              stdin=subprocess.DEVNULL, stdout=inner, stderr=subprocess.PIPE,
                              env=plain_environment(case.folder.path, {"A": secret}),
                              cwd=case.folder.path, timeout=60, check=False)
        os.set_blocking(outer, False)
        text = os.read(outer, 4096).decode()
    finally:
        os.close(outer)
        os.close(inner)
    assert done.returncode == 0 and "env:A" in text and secret not in text, done
    written = explain(case, "--json", "-o", "out", env={"A": secret}).expect(0)
    assert written.stdout == ""
    assert [one["name"] for one in json.loads((case.folder / "out").read_text())["variables"]] == ["A"]
    refused: List[List[str]] = [["--explain", "--format", "json"], ["--fingerprint-key-file", "k"]]
    for call in refused:
        assert not lacks(case.agent("fetch", *call, env={"A": secret}).expect(2).stderr, ["--"])
