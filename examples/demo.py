#!/usr/bin/env python3
"""`make demo`: agent's main job on a real OpenBao, a real PostgreSQL and the example in examples/acme.

Starts both servers for itself in a temporary folder below build/, shows each step, stops them.
"""
from __future__ import annotations

import argparse
import base64
import secrets
import shlex
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Dict, List, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.lib.agent import Canaries  # noqa: E402
from tests.lib.servers import (ROOT, AppRole, Folder, OpenBao, Postgres,  # noqa: E402
                               plain_environment, reachable, server_user, stop_on_signals)

ACME = ROOT / "examples" / "acme"
OWNER = "acme_owner"
STEP_SECONDS = 120


class Failed(Exception):
    """A step did not end as it should."""


def say(text: str = "") -> None:
    """A line, at once."""
    print(text, flush=True)


def random_base64(count: int) -> str:
    """Random bytes as the contract wants them."""
    return base64.b64encode(secrets.token_bytes(count)).decode()


def start_servers(folder: Path) -> Tuple[Postgres, OpenBao]:
    """Both servers, empty, but for a database without a table and the role that will own them."""
    say(f"1. Two servers are started, for this demo alone (their folder: {folder})")
    postgres, bao = Postgres(parent=folder), OpenBao(tls=True, parent=folder)
    postgres.sql("CREATE DATABASE acme")
    postgres.sql(f"CREATE ROLE {OWNER} NOLOGIN; GRANT CREATE ON SCHEMA public TO {OWNER}", "acme")
    version = postgres.value("SHOW server_version").split()[0]
    health = bao.request("GET", "sys/health", token=None)
    say(f"   PostgreSQL {version} on 127.0.0.1:{postgres.port}, with an empty database 'acme'")
    say(f"   OpenBao {health['version']} on {bao.address} (it speaks Vault's API)")
    return postgres, bao


def fill_openbao(postgres: Postgres, bao: OpenBao, canaries: Canaries) -> AppRole:
    """What a platform team has in Vault, and a role that may read just that."""
    app: Dict[str, str] = {
        "REDIS_URL": f"rediss://:{secrets.token_hex(16)}@cache.acme.internal:6379/0",
        "SESSION_SECRET": random_base64(48),
        "WEBHOOK_SIGNING_KEY": random_base64(32),
        "CLERK_SECRET_KEY": "sk_test_" + secrets.token_hex(20),
        "RESEND_API_KEY": "re_" + secrets.token_hex(16),
    }
    for name, value in app.items():
        canaries.add(name, value)
    bao.put("secret/acme/staging/app", app)
    bao.put("secret/acme/staging/db",
            {"host": "127.0.0.1", "port": str(postgres.port), "sslmode": "disable"})
    bao.database_engine(postgres, "acme", role="acme", member_of=OWNER, mount="database")
    policy = bao.policy({"secret/data/acme/staging/*": ["read"], "database/creds/acme": ["read"]})
    role = bao.approle([policy], mount="approle")
    canaries.add("secret id", role.secret_id)
    say()
    say("2. OpenBao is given what a company keeps in it")
    say(f"   secret/acme/staging/app   {len(app)} secrets of the application")
    say("   secret/acme/staging/db    where its database is")
    say("   database/creds/acme       makes a new database login, for an hour, whenever it is read")
    say("   an AppRole                how agent logs in: it may read these three, and nothing else")
    return role


def environment(folder: Path, bao: OpenBao, role: AppRole) -> Dict[str, str]:
    """What the container's platform would set: no secret but the AppRole's."""
    return plain_environment(folder, {
        "VAULT_ADDR": bao.address, "VAULT_CACERT": str(bao.ca_cert),
        "VAULT_ROLE_ID": role.role_id, "VAULT_SECRET_ID": role.secret_id,
        "DB_ROLE": "staging", "EMAIL_MODE": "resend", "PUBLIC_URL": "https://app.acme.example",
        "TENANT_ID": str(uuid.uuid4()),
    })


class Steps:
    """Runs commands as a reader would, shows what came out, and looks for secrets in it."""

    def __init__(self, binary: Path, env: Dict[str, str], canaries: Canaries) -> None:
        self._binary, self._env, self._canaries = binary, env, canaries

    def run(self, *args: str, **more: str) -> str:
        """`agent ARGS` in examples/acme, with `more` in its environment; gives its stdout."""
        say(f"   $ {shlex.join(['agent', *args])}")
        done = subprocess.run([str(self._binary), *args], stdin=subprocess.DEVNULL,
                              capture_output=True, cwd=str(ACME), env={**self._env, **more},
                              timeout=STEP_SECONDS)
        self._canaries.check(done.stdout + done.stderr, "what was printed")
        lines: List[str] = (done.stderr + done.stdout).decode(errors="replace").splitlines()
        for line in lines:
            say("     " + line)
        if done.returncode != 0:
            raise Failed(f"that ended with exit code {done.returncode}, not 0")
        return done.stdout.decode(errors="replace")


def rotate(steps: Steps, bao: OpenBao, canaries: Canaries) -> None:
    """A secret is replaced by somebody who may."""
    say()
    say("7. A secret is replaced by an operator, whose token may write: what would be done, the doing,")
    say("   and what is known of it then. Killed at any point, `agent rotate --resume` would end it.")
    former = bao.request("GET", "secret/data/acme/staging/app")["data"]["data"]["SESSION_SECRET"]
    for args in (("--dry-run", "SESSION_SECRET"), ("SESSION_SECRET", "--reason", "the demo"),
                 ("--status", "SESSION_SECRET")):
        steps.run("rotate", *args, VAULT_TOKEN=bao.token)
    now = bao.request("GET", "secret/data/acme/staging/app")["data"]["data"]
    canaries.add("the new SESSION_SECRET", now["SESSION_SECRET"])
    if now["SESSION_SECRET"] == former or now.get("SESSION_SECRET_PREVIOUS") != former:
        raise Failed("SESSION_SECRET was not replaced, or its former value not kept")


def story(steps: Steps, postgres: Postgres) -> None:
    """The steps, one after the other."""
    say()
    say("3. The contract, examples/acme/contract.json, says what must be true. Is it sound?")
    steps.run("check", "--lint")
    say()
    say("4. The application is started; here it is `alembic current`, which asks the database for its")
    say("   revision. agent logs in to OpenBao, fetches and checks every variable, finds the database")
    say("   empty, makes all tables and their stamp in one transaction, looks again from a new")
    say("   connection, and only then starts the command. Its own lines begin with info or warn.")
    if "(head)" not in steps.run("run", "--bootstrap", "--", "alembic", "current"):
        raise Failed("alembic did not print the head")
    say()
    say("5. What state is the database in? (No psql is needed.)")
    steps.run("verify")
    say()
    say("6. The same start again, as after a deployment: there is nothing to do")
    steps.run("run", "--bootstrap", "--", "alembic", "current", "--check-heads")
    owners = postgres.sql("SELECT tableowner, count(*) FROM pg_tables WHERE schemaname = 'public' "
                          "GROUP BY 1", "acme")
    if len(owners) != 1 or owners[0][0] != OWNER:
        raise Failed(f"not all tables belong to {OWNER}: {owners}")
    say(f"   All {owners[0][1]} tables, Alembic's own among them, belong to {OWNER}, and outlive the")
    say("   login that made them.")


def main() -> int:
    """0 when every step did what it says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--agent", type=Path, default=ROOT / "build" / "release" / "agent")
    binary = parser.parse_args().agent.resolve()
    if not binary.exists():
        sys.exit(f"demo: there is no '{binary}': run make first")
    stop_on_signals()
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    folder = Folder("demo-", build if reachable(build, server_user()) else None)
    folder.path.chmod(0o755)
    canaries = Canaries()
    postgres, bao = start_servers(folder.path)
    try:
        canaries.add("PostgreSQL's password", postgres.password)
        canaries.add("OpenBao's root token", bao.token)
        role = fill_openbao(postgres, bao, canaries)
        steps = Steps(binary, environment(folder.path, bao, role), canaries)
        story(steps, postgres)
        rotate(steps, bao, canaries)
        say()
        say("Done. No secret was in any line above: they were looked for.")
        code = 0
    except (Failed, AssertionError) as problem:
        say(f"demo: failed: {problem}")
        code = 1
    finally:
        postgres.remove()
        bao.remove()
        folder.remove()
    say("Both servers are stopped, and their folder is removed.")
    return code


if __name__ == "__main__":
    sys.exit(main())
