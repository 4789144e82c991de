"""A variable that is renamed while its rotation is open: its record is found, said, and left as it is."""
from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.project import Project
from tests.lib.rotating import RECORDS, Rotating

SOAKS = {"strategy": "random", "bytes": 32, "every": "30d", "grace": "1h"}
SOURCE = {"source": "vault:{mount}/app#KEY", "rotate": SOAKS}
POLICY = {"data/app": ["read", "patch"], "metadata/app": ["read", "patch"],
          "data/app.pending/*": ["create", "read", "update"], "metadata/app.pending/*": ["read", "delete"],
          "data/app.receipts/*": ["create", "read", "update"],
          "metadata/app.receipts/*": ["create", "read", "update"]}


def soaking(case: Case) -> Rotating:
    """KEY soaks."""
    r = Rotating(case, {"KEY": SOURCE}, {"KEY": case.canaries.new("first")})
    r.rotate("KEY").expect(0)
    know(r)
    return r


def know(r: Rotating) -> None:
    """Each value that is there is one that nobody may show."""
    for name, value in r.fields().items():
        r.case.canaries.add(f"{name} {value}", str(value))


def strays(shown: Result) -> List[Tuple[str, str]]:
    return [(one["name"], one["step"]) for one in shown.json()["strays"]]


def test_a_renamed_variables_rotation_is_found_and_gone_on_with(case: Case) -> None:
    r = soaking(case)
    record = r.record("KEY")
    assert strays(r.rotate("--status", "--json").expect(0)) == []
    r.contract({"NEW": SOURCE})
    shown = r.rotate("--status", "--json").expect(0)
    [one] = shown.json()["strays"]
    assert (one["name"], one["step"], one["error"]) == ("KEY", "soak", None), one
    assert one["started"] == record["started"] and f"'{r.mount}/app.pending/KEY' at 'http" in one["record"], one
    for call in (["--status"], ["--due"], ["--resume"]):
        said = r.rotate(*call).expect(0).stderr
        assert not lacks(said, ["a rotation of 'KEY' is open at the step 'soak'", "no variable of that name",
                                f"'{r.mount}/app.pending/KEY'", "give it the name 'KEY' again",
                                "'agent rotate --resume KEY'", "--rollback KEY"]), said
    assert "rotation of 'KEY'" not in r.rotate("--status", "NEW").expect(0).stderr
    assert r.record("KEY") == record, "it is left as it is"
    r.contract({"KEY": SOURCE})
    r.rotate("--rollback", "KEY").expect(0)
    r.contract({"NEW": SOURCE})
    assert strays(r.rotate("--status", "--json").expect(0)) == []


def test_what_it_says_is_what_the_step_allows(case: Case) -> None:
    r = soaking(case)
    record = r.record("KEY")
    r.contract({"NEW": SOURCE})
    for step, word in (("set", "--abort KEY goes back"), ("retire", "--rollback KEY goes back")):
        r.put_record("KEY", {**record, "step": step})
        said = r.rotate("--status").expect(0).stderr
        assert f"at the step '{step}'" in said and word in said, said
    r.contract({"NEW": SOURCE, "KEY": {**SOURCE, "rotate": {"strategy": "none", "why": "a test"}}})
    said = r.rotate("--status").expect(0).stderr
    assert not lacks(said, ["not what the contract rotates by this name", "Give 'KEY' the 'rotate'"]), said


def test_what_is_no_record_is_nobodys_business(case: Case) -> None:
    r = soaking(case)
    r.put_record("NOTES", {"text": "of people"})
    r.put_record("A/B", {"text": "in a folder"})
    r.put_record("GONE", r.record("KEY"))
    r.bao.request("DELETE", f"{r.mount}/data/app.pending/GONE")
    assert strays(r.rotate("--status", "--json").expect(0)) == []


def test_records_that_are_named_for_their_variables_are_found_beside(case: Case) -> None:
    r = Rotating(case, {"NEW": {**SOURCE, "source": "vault:{mount}/{lower_name}/kv#V"}})
    r.contract({"NEW": {**SOURCE, "source": "vault:{mount}/team/{lower_name}#V"}})
    record = {"format": 1, "id": "1", "variable": "OLD", "strategy": "random", "step": "test", "by": "me",
              "started": "2026-01-02T03:04:05Z", "fields": {"V": case.canaries.new("next")}}
    r.bao.put(f"{r.mount}/team/new", {"V": case.canaries.new("value")})
    r.bao.put(f"{r.mount}/team/old.pending/OLD", record)
    r.bao.put(f"{r.mount}/team/other.pending/THEIRS", {**record, "variable": "THEIRS"})  # no name of a variable
    r.bao.put(f"{r.mount}/elsewhere/old.pending/OLD", record)
    assert strays(r.rotate("--status", "--json").expect(0)) == [("OLD", "test")]


def test_records_of_what_lies_in_no_path_are_found_beside(case: Case) -> None:
    bao, database = case.openbao, case.database()
    mount = bao.static_role(case.postgres, database.name, database.owner.name)
    r = Rotating(case, {"NEW": {"source": f"vault:{mount}/static-creds/app#password",
                                "rotate": {"strategy": "vault-static", "mount": mount, "role": "app"}}})
    bao.put(f"{r.mount}/{RECORDS}/OLD.pending/OLD",
            {"format": 1, "id": "1", "variable": "OLD", "strategy": "vault-static", "step": "set", "by": "me",
             "started": "2026-01-02T03:04:05Z"})
    assert strays(r.rotate("--status", "--json").expect(0)) == [("OLD", "set")]


def test_one_of_many_is_counted_and_not_read(case: Case) -> None:
    r = soaking(case)
    record = r.record("KEY")
    for index in range(40):
        r.put_record(f"K{index}", record)
    shown = r.rotate("--status", "--json").expect(0)
    assert len(shown.json()["strays"]) == 32 and "8 more rotations are open" in shown.stderr, shown


def findings(r: Rotating, env: Dict[str, str]) -> List[Dict[str, Any]]:
    shown = r.case.agent("doctor", "--rotate", "--json", env={**r.env, **env})
    return [one for one in shown.json()["findings"] if one["subject"] == "open rotations"]


def test_a_policy_without_list_is_no_error_and_told_by_doctor(case: Case) -> None:
    r = soaking(case)
    r.contract({"NEW": SOURCE, "MORE": {**SOURCE, "source": "vault:{mount}/app#MORE"}})
    env = {}
    for more in ({}, {"metadata/app.pending": ["list"]}):
        policy = r.bao.policy({f"{r.mount}/{path}": what for path, what in {**POLICY, **more}.items()})
        env[bool(more)] = {"VAULT_TOKEN": case.canaries.add(f"token of {policy}", r.bao.new_token([policy]))}
    shown = r.rotate("--status", "--json", env=env[False]).expect(0)
    assert strays(shown) == [] and "renamed" not in shown.stderr, shown
    [told] = findings(r, env[False])
    assert told["severity"] == "ok" and "not known everywhere" in told["message"], told
    assert f'path "{r.mount}/metadata/app.pending" {{ capabilities = ["list"] }}' in told["hint"], told
    assert strays(r.rotate("--status", "--json", env=env[True]).expect(0)) == [("KEY", "soak")]
    [told] = findings(r, env[True])
    assert told["severity"] == "warning" and "'KEY'" in told["message"] and "--rollback KEY" in told["hint"], told
    r.contract({"KEY": SOURCE})
    [told] = findings(r, env[True])
    assert told["severity"] == "ok" and "none belongs to no variable" in told["message"], told


def test_a_record_in_the_sealed_store_is_found_too(case: Case) -> None:
    env = {"AGENT_SEALED_KEY_FILE": str(case.folder.path / "mine")}

    def contract(name: str) -> None:
        Project(case).contract({name: {"secret": True, "source": "sealed:KEY", "rotate": SOAKS}})

    contract("KEY")
    case.agent("seal", "init", env=env).expect(0)
    case.agent("seal", "set", "KEY", env=env, text=case.canaries.new("first").encode()).expect(0)
    case.agent("rotate", "KEY", env=env).expect(0)
    contract("NEW")
    shown = case.agent("rotate", "--status", "--json", env=env).expect(0)
    assert strays(shown) == [("KEY", "soak")] and "'KEY.pending' in '" in shown.json()["strays"][0]["record"]
    before = json.loads((case.folder.path / "sealed.json").read_text())
    assert "--rollback KEY" in case.agent("rotate", "--due", env=env).expect(0).stderr
    assert json.loads((case.folder.path / "sealed.json").read_text()) == before
    contract("KEY")
    case.agent("rotate", "--rollback", "KEY", env=env).expect(0)
