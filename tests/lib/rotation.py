"""One scene for each rotation strategy: a contract, real servers, and what must hold at every instant.

A scene goes from one rotation to the next without being built anew. What it can be asked: what is published
now, what is open, whether a credential works, and whether all that must hold behind a rotation does.
"""
from __future__ import annotations

import secrets
from typing import Any, Dict, List, Mapping, Optional, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.openbao import BaoError
from tests.lib.postgres import Database, quote_name, quote_text
from tests.lib.project import Project
from tests.lib.rotating import composed_url, rotated_by_admin

Fields = Dict[str, str]
RECORD_GROUPS = ("fields", "former")
HOOK = """#!/bin/sh
# A provider that accepts the keys that are lines of `accepted`. No secret is an argument of a program.
set -eu
asked=$(cat)
part() { printf '%s' "$asked" | sed -n "s/.*\\"$1\\": *{\\"key\\": *\\"\\([^\\"]*\\)\\".*/\\1/p"; }
text() { printf '%s' "$asked" | sed -n "s/.*\\"$1\\": *\\"\\([^\\"]*\\)\\".*/\\1/p"; }
has() { while read -r line; do [ "$line" = "$1" ] && return 0; done <accepted; return 1; }
add() { has "$1" || printf '%s\\n' "$1" >>accepted; }
drop() {
    while read -r line; do [ "$line" = "$1" ] || printf '%s\\n' "$line"; done <accepted >accepted.new
    mv accepted.new accepted
}
answer='{}'
case $(text step) in
create) key="key-$(text id)"; add "$key"; answer="{\\"secret\\":{\\"key\\":\\"$key\\"}}" ;;
set) add "$(part pending)" ;;
test) has "$(part pending)" ;;
retire) drop "$(part current)" ;;
rollback) drop "key-$(text id)" ;;
esac
printf '%s\\n' "$answer"
"""


class Scene:
    """A secret in KV at `path`, and how it is rotated."""

    strategy = ""
    variable = "SECRET"
    overlaps = True  # the published credential works at every instant
    keeps_place = True  # its value lies in KV, and a rotation writes it

    def __init__(self, case: Case, bao_port: Optional[int] = None,
                 pg_port: Optional[int] = None) -> None:
        self.case, self.bao = case, case.openbao
        self.bao_port = bao_port or self.bao.port
        self.pg_port = pg_port or case.postgres.port
        self.mount = self.bao.kv(2)
        self.path = f"{self.mount}/acme/app"
        self.env = {"VAULT_ADDR": f"http://127.0.0.1:{self.bao_port}",
                    "VAULT_TOKEN": self.bao.token}
        self.prepare()
        variables, sections = self.contract()
        Project(case).contract(variables, **sections)

    # ---- what a strategy says -----------------------------------------------------------------

    def prepare(self) -> None:
        """Make what there is before the first rotation."""
        raise NotImplementedError

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        """`vars` and the other sections."""
        raise NotImplementedError

    def works(self, fields: Fields) -> bool:
        """Whether the credential is accepted now."""
        raise NotImplementedError

    def text(self) -> bytes:
        """What `agent rotate` reads."""
        return b""

    def args(self) -> List[str]:
        """The words of one rotation."""
        return ["rotate", self.variable, "--json"]

    def is_over(self, result: Result) -> bool:
        """Whether `--resume` ended it."""
        return result.code == 0

    def resume_args(self) -> List[str]:
        """The words that go on with it."""
        return ["rotate", "--resume", self.variable, "--json"]

    # ---- what it can be asked -----------------------------------------------------------------

    def published(self) -> Fields:
        """What the application would be given now."""
        data = self.bao.read(self.path) or {}
        return {name: str(value) for name, value in data.items() if name in self.field_names()}

    def field_names(self) -> Tuple[str, ...]:
        """The fields that are the credential."""
        return ("value",)

    def record_path(self) -> str:
        """Where an open rotation is recorded."""
        return f"{self.path}.pending/{self.variable}"

    def record(self) -> Optional[Dict[str, Any]]:
        """The open rotation; its secrets are canaries from here on."""
        found = self.bao.read(self.record_path())
        for group in RECORD_GROUPS:
            for name, value in ((found or {}).get(group) or {}).items():
                if len(str(value)) >= 16:
                    self.case.canaries.add(f"{group} {name} {secrets.token_hex(4)}", str(value))
        return found

    def change_secret(self) -> str:
        """A new secret that nobody has seen, as a canary."""
        return self.case.canaries.new("secret " + secrets.token_hex(4))

    # ---- what must hold -----------------------------------------------------------------------

    def assert_between(self) -> Optional[Dict[str, Any]]:
        """At any instant: the published credential works, or the one that is recorded does. Gives the
        record."""
        record = self.record()
        if not self.overlaps and record is not None:
            # What was on its way to the server when agent died may become true between two of our looks.
            staged = self.staged(record)
            assert self.works(staged) or self.works(self.published()) or self.works(staged), \
                "neither what is published works nor what is recorded"
            return record
        assert self.works(self.published()), "nothing that is published works"
        return record

    def staged(self, record: Mapping[str, Any]) -> Fields:
        """What a record makes current; fields that it does not have stay as they were."""
        changes = {**(record.get("former") or {}), **(record.get("fields") or {})}
        return {**self.published(), **{name: str(value) for name, value in changes.items()
                                       if name in self.field_names()}}

    def assert_after(self, before: Fields, record: Optional[Mapping[str, Any]]) -> None:
        """Behind a rotation that went from `before`, whose record was seen on the way: one effect, the
        new one works, the former does not, nothing is open."""
        now = self.published()
        assert self.bao.read(self.record_path()) is None, "the record is still there"
        assert self.works(now), "the current one does not work"
        if record is not None and self.keeps_place and record.get("fields"):
            assert now == self.staged(record), "another one than the staged became current"
        if now != before:
            self.assert_refused(before)

    def assert_refused(self, former: Fields) -> None:
        """The former works no more."""
        assert not self.works(former), "the former still works"


# ---- keys -----------------------------------------------------------------------------------------------


class Random(Scene):
    strategy = "random"

    def prepare(self) -> None:
        self.bao.put(self.path, {"value": self.change_secret(), "other": "stays"})

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        return {self.variable: {
            "type": "string", "secret": True, "source": f"vault:{self.path}#value",
            "rotate": {"strategy": "random", "bytes": 32, "every": "30d"}}}, {}

    def works(self, fields: Fields) -> bool:
        return bool(fields.get("value"))  # nobody but the application knows it

    def assert_refused(self, former: Fields) -> None:
        data = self.bao.read(self.path) or {}
        assert former["value"] not in data.values() and data["other"] == "stays"


class Manual(Random):
    strategy = "manual"

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        variables, sections = super().contract()
        variables[self.variable]["rotate"] = {"strategy": "manual", "every": "30d",
                                              "steps": ["make a key", "paste it"]}
        return variables, sections

    def args(self) -> List[str]:
        return [*super().args(), "--value-stdin"]

    def text(self) -> bytes:
        return self.change_secret().encode()


class Hook(Scene):
    strategy = "hook"

    def field_names(self) -> Tuple[str, ...]:
        return ("key",)

    def prepare(self) -> None:
        first = self.change_secret()
        self.accepted = self.case.folder.write("accepted", first + "\n")
        self.bao.put(self.path, {"key": first})
        self.case.folder.write("provider", HOOK).chmod(0o755)

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        return {self.variable: {
            "type": "string", "secret": True, "source": f"vault:{self.path}#key",
            "rotate": {"strategy": "hook", "hook": ["./provider"], "every": "30d"}}}, {}

    def works(self, fields: Fields) -> bool:
        return fields.get("key") in self.accepted.read_text().splitlines()

    def assert_after(self, before: Fields, record: Optional[Mapping[str, Any]]) -> None:
        super().assert_after(before, record)
        assert len(self.accepted.read_text().split()) == 1, "an orphan is left at the provider"


class Token(Scene):
    strategy = "token"

    def prepare(self) -> None:
        token = self.bao.new_token(ttl="2h")
        self.case.canaries.add("first token", token)
        self.bao.put(self.path, {"value": token})

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        return {self.variable: {
            "type": "string", "secret": True, "expose": "agent", "source": f"vault:{self.path}#value",
            "rotate": {"strategy": "token", "every": "1d"}}}, {}

    def works(self, fields: Fields) -> bool:
        try:
            self.bao.request("GET", "auth/token/lookup-self", token=fields.get("value") or "none")
        except BaoError as problem:
            assert problem.status == 403, problem
            return False
        return True


# ---- PostgreSQL -----------------------------------------------------------------------------------------


class Postgresql(Scene):
    """A database whose login is user and password of KV."""

    variable = "DATABASE_URL"

    def field_names(self) -> Tuple[str, ...]:
        return ("user", "password")

    def make_database(self) -> Database:
        self.database = self.case.database()
        self.mark = secrets.token_hex(4)
        self.bao.put(f"{self.mount}/admin", {"url": self.case.postgres.url(
            self.database.name, port=self.pg_port, query={"sslmode": "disable"})})
        return self.database

    def url_variable(self, rotate: Mapping[str, Any]) -> Dict[str, Any]:
        return rotated_by_admin(composed_url(self.path, self.database, self.pg_port), rotate,
                               f"{self.mount}/admin")

    def works(self, fields: Fields) -> bool:
        return self.database.lets_in(fields.get("user", ""), fields.get("password", ""))


class TwoLogins(Postgresql):
    strategy = "pg-two-login"

    def prepare(self) -> None:
        database = self.make_database()
        self.owner, self.logins = f"owner_{self.mark}", [f"a_{self.mark}", f"b_{self.mark}"]
        first = self.change_secret()
        script = [f"CREATE ROLE {quote_name(self.owner)} NOLOGIN",
                  f"GRANT CREATE, CONNECT ON DATABASE {quote_name(database.name)} TO "
                  f"{quote_name(self.owner)}"]
        for login in self.logins:
            script += [f"CREATE ROLE {quote_name(login)} NOLOGIN IN ROLE {quote_name(self.owner)}",
                       f"ALTER ROLE {quote_name(login)} SET role = {quote_name(self.owner)}"]
        script.append(f"ALTER ROLE {quote_name(self.logins[0])} LOGIN PASSWORD {quote_text(first)}")
        script.append(f"SET ROLE {quote_name(self.owner)}; CREATE SCHEMA app; "
                      "CREATE TABLE app.things (id int)")
        database.sql("; ".join(script))
        self.bao.put(self.path, {"user": self.logins[0], "password": first})

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        return self.url_variable({"strategy": "pg-two-login", "logins": self.logins,
                                  "owner": self.owner}), {}


class OneLogin(Postgresql):
    strategy = "pg-login"
    overlaps = False

    def prepare(self) -> None:
        database = self.make_database()
        self.bao.put(self.path, {"user": database.owner.name, "password": database.owner.password})

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        return self.url_variable({"strategy": "pg-login", "login": self.database.owner.name}), {}


# ---- Vault's database engine ----------------------------------------------------------------------------


class Engine(Postgresql):
    """Credentials that the engine makes; the record lies under `records`."""

    keeps_place = False

    def sections(self) -> Dict[str, Any]:
        return {"records": f"vault:{self.mount}/records/{{name}}"}

    def record_path(self) -> str:
        return f"{self.mount}/records/{self.variable}.pending/{self.variable}"

    def connect_engine(self, user: str, password: str, roles: List[str]) -> None:
        """An engine that works with that log-in."""
        self.engine = self.bao.mount(f"database-{self.mark}", "database")
        self.bao.write(f"{self.engine}/config/main", {
            "plugin_name": "postgresql-database-plugin", "allowed_roles": roles,
            "password_authentication": "scram-sha-256",
            "connection_url": "postgresql://{{username}}:{{password}}@127.0.0.1:"
                              f"{self.case.postgres.port}/{self.database.name}?sslmode=disable",
            "username": user, "password": password})

    def dynamic_role(self, role: str) -> None:
        name = '"{{name}}"'
        self.bao.write(f"{self.engine}/roles/{role}", {
            "db_name": "main", "default_ttl": "1h", "max_ttl": "2h",
            "creation_statements": [f"CREATE ROLE {name} LOGIN PASSWORD '{{{{password}}}}' "
                                    "VALID UNTIL '{{expiration}}'"],
            "revocation_statements": [f"DROP ROLE IF EXISTS {name}"]})

    def admin(self) -> Tuple[str, str]:
        """A log-in of its own that may make roles, for the engine."""
        role = self.case.postgres.role(options="LOGIN SUPERUSER")
        self.case.canaries.add(f"password of {role.name}", role.password)
        return role.name, role.password

    def engine_url(self, path: str) -> Dict[str, Any]:
        return composed_url(path, self.database, self.pg_port, user="username")


class Static(Engine):
    strategy = "vault-static"

    def prepare(self) -> None:
        database = self.make_database()
        self.connect_engine(*self.admin(), ["app"])
        self.bao.write(f"{self.engine}/static-roles/app", {
            "db_name": "main", "username": database.owner.name, "rotation_period": "24h"})

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        url = self.engine_url(f"{self.engine}/static-creds/app")
        url["rotate"] = {"strategy": "vault-static", "every": "30d", "mount": self.engine, "role": "app"}
        return {"DATABASE_URL": url}, self.sections()

    def published(self) -> Fields:
        found = self.bao.request("GET", f"{self.engine}/static-creds/app")["data"]
        return {"user": found["username"], "password": found["password"]}


class Root(Engine):
    strategy = "vault-root"
    variable = "ENGINE_ROOT"

    def is_over(self, result: Result) -> bool:
        # Nobody can ask whether a password that can't be read was changed: that is said, with exit 1.
        [one] = result.json()["rotated"]
        return result.code == 0 or (result.code == 1 and one["ending"] == "warnings"
                                    and "is not known" in one["warnings"][0])

    def prepare(self) -> None:
        self.make_database()
        self.root, self.first = self.admin()
        self.connect_engine(self.root, self.first, ["app"])
        self.dynamic_role("app")

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        return {
            "DATABASE_URL": {**self.engine_url(f"{self.engine}/creds/app"),
                             "rotate": {"strategy": "vault-dynamic", "mount": self.engine,
                                        "role": "app"}},
            "ENGINE_ROOT": {"type": "string", "secret": True, "expose": "agent", "source": "none",
                            "required": False,
                            "rotate": {"strategy": "vault-root", "every": "90d",
                                       "mount": self.engine, "connection": "main"}}}, self.sections()

    def published(self) -> Fields:
        # What the engine works with can't be read: what it makes can be.
        made = self.bao.request("GET", f"{self.engine}/creds/app")
        self.bao.request("PUT", "sys/leases/revoke", {"lease_id": made["lease_id"], "sync": True})
        return {"lease": made["lease_id"]}

    def works(self, fields: Fields) -> bool:
        return bool(fields.get("lease"))

    def assert_refused(self, former: Fields) -> None:
        assert not self.database.lets_in(self.root, self.first), "the first works"


class Dynamic(Engine):
    strategy = "vault-dynamic"

    def prepare(self) -> None:
        self.make_database()
        self.connect_engine(*self.admin(), ["app"])
        self.dynamic_role("app")

    def contract(self) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        url = self.engine_url(f"{self.engine}/creds/app")
        url["rotate"] = {"strategy": "vault-dynamic", "every": "1d", "mount": self.engine,
                         "role": "app"}
        return {"DATABASE_URL": url}, self.sections()

    def published(self) -> Fields:
        return {}

    def works(self, fields: Fields) -> bool:
        return True  # every process has its own

    def assert_refused(self, former: Fields) -> None:
        pass


SCENES = {kind.strategy: kind for kind in (Random, Manual, Hook, Token, TwoLogins, OneLogin, Static,
                                           Root, Dynamic)}
