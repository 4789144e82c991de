"""docs/runbooks: every command of every page is run, in its order, on real servers, and ends and says what the
page has it say.

A block of `console` has commands (`$ ...`, with `# exit N` where that is not 0) and parts of what they
print (`…` stands for anything). `<!-- scene: NAME -->` before it is what has happened: the functions below.
"""
from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import signal
import socket
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional
from urllib.error import HTTPError
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from tests.lib.agent import agent_binary
from tests.lib.backend import Backend, read_contract
from tests.lib.case import Case
from tests.lib.processes import ROOT, wait_until
from tests.lib.providers import BUSY
from tests.lib.scripted import Answer, Request

VARIANT = "release"  # a hundred starts; with sanitizers the same steps run in the tests of each strategy
RUNBOOKS = ROOT / "docs" / "runbooks"
SECTIONS = ["What it does", "First time", "Routine", "When it stops half-way", "Back", "Leak", "How to check"]
BUSY_TIMES = 5  # as often as agent tries a step by itself
FORWARD_SECONDS = 60
NEW_VALUE = "new-value"  # a file with what somebody made by hand


class Command(NamedTuple):
    """One line of a page, the exit code and the parts of the output that it promises."""

    line: str
    code: int
    says: List[str]


class Block(NamedTuple):
    """A console block, and what has happened before it."""

    scenes: List[str]
    commands: List[Command]


def read_page(path: Path) -> List[Block]:
    """The console blocks of a page."""
    blocks = []
    for scenes, text in re.findall(r"((?:^<!-- scene: [^\n]+ -->\n)*)^```console\n(.*?)^```$",
                                   path.read_text(), re.M | re.S):
        commands: List[Command] = []
        for line in text.splitlines():
            if line.startswith("$ "):
                words, _, code = line[2:].partition("  # exit ")
                commands.append(Command(words.strip(), int(code or 0), []))
            elif line.strip():
                commands[-1].says.append(line.strip())
        blocks.append(Block(re.findall("scene: (.+) -->", scenes), commands))
    return blocks


class Reader:
    """Somebody who follows a page about the secret `name`, with `env` in the folder `files`."""

    def __init__(self, case: Case, name: str, files: Path, env: Dict[str, str]) -> None:
        self.case, self.name, self.files = case, name, files
        programs = case.folder / "programs"
        programs.mkdir()
        os.symlink(agent_binary(VARIANT), programs / "agent")
        self.env = {**env, "PATH": f"{programs}:{env.get('PATH', '/usr/bin:/bin')}"}

    def remember(self) -> None:
        """Whatever was made is a canary from here on."""

    def follow(self, blocks: List[Block]) -> None:
        """Run all of it."""
        for block in blocks:
            for scene in block.scenes:
                SCENES[scene](self)
            for command in block.commands:
                self.run(command)

    def run(self, command: Command) -> None:
        """One command, in a shell as a person has it."""
        done = self.case.tool("sh", "-c", command.line, env=self.env, cwd=self.files)
        self.case.canaries.check(done.raw_stdout + done.stderr.encode(), f"what '{command.line}' prints")
        assert done.code == command.code, f"{command.line}: exit {done.code}, not {command.code}\n{done}"
        printed = " ".join((done.stdout + " " + done.stderr).split())
        for promised in command.says:
            parts = [re.escape(" ".join(part.split())) for part in promised.split("…")]
            assert re.search(".*?".join(parts), printed), f"{command.line} does not say '{promised}'\n{done}"
        self.remember()


class BackendReader(Reader):
    """With all that the example has."""

    def __init__(self, case: Case, name: str) -> None:
        self.backend = Backend(case)
        # A person has more rights than the nightly runner, whose policy the example's test holds to.
        super().__init__(case, name, self.backend.files,
                         {**self.backend.env, "VAULT_TOKEN": self.backend.bao.token})

    def remember(self) -> None:
        self.backend.all_now()


class SealedReader(Reader):
    """With the contract of the page, and a program `check` that it names."""

    def __init__(self, case: Case, name: str, contract: str) -> None:
        case.folder.write("contract.json", contract)
        self.check = case.folder.write("check", "#!/bin/sh\nexec cat >/dev/null\n", 0o755)
        super().__init__(case, name, case.folder.path, {
            "AGENT_SEALED_KEY_FILE": str(case.folder.path / "keys" / "mine")})

    def remember(self) -> None:
        found = self.case.make_agent(VARIANT).run("seal", "get", self.name, env=self.env, prints_secrets=True)
        if found.code == 0:
            self.case.canaries.add(f"sealed {time.monotonic_ns()}", found.stdout)


# ---- what has happened -----------------------------------------------------------------------------------


def die_behind(reader: BackendReader, step: str) -> None:
    """The runner is killed when its record has come to that step, before it has an answer."""
    backend = reader.backend
    killed: List[str] = []
    typed = b""
    if (backend.files / NEW_VALUE).exists():
        typed = (backend.files / NEW_VALUE).read_bytes()
        (backend.files / NEW_VALUE).unlink()

    def forward(request: Request) -> Optional[Answer]:
        headers = {key: value for key, value in request.headers.items()
                   if key.lower() not in ("host", "content-length", "connection")}
        asked = HttpRequest(backend.bao.address + request.path, request.body or None, headers,
                            method=request.method)
        try:
            with urlopen(asked, timeout=FORWARD_SECONDS) as answer:
                status, body = answer.status, answer.read()
        except HTTPError as problem:
            status, body = problem.code, problem.read()
        if f".pending/{reader.name}" in request.path and f'"step":"{step}"'.encode() in request.body:
            killed.append(step)  # before it is: whoever waits for its end looks at once
            agent.signal(signal.SIGKILL)
            return None
        return Answer(status, body, {"Content-Type": "application/json"})

    server = reader.case.scripted(forward)
    agent = reader.case.make_agent(VARIANT).start(
        "rotate", reader.name, *(["--value-stdin"] if typed else []), cwd=backend.files,
        env={**reader.env, "VAULT_ADDR": server.address})
    ended = agent.wait(text=typed)
    assert killed and ended.code == -signal.SIGKILL, f"it never came to '{step}'\n{ended}"


def busy(reader: BackendReader) -> None:
    """Each provider is busy for as long as agent tries by itself."""
    backend = reader.backend
    for provider in (backend.neon, backend.upstash, backend.clerk, backend.resend):
        provider.weather("(POST|GET) .*", *[BUSY] * BUSY_TIMES)


def weather_is_over(reader: BackendReader) -> None:
    """They answer again."""
    backend = reader.backend
    for provider in (backend.neon, backend.upstash, backend.clerk, backend.resend):
        provider.clear()


def grace_is_over(reader: BackendReader) -> None:
    reader.backend.let_grace_end([reader.name])


def made_by_hand(reader: BackendReader) -> None:
    """Somebody was at the dashboard, and has the value in a file."""
    value = reader.case.canaries.add(f"typed {time.monotonic_ns()}", reader.backend.make_by_hand(reader.name))
    path = reader.backend.files / NEW_VALUE
    path.write_text(value + "\n")
    path.chmod(0o600)


def killed_in_its_test(reader: SealedReader) -> None:
    """The runner is killed while the contract's test runs."""
    here, quiet = reader.files / "here", reader.check.read_text()
    reader.check.write_text("#!/bin/sh\necho $$ >here.new\nmv here.new here\nexec sleep 60\n")
    agent = reader.case.make_agent(VARIANT).start("rotate", reader.name, env=reader.env, cwd=reader.files)
    wait_until(here.exists, "the contract's test")
    agent.signal(signal.SIGKILL)
    assert agent.wait().code == -signal.SIGKILL
    with contextlib.suppress(ProcessLookupError):  # it may have ended with its agent
        os.kill(int(here.read_text()), signal.SIGKILL)
    here.unlink()
    reader.check.write_text(quiet)


SCENES: Dict[str, Callable[[Any], None]] = {
    "the runner is killed in its test": killed_in_its_test,
    "the runner died at set": lambda reader: die_behind(reader, "set"),
    "the runner died at test": lambda reader: die_behind(reader, "test"),
    "the runner died at promote": lambda reader: die_behind(reader, "promote"),
    "the runner died at retire": lambda reader: die_behind(reader, "retire"),
    "the provider is busy": busy,
    "the provider is well again": weather_is_over,
    "grace is over": grace_is_over,
    "Clerk's timer is over": lambda reader: reader.backend.clerk.pass_hours(81),
    "somebody made a new value": made_by_hand,
}


# ---- the pages -------------------------------------------------------------------------------------------


def json_of(page: str) -> str:
    """The page's one block of JSON."""
    (text,) = re.findall(r"^```json\n(.*?)^```$", (RUNBOOKS / f"{page}.md").read_text(), re.M | re.S)
    return str(text)


def follow(case: Case, page: str, name: str, reader: Optional[Reader] = None) -> None:
    """Run a page about the secret NAME; what it leaves is neither open nor due."""
    path = RUNBOOKS / f"{page}.md"
    found = re.findall(r"^## (.+)$", path.read_text(), re.M)
    assert found == SECTIONS, f"{path}: {found}"
    reader = reader or BackendReader(case, name)
    reader.follow(read_page(path))
    left = case.make_agent(VARIANT).run("rotate", "--status", name, "--json", env=reader.env, cwd=reader.files)
    assert left.json()["secrets"][0]["state"] in ("ok", "soaking"), left


def test_random(case: Case) -> None:
    follow(case, "random", "SESSION_SECRET")


def test_manual(case: Case) -> None:
    follow(case, "manual", "NEON_API_KEY")


def test_token(case: Case) -> None:
    follow(case, "token", "CI_VAULT_TOKEN")


def test_pg_two_login(case: Case) -> None:
    follow(case, "pg-two-login", "DATABASE_URL")


def test_pg_login(case: Case) -> None:
    reader = BackendReader(case, "DATABASE_URL")
    path = reader.files / "contract.json"
    contract = read_contract(path)
    rotate = json.loads(json_of("pg-login").replace("app_a", reader.backend.logins[0]))
    contract["vars"]["DATABASE_URL"]["rotate"] = rotate
    path.write_text(json.dumps(contract))
    follow(case, "pg-login", "DATABASE_URL", reader)


def test_sealed(case: Case) -> None:
    reader = SealedReader(case, "SESSION_SECRET", json_of("sealed"))
    follow(case, "sealed", "SESSION_SECRET", reader)
    history = case.make_agent(VARIANT).run("rotate", "--history", "SESSION_SECRET", "--json", env=reader.env)
    who = f"{pwd.getpwuid(os.geteuid()).pw_name}@{socket.gethostname()}"
    kept = [(one["result"], one["by"]) for one in history.json()["history"]]
    assert kept == [(how, who) for how in ("done", "aborted", "rolled back", "done", "done")], kept


def test_every_page_is_followed_and_linked(_case: Case) -> None:
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    tests = {name[len("test_"):].replace("_", "-") for name in globals() if name.startswith("test_")}
    assert pages <= tests, pages - tests
    readme = (RUNBOOKS / "README.md").read_text()
    assert not [page for page in pages if f"({page}.md)" not in readme]


def test_vault_static(case: Case) -> None:
    follow(case, "vault-static", "REPORTS_PASSWORD")


def test_vault_root(case: Case) -> None:
    follow(case, "vault-root", "DATABASE_ENGINE_ROOT")


def test_vault_dynamic(case: Case) -> None:
    follow(case, "vault-dynamic", "DATABASE_ADMIN_URL")


def test_neon(case: Case) -> None:
    follow(case, "neon", "NEON_DATABASE_URL")


def test_upstash(case: Case) -> None:
    follow(case, "upstash", "REDIS_URL")


def test_clerk(case: Case) -> None:
    follow(case, "clerk", "CLERK_SECRET_KEY")


def test_resend(case: Case) -> None:
    follow(case, "resend", "RESEND_API_KEY")
