"""What one integration test is handed: `def test_x(case: Case)`.

Servers are started once for a run and shared; what is in them is the test's own: a fresh database, a KV
mount, an AppRole. What a test opens is closed after it, and what it ran is shown when it fails.
"""
from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, TypeVar

from tests.lib.agent import Agent, Canaries, Result, run_tool
from tests.lib.alembic_server import AlembicServer
from tests.lib.processes import Skip, folder_in_memory, plain_environment
from tests.lib.servers import ROOT, Database, Folder, OpenBao, Postgres, Proxy, ScriptedHttp
from tests.lib.scripted import Script
from tests.lib.standby import PAIR_OPTIONS, Standby

ACME = ROOT / "examples" / "acme"
Test = TypeVar("Test", bound=Callable[..., Any])


def alone(test: Test) -> Test:
    """Mark a test that must have the machine, or a shared server, for itself."""
    test.alone = True  # type: ignore[attr-defined]
    return test


class Shared:
    """The servers of a run, each started when it is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: Dict[str, threading.Lock] = {}
        self._made: Dict[str, Any] = {}

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gave the first time; two tests may start two different servers at once."""
        with self._lock:
            mine = self._locks.setdefault(name, threading.Lock())
        with mine:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]

    def stop(self) -> None:
        """Stop them all."""
        with self._lock:
            for made in self._made.values():
                if isinstance(made, (Postgres, OpenBao, AlembicServer)):
                    made.remove()
            self._made.clear()


class Case:
    """One test's tools."""

    def __init__(self, name: str, shared: Shared, variant: Optional[str] = None) -> None:
        self.name = name
        self.log: List[str] = []
        self.canaries = Canaries()
        self.is_first = False
        self._shared, self._variant = shared, variant
        self._folder: Optional[Folder] = None
        self._deferred: List[Callable[[], Any]] = []
        self._logs: Dict[Postgres, int] = {}  # where each server's log stood
        self._plain_text: Optional[str] = None

    # ---- what it may use ----------------------------------------------------------------------

    @property
    def postgres(self) -> Postgres:
        """The shared PostgreSQL; its superuser's password is a canary."""
        server: Postgres = self._shared.get("postgres", lambda: Postgres(parent=folder_in_memory()))
        self.canaries.add("superuser's password", server.password)
        return self._watched(server)

    @property
    def postgres_tls(self) -> Postgres:
        """A shared PostgreSQL that has TLS (`ca_cert`)."""
        server: Postgres = self._shared.get("postgres_tls", lambda: Postgres(tls=True, parent=folder_in_memory()))
        self.canaries.add("superuser's password with TLS", server.password)
        return self._watched(server)

    @property
    def standby(self) -> Standby:
        """A shared standby, and its primary."""
        primary = self._shared.get("primary", lambda: Postgres(
            PAIR_OPTIONS, parent=folder_in_memory()))
        server: Standby = self._shared.get("standby", lambda: Standby(primary))
        self.canaries.add("primary's superuser's password", server.password)
        self._watched(primary)
        self._watched(server)
        return server

    @property
    def openbao(self) -> OpenBao:
        """The shared OpenBao over plain HTTP."""
        server: OpenBao = self._shared.get("openbao", OpenBao)
        self.canaries.add("root token", server.token)
        return server

    @property
    def openbao_tls(self) -> OpenBao:
        """The shared OpenBao over TLS (`ca_cert`)."""
        server: OpenBao = self._shared.get("openbao_tls", lambda: OpenBao(tls=True))
        self.canaries.add("root token with TLS", server.token)
        return server

    @property
    def alembic_path(self) -> str:
        """A PATH whose `alembic` needs no start (tests.lib.alembic_server)."""
        server: AlembicServer = self._shared.get("alembic", AlembicServer)
        return f"{server.path}:{plain_environment(self.folder.path)['PATH']}"

    @property
    def folder(self) -> Folder:
        """A temporary folder of the test's own."""
        if self._folder is None:
            self._folder = Folder()
            self.defer(self._folder.remove)
        return self._folder

    def database(self, server: Optional[Postgres] = None) -> Database:
        """An empty database, owned by a login whose password is a canary."""
        made = (server or self.postgres).database()
        self.canaries.add(f"password of {made.owner.name}", made.owner.password)
        self.defer(made.drop)
        return made

    def proxy(self, port: int, delay_ms: float = 0.0) -> Proxy:
        """A counting and delaying proxy before a port of the loopback."""
        made = Proxy(port, delay_ms)
        self.defer(made.stop)
        return made

    def scripted(self, script: Script) -> ScriptedHttp:
        """An HTTP server that answers by script."""
        made = ScriptedHttp(script)
        self.defer(made.stop)
        return made

    def server_of_its_own(self, **how: Any) -> Postgres:
        """A PostgreSQL for this test alone (`options`, `tls`): to be stopped, filled, broken."""
        made = Postgres(**{"parent": folder_in_memory(), **how})
        self.defer(made.remove)
        self.canaries.add("own superuser's password", made.password)
        return self._watched(made)

    def standby_of_its_own(self) -> Standby:
        """A standby and its primary for this test alone."""
        made = Standby(self.server_of_its_own(options=PAIR_OPTIONS))
        self.defer(made.remove)
        self._watched(made)
        return made

    def _watched(self, server: Postgres) -> Postgres:
        self._logs.setdefault(server, server.log_bytes())
        return server

    def sends_plain_passwords(self, why: str) -> None:
        """Its statements have secrets in them, for that reason: PostgreSQL's log is not looked at."""
        self._plain_text = why

    def openbao_of_its_own(self, tls: bool = False) -> OpenBao:
        """An OpenBao for this test alone: to be sealed, stopped, filled."""
        made = OpenBao(tls=tls)
        self.defer(made.remove)
        self.canaries.add("own root token", made.token)
        return made

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gave to the first test that asked: for what is dear and does not change."""
        return self._shared.get(name, make)

    # ---- what it does -------------------------------------------------------------------------

    def agent(self, *args: str, **how: Any) -> Result:
        """Run `agent ARGS` to its end (tests.lib.agent.Agent.run)."""
        return self.make_agent().run(*args, **how)

    def make_agent(self, variant: Optional[str] = None) -> Agent:
        """The binary, for what `agent` does not do."""
        return Agent(self.folder.path, self.canaries, variant or self._variant, self._remember,
                     self.is_first)

    def tool(self, *argv: str, env: Optional[Mapping[str, str]] = None,
             cwd: Optional[Path] = None, seconds: float = 120.0, text: bytes = b"") -> Result:
        """Run another program to its end; `alembic` is the one that needs no start, unless PATH is given."""
        if argv[0] == "alembic":
            env = {"PATH": self.alembic_path, **(env or {})}
        result = run_tool(argv, env, cwd or self.folder.path, seconds, text)
        self._remember(result)
        return result

    def again(self, is_first: bool) -> "Case":
        """Tools of their own for one more run of the test; IS_FIRST: `agent run` is PID 1 in it."""
        made = Case(self.name, self._shared, self._variant)
        made.is_first, made.log = is_first, self.log
        self.say("as PID 1" if is_first else "as a plain parent")
        return made

    def say(self, text: str) -> None:
        """A line that is shown when the test fails."""
        self.log.append(text)

    def needs_a_look_inside(self) -> None:
        """For what reads an agent's memory, its descriptors or the texts in its calls: it is not dumpable."""
        if os.geteuid() != 0:
            self.skip("only root may look into agent")

    def skip(self, why: str) -> None:
        """End the test: it can't be run here, for that reason."""
        raise Skip(why)

    def defer(self, undo: Callable[[], Any]) -> None:
        """Have `undo` called after the test, the last one first."""
        self._deferred.append(undo)

    def close(self) -> None:
        """Undo what the test opened; the first failure is raised when all is undone."""
        failure: Optional[BaseException] = None
        for server, start in self._logs.items():
            try:
                if not self._plain_text:
                    self.canaries.check(server.log_from(start), "PostgreSQL's log")
            except Exception as problem:
                failure = failure or problem
        while self._deferred:
            try:
                self._deferred.pop()()
            except Exception as problem:  # the rest must be undone too
                failure = failure or problem
        if failure is not None:
            raise failure

    def _remember(self, result: Result) -> None:
        self.log.append(str(result))


def lacks(text: str, parts: Sequence[str]) -> List[str]:
    """Those of `parts` that are not in `text`."""
    return [part for part in parts if part not in text]
