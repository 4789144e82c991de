"""`agent rotate` where Vault's database engine makes the credentials: vault-static, vault-root, vault-dynamic."""
from __future__ import annotations

import secrets
from typing import Any, Dict, List

from tests.lib.case import Case, lacks
from tests.lib.rotating import RECORDS, Rotating, composed_url
from tests.lib.servers import BaoError


def static_creds(r: Rotating, engine: str) -> Dict[str, Any]:
    data = dict(r.bao.request("GET", f"{engine}/static-creds/app")["data"])
    r.case.canaries.add("a password of the static role", data["password"])
    return data


class Static:
    """A static role of a login, and a variable that is composed of it."""

    def __init__(self, case: Case, **rotate: Any) -> None:
        self.database = case.database()
        self.engine = case.openbao.static_role(case.postgres, self.database.name, self.database.owner.name)
        url = composed_url(f"{self.engine}/static-creds/app", self.database, user="username")
        self.r = Rotating(case, {"URL": {**url, "rotate": {
            "strategy": "vault-static", "mount": self.engine, "role": "app", "every": "30d", **rotate}}})
        self.before = static_creds(self.r, self.engine)

    def works(self, password: str) -> bool:
        return self.database.lets_in(self.database.owner.name, password)


# ---- vault-static ----------------------------------------------------------------------------------------


def test_a_static_role_is_rotated_once_and_proven(case: Case) -> None:
    s = Static(case)
    done = s.r.rotate("URL", "--json").expect(0)
    after = static_creds(s.r, s.engine)
    assert after["last_vault_rotation"] != s.before["last_vault_rotation"]
    assert s.works(after["password"]) and not s.works(s.before["password"])
    assert done.json()["rotated"][0]["ending"] == "done"
    assert s.r.record("URL") == {}, "the record is gone"


def test_a_static_role_that_was_rotated_already_is_not_rotated_again(case: Case) -> None:
    s = Static(case)
    s.r.rotate("URL").expect(0)
    mark = s.r.bao.request("GET", f"{s.r.mount}/metadata/{RECORDS}/URL")["data"]["custom_metadata"]
    assert "agent.URL" in mark
    # As if the runner had died behind its request: the record stands at set with the time before.
    now = static_creds(s.r, s.engine)
    s.r.bao.put(f"{s.r.mount}/{RECORDS}/URL.pending/URL", {
        "format": 1, "id": "0123456789abcdef", "variable": "URL", "strategy": "vault-static", "step": "set",
        "started": "2026-11-26T00:00:00Z", "by": "somebody", "reason": "", "base_version": 0, "runner": "gone",
        "sequence": 1, "fields": {}, "former": {"password": s.before["password"]},
        "state": {"last_vault_rotation": s.before["last_vault_rotation"], "connection": "main"}})
    s.r.rotate("--resume", "URL").expect(0)
    assert static_creds(s.r, s.engine)["last_vault_rotation"] == now["last_vault_rotation"]


def test_a_static_role_that_stores_a_password_that_never_worked_is_caught(case: Case) -> None:
    s = Static(case)
    s.r.bao.write(f"{s.engine}/static-roles/app", {
        "db_name": "main", "username": s.database.owner.name, "rotation_period": "24h",
        "rotation_statements": ["SELECT 1"]})
    failed = s.r.rotate("URL", "--json")
    assert failed.code == 6, failed
    assert not lacks(failed.stdout, ["does not work", "rotation_statements"]), failed
    static_creds(s.r, s.engine)


def test_a_former_password_that_still_logs_in_is_not_called_ended(case: Case) -> None:
    s = Static(case)
    # As it is behind a server or a pooler that does not ask: what is to be refused is let in.
    s.r.bao.put(f"{s.r.mount}/{RECORDS}/URL.pending/URL", {
        "format": 1, "id": "0123456789abcdef", "variable": "URL", "strategy": "vault-static", "step": "retire",
        "started": "2026-11-26T00:00:00Z", "by": "somebody", "reason": "", "base_version": 0, "runner": "gone",
        "sequence": 1, "fields": {}, "former": {"password": s.before["password"]},
        "state": {"last_vault_rotation": "2026-11-26T00:00:00Z", "connection": "main"}})
    left = s.r.rotate("--resume", "URL", "--json").expect(1)
    assert not lacks(left.stdout, ["still logs in", "pg_hba.conf", "trust"]), left
    assert s.r.record("URL")["step"] == "retire"


def test_a_policy_that_forbids_it_is_said_before_anything_is_begun(case: Case) -> None:
    s = Static(case)
    policy = s.r.bao.policy({f"{s.engine}/static-creds/app": ["read"], f"{s.r.mount}/*": [
        "create", "read", "update", "patch", "delete", "list"]})
    env = {"VAULT_TOKEN": s.r.bao.new_token([policy, "default"])}
    case.canaries.add("a token", env["VAULT_TOKEN"])
    refused = s.r.rotate("URL", env=env).expect(4)
    assert not lacks(refused.stderr, [f"{s.engine}/rotate-role/app", "update"]), refused
    assert s.r.record("URL") == {}
    assert static_creds(s.r, s.engine) == {**s.before, "ttl": static_creds(s.r, s.engine)["ttl"]}


def test_a_password_alone_is_tried_where_the_admin_or_vault_goes_or_else_said(case: Case) -> None:
    s = Static(case)
    alone = {"source": f"vault:{s.engine}/static-creds/app#password",
             "rotate": {"strategy": "vault-static", "mount": s.engine, "role": "app"}}
    s.r.contract({"PASSWORD": alone})
    small = s.r.bao.policy({f"{s.engine}/static-creds/app": ["read"], f"{s.engine}/rotate-role/app": ["update"],
                            f"{s.engine}/static-roles/app": ["read"], f"{s.r.mount}/*": [
                                "create", "read", "update", "patch", "delete", "list"]})
    env = {"VAULT_TOKEN": case.canaries.add("a small token", s.r.bao.new_token([small, "default"]))}
    said = s.r.rotate("PASSWORD", env=env).expect(1)
    assert not lacks(said.stderr, ["was not tried", "nobody says where the database is", f"{s.engine}/config/main"]), said
    # From here on Vault stores what the database never learns: only who logs in sees that.
    s.r.bao.write(f"{s.engine}/static-roles/app", {
        "db_name": "main", "username": s.database.owner.name, "rotation_period": "24h",
        "rotation_statements": ["SELECT 1"]})
    assert "does not work" in s.r.rotate("PASSWORD").expect(6).stderr, "as Vault goes"
    s.r.contract({
        "ADMIN": {"type": "postgres-url", "expose": "agent", "source": "vault:{mount}/app#admin"},
        "PASSWORD": {**alone, "rotate": {**alone["rotate"], "admin": "ADMIN"}}})  # type: ignore[dict-item]
    s.r.bao.put(s.r.path, {"admin": case.postgres.url(s.database.name)})
    assert "does not work" in s.r.rotate("PASSWORD", env=env).expect(6).stderr, "as the admin goes"
    static_creds(s.r, s.engine)


# ---- vault-root ------------------------------------------------------------------------------------------


class Root:
    """An engine with an admin of its own, whose password may be lost."""

    def __init__(self, case: Case, **rotate: Any) -> None:
        self.database = case.database()
        server, bao = case.postgres, case.openbao
        self.admin = "engine_" + secrets.token_hex(4)
        password = case.canaries.new("the engine's first password")
        server.sql(f"CREATE ROLE {self.admin} LOGIN SUPERUSER PASSWORD '{password}'")
        case.defer(lambda: server.sql(f"DROP ROLE IF EXISTS {self.admin}"))
        self.password = password
        self.engine = bao.database_engine(server, self.database.name)
        bao.write(f"{self.engine}/config/main", {
            "plugin_name": "postgresql-database-plugin", "allowed_roles": ["*"],
            "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:"
                              f"{server.port}/{self.database.name}?sslmode=disable",
            "username": self.admin, "password": password})
        self.r = Rotating(case, {
            "ROOT": {"expose": "agent", "source": "none",
                     "rotate": {"strategy": "vault-root", "mount": self.engine, "connection": "main", **rotate}},
            "ADMIN": {"type": "postgres-url", "expose": "agent", "source": "vault:{mount}/app#admin"}},
            {"admin": server.url(self.database.name)})

    def row(self) -> str:
        return self.database.value(f"SELECT xmin FROM pg_authid WHERE rolname = '{self.admin}'")

    def leases(self) -> List[str]:
        return self.r.bao.leases(f"{self.engine}/creds/app")


def test_the_engines_own_password_is_rotated_and_the_engine_works(case: Case) -> None:
    root = Root(case)
    before = root.row()
    root.r.rotate("ROOT").expect(0)
    assert root.row() != before
    refused = case.tool("psql", root.database.url(user=root.admin, password=root.password), "-c", "SELECT 1")
    assert refused.code == 2 and "authentication failed" in refused.stderr
    assert root.leases() == [], "the lease of the proof was ended"
    assert case.postgres.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-root-app-%' "
                               "AND rolcanlogin") in ("0", "1", "2")


def test_a_lost_answer_is_not_sent_again_unless_it_never_arrived(case: Case) -> None:
    root = Root(case, admin="ADMIN")
    record = {"format": 1, "id": "0123456789abcdef", "variable": "ROOT", "strategy": "vault-root", "step": "set",
              "started": "2026-11-26T00:00:00Z", "by": "somebody", "reason": "", "base_version": 0,
              "runner": "gone", "sequence": 1, "fields": {}, "former": {},
              "state": {"sent": "yes", "role": "app", "user": root.admin}}
    pending = f"{root.r.mount}/{RECORDS}/ROOT.pending/ROOT"
    # It arrived: the row has changed since.
    before = root.row()
    root.r.bao.put(pending, {**record, "state": {**record["state"], "xmin": "1"}})  # type: ignore[dict-item]
    root.r.rotate("--resume", "ROOT").expect(0)
    assert root.row() == before
    # Nobody can know: it is not sent again, and that is said.
    root.r.bao.put(pending, record)
    unsure = root.r.rotate("--resume", "ROOT").expect(1)
    assert not lacks(unsure.stderr, ["not known", "not sent again"]), unsure
    assert root.row() == before
    # It never arrived: the row is as it was.
    root.r.bao.put(pending, {**record, "state": {**record["state"], "xmin": before}})  # type: ignore[dict-item]
    root.r.rotate("--resume", "ROOT").expect(0)
    assert root.row() != before


# ---- vault-dynamic ---------------------------------------------------------------------------------------


class Dynamic:
    """A role that makes log-ins, and a variable that is composed of one."""

    def __init__(self, case: Case) -> None:
        self.case, self.database = case, case.database()
        self.database.sql("GRANT CREATE ON SCHEMA public TO PUBLIC")
        self.engine = case.openbao.database_engine(case.postgres, self.database.name)
        self.path = f"{self.engine}/creds/app"
        url = composed_url(self.path, self.database, user="username")
        self.r = Rotating(case, {"URL": {**url, "rotate": {
            "strategy": "vault-dynamic", "mount": self.engine, "role": "app"}}})

    def lease(self) -> Dict[str, Any]:
        """One that a process has."""
        made = self.r.bao.request("GET", self.path)
        self.case.canaries.add("a leased password", made["data"]["password"])
        return {"id": made["lease_id"], **made["data"]}

    def stands(self, lease: Dict[str, Any]) -> bool:
        try:
            self.r.bao.write("sys/leases/lookup", {"lease_id": lease["id"]})
        except BaoError as problem:
            assert problem.status == 400
            return False
        return True


def test_a_dynamic_role_is_proven_and_its_leases_are_left(case: Case) -> None:
    d = Dynamic(case)
    lease = d.lease()
    done = d.r.rotate("URL").expect(0)
    assert d.stands(lease) and len(d.r.bao.leases(d.path)) == 1, "the lease of the proof was ended"
    assert "--revoke-others" in done.stderr + done.stdout


def test_revoke_others_ends_each_and_says_what_keeps_one(case: Case) -> None:
    d = Dynamic(case)
    easy, owner = d.lease(), d.lease()
    case.tool("psql", d.database.url(user=owner["username"], password=owner["password"]), "-c",
              "CREATE TABLE kept (id int)").expect(0)
    left = d.r.rotate("URL", "--revoke-others").expect(1)
    assert not d.stands(easy) and d.stands(owner)
    assert not lacks(left.stderr, [
        owner["id"], f'ALTER ROLE "{owner["username"]}" NOLOGIN', "pg_terminate_backend",
        f'REASSIGN OWNED BY "{owner["username"]}"', "DROP OWNED BY", "DROP ROLE", "1 of 2 leases"]), left
    # The plan frees it.
    d.database.sql(f'ALTER ROLE "{owner["username"]}" NOLOGIN; REASSIGN OWNED BY "{owner["username"]}" TO postgres; '
                   f'DROP OWNED BY "{owner["username"]}"')
    d.r.rotate("--resume", "URL", "--revoke-others").expect(0)
    assert not d.stands(owner) and d.r.record("URL") == {}


def test_leases_that_are_newer_than_the_rotation_are_no_others(case: Case) -> None:
    d = Dynamic(case)
    d.r.bao.put(f"{d.r.mount}/{RECORDS}/URL.pending/URL", {
        "format": 1, "id": "0123456789abcdef", "variable": "URL", "strategy": "vault-dynamic", "step": "retire",
        "started": "2020-01-01T00:00:00Z", "by": "somebody", "reason": "", "base_version": 0, "runner": "gone",
        "sequence": 1, "fields": {}, "former": {}, "state": {"connection": "main"}})
    lease = d.lease()
    d.r.rotate("--resume", "URL", "--revoke-others").expect(0)
    assert d.stands(lease)


def test_a_lease_of_a_proof_whose_runner_died_is_ended(case: Case) -> None:
    d = Dynamic(case)
    lease = d.lease()
    d.r.bao.put(f"{d.r.mount}/{RECORDS}/URL.pending/URL", {
        "format": 1, "id": "0123456789abcdef", "variable": "URL", "strategy": "vault-dynamic", "step": "test",
        "started": "2026-11-26T00:00:00Z", "by": "somebody", "reason": "", "base_version": 0, "runner": "gone",
        "sequence": 1, "fields": {}, "former": {}, "state": {"connection": "main", "proof_lease": lease["id"]}})
    d.r.rotate("--resume", "URL").expect(0)
    assert not d.stands(lease) and d.r.bao.leases(d.path) == []


def test_a_plan_shows_what_the_engine_is_asked_for(case: Case) -> None:
    d = Dynamic(case)
    policy = d.r.bao.policy({f"{d.r.mount}/*": ["create", "read", "update", "patch", "delete", "list"]})
    env = {"VAULT_TOKEN": case.canaries.add("a token", d.r.bao.new_token([policy, "default"]))}
    shown = d.r.rotate("URL", "--dry-run", "--revoke-others", env=env)
    assert not lacks(shown.stdout, [d.path, "sys/leases/revoke", "every other lease"]), shown
    assert d.r.bao.leases(d.path) == [] and d.r.record("URL") == {}
