"""`agent rotate`, strategy `token`: Vault tokens and secret ids of an AppRole that are kept in KV."""
from __future__ import annotations

import secrets
from typing import Any, Dict, Optional

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.rotating import Rotating
from tests.lib.servers import BaoError


def begun() -> Dict[str, Any]:
    """The record of a rotation that was left after its first request, with an id of its own: what it made is looked
    for by that among the tokens of all, those of the tests that run beside this one among them."""
    return {"format": 1, "id": secrets.token_hex(16), "variable": "TOKEN", "strategy": "token", "step": "set",
            "started": "2026-11-26T00:00:00Z", "by": "somebody", "reason": "", "base_version": 1, "runner": "gone",
            "sequence": 1, "fields": {}, "former": {}, "state": {}}


def lookup(r: Rotating, token: str) -> Optional[Dict[str, Any]]:
    """What Vault says of a token; None: it is dead."""
    try:
        return dict(r.bao.write("auth/token/lookup", {"token": token})["data"])
    except BaoError as problem:
        assert problem.status in (400, 403, 404), problem
        return None


def now(r: Rotating) -> str:
    return r.case.canaries.add("a token", str(r.fields()["TOKEN"])) if r.fields() else ""


# ---- tokens ----------------------------------------------------------------------------------------------


class Tokens:
    """A token in KV, with a policy and metadata of its own."""

    def __init__(self, case: Case, **more: Any) -> None:
        bao = case.openbao
        self.policy = bao.policy({"secret/data/nothing": ["read"]})
        self.first = case.canaries.add("the first token", bao.new_token(
            [self.policy], **{"ttl": "30m", "meta": {"for": "tests"}, "no_parent": True, **more}))
        self.r = Rotating(case, {"TOKEN": {"source": "vault:{mount}/app#TOKEN", "rotate": {"strategy": "token"}}},
                          {"TOKEN": self.first})


def test_a_token_is_replaced_by_another_like_it(case: Case) -> None:
    t = Tokens(case, period="20m")
    former = lookup(t.r, t.first)
    assert former is not None
    t.r.rotate("TOKEN").expect(0)
    made = lookup(t.r, now(t.r))
    assert made is not None and lookup(t.r, t.first) is None, "the former is dead"
    assert made["policies"] == former["policies"] and made["period"] == former["period"]
    assert made["meta"]["for"] == "tests" and len(made["meta"]["agent_rotation"]) == 32
    assert made["orphan"] is True and made["renewable"] == former["renewable"]
    first_id = made["meta"]["agent_rotation"]
    t.r.rotate("TOKEN").expect(0)
    again = lookup(t.r, now(t.r))
    assert again is not None and again["meta"]["agent_rotation"] != first_id


def test_a_token_of_a_role_is_made_with_that_role(case: Case) -> None:
    case.openbao.write("auth/token/roles/apps", {"orphan": True, "token_period": "1h"})
    made = case.openbao.write("auth/token/create/apps", {})["auth"]["client_token"]
    t = Tokens(case)
    t.r.bao.put(t.r.path, {"TOKEN": case.canaries.add("a token of a role", made)})
    t.r.rotate("TOKEN").expect(0)
    facts = lookup(t.r, now(t.r))
    assert facts is not None and facts["role"] == "apps" and lookup(t.r, made) is None


def test_a_dead_token_is_said_and_nothing_is_begun(case: Case) -> None:
    t = Tokens(case)
    t.r.bao.write("auth/token/revoke", {"token": t.first})
    refused = t.r.rotate("TOKEN").expect(1)
    assert not lacks(refused.stderr, ["has ended", "vault token create"]), refused
    assert t.r.record("TOKEN") == {}


def test_a_token_whose_answer_was_lost_is_found_and_ended(case: Case) -> None:
    t, record = Tokens(case), begun()
    orphan = case.openbao.new_token(meta={"agent_rotation": record["id"]})
    other = case.openbao.new_token(meta={"agent_rotation": "of another"})
    t.r.put_record("TOKEN", record)
    done = t.r.rotate("--resume", "TOKEN").expect(0)
    assert "a token whose answer was lost was ended" in done.stderr, done
    assert lookup(t.r, orphan) is None and lookup(t.r, other) is not None
    assert lookup(t.r, now(t.r)) is not None


def test_a_token_whose_answer_was_lost_is_told_of_where_it_may_not_be_looked_for(case: Case) -> None:
    t, record = Tokens(case), begun()
    everything = ["create", "read", "update", "patch", "delete", "list", "sudo"]
    policy = case.openbao.policy({"*": everything, "auth/token/accessors": ["deny"],
                                  "auth/token/accessors/": ["deny"]})
    own = case.canaries.add("a narrower token", case.openbao.new_token([policy]))
    t.r.put_record("TOKEN", record)
    done = t.r.rotate("--resume", "TOKEN", env={"VAULT_TOKEN": own}).expect(1)
    assert not lacks(done.stderr, [f"agent_rotation={record['id']}", "ends by itself after 30m"]), done
    assert lookup(t.r, now(t.r)) is not None and lookup(t.r, t.first) is None and t.r.record("TOKEN") == {}


def test_the_token_that_agent_uses_itself_is_ended_by_the_next_one(case: Case) -> None:
    t = Tokens(case)
    admin = case.openbao.policy({"*": ["create", "read", "update", "patch", "delete", "list", "sudo"]})
    own = case.canaries.add("agent's own token", case.openbao.new_token([admin], no_parent=True))
    t.r.bao.put(t.r.path, {"TOKEN": own})
    left = t.r.rotate("TOKEN", env={"VAULT_TOKEN": own}).expect(7)
    assert not lacks(left.stderr, ["agent uses", "--resume TOKEN", "with the new token"]), left
    made = now(t.r)
    assert made != own and lookup(t.r, own) is not None
    t.r.rotate("--resume", "TOKEN", env={"VAULT_TOKEN": made}).expect(0)
    assert lookup(t.r, own) is None and lookup(t.r, made) is not None


def test_abort_and_rollback_end_the_new_token(case: Case) -> None:
    t, first_step = Tokens(case), begun()
    made = case.canaries.add("a made token", t.r.bao.new_token([t.policy]))
    record = {**first_step, "step": "test", "fields": {"TOKEN": made}, "former": {"TOKEN": t.first}}
    t.r.put_record("TOKEN", record)
    t.r.rotate("--abort", "TOKEN").expect(0)
    assert lookup(t.r, made) is None and lookup(t.r, t.first) is not None
    lost = case.canaries.add("a lost token", t.r.bao.new_token([t.policy], meta={"agent_rotation": first_step["id"]}))
    t.r.put_record("TOKEN", first_step)
    t.r.rotate("--abort", "TOKEN").expect(0)
    assert lookup(t.r, lost) is None and lookup(t.r, t.first) is not None
    t.r.bao.put(t.r.path, {"TOKEN": t.first})
    made = case.canaries.add("another made token", t.r.bao.new_token([t.policy]))
    t.r.bao.put(t.r.path, {"TOKEN": made})
    t.r.put_record("TOKEN", {**record, "step": "soak", "fields": {"TOKEN": made},
                             "state": {"soak_until": 4000000000}})
    t.r.rotate("--rollback", "TOKEN").expect(0)
    assert lookup(t.r, made) is None and lookup(t.r, t.first) is not None and now(t.r) == t.first


def test_a_policy_that_makes_no_tokens_is_said_before(case: Case) -> None:
    t = Tokens(case)
    policy = t.r.bao.policy({f"{t.r.mount}/*": ["create", "read", "update", "patch", "delete", "list"],
                             "auth/token/lookup": ["update"]})
    env = {"VAULT_TOKEN": case.canaries.add("a small token", t.r.bao.new_token([policy, "default"]))}
    refused = t.r.rotate("TOKEN", env=env).expect(4)
    assert not lacks(refused.stderr, ["auth/token/create-orphan", "sudo", "update"]), refused
    assert t.r.record("TOKEN") == {} and now(t.r) == t.first
    plan = t.r.rotate("TOKEN", "--dry-run", env=env)
    assert plan.code != 0 and "auth/token/create-orphan" in plan.stdout, plan


# ---- secret ids ------------------------------------------------------------------------------------------


class SecretIds:
    """A secret id in KV."""

    def __init__(self, case: Case, **settings: Any) -> None:
        self.role = case.openbao.approle(["default"], **settings)
        case.canaries.add("the first secret id", self.role.secret_id)
        self.r = Rotating(case, {"TOKEN": {"source": "vault:{mount}/app#TOKEN", "rotate": {
            "strategy": "token", "mount": self.role.mount, "role": self.role.name}}},
            {"TOKEN": self.role.secret_id})
        self.base = f"auth/{self.role.mount}/role/{self.role.name}/secret-id"

    def logs_in(self, secret_id: str) -> bool:
        try:
            self.r.bao.request("POST", f"auth/{self.role.mount}/login",
                               {"role_id": self.role.role_id, "secret_id": secret_id}, token=None)
        except BaoError as problem:
            assert problem.status in (400, 403), problem
            return False
        return True

    def count(self) -> int:
        return len(self.r.bao.request("LIST", self.base)["data"]["keys"])

    def new(self, **meta: str) -> str:
        made = self.r.bao.write(self.base, {"metadata": str(meta).replace("'", '"')})["data"]["secret_id"]
        return self.r.case.canaries.add("a secret id", str(made))


def test_a_secret_id_is_replaced_and_the_former_refused(case: Case) -> None:
    s = SecretIds(case)
    s.r.rotate("TOKEN").expect(0)
    made = now(s.r)
    assert made != s.role.secret_id and s.logs_in(made) and not s.logs_in(s.role.secret_id)
    facts = s.r.bao.write(f"{s.base}/lookup", {"secret_id": made})["data"]
    assert len(facts["metadata"]["agent_rotation"]) == 32 and s.count() == 1


def test_a_secret_id_whose_answer_was_lost_is_found_and_ended(case: Case) -> None:
    s, record = SecretIds(case), begun()
    orphan, other = s.new(agent_rotation=record["id"]), s.new(agent_rotation="of another")
    s.r.put_record("TOKEN", record)
    s.r.rotate("--resume", "TOKEN").expect(0)
    assert not s.logs_in(orphan) and s.logs_in(other) and s.logs_in(now(s.r)) and s.count() == 2


def test_a_secret_id_for_one_log_in_is_not_used_up_by_the_test(case: Case) -> None:
    s = SecretIds(case, secret_id_num_uses=1)
    s.r.rotate("TOKEN").expect(0)
    assert s.logs_in(now(s.r))


def test_an_abort_ends_the_new_secret_id(case: Case) -> None:
    s, record = SecretIds(case), begun()
    made = s.new(agent_rotation=record["id"])
    s.r.put_record("TOKEN", record)  # it was made, and its answer lost
    s.r.rotate("--abort", "TOKEN").expect(0)
    assert not s.logs_in(made) and s.logs_in(s.role.secret_id)


def test_a_role_that_is_not_there_is_said_before_anything_is_begun(case: Case) -> None:
    s = SecretIds(case)
    s.r.bao.request("DELETE", f"auth/{s.role.mount}/role/{s.role.name}")
    refused: Result = s.r.rotate("TOKEN")
    assert refused.code == 4 and s.role.mount in refused.stderr, refused
    assert s.r.record("TOKEN") == {}
