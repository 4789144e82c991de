"""`agent rotate`: a whole rotation in KV and in the sealed store, what is shown of it, and what refuses it."""
from __future__ import annotations

import json
import re
import signal
import time
from typing import Any, Dict, List, Optional

from tests.lib import rotation_doc
from tests.lib.case import Case
from tests.lib.processes import free_port, wait_until
from tests.lib.project import Project
from tests.lib.servers import OpenBao

RANDOM = {"strategy": "random", "bytes": 32, "every": "30d"}


def kv_read(bao: OpenBao, path: str) -> Dict[str, Any]:
    mount, _, rest = path.partition("/")
    return dict(bao.request("GET", f"{mount}/data/{rest}")["data"])


def metadata(bao: OpenBao, path: str) -> Dict[str, Any]:
    mount, _, rest = path.partition("/")
    return dict(bao.request("GET", f"{mount}/metadata/{rest}")["data"])


def missing(bao: OpenBao, path: str) -> bool:
    mount, _, rest = path.partition("/")
    try:
        bao.request("GET", f"{mount}/metadata/{rest}")
    except Exception as problem:
        assert getattr(problem, "status", 0) == 404, problem
        return True
    return False


class Vaulted:
    """A contract whose secrets are fields of one KV path."""

    def __init__(self, case: Case, names: Dict[str, Dict[str, Any]], bao: Optional[OpenBao] = None,
                 **more: Any) -> None:
        self.case, self.bao = case, bao or case.openbao
        self.mount = self.bao.kv(2)
        self.path = f"{self.mount}/acme/app"
        self.fields = {name: case.canaries.new(f"first {name}") for name in names}
        self.bao.put(self.path, {**self.fields, "OTHER": "stays", "count": 7})
        self.env = {"VAULT_ADDR": self.bao.address, "VAULT_TOKEN": self.bao.token}
        Project(case).contract({
            name: {"type": "string", "secret": True, "source": f"vault:{self.path}#{name}",
                   "rotate": rotate} for name, rotate in names.items()}, **more)

    def rotate(self, *args: str, **how: Any) -> Any:
        how.setdefault("env", self.env)
        return self.case.agent("rotate", *args, **how)

    def now(self) -> Dict[str, Any]:
        data = kv_read(self.bao, self.path)["data"]
        for name in self.fields:
            self.case.canaries.add(f"{name} {data[name]}", str(data[name]))
        return dict(data)


# ---- a whole one -----------------------------------------------------------------------------------------


def test_a_rotation_replaces_its_field_and_no_other(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM, "SECOND": RANDOM})
    done = v.rotate("KEY", "--json", "--reason", "a test").expect(0).json()
    assert done["command"] == "rotate" and done["ok"] is True
    [one] = done["rotated"]
    assert (one["name"], one["ok"], one["ending"], one["error"]) == ("KEY", True, "done", None)
    now = v.now()
    assert now["KEY"] != v.fields["KEY"] and len(now["KEY"]) >= 43
    assert now["SECOND"] == v.fields["SECOND"] and now["OTHER"] == "stays" and now["count"] == 7
    assert missing(v.bao, v.path + ".pending/KEY"), "the record is gone"
    mark = json.loads(metadata(v.bao, v.path)["custom_metadata"]["agent.KEY"])
    assert mark["id"] == one["id"] and set(mark) == {"at", "id", "by"}
    receipts = metadata(v.bao, v.path + ".receipts/KEY")
    assert receipts["max_versions"] == 50 and receipts["current_version"] == 1


def test_what_is_written_follows_the_source_of_the_profile(case: Case) -> None:
    bao, mount = case.openbao, case.openbao.kv(2)
    first = {profile: case.canaries.new(f"of {profile}") for profile in ("dev", "prod")}
    for profile, value in first.items():
        bao.put(f"{mount}/{profile}/db", {"who": "app", "word": value, "host": "db.internal"})
    Project(case).contract({
        "ROLE": {"type": "enum", "values": ["dev", "test", "prod"], "source": "env"},
        "URL": {"type": "postgres-url", "secret": True, "source": {
            "user": f"vault:{mount}/data/{{profile}}/db#who",
            "password": f"vault:{mount}/data/{{profile}}/db#word",
            "host": f"vault:{mount}/data/{{profile}}/db#host"},
            "compose": "postgresql://{user|url}:{password|url}@{host}/app",
            "profiles": {"test": {"source": "env", "compose": None}},
            "rotate": {"strategy": "random", "length": 40, "every": "30d"}}},
        profile={"var": "ROLE", "values": ["dev", "test", "prod"]})
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token}
    case.agent("rotate", "URL", "--profile", "prod", env=env).expect(0)
    after = kv_read(bao, f"{mount}/prod/db")["data"]
    assert (after["who"], after["host"]) == ("app", "db.internal") and len(after["word"]) == 40
    assert kv_read(bao, f"{mount}/dev/db")["data"]["word"] == first["dev"]
    assert missing(bao, f"{mount}/prod/db.pending/URL")
    elsewhere = case.agent("rotate", "URL", "--profile", "test", env=env).expect(2)
    assert "not rotated in profile 'test'" in elsewhere.stderr
    shown = case.agent("rotate", "--status", "--profile", "test", "--json", env=env).expect(0)
    assert shown.json()["secrets"] == []


def test_history_says_who_when_and_why_without_values(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    for why in ("the first", "the second"):
        v.rotate("KEY", "--reason", why).expect(0)
        v.now()
    shown = v.rotate("--history", "KEY", "--json").expect(0).json()["history"]
    assert [one["reason"] for one in shown] == ["the second", "the first"], "newest first"
    who = v.bao.request("GET", "auth/token/lookup-self")["data"]["display_name"]
    assert all(one["result"] == "done" and one["by"] == who and one["strategy"] == "random"
               for one in shown)
    text = v.rotate("--history", "KEY").expect(0).stdout
    assert "because: the second" in text and f"by {who}" in text


# ---- status ----------------------------------------------------------------------------------------------


def status(v: Vaulted, *args: str, code: int = 0) -> Dict[str, Dict[str, Any]]:
    shown = v.rotate("--status", "--json", *args).expect(code).json()
    return {one["name"]: one for one in shown["secrets"]}


def mark(v: Vaulted, name: str, age_s: float) -> None:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age_s))
    custom = {**(metadata(v.bao, v.path)["custom_metadata"] or {}),
              f"agent.{name}": json.dumps({"at": at, "id": "x", "by": "y"})}
    v.bao.write(f"{v.mount}/metadata/acme/app", {"custom_metadata": custom})


def test_status_knows_due_and_overdue_and_whose_age_it_is(case: Case) -> None:
    hour = {"strategy": "random", "every": "1h"}
    v = Vaulted(case, {name: hour for name in ("YOUNG", "DUE", "OVER", "NEVER", "AHEAD")})
    for name, age in (("YOUNG", 1800), ("DUE", 3600 * 1.2), ("OVER", 3600 * 1.3), ("AHEAD", -7200)):
        mark(v, name, age)
    shown = status(v, code=1)
    assert {name: one["state"] for name, one in shown.items()} == {
        "YOUNG": "ok", "DUE": "due", "OVER": "overdue", "NEVER": "ok", "AHEAD": "unknown"}
    assert shown["NEVER"]["since"] == "created_time" and shown["YOUNG"]["since"] == "rotation"
    assert abs(shown["DUE"]["age_s"] - 4320) < 60 and shown["DUE"]["every_s"] == 3600
    assert "clock" in shown["AHEAD"]["error"]["message"]
    text = v.rotate("--status").expect(1).stdout
    assert "overdue" in text and "agent never rotated it" in text
    assert v.rotate("--status", "YOUNG").expect(0), "only what is named counts"


def test_a_status_that_nobody_could_look_at_is_no_success(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM}, vault={"deadline": "300ms"})
    down = {**v.env, "VAULT_ADDR": f"http://127.0.0.1:{free_port()}"}
    shown = v.rotate("--status", "--json", env=down).expect(3).json()
    assert [one["state"] for one in shown["secrets"]] == ["unknown"] and shown["error"]["code"] == 3
    v.rotate("--status", env=limited(v, {f"{v.mount}/config": ["read"]})).expect(4)


def test_due_rotates_what_is_due_in_order_and_past_a_failure(case: Case) -> None:
    hour = {"strategy": "random", "every": "1h"}
    v = Vaulted(case, {
        "LAST": {**hour, "depends_on": ["FIRST"]},
        "FIRST": hour,
        "BAD": {**hour, "bytes": 4},
        "BEHIND": {**hour, "depends_on": ["BAD"]},
        "YOUNG": hour})
    for name in ("LAST", "FIRST", "BAD", "BEHIND"):
        mark(v, name, 7200)
    shown = v.rotate("--due", "--json")
    results = shown.json()["rotated"]
    assert [(one["name"], one["ok"]) for one in results] == [
        ("FIRST", True), ("LAST", True), ("BAD", False), ("BEHIND", False)]
    assert "comes before it" in results[3]["error"]["message"]
    assert shown.code == 2, "the worst of them: the contract asks for too little"
    now = v.now()
    assert now["YOUNG"] == v.fields["YOUNG"] and now["BEHIND"] == v.fields["BEHIND"]
    assert "nothing is due" in v.rotate("--due", "YOUNG").expect(0).stdout


def test_what_is_due_and_open_is_not_passed_over(case: Case) -> None:
    v = Vaulted(case, {name: {"strategy": "random", "every": "1h"} for name in ("STUCK", "YOUNG", "OTHER")})
    for name, age in (("STUCK", 7200), ("YOUNG", 60), ("OTHER", 7200)):
        mark(v, name, age)
    record(v, "STUCK")
    record(v, "YOUNG")
    shown = v.rotate("--due", "--json").expect(7).json()["rotated"]
    assert [(one["name"], one["ending"]) for one in shown] == [("STUCK", "open"), ("OTHER", "done")], shown
    assert shown[0]["by"] == "somebody" and "--resume STUCK" in shown[0]["error"]["hint"]
    v.rotate("--resume", "STUCK").expect(0)
    assert "nothing is due" in v.rotate("--due").expect(0).stdout, "one that is open is no news before its time"


def test_metrics_are_what_prometheus_reads(case: Case) -> None:
    from prometheus_client.parser import text_string_to_metric_families
    v = Vaulted(case, {"KEY": RANDOM, "OVER": {"strategy": "random", "every": "1h"}})
    mark(v, "OVER", 7200)
    file = case.folder.path / "agent.prom"
    v.rotate("KEY", "--metrics", str(file)).expect(0)
    v.rotate("--status", "--metrics", str(file)).expect(1)
    samples = {(sample.name, sample.labels.get("name")): sample.value
               for family in text_string_to_metric_families(file.read_text())
               for sample in family.samples}
    assert samples["agent_secret_overdue", "OVER"] == 1 and samples["agent_secret_due", "KEY"] == 0
    assert samples["agent_secret_age_seconds", "KEY"] < 600
    assert samples["agent_secret_age_seconds", "OVER"] >= 7200
    assert samples["agent_secret_last_rotation_success", "KEY"] == 1
    assert ("agent_secret_last_rotation_success", "OVER") not in samples
    assert samples["agent_secret_open", "KEY"] == 0
    assert oct(file.stat().st_mode & 0o777) == "0o644"


# ---- open ones -------------------------------------------------------------------------------------------


def record(v: Vaulted, name: str, **members: Any) -> None:
    body = {"format": 1, "id": "an-id", "variable": name, "strategy": "random", "step": "set",
            "started": "2026-11-26T01:02:03Z", "by": "somebody", "reason": "", "base_version": 1,
            "runner": "another", "sequence": 1, "fields": {name: "pending-value-of-another"},
            "former": {name: v.fields[name]}, **members}
    v.bao.put(f"{v.path}.pending/{name}", body)


def test_an_open_one_is_refused_shown_and_gone_on_with(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    record(v, "KEY")
    refused = v.rotate("KEY", "--json").expect(7).json()
    [one] = refused["rotated"]
    assert one["by"] == "somebody" and one["started"] == "2026-11-26T01:02:03Z"
    assert "--resume KEY" in one["error"]["hint"] and refused["error"]["code"] == 7
    shown = status(v, code=1)["KEY"]
    assert (shown["state"], shown["step"], shown["by"]) == ("open", "set", "somebody")
    done = v.rotate("--resume", "--json").expect(0).json()["rotated"]
    assert [(one["name"], one["ending"], one["id"]) for one in done] == [("KEY", "done", "an-id")]
    assert kv_read(v.bao, v.path)["data"]["KEY"] == "pending-value-of-another"
    assert v.rotate("--resume").expect(0).stdout == "nothing is open\n"
    assert v.rotate("--resume", "KEY").expect(0).stdout.startswith("KEY: nothing was open")


def test_init_makes_the_first_value_beside_others_and_changes_none(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    v.bao.put(v.path, {"OTHER": "stays", "count": 7})
    v.rotate("--init", "KEY").expect(0)
    first = v.now()
    assert first["KEY"] and first["OTHER"] == "stays" and first["count"] == 7, "the first value is made"
    again = v.rotate("--init", "KEY").expect(0)
    assert v.now() == first and "rotated" not in again.stdout, again


def test_abort_gives_it_back_and_rollback_has_nothing_to_do(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    record(v, "KEY")
    v.rotate("--abort", "KEY").expect(0)
    assert v.now()["KEY"] == v.fields["KEY"] and missing(v.bao, v.path + ".pending/KEY")
    [one] = v.rotate("--history", "KEY", "--json").expect(0).json()["history"]
    assert one["result"] == "aborted"
    assert status(v)["KEY"]["since"] == "created_time", "what was undone rotated nothing"
    v.rotate("--abort", "KEY").expect(0)
    v.rotate("--rollback", "KEY").expect(1)


def test_grace_soaks_and_the_next_run_goes_on(case: Case) -> None:
    v = Vaulted(case, {"KEY": {**RANDOM, "grace": "1s", "every": "1h"},
                       "LONG": {**RANDOM, "grace": "1h", "every": "1d"}})
    [one] = v.rotate("LONG", "--json").expect(0).json()["rotated"]
    assert one["ending"] == "soaking" and one["soak_until"]
    assert status(v)["LONG"]["state"] == "soaking"
    v.rotate("--rollback", "LONG").expect(0)
    assert v.now()["LONG"] == v.fields["LONG"]
    [one] = v.rotate("KEY", "--wait", "--json").expect(0).json()["rotated"]
    assert one["ending"] == "done"


def test_what_has_leaked_ends_at_once(case: Case) -> None:
    v = Vaulted(case, {"KEY": {**RANDOM, "grace": "1h"}})
    [one] = v.rotate("KEY", "--json").expect(0).json()["rotated"]
    assert one["ending"] == "soaking"
    second = v.now()["KEY"]
    [one] = v.rotate("KEY", "--no-grace", "--json").expect(0).json()["rotated"]
    assert one["ending"] == "done" and v.now()["KEY"] == second, "the one that soaked is over"
    assert "soak" not in v.rotate("KEY", "--no-grace", "--dry-run").expect(0).stdout
    [one] = v.rotate("KEY", "--no-grace", "--reason", "leaked", "--json").expect(0).json()["rotated"]
    assert one["ending"] == "done" and v.now()["KEY"] != second
    assert "takes names" in v.rotate("--due", "--no-grace").expect(2).stderr
    v.rotate("KEY", "--no-grace", "--wait").expect(2)


def test_a_record_that_cannot_be_read_is_left_alone(case: Case) -> None:
    for members, said in (({"format": 99}, "later version"), ({"step": "dance"}, "no step"),
                          ({"variable": "OTHER"}, "OTHER"), ({"fields": [1]}, "none of agent's"),
                          ({"strategy": "hook"}, "the contract says 'random'")):
        v = Vaulted(case, {"KEY": RANDOM})
        record(v, "KEY", **members)
        before = kv_read(v.bao, v.path + ".pending/KEY")["data"]
        for args in (["KEY"], ["--resume", "KEY"], ["--abort", "KEY"]) if "format" in members \
                else (["--resume", "KEY"],):
            result = v.rotate(*args).expect(7)
            assert said in result.stderr and ".pending/KEY" in result.stderr, said
            assert "Nothing was changed" in result.stderr
        assert kv_read(v.bao, v.path + ".pending/KEY")["data"] == before
        assert v.now()["KEY"] == v.fields["KEY"]
        assert status(v, code=1)["KEY"]["state"] == "open"


def test_what_somebody_wrote_meanwhile_is_kept(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    record(v, "KEY", step="promote")
    by_hand = case.canaries.new("by hand")
    v.bao.put(v.path, {**v.fields, "KEY": by_hand, "OTHER": "stays", "count": 7})
    for args in (["--resume", "KEY"], ["--resume"], ["KEY"]):
        v.rotate(*args).expect(7)
        assert v.now()["KEY"] == by_hand
    v.rotate("--abort", "KEY").expect(0)
    assert v.now()["KEY"] == by_hand and missing(v.bao, v.path + ".pending/KEY")
    v.rotate("KEY").expect(0)


def held(case: Case) -> Dict[str, Any]:
    """A rotation that stays in its test until the file `go` is there."""
    case.folder.write("hold", "#!/bin/sh\n: >here\nuntil [ -e go ]; do sleep 0.02; done\n", 0o755)
    return {**RANDOM, "test": {"command": ["./hold"]}}


def test_a_signal_parks_it_where_it_is(case: Case) -> None:
    v = Vaulted(case, {"KEY": held(case)})
    running = case.make_agent().start("rotate", "KEY", "--json", env=v.env)
    wait_until(lambda: (case.folder.path / "here").exists(), "the step 'test'")
    running.signal(signal.SIGTERM)
    [one] = running.wait().expect(128 + signal.SIGTERM).json()["rotated"]
    assert one["ending"] == "open" and "SIGTERM" in one["error"]["message"]
    shown = status(v, code=1)["KEY"]
    assert (shown["state"], shown["step"]) == ("open", "test")
    case.folder.write("go", "")
    v.rotate("--resume", "KEY").expect(0)
    assert v.now()["KEY"] != v.fields["KEY"]


def test_what_breaks_the_contract_is_not_promoted(case: Case) -> None:
    v = Vaulted(case, {"KEY": {"strategy": "manual", "steps": ["x"]}})
    contract = json.loads((case.folder.path / "contract.json").read_text())
    contract["vars"]["KEY"]["prefix"] = "re_"
    case.folder.write("contract.json", json.dumps(contract))
    value = case.canaries.new("of another kind")
    result = v.rotate("KEY", "--value-stdin", "--json", text=value.encode()).expect(1)
    [one] = result.json()["rotated"]
    assert one["ending"] == "undone" and "`re_`" in one["error"]["message"]
    assert v.now()["KEY"] == v.fields["KEY"] and missing(v.bao, v.path + ".pending/KEY")
    right = case.canaries.new("right", prefix="re_")
    v.rotate("KEY", "--value-stdin", text=right.encode()).expect(0)
    assert v.now()["KEY"] == right


def test_a_token_that_ends_between_two_steps_parks_it_for_another(case: Case) -> None:
    v = Vaulted(case, {"KEY": held(case)})
    env = limited(v, rules(v))
    running = case.make_agent().start("rotate", "KEY", "--json", env=env)
    wait_until(lambda: (case.folder.path / "here").exists(), "the step 'test'")
    v.bao.write("auth/token/revoke", {"token": env["VAULT_TOKEN"]})
    case.folder.write("go", "")
    result = running.wait().expect(7)
    [one] = result.json()["rotated"]
    assert one["ending"] == "open" and v.now()["KEY"] == v.fields["KEY"]
    assert "--resume KEY" in one["error"]["hint"]
    v.rotate("--resume", "KEY").expect(0)
    assert v.now()["KEY"] != v.fields["KEY"]


def test_a_vault_that_is_sealed_between_two_steps_parks_it(case: Case) -> None:
    bao = case.openbao_of_its_own()
    v = Vaulted(case, {"KEY": held(case)}, bao=bao, vault={"deadline": "300ms"})
    running = case.make_agent().start("rotate", "KEY", env=v.env)
    wait_until(lambda: (case.folder.path / "here").exists(), "the step 'test'")
    bao.seal()
    case.folder.write("go", "")
    result = running.wait().expect(7)
    assert "sealed" in result.stderr and "--resume KEY" in result.stderr
    assert v.rotate("--resume", "KEY").code in (3, 7), "it is sealed still"
    bao.unseal()
    v.rotate("--resume", "KEY").expect(0)
    assert v.now()["KEY"] != v.fields["KEY"]


# ---- what Vault refuses ----------------------------------------------------------------------------------


def test_kv_version_1_is_refused_with_the_reason(case: Case) -> None:
    mount = case.openbao.kv(1)
    case.openbao.put(f"{mount}/app", {"KEY": "v"}, version=1)
    Project(case).contract({"KEY": {"type": "string", "secret": True, "rotate": RANDOM,
                                    "source": f"vault:{mount}/app#KEY"}})
    env = {"VAULT_ADDR": case.openbao.address, "VAULT_TOKEN": case.openbao.token}
    result = case.agent("rotate", "KEY", env=env).expect(2)
    assert "check-and-set" in result.stderr
    case.agent("rotate", "--status", env=env).expect(0)


def limited(v: Vaulted, rules: Dict[str, List[str]]) -> Dict[str, str]:
    policy = v.bao.policy(rules)
    token = v.case.canaries.add(f"token of {policy}", v.bao.new_token([policy]))
    return {**v.env, "VAULT_TOKEN": token}


FULL = {"data/acme/app": ["read", "patch"], "metadata/acme/app": ["read", "patch"],
        "data/acme/app.pending/*": ["create", "read", "update"],
        "metadata/acme/app.pending/*": ["read", "delete"],
        "data/acme/app.receipts/*": ["create", "read", "update"],
        "metadata/acme/app.receipts/*": ["create", "read", "update"]}


def rules(v: Vaulted, without: Optional[str] = None, **changed: Any) -> Dict[str, List[str]]:
    return {f"{v.mount}/{path}": what for path, what in {**FULL, **changed}.items()
            if path != without}


def test_the_least_policy_is_enough(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    env = limited(v, rules(v))
    v.rotate("KEY", "--dry-run", env=env).expect(0)
    v.rotate("KEY", env=env).expect(0)
    assert v.now()["KEY"] != v.fields["KEY"]
    assert len(v.rotate("--history", "KEY", "--json", env=env).expect(0).json()["history"]) == 1
    [one] = v.rotate("--status", "--json", env=env).expect(0).json()["secrets"]
    assert (one["state"], one["since"]) == ("ok", "rotation")
    mark(v, "KEY", 40 * 24 * 3600)
    [one] = v.rotate("--due", "--json", env=env).expect(0).json()["rotated"]
    assert one["ending"] == "done"


def test_patch_may_be_replaced_by_read_and_update(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    env = limited(v, rules(v, **{"data/acme/app": ["read", "update"],
                                 "metadata/acme/app": ["read", "update"]}))
    v.rotate("KEY", env=env).expect(0)
    now = v.now()
    assert now["KEY"] != v.fields["KEY"] and now["count"] == 7 and now["OTHER"] == "stays"


def test_a_missing_right_is_named_with_its_policy(case: Case) -> None:
    for path, code in (("data/acme/app.pending/*", 4), ("data/acme/app", 4)):
        v = Vaulted(case, {"KEY": RANDOM})
        env = limited(v, rules(v, without=path))
        result = v.rotate("KEY", env=env).expect(code)
        assert f'path "{v.mount}/{path.replace("*", "KEY")}"' in result.stderr
        planned = v.rotate("KEY", "--dry-run", env=env)
        assert planned.code in (1, 4) and v.mount in planned.stdout + planned.stderr
        assert v.now()["KEY"] == v.fields["KEY"]


def test_notes_that_a_policy_forbids_are_missed_and_said(case: Case) -> None:
    for path in ("metadata/acme/app", "data/acme/app.receipts/*", "metadata/acme/app.receipts/*"):
        v = Vaulted(case, {"KEY": RANDOM})
        env = limited(v, rules(v, without=path))
        shown = v.rotate("KEY", "--json", env=env).expect(1)
        [one] = shown.json()["rotated"]
        assert one["ending"] == "warnings"
        assert f'path "{v.mount}/{path.replace("*", "KEY")}"' in one["warnings"][0]
        assert v.now()["KEY"] != v.fields["KEY"], "it is promoted, and works"
        assert missing(v.bao, v.path + ".pending/KEY")


def test_a_record_that_may_not_be_erased_stays_for_somebody_who_may(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    path = "metadata/acme/app.pending/*"
    result = v.rotate("KEY", env=limited(v, rules(v, without=path))).expect(7)
    assert f'path "{v.mount}/{path.replace("*", "KEY")}"' in result.stderr
    assert v.now()["KEY"] != v.fields["KEY"], "it is promoted, and works"
    v.rotate("--resume", "KEY").expect(0)
    assert missing(v.bao, v.path + ".pending/KEY")
    history = v.rotate("--history", "KEY", "--json").expect(0).json()["history"]
    assert len(history) == 1, "the same receipt is not written twice"


# ---- the sealed store ------------------------------------------------------------------------------------


class Sealed:
    """A contract whose secrets are in the sealed store."""

    def __init__(self, case: Case, names: Dict[str, Dict[str, Any]]) -> None:
        self.case = case
        self.env = {"AGENT_SEALED_KEY_FILE": str(case.folder.path / "keys" / "mine")}
        Project(case).contract({
            name: {"type": "string", "secret": True, "source": f"sealed:{name}", "rotate": rotate}
            for name, rotate in names.items()})
        case.agent("seal", "init", env=self.env).expect(0)
        self.first = {name: case.canaries.new(f"first {name}") for name in names}
        for name, value in self.first.items():
            case.agent("seal", "set", name, env=self.env, text=value.encode()).expect(0)

    def rotate(self, *args: str) -> Any:
        return self.case.agent("rotate", *args, env=self.env)

    def value(self, name: str) -> str:
        shown = self.case.agent("seal", "get", name, env=self.env, prints_secrets=True).expect(0)
        return self.case.canaries.add(f"{name} {shown.stdout}", shown.stdout)


def test_the_sealed_store_is_rotated_too(case: Case) -> None:
    s = Sealed(case, {"KEY": RANDOM, "OTHER": RANDOM})
    assert s.rotate("--status", "--json").expect(0).json()["secrets"][0]["state"] == "unknown"
    [one] = s.rotate("KEY", "--json", "--reason", "sealed").expect(0).json()["rotated"]
    assert one["ending"] == "done" and "@" in one["by"]
    assert s.value("KEY") != s.first["KEY"] and s.value("OTHER") == s.first["OTHER"]
    listed = case.agent("seal", "list", "--json", env=s.env).expect(0).json()
    assert listed["names"] == ["KEY", "OTHER"] and listed["rotations"] == ["KEY.receipts"]
    exported = case.agent("seal", "export", "--format", "json", env=s.env, prints_secrets=True)
    assert set(exported.expect(0).json()) == {"KEY", "OTHER"}
    [receipt] = s.rotate("--history", "KEY", "--json").expect(0).json()["history"]
    assert receipt["reason"] == "sealed" and receipt["result"] == "done" and "@" in receipt["by"]
    shown = {one["name"]: one for one in s.rotate("--status", "--json").expect(0).json()["secrets"]}
    assert shown["KEY"]["state"] == "ok" and shown["KEY"]["since"] == "rotation"
    case.agent("check", env=s.env).expect(0)


def test_a_passphrase_opens_the_store_for_a_rotation(case: Case) -> None:
    s = Sealed(case, {"KEY": RANDOM})
    file = case.folder.write("passphrase", case.canaries.new("passphrase") + "\n", 0o600)
    case.agent("seal", "rekey", "--add", "passphrase", "--label", "people", "--new-passphrase-file",
               str(file), env=s.env).expect(0)
    env = {"AGENT_SEALED_PASSPHRASE_FILE": str(file),
           "AGENT_SEALED_KEY_FILE": str(case.folder.path / "nowhere")}
    case.agent("rotate", "KEY", env=env).expect(0)
    assert s.value("KEY") != s.first["KEY"]


def test_a_soaking_record_lies_in_the_sealed_store(case: Case) -> None:
    s = Sealed(case, {"KEY": {**RANDOM, "grace": "1h"}})
    s.rotate("KEY").expect(0)
    listed = case.agent("seal", "list", "--json", env=s.env).expect(0).json()
    assert listed["rotations"] == ["KEY.pending"] and listed["names"] == ["KEY"]
    assert "of rotations\n  KEY.pending" in case.agent("seal", "list", env=s.env).expect(0).stdout
    case.agent("seal", "get", "KEY.pending", env=s.env).expect(2)
    s.rotate("--rollback", "KEY").expect(0)
    assert s.value("KEY") == s.first["KEY"]
    [receipt] = s.rotate("--history", "KEY", "--json").expect(0).json()["history"]
    assert receipt["result"] == "rolled back"
    s.rotate("KEY").expect(0)
    case.agent("seal", "rm", "KEY.pending", env=s.env).expect(0)
    assert "nothing was open" in s.rotate("--resume", "KEY").expect(0).stdout


# ---- what lies in no KV path -----------------------------------------------------------------------------


def engine_contract(case: Case, records: bool = True) -> Dict[str, str]:
    """A static role's password, and where its record goes."""
    bao, database = case.openbao, case.database()
    mount = bao.static_role(case.postgres, database.name, database.owner.name)
    kv = bao.kv(2)
    more = {"records": f"vault:{kv}/.agent/{{name}}"} if records else {}
    Project(case).contract({"PASSWORD": {
        "type": "string", "secret": True, "source": f"vault:{mount}/static-creds/app#password",
        "rotate": {"strategy": "vault-static", "mount": mount, "role": "app", "every": "30d"}}},
        **more)
    return {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token, "KV": kv}


def test_an_engines_password_has_its_record_where_the_contract_says(case: Case) -> None:
    env = engine_contract(case)
    kv = env.pop("KV")
    [one] = case.agent("rotate", "--status", "--json", env=env).expect(0).json()["secrets"]
    assert one["since"] == "created_time" and one["state"] == "ok" and one["age_s"] < 600
    result = case.agent("rotate", "PASSWORD", "--json", env=env)
    assert result.code in (0, 1), result  # without a URL nobody can log in with it: a warning
    assert missing(case.openbao, f"{kv}/.agent/PASSWORD.pending/PASSWORD")
    custom = metadata(case.openbao, f"{kv}/.agent/PASSWORD")["custom_metadata"]
    assert json.loads(custom["agent.PASSWORD"])["id"] == result.json()["rotated"][0]["id"]
    [one] = case.agent("rotate", "--status", "--json", env=env).expect(0).json()["secrets"]
    assert one["since"] == "rotation"
    history = case.agent("rotate", "--history", "PASSWORD", "--json", env=env).expect(0).json()
    assert [receipt["strategy"] for receipt in history["history"]] == ["vault-static"]


def test_what_an_engine_makes_in_a_profile_is_not_written_there(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM})
    contract = json.loads((case.folder.path / "contract.json").read_text())
    contract.update(profile={"var": "PROFILE", "values": ["dev", "prod"]}, records=f"vault:{v.path}/.agent/{{name}}")
    contract["vars"]["PROFILE"] = {"type": "enum", "values": ["dev", "prod"], "source": "env"}
    contract["vars"]["KEY"]["profiles"] = {"dev": {"source": "vault:database/creds/app#password"}}
    case.folder.write("contract.json", json.dumps(contract))
    for args in (["KEY"], ["--init", "KEY"]):
        refused = v.rotate(*args, "--profile", "dev").expect(2)
        assert "'KEY' is not rotated in profile 'dev'" in refused.stderr, refused
    v.rotate("KEY", "--profile", "prod").expect(0)
    assert v.now()["KEY"] != v.fields["KEY"]


def test_without_records_an_engines_password_is_refused(case: Case) -> None:
    env = engine_contract(case, records=False)
    result = case.agent("rotate", "PASSWORD", env=env).expect(2)
    assert "records" in result.stderr


def test_what_was_leased_for_a_rotation_ends_with_it(case: Case) -> None:
    bao, database = case.openbao, case.database()
    engine = bao.database_engine(case.postgres, database.name)
    case.folder.write("look", "#!/bin/sh\ncase $LOGIN in v-*) exit 0 ;; esac; exit 3\n", 0o755)
    v = Vaulted(case, {"KEY": {**RANDOM, "env": ["LOGIN"], "test": {"command": ["./look"]}}})
    contract = json.loads((case.folder.path / "contract.json").read_text())
    contract["vars"]["LOGIN"] = {"type": "string", "expose": "agent",
                                 "source": f"vault:{engine}/creds/app#username"}
    case.folder.write("contract.json", json.dumps(contract))
    v.rotate("KEY").expect(0)
    assert bao.leases(f"{engine}/creds/app") == []


# ---- plans -----------------------------------------------------------------------------------------------


def test_a_plan_changes_nothing_and_has_the_policy(case: Case) -> None:
    v = Vaulted(case, {"KEY": {**RANDOM, "grace": "1h", "keep": 1},
                       "LATER": {**RANDOM, "depends_on": ["KEY"]}})
    before = kv_read(v.bao, v.path)
    plan = v.rotate("LATER", "KEY", "--dry-run").expect(0).stdout
    assert plan.index("KEY (random)") < plan.index("LATER (random)"), "in their order"
    assert "steps: stage, test, promote, soak 1h, retire, done" in plan and "behind: KEY" in plan
    assert kv_read(v.bao, v.path) == before and missing(v.bao, v.path + ".pending/KEY")
    env = limited(v, {f"{v.mount}/data/acme/app": ["read"],
                      f"{v.mount}/data/acme/app.pending/*": ["read"]})
    refused = v.rotate("KEY", "--dry-run", "--json", env=env).expect(1).json()
    plan = refused["plan"]
    for path in ("metadata/acme/app", "data/acme/app.receipts/KEY", "metadata/acme/app.pending/KEY"):
        assert f'path "{v.mount}/{path}"' in plan, path
    # What is printed is enough, beside what was had.
    added = "\n".join(re.findall(r'path "[^"]+" {[^}]*}', plan, re.DOTALL))
    v.bao.request("PUT", "sys/policies/acl/from-the-plan-" + v.mount, {"policy": added})
    token = case.canaries.add("planned token", v.bao.new_token([f"from-the-plan-{v.mount}"]))
    v.rotate("KEY", "--dry-run", env={**v.env, "VAULT_TOKEN": token}).expect(0)
    v.rotate("KEY", env={**v.env, "VAULT_TOKEN": token}).expect(0)


# ---- the call --------------------------------------------------------------------------------------------


def test_a_field_that_two_variables_rotate_is_changed_by_neither(case: Case) -> None:
    v = Vaulted(case, {"ONE": RANDOM})
    source = f"vault:{v.path}#ONE"
    for two in ({"source": source, "rotate": RANDOM},
                {"source": f"vault:{v.path}#OTHER", "rotate": {**RANDOM, "mirrors": [source]}}):
        Project(case).contract({"ONE": {"secret": True, "source": source, "rotate": RANDOM},
                                "TWO": {"secret": True, **two}})
        for call in (("ONE",), ("TWO",), ("--due",), ("--status",)):
            refused = v.rotate(*call).expect(2)
            assert f"'{source}', which 'ONE' rotates (line " in refused.stderr, refused
    assert v.now() == {**v.fields, "OTHER": "stays", "count": 7}


def test_wrong_calls_are_named(case: Case) -> None:
    v = Vaulted(case, {"KEY": RANDOM, "FIXED": {"strategy": "none", "why": "x"}})
    for args, said in ((["KEI"], "Did you mean 'KEY'?"), ([], "needs the name"),
                       (["FIXED"], "does not rotate 'FIXED'"),
                       (["--due", "--status"], "exclude each other"),
                       (["--abort"], "takes one name"),
                       (["KEY", "FIXED", "--value-stdin"], "one value"),
                       (["KEY", "--reason", "x" * 600], "--reason")):
        result = v.rotate(*args).expect(2)
        assert said in result.stderr, (args, said)
    assert v.now()["KEY"] == v.fields["KEY"]


def test_a_value_of_people_comes_from_standard_input(case: Case) -> None:
    v = Vaulted(case, {"KEY": {"strategy": "manual", "steps": ["make one"]}})
    value = case.canaries.new("typed")
    v.rotate("KEY", "--value-stdin", text=value.encode() + b"\n").expect(0)
    assert v.now()["KEY"] == value
    assert "--value-stdin" in v.rotate("KEY").expect(2).stderr


def test_help_has_the_machine(case: Case) -> None:
    shown = case.agent("help", "rotation").expect(0).stdout
    assert "promote" in shown and "retire" in shown and "resume" in shown
    assert "rotation" in case.agent("help").expect(0).stdout
    document = rotation_doc.DOCUMENT.read_text(encoding="utf-8")
    assert rotation_doc.put_into(document, rotation_doc.generated(shown)) == document, \
        "run: python -m tests.lib.rotation_doc --write build/asan/agent"


def test_the_documents_policy_is_the_one_that_is_enough() -> None:
    text = rotation_doc.DOCUMENT.read_text(encoding="utf-8")
    written = {path.replace("acme/db", "acme/app"): json.loads(what) for path, what in re.findall(
        r'^path "secret/(\S+)" +{ capabilities = (\[.*?\]) }', text, re.MULTILINE)}
    assert written == FULL
