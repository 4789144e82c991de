"""A database whose credential lies in KV, with one login or with two: what tests of its rotation share."""
from __future__ import annotations

import secrets
from typing import Any, Dict, Mapping, Optional
from urllib.parse import urlsplit

import psycopg

from tests.lib.case import Case
from tests.lib.postgres import Database, Postgres, quote_name, quote_text
from tests.lib.processes import folder_in_memory
from tests.lib.rotating import Rotating, composed_url, rotated_by_admin, results


def server_of(case: Case) -> Postgres:
    """A server that writes down whatever it is asked; the module's own."""
    made: Postgres = case.once("rotate_pg", lambda: Postgres(
        options={"log_statement": "all"}, parent=folder_in_memory()))
    case.canaries.add("superuser's password there", made.password)
    return made


class Scene(Rotating):
    """A database, its logins, and a credential in KV. `as_url`: as one URL, else user and password.
    `port`, `admin_port`: where the server is reached, if by another."""

    def __init__(self, case: Case, rotate: Mapping[str, Any], as_url: bool = False,
                 admin_port: Optional[int] = None, port: Optional[int] = None,
                 **more: Any) -> None:
        self.server = server_of(case)
        self.port = port or self.server.port  # in what is published
        self.database: Database = self.server.database()
        case.defer(self.database.drop)
        self.mark, self.as_url, self.more = secrets.token_hex(4), as_url, more
        self.logins, self.owner = [f"a_{self.mark}", f"b_{self.mark}"], f"owner_{self.mark}"
        self.admin = self.server.role(f"admin_{self.mark}", options="LOGIN CREATEROLE")
        case.canaries.add("admin's password", self.admin.password)
        super().__init__(case, {})
        self.admin_url = self.url(self.admin.name, self.admin.password, port=admin_port)
        self.bao.put(f"{self.mount}/admin", {"url": self.admin_url})
        self.says(rotate)

    def says(self, rotate: Mapping[str, Any]) -> None:
        """Let the contract say that of DATABASE_URL."""
        variable: Dict[str, Any] = {"type": "postgres-url", "source": "vault:{mount}/app#url"}
        if not self.as_url:
            variable = composed_url("{mount}/app", self.database, self.port)
        self.contract(rotated_by_admin(variable, rotate, "{mount}/admin"), **self.more)

    def url(self, user: str, password: str, port: Optional[int] = None) -> str:
        return (f"postgresql://{user}:{password}@127.0.0.1:{port or self.port}/"
                f"{self.database.name}?sslmode=disable&application_name=my%20app")

    def made_by_admin(self, *roles: str) -> str:
        """SQL that makes roles. From PostgreSQL 16 on an admin may only change those that it made itself,
        or has been given."""
        made = "; ".join(f"CREATE ROLE {quote_name(role)} NOLOGIN" for role in roles)
        return f"SET SESSION AUTHORIZATION {quote_name(self.admin.name)}; {made}; RESET SESSION AUTHORIZATION"

    def put(self, user: str, password: str) -> None:
        """Publish that credential."""
        self.bao.put(self.path, {"url": self.url(user, password), "other": "stays"} if self.as_url
                     else {"user": user, "password": password, "other": "stays"})

    def published(self) -> Dict[str, str]:
        """The user and the password that the application would get."""
        now = self.fields()
        if self.as_url:
            parts = urlsplit(now["url"])
            now = {"user": parts.username or "", "password": parts.password or ""}
        self.case.canaries.add(f"password {secrets.token_hex(4)}", now["password"])
        return {"user": now["user"], "password": now["password"]}

    def logs_in(self, login: Mapping[str, str]) -> bool:
        """Whether a new connection is let in."""
        return self.database.lets_in(login["user"], login["password"])

    def session(self, login: Mapping[str, str]) -> "psycopg.Connection[Any]":
        """A connection that stays open until the test ends."""
        made = psycopg.connect(host="127.0.0.1", port=self.server.port, dbname=self.database.name,
                               autocommit=True, **login)  # type: ignore[arg-type]
        self.case.defer(made.close)
        return made

    def rotated(self, *args: str, code: int = 0) -> Dict[str, Any]:
        """Rotate, and what --json says of it."""
        [one] = results(self.rotate("DATABASE_URL", "--json", *args).expect(code))
        return one

    def assert_log_is_clean(self, *logins: Mapping[str, str]) -> None:
        """The server wrote down every statement, and none of the passwords."""
        log = self.server.log_text()
        assert "PASSWORD 'SCRAM-SHA-256$4096:" in log
        for login in logins:
            assert login["password"] not in log, f"the password of {login['user']} is in the log"


def two_logins(case: Case, grace: Optional[str] = None, **how: Any) -> Scene:
    """Both logins as --init makes them, the first one published."""
    scene = Scene(case, {}, **how)
    first = case.canaries.new("first password")
    owner = quote_name(scene.owner)
    script = [scene.made_by_admin(scene.owner, *scene.logins)]
    for login in map(quote_name, scene.logins):
        script += [f"GRANT {owner} TO {login}", f"ALTER ROLE {login} SET role = {owner}"]
    script += [f"GRANT ALL ON SCHEMA public TO {owner}", f"SET ROLE {owner}",
               "CREATE TABLE public.orders (n int)"]
    scene.database.sql("; ".join(script))
    set_password(scene, scene.logins[0], first)
    scene.put(scene.logins[0], first)
    scene.says(two(scene, grace))
    return scene


def two(scene: Scene, grace: Optional[str] = None) -> Dict[str, Any]:
    """What the contract says of two logins."""
    return {"strategy": "pg-two-login", "logins": scene.logins, "owner": scene.owner,
            **({"grace": grace} if grace else {})}


def set_password(scene: Scene, login: str, password: str) -> None:
    """Let LOGIN in with it; the server's log gets the verifier."""
    with psycopg.connect(host=str(scene.server.socket_folder), port=scene.server.port,
                         user="postgres", dbname="postgres", autocommit=True) as connection:
        verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(),
                                                      b"scram-sha-256").decode()
        connection.execute(f"ALTER ROLE {quote_name(login)} LOGIN PASSWORD {quote_text(verifier)}")


def one_login(case: Case, **how: Any) -> Scene:
    """One login of its own, published."""
    extra = how.pop("extra", {})
    scene = Scene(case, {}, **how)
    first = case.canaries.new("first password")
    scene.server.sql(scene.made_by_admin(scene.logins[0]))
    set_password(scene, scene.logins[0], first)
    scene.put(scene.logins[0], first)
    scene.says({"strategy": "pg-login", "login": scene.logins[0], **extra})
    return scene
