"""`agent rotate` with the hooks of examples/hooks: a whole rotation at each provider, a record that outlives a
death between the provider's deed and ours, and a provider that is busy, lies, or keeps the former."""
from __future__ import annotations

import re
import signal
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case
from tests.lib.hooks import HOOKS, build_resend
from tests.lib.project import Project
from tests.lib.providers import BUSY, LOST, NOTHING, Clerk, Neon, Resend, Upstash, too_many

OPEN = 7   # a rotation is unfinished
TRIES = 5  # of a step that says "later", before agent leaves it open


def test_the_readmes_contract_has_no_mistake(case: Case) -> None:
    text = (HOOKS / "README.md").read_text()
    (variables,) = re.findall(r"^```jsonc\n(.*?)^```$", text, re.M | re.S)
    case.folder.write("contract.json", '{"contract": 1, "vars": {' + variables + "}}")
    case.agent("check", "--lint").expect()
    named = set(re.findall(r'"hook": \["hooks/([a-z.]+)"\]', variables))
    assert named == {path.name.replace(".c", "") if path.suffix == ".c" else path.name
                     for path in HOOKS.iterdir() if path.suffix in (".c", ".py", ".sh")}


class Rotated:
    """A contract with one variable, in fields of a KV path, that a hook rotates."""

    def __init__(self, case: Case, hook: str, fields: Mapping[str, str], config: Mapping[str, Any],
                 env: Optional[Mapping[str, str]] = None, parts: Sequence[str] = (),
                 **variable: Any) -> None:
        self.case, self.bao = case, case.openbao
        self.mount = self.bao.kv(2)
        self.path = f"{self.mount}/acme/prod"
        self.bao.put(self.path, {**fields, "other": "stays"})
        self.fields = dict(fields)
        for name, value in fields.items():
            if name != "user":
                case.canaries.add(f"first {name}", value)
        self.env = {"VAULT_ADDR": self.bao.address, "VAULT_TOKEN": self.bao.token, **(env or {})}
        for name, value in (env or {}).items():
            case.canaries.add(name, value)
        source: Any = {part: f"vault:{self.path}#{part}" for part in parts}
        source = source or f"vault:{self.path}#{next(iter(fields))}"
        Project(case).contract({"STAGE": {"type": "string", "source": "env"}, "SECRET": {
            "type": "string", "secret": True, "source": source,
            "rotate": {"strategy": "hook", "every": "30d", "hook": [hook], "config": dict(config),
                       **({"env": list(env)} if env else {})}, **variable}},
            profile={"var": "STAGE", "values": ["prod"]})

    def rotate(self, *args: str, **how: Any) -> Result:
        """`agent rotate ARGS`."""
        return self.case.agent("rotate", *args, "--profile", "prod", env=self.env, **how)

    def now(self) -> Dict[str, str]:
        """The fields as they are in the store."""
        data = self.bao.request("GET", f"{self.mount}/data/acme/prod")["data"]["data"]
        for name, value in data.items():
            if name not in ("user", "other"):
                self.case.canaries.add(f"{name} now", value)
        assert data["other"] == "stays"
        return dict(data)


def resend(case: Case) -> Tuple[Resend, Rotated]:
    """Resend, the admin's key in a file."""
    server = Resend()
    case.defer(server.stop)
    case.canaries.add("admin's key", server.admin)
    admin = case.folder.write("admin", server.admin + "\n", 0o600)
    former = server.add("acme by hand")
    return server, Rotated(case, str(case.once("resend", build_resend)), {"api_key": former}, {
        "api": server.address, "project": "acme", "api_key_file": str(admin),
        "former_key_id": server.id_of("acme by hand")})


def test_resend_through_agent_twice(case: Case) -> None:
    server, rotated = resend(case)
    rotated.rotate("SECRET").expect()
    now = rotated.now()["api_key"]
    assert server.accepts(now) and not server.accepts(rotated.fields["api_key"])
    rotated.rotate("SECRET").expect()
    assert not server.accepts(now) and server.accepts(rotated.now()["api_key"])
    assert len(server.names()) == 2  # the admin's, and ours


def test_resends_key_that_was_lost_when_agent_died_is_deleted(case: Case) -> None:
    server, rotated = resend(case)
    agent = case.make_agent().start("rotate", "SECRET", "--profile", "prod", env=rotated.env)

    def die_with_the_key(_number: int) -> bool:
        if server.asked[-1] != "POST /api-keys":
            return False
        agent.signal(signal.SIGKILL)
        return True

    server.cut = die_with_the_key
    assert agent.wait().code == -signal.SIGKILL
    server.cut = lambda _number: False
    assert len(server.names()) == 3 and rotated.now()["api_key"] == rotated.fields["api_key"]
    rotated.rotate("SECRET").expect(OPEN)
    rotated.rotate("--resume", "SECRET").expect()
    assert server.accepts(rotated.now()["api_key"]) and len(server.names()) == 2


def test_resend_that_is_busy_or_lies_leaves_what_was(case: Case) -> None:
    server, rotated = resend(case)
    server.weather("GET /api-keys", *[too_many(60)] * TRIES)
    assert "60 s" in rotated.rotate("SECRET").expect(OPEN).stderr
    server.weather("POST /api-keys", NOTHING)
    refused = rotated.rotate("--resume", "SECRET")
    assert refused.code not in (0, OPEN) and "refuses the new key" in refused.stderr
    assert rotated.now()["api_key"] == rotated.fields["api_key"]
    assert server.accepts(rotated.fields["api_key"]) and server.forecast() == []
    server.weather("POST /api-keys", LOST)  # agent comes again by itself
    rotated.rotate("SECRET").expect()
    assert server.accepts(rotated.now()["api_key"]) and len(server.names()) == 2


def test_upstash_through_agent(case: Case) -> None:
    server = Upstash()
    case.defer(server.stop)
    former = server.add_user("app")
    rotated = Rotated(case, str(HOOKS / "upstash.sh"), {"token": former},
                      {"rest_url": server.address, "user": "app"}, {"UPSTASH_ADMIN": server.admin})
    rotated.rotate("SECRET").expect()
    assert server.tokens("app") == [rotated.now()["token"]]


def test_upstashs_reset_through_agent_writes_both_fields(case: Case) -> None:
    server = Upstash()
    case.defer(server.stop)
    rotated = Rotated(case, str(HOOKS / "upstash.sh"),
                      {"password": server.password, "rest_token": server.admin},
                      {"database_id": server.database_id, "api": server.address,
                       "rest_url": server.address, "rest_token_field": "rest_token"},
                      {"UPSTASH_ADMIN": f"{server.email}:{server.api_key}"})
    rotated.rotate("SECRET").expect()
    now = rotated.now()
    assert (now["password"], now["rest_token"]) == (server.password, server.admin)


def test_clerks_rotation_is_open_until_the_timer_ends(case: Case) -> None:
    server = Clerk()
    case.defer(server.stop)
    rotated = Rotated(case, str(HOOKS / "clerk.py"), {"secret_key": server.newest()},
                      {"api": server.address, "application": server.application,
                       "instance": "production", "overlap_hours": 80},
                      {"CLERK_ADMIN_KEY": server.platform})
    assert "timer" in rotated.rotate("SECRET").expect(OPEN).stderr
    assert rotated.now()["secret_key"] == server.newest()
    server.pass_hours(81)
    rotated.rotate("--resume", "SECRET").expect()
    assert server.living() == [rotated.now()["secret_key"]]


def neon(case: Case, two: bool) -> Tuple[Neon, Rotated]:
    """Neon before a real PostgreSQL; the application's value is a URL."""
    database = case.database()
    postgres = database.server
    roles = [postgres.role() for _ in range(2)]
    server = Neon(postgres, roles)
    case.defer(server.stop)
    for role in roles:
        case.canaries.add(role.name, role.password)
    config = {"api": server.address, "project": server.project, "branch": server.branch,
              "host": "127.0.0.1", "port": postgres.port, "database": database.name,
              "sslmode": "disable"}
    env = {"NEON_API_KEY": server.api_key}
    hook = str(HOOKS / "neon.py")
    if not two:
        url = postgres.url(database.name, roles[0].name, roles[0].password)
        return server, Rotated(case, hook, {"url": url}, {**config, "role": roles[0].name}, env,
                               type="postgres-url")
    rotated = Rotated(case, hook, {"password": roles[0].password, "user": roles[0].name},
                      {**config, "roles": [role.name for role in roles]}, env, type="postgres-url",
                      compose=f"postgresql://{{user|url}}:{{password|url}}@127.0.0.1:{postgres.port}/"
                              + database.name, parts=("user", "password"))
    return server, rotated


def test_neon_through_agent_changes_only_the_password_of_a_url(case: Case) -> None:
    server, rotated = neon(case, two=False)
    server.weather("POST .*reset_password", BUSY)
    rotated.rotate("SECRET").expect()  # agent comes again by itself
    before, now = rotated.fields["url"], rotated.now()["url"]
    new = re.sub(r"(//[^:]+:)[^@]+@", r"\1@", now)
    assert now != before and new == re.sub(r"(//[^:]+:)[^@]+@", r"\1@", before)
    assert server.resets() == 2 and server.forecast() == []  # the first one was refused


def test_neons_two_roles_through_agent_take_turns(case: Case) -> None:
    _, rotated = neon(case, two=True)
    rotated.rotate("SECRET").expect()
    second = rotated.now()
    rotated.rotate("SECRET").expect()
    assert second["user"] != rotated.fields["user"] == rotated.now()["user"]
