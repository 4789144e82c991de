"""A throwaway PostgreSQL: loopback and a unix socket, a free port, no fsync.

The superuser is trusted on the socket and has a password on TCP; every other role needs its password
on both, so that wrong passwords, missing rights and the rest can be tried.
"""
from __future__ import annotations

import contextlib
import csv
import io
import os
import secrets
import signal
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional
from urllib.parse import quote, urlencode

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo

from tests.lib.certificates import Certificates
from tests.lib.processes import (ROOT, Folder, Program, Skip, as_user, free_port, listening,
                                 other_postgres, plain_environment, wait_until)

SUPERUSER = "postgres"
SOCKET_PATH_MAX_BYTES = 100  # sun_path has 108, of which the socket's name takes some
STATEMENT_SECONDS = 120
CONNECT_SECONDS = 20
FIRST_PASSWORD = "until-it-has-its-own"  # of every cluster: they are copies of one (initdb.sh)
# What a test sends as superuser may have passwords in it: those are its own.
UNLOGGED = "-c log_statement=none -c log_min_error_statement=panic"
DEFAULTS = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
    "shared_buffers": "32MB", "max_connections": "60", "autovacuum": "off",
    "listen_addresses": "127.0.0.1", "log_min_messages": "log", "log_line_prefix": "%p %d ",
    "timezone": "UTC", "max_wal_size": "2GB",
    "log_statement": "all",  # no test may leave a password there: Case.close looks
}
HBA = """local all,replication postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


class PostgresError(Exception):
    """A statement or a program of PostgreSQL failed; the text is what it said."""


def find_bindir() -> Path:
    """The PostgreSQL that is tested with: the folder that AGENT_TEST_POSTGRES names (it may have no
    more than initdb and postgres), or the newest of this machine."""
    return other_postgres() or installed_bindir()


def installed_bindir() -> Path:
    """The newest PostgreSQL of this machine (Debian keeps each version in its own folder)."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]))
    if not found:
        raise PostgresError("there is no PostgreSQL server in /usr/lib/postgresql (make deps)")
    return found[-1].parent


def server_user() -> Optional[str]:
    """PostgreSQL refuses root: as root the server runs as the user that its package made."""
    return "postgres" if os.geteuid() == 0 else None


def quote_name(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


class Postgres:
    """One server. `options`: settings over DEFAULTS. `tls`: with a certificate of our own CA."""

    def __init__(self, options: Optional[Mapping[str, str]] = None, tls: bool = False,
                 parent: Optional[Path] = None) -> None:
        self.bindir, self.user = find_bindir(), server_user()
        self.folder = Folder("agent-pg-", parent, owner=self.user)
        self.folder.path.chmod(0o755)
        self.data = self.folder / "data"
        self.password = FIRST_PASSWORD
        self.options: Dict[str, str] = {**DEFAULTS, **(options or {})}
        self.ca_cert: Optional[Path] = None
        self.certificates: Optional[Certificates] = None
        self.program: Optional[Program] = None
        self._initdb()
        if tls:
            self._use_tls()
        self.port = free_port()
        self.start()
        self._own_password()

    # ---- the server ---------------------------------------------------------------------------

    def _initdb(self) -> None:
        secret = self.folder.write("superuser", FIRST_PASSWORD + "\n")
        made = subprocess.run(
            [str(ROOT / "tests" / "lib" / "initdb.sh"), str(self.bindir), str(self.data), str(secret),
             "-U", SUPERUSER, "--encoding", "UTF8", "--locale", "C.UTF-8", "--auth", "scram-sha-256"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=str(self.folder.path),
            timeout=STATEMENT_SECONDS, env=plain_environment(self.folder.path))
        if made.returncode != 0:
            raise PostgresError(f"initdb.sh: {made.stderr.strip() or f'exit {made.returncode}'}")
        secret.unlink()
        (self.data / "pg_hba.conf").write_text(HBA)

    def _own_password(self) -> None:
        """One that no other server has; it outlives a kill right behind it."""
        made = secrets.token_hex(12)
        self.sql(f"SET synchronous_commit = on; "
                 f"ALTER ROLE {quote_name(SUPERUSER)} PASSWORD {quote_text(made)}")
        self.password = made

    def _use_tls(self) -> None:
        made = Certificates(self.folder.path)
        key = self.data / "server.key"
        key.write_bytes(made.key.read_bytes())
        if self.user:
            as_owner = self.data.stat()
            os.chown(key, as_owner.st_uid, as_owner.st_gid)
        key.chmod(0o600)
        self.ca_cert, self.certificates = made.ca, made
        self.options.update({"ssl": "on", "ssl_cert_file": str(made.certificate),
                             "ssl_key_file": str(key)})

    @property
    def socket_folder(self) -> Optional[Path]:
        """Where the unix socket is; None where the path would be too long for one."""
        fits = len(str(self.folder.path)) < SOCKET_PATH_MAX_BYTES - len("/.s.PGSQL.65535")
        return self.folder.path if fits else None

    def start(self) -> None:
        """Start the server and wait until it answers (also again, after `stop`)."""
        settings = {**self.options, "port": str(self.port),
                    "unix_socket_directories": str(self.socket_folder or "")}
        argv = [str(self.bindir / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        # SIGINT is PostgreSQL's fast shutdown: sessions are ended, the data is sound.
        self.program = Program(argv, self.folder / "log", plain_environment(self.folder.path),
                               self.folder.path, self.user, stop_signal=signal.SIGINT)
        wait_until(self._answers, "PostgreSQL", self.program)

    def _answers(self) -> bool:
        if not listening(self.port):
            return False
        try:
            return self.sql("SELECT 1") == [["1"]]
        except PostgresError as problem:
            if any(words in str(problem) for words in (
                    "starting up", "could not connect", "not yet accepting", "recovery mode",
                    # it listens at its addresses one after the other
                    "Connection refused", "No such file or directory")):
                return False
            raise

    def stop(self) -> None:
        """Stop the server; its data stay, `start` goes on with them."""
        if self.program is not None:
            self.program.stop()

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        self.stop()
        self.folder.remove()

    def log_text(self) -> str:
        """The server's log, with every statement but the test's own."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def log_bytes(self) -> int:
        """How long the log is by now."""
        return (self.folder / "log").stat().st_size

    def log_from(self, start: int) -> bytes:
        """The log from that byte on; nothing where the server was removed meanwhile."""
        if not (self.folder / "log").exists():
            return b""
        with open(self.folder / "log", "rb") as log:
            log.seek(start)
            return log.read()

    def _tool(self, argv: List[str], env: Optional[Mapping[str, str]] = None,
              text: Optional[str] = None) -> str:
        """Run a program of PostgreSQL's own as the server's user; gives its stdout."""
        program = self.bindir / argv[0]
        if not program.exists():
            program = installed_bindir() / argv[0]
        done = subprocess.run(
            [str(program)] + argv[1:], input=text or "", capture_output=True,
            text=True, cwd=str(self.folder.path), timeout=STATEMENT_SECONDS,
            env=plain_environment(self.folder.path, env), **as_user(self.user))
        if done.returncode != 0:
            raise PostgresError(f"{argv[0]}: {done.stderr.strip() or f'exit {done.returncode}'}")
        return done.stdout

    # ---- what is in it ------------------------------------------------------------------------

    def _connection(self, database: str) -> List[str]:
        return ["-h", str(self.socket_folder or "127.0.0.1"), "-p", str(self.port),
                "-U", SUPERUSER, "-d", database]

    def sql(self, text: str, database: str = "postgres") -> List[List[str]]:
        """Run SQL as superuser; gives the rows as texts (NULL as the empty text)."""
        if ";" in text.rstrip().rstrip(";") or "\\" in text:
            return self._script(text, database)
        return self._statement(text, database)

    def _script(self, text: str, database: str) -> List[List[str]]:
        """Several statements, or more than SQL: psql makes each a transaction of its own."""
        out = self._tool(["psql", "-X", "-q", "-t", "--csv", "-v", "ON_ERROR_STOP=1"]
                         + self._connection(database),
                         {"PGPASSWORD": self.password, "PGOPTIONS": UNLOGGED}, text)
        return [row or [""] for row in csv.reader(io.StringIO(out))]

    def _statement(self, text: str, database: str) -> List[List[str]]:
        """One statement, without the start of a program: most are a glance in a loop."""
        connection = pq.PGconn.connect(make_conninfo(
            host=str(self.socket_folder or "127.0.0.1"), port=self.port, user=SUPERUSER,
            password=self.password, dbname=database, client_encoding="UTF8", sslmode="prefer",
            options=f"{UNLOGGED} -c statement_timeout={STATEMENT_SECONDS}s",
            connect_timeout=STATEMENT_SECONDS).encode())
        try:
            if connection.status != pq.ConnStatus.OK:
                raise PostgresError(connection.error_message.decode(errors="replace").strip())
            got = connection.exec_(text.encode())
            if got.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
                raise PostgresError(got.error_message.decode(errors="replace").strip())
            return [[(got.get_value(row, column) or b"").decode() for column in range(got.nfields)]
                    for row in range(got.ntuples)]
        finally:
            connection.finish()

    def value(self, text: str, database: str = "postgres") -> str:
        """The one value that a query gives."""
        rows = self.sql(text, database)
        if len(rows) != 1 or len(rows[0]) != 1:
            raise PostgresError(f"one value was wanted from {text!r}, not {rows!r}")
        return rows[0][0]

    def dump(self, database: str, *options: str) -> str:
        """pg_dump's plain output. Skips the test where there is none as new as the server."""
        try:
            return self._tool(["pg_dump"] + self._connection(database) + list(options),
                              {"PGPASSWORD": self.password})
        except PostgresError as problem:
            if other_postgres() and "server version mismatch" in str(problem):
                raise Skip("this machine's pg_dump is older than AGENT_TEST_POSTGRES") from problem
            raise

    def role(self, name: Optional[str] = None, password: Optional[str] = None,
             options: str = "LOGIN") -> "Role":
        """Make a role; without a name one that nobody else has."""
        made = Role(name or "role_" + secrets.token_hex(4), password or secrets.token_hex(12))
        self.sql(f"CREATE ROLE {quote_name(made.name)} {options} "
                 f"PASSWORD {quote_text(made.password)}")
        return made

    def database(self, owner: Optional["Role"] = None, name: Optional[str] = None) -> "Database":
        """Make an empty database, with an owner that is an ordinary login."""
        owner = owner or self.role()
        name = name or "db_" + secrets.token_hex(4)
        self.sql(f"CREATE DATABASE {quote_name(name)} OWNER {quote_name(owner.name)} "
                 "TEMPLATE template0")
        return Database(self, name, owner)

    @contextlib.contextmanager
    def fresh(self) -> Iterator["Database"]:
        """An empty database for the length of a block."""
        made = self.database()
        try:
            yield made
        finally:
            made.drop()

    def url(self, database: str, user: str = SUPERUSER, password: Optional[str] = None,
            host: str = "127.0.0.1", port: Optional[int] = None, scheme: str = "postgresql",
            query: Optional[Mapping[str, str]] = None) -> str:
        """A connection URL; the superuser's password is filled in, another role's must be given."""
        if password is None and user == SUPERUSER:
            password = self.password
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        tail = "?" + urlencode(query) if query else ""
        return f"{scheme}://{login}@{host}:{port or self.port}/{quote(database, safe='')}{tail}"


class Role:
    """A login and its password."""

    def __init__(self, name: str, password: str) -> None:
        self.name, self.password = name, password


class Database:
    """A database of a server, with the login that owns it."""

    def __init__(self, server: Postgres, name: str, owner: Role) -> None:
        self.server, self.name, self.owner = server, name, owner

    def url(self, **how: object) -> str:
        """The owner's URL; `how` as Postgres.url takes it."""
        how.setdefault("user", self.owner.name)
        how.setdefault("password", self.owner.password)
        return self.server.url(self.name, **how)  # type: ignore[arg-type]

    def sql(self, text: str) -> List[List[str]]:
        """Run SQL as superuser."""
        return self.server.sql(text, self.name)

    def value(self, text: str) -> str:
        """The one value that a query gives."""
        return self.server.value(text, self.name)

    def lets_in(self, user: str, password: str) -> bool:
        """Whether that log-in is accepted; what is wrong besides raises."""
        try:
            psycopg.connect(self.server.url(self.name, user, password, query={"sslmode": "disable"}),
                            connect_timeout=CONNECT_SECONDS).close()
        except psycopg.OperationalError as problem:
            text = str(problem)
            if "authentication failed" in text or "not permitted to log in" in text:
                return False
            raise
        return True

    def tables(self) -> List[str]:
        """The user's tables, `schema.table`, sorted."""
        rows = self.sql("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname "
                        "NOT IN ('pg_catalog', 'information_schema') ORDER BY 1")
        return [row[0] for row in rows]

    def stamped(self, table: str = "public.alembic_version") -> List[str]:
        """The rows of the version table, sorted."""
        return [row[0] for row in self.sql(f"SELECT version_num FROM {table} ORDER BY 1")]

    def dump(self, *options: str) -> str:
        """pg_dump's plain output."""
        return self.server.dump(self.name, *options)

    def drop(self) -> None:
        """Remove the database, sessions in it included."""
        self.server.sql(f"DROP DATABASE IF EXISTS {quote_name(self.name)} WITH (FORCE)")
