"""The seventeen secrets of examples/rotation on real servers: what its test and that of the runbooks share."""
from __future__ import annotations

import base64
import json
import secrets
import shutil
import time
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.hooks import HOOKS, build_resend
from tests.lib.postgres import Role, quote_name, quote_text
from tests.lib.processes import ROOT
from tests.lib.providers import Clerk, Neon, Resend, Upstash

EXAMPLE = ROOT / "examples" / "rotation"
IN_ORDER = [  # of --due; what depends on another comes behind it
    "DATABASE_ENGINE_ROOT", "DATABASE_ADMIN_URL", "DATABASE_URL", "REPORTS_PASSWORD", "NEON_DATABASE_URL",
    "NEON_API_KEY", "REDIS_URL", "UPSTASH_ADMIN_TOKEN", "CLERK_SECRET_KEY", "CLERK_WEBHOOK_SECRET",
    "RESEND_API_KEY", "RESEND_ADMIN_KEY", "SESSION_SECRET", "JWT_SIGNING_KEY", "FIELD_ENCRYPTION_KEY",
    "CI_VAULT_TOKEN"]
BY_HAND = ("NEON_API_KEY", "UPSTASH_ADMIN_TOKEN", "CLERK_WEBHOOK_SECRET")
WITH_GRACE = {"DATABASE_URL", "NEON_DATABASE_URL", "REDIS_URL", "CLERK_SECRET_KEY", "RESEND_API_KEY",
              "CI_VAULT_TOKEN"}
OUTSIDE = {"DATABASE_ENGINE_ROOT", "DATABASE_ADMIN_URL", "REPORTS_PASSWORD"}  # in no KV path
LONG_AGO_S = 500 * 86400  # longer than any period, by a quarter
CLERK_HOURS = 81          # longer than its overlap
SYSTEMCTL = '#!/bin/sh\necho "$@" >>"$0.calls"\n'
PATHS = {"DATABASE_URL": "db", "NEON_DATABASE_URL": "neon", "REDIS_URL": "redis"}


def read_contract(path: Path) -> Dict[str, Any]:
    """A contract of the examples, without its comments."""
    text = "\n".join(line.split(" // ")[0] for line in path.read_text().splitlines()
                     if not line.lstrip().startswith("//"))
    return dict(json.loads(text))


class Backend:
    """The example's folder, with its addresses changed to local ones; every secret has its first value."""

    def __init__(self, case: Case) -> None:
        self.case, self.bao = case, case.openbao
        self.mount, self.mark = self.bao.kv(2), secrets.token_hex(4)
        self.files = case.folder.path / "examples" / "rotation"
        shutil.copytree(EXAMPLE, self.files)
        shutil.copytree(HOOKS, self.files.parent / "hooks")
        shutil.copy(case.once("resend", build_resend), self.files.parent / "hooks" / "resend")
        self.systemctl = case.folder.write("bin/systemctl", SYSTEMCTL, 0o755)
        self.prepare_postgres()
        self.prepare_engine()
        self.prepare_providers()
        self.prepare_kv()
        self.localize()
        self.env = {
            "DB_ROLE": "prod", "VAULT_ADDR": self.bao.address, "VAULT_TOKEN": self.token_of_the_policy(),
            "PATH": f"{self.systemctl.parent}:/usr/bin:/bin"}

    # ---- what there is before ------------------------------------------------------------------

    def prepare_postgres(self) -> None:
        """Two logins of one owner, a reader, and two roles at Neon."""
        self.database = self.case.database()
        self.owner, self.logins = f"app_rw_{self.mark}", [f"app_{name}_{self.mark}" for name in "ab"]
        self.admins = f"app_admins_{self.mark}"
        self.first = self.case.canaries.new("the first password of the application")
        there, owner = quote_name(self.database.name), quote_name(self.owner)
        script = [f"CREATE ROLE {owner} NOLOGIN", f"GRANT CREATE, CONNECT ON DATABASE {there} TO {owner}"]
        for login in self.logins:
            script += [f"CREATE ROLE {quote_name(login)} NOLOGIN IN ROLE {owner}",
                       f"ALTER ROLE {quote_name(login)} SET role = {owner}"]
        # From PostgreSQL 16 on CREATEROLE alone changes nobody's password, and the engine's admin is another each time.
        logins = ", ".join(map(quote_name, self.logins))
        script += [f"CREATE ROLE {self.admins} NOLOGIN",
                   f"GRANT {owner}, {logins} TO {self.admins} WITH ADMIN OPTION"]
        script += [f"ALTER ROLE {quote_name(self.logins[0])} LOGIN PASSWORD {quote_text(self.first)}",
                   f"SET ROLE {owner}; CREATE SCHEMA app; CREATE TABLE app.things (id int)"]
        self.database.sql("; ".join(script))
        self.roles: List[Role] = [self.database.server.role() for _ in range(2)]
        for role in self.roles:
            self.case.canaries.add(f"password of {role.name}", role.password)

    def prepare_engine(self) -> None:
        """Vault's engine with a login of its own, an admin's role and a static one."""
        server = self.database.server
        root = server.role(options="LOGIN SUPERUSER")
        self.root = (root.name, self.case.canaries.add("the engine's first password", root.password))
        self.engine = self.bao.mount(f"database-{self.mark}", "database")
        self.bao.write(f"{self.engine}/config/acme", {
            "plugin_name": "postgresql-database-plugin", "allowed_roles": ["admin", "reports"],
            "password_authentication": "scram-sha-256", "username": root.name, "password": root.password,
            "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{server.port}/"
                              f"{self.database.name}?sslmode=disable"})
        name = '"{{name}}"'
        self.bao.write(f"{self.engine}/roles/admin", {
            "db_name": "acme", "default_ttl": "1h", "max_ttl": "2h",
            "creation_statements": [f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{{{{password}}}}' "
                                    f"VALID UNTIL '{{{{expiration}}}}' IN ROLE pg_signal_backend, {self.admins}"],
            "revocation_statements": [f"DROP ROLE IF EXISTS {name}"]})
        reader = self.database.owner
        self.bao.write(f"{self.engine}/static-roles/reports", {
            "db_name": "acme", "username": reader.name, "rotation_period": "720h"})

    def prepare_providers(self) -> None:
        """Neon, Upstash, Clerk, Resend, with what the dashboards gave."""
        self.neon = Neon(self.database.server, self.roles)
        self.upstash, self.clerk, self.resend = Upstash(), Clerk(), Resend()
        for server in (self.neon, self.upstash, self.clerk, self.resend):
            self.case.defer(server.stop)
        self.platform = self.case.folder.write(
            "clerk-platform", self.case.canaries.add("Clerk's platform token", self.clerk.platform), 0o600)

    def prepare_kv(self) -> None:
        """Every secret's first value, and when it was made: long ago."""
        fields = {
            "NEON_API_KEY": self.neon.api_key, "UPSTASH_ADMIN_TOKEN": self.upstash.admin,
            "CLERK_SECRET_KEY": self.clerk.newest(), "CLERK_WEBHOOK_SECRET": "whsec_" + secrets.token_hex(16),
            "RESEND_API_KEY": self.resend.add("the application's"), "RESEND_ADMIN_KEY": self.resend.admin,
            "SESSION_SECRET": self.base64_secret(), "JWT_SIGNING_KEY": secrets.token_hex(64),
            "FIELD_ENCRYPTION_KEY": self.base64_secret(), "CI_VAULT_TOKEN": self.ci_token()}
        for name, value in fields.items():
            self.case.canaries.add(f"first {name}", value)
        prod = f"{self.mount}/acme/prod"
        self.bao.put(f"{prod}/app", fields)
        self.bao.put(f"{prod}/db", {"user": self.logins[0], "password": self.first})
        self.bao.put(f"{prod}/neon", {"user": self.roles[0].name, "password": self.roles[0].password})
        token = self.upstash.add_user("app")
        self.bao.put(f"{prod}/redis", {"token": self.case.canaries.add("the first token", token)})
        marks: Dict[str, Dict[str, str]] = {}
        for name in IN_ORDER:
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - LONG_AGO_S))
            path = f".agent/{name}" if name in OUTSIDE else PATHS.get(name, "app")
            marks.setdefault(path, {})[f"agent.{name}"] = json.dumps({"at": at, "id": "x", "by": "somebody"})
        for path, custom in marks.items():
            self.bao.write(f"{self.mount}/metadata/acme/prod/{path}", {"custom_metadata": custom})

    @staticmethod
    def base64_secret() -> str:
        return base64.b64encode(secrets.token_bytes(48)).decode()

    def ci_token(self) -> str:
        """An orphan with the policy that the example's role for CI has."""
        policy = self.bao.policy({"secret/data/nothing": ["read"]}, f"acme-ci-{self.mark}")
        return self.bao.new_token([policy], ttl="720h", no_parent=True)

    # ---- what differs here ---------------------------------------------------------------------

    def localize(self) -> None:
        """The addresses, mounts and names that are others in a test."""
        server = self.database.server
        neon = {"host": "ep-cool-darkness-a5b6c7d8.eu-central-1.aws.neon.tech"}
        self.replace(
            ("db.acme.internal:5432/app?sslmode=verify-full",
             f"127.0.0.1:{server.port}/{self.database.name}?sslmode=disable"),
            (f"{neon['host']}:5432/app?sslmode=require",
             f"127.0.0.1:{server.port}/{self.database.name}?sslmode=disable"),
            (f'"host": "{neon["host"]}", "database": "app"',
             f'"host": "127.0.0.1", "port": {server.port}, "database": "{self.database.name}", '
             f'"sslmode": "disable", "api": "{self.neon.address}"'),
            ('"preview_a", "preview_b"', f'"{self.roles[0].name}", "{self.roles[1].name}"'),
            ('"app_a", "app_b"', f'"{self.logins[0]}", "{self.logins[1]}"'),
            ('"owner": "app_rw"', f'"owner": "{self.owner}"'),
            ("https://acme.upstash.io", self.upstash.address),
            ('"application": "app_acme"', f'"application": "app_acme", "api": "{self.clerk.address}"'),
            ("/run/secrets/clerk-platform", str(self.platform)),
            ('"project": "acme"', f'"project": "acme", "api": "{self.resend.address}"'),
            ("vault:secret/", f"vault:{self.mount}/"), ("vault:database/", f"vault:{self.engine}/"),
            ('"mount": "database"', f'"mount": "{self.engine}"'),
            ("b6d24b8e-af0b-4c3c-be0c-359bbd97381e", self.resend.id_of("the application's")),
            ("3f0c5c1e-9d0b-4e0f-8b1d-5f1f3f6e2a77", self.resend.id_of("made by hand")))

    def replace(self, *pairs: Tuple[str, str]) -> None:
        """In the copied contract; each is there, or the example has changed."""
        path = self.files / "contract.json"
        text = path.read_text()
        for old, new in pairs:
            assert old in text, f"the example's contract has no {old}"
            text = text.replace(old, new)
        path.write_text(text)

    def logs_in(self, user: str, password: str) -> bool:
        """Whether a new connection is let in."""
        return self.database.lets_in(user, password)

    def token_of_the_policy(self) -> str:
        """A token that may do what policy.hcl says, and no more."""
        text = (EXAMPLE / "policy.hcl").read_text()
        for old, new in (('"secret/', f'"{self.mount}/'), ('"database/', f'"{self.engine}/')):
            assert old in text
            text = text.replace(old, new)
        name = f"acme-rotate-{self.mark}"
        self.bao.request("PUT", f"sys/policies/acl/{name}", {"policy": text})
        made = self.bao.new_token([name], ttl="1h", display_name="acme-rotate")
        return self.case.canaries.add("the runner's token", made)

    # ---- what it does --------------------------------------------------------------------------

    def rotate(self, *args: str, **how: Any) -> Result:
        """`agent rotate ARGS` in the example's folder."""
        return self.case.agent("rotate", *args, env=self.env, cwd=self.files, **how)

    def kv(self, rest: str) -> Dict[str, str]:
        """What lies there now; every value is a canary from here on."""
        data = self.bao.request("GET", f"{self.mount}/data/acme/prod/{rest}")["data"]["data"]
        for name, value in data.items():
            if name != "user":
                self.case.canaries.add(f"{rest} {name} {secrets.token_hex(2)}", str(value))
        return dict(data)

    def all_now(self) -> Dict[str, Dict[str, str]]:
        """All that lies in KV."""
        return {rest: self.kv(rest) for rest in ("app", "db", "neon", "redis")}

    def make_by_hand(self, name: str) -> str:
        """What a person does at a dashboard; gives the new value."""
        if name == "NEON_API_KEY":
            self.neon.api_key = "napi_" + secrets.token_hex(16)
            return self.neon.api_key
        if name == "UPSTASH_ADMIN_TOKEN":
            self.upstash.reset()
            return self.upstash.admin
        return "whsec_" + secrets.token_hex(16)

    def let_grace_end(self, names: Iterable[str] = WITH_GRACE) -> None:
        """Nobody has to wait for days: what is soaking ended a moment ago."""
        self.clerk.pass_hours(CLERK_HOURS)
        for name in names:
            pending = f"{PATHS.get(name, 'app')}.pending/{name}"
            record = self.bao.request("GET", f"{self.mount}/data/acme/prod/{pending}")["data"]["data"]
            assert int(record["state"]["soak_until"]) > time.time()
            record["state"]["soak_until"] = type(record["state"]["soak_until"])(int(time.time()) - 1)
            self.bao.put(f"{self.mount}/acme/prod/{pending}", record)

    def states(self, code: int = 0) -> Dict[str, str]:
        """--status."""
        shown = self.rotate("--status", "--json").expect(code).json()["secrets"]
        assert [one["name"] for one in shown] == IN_ORDER
        return {one["name"]: one["state"] for one in shown}
