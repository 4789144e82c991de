"""examples/contract: every contract is sound, accepts the environment that it was made for, and tells each mistake
that it was made to tell, by the rule and the variable."""
from __future__ import annotations

import base64
import json
import secrets
from typing import Any, Dict, List, NamedTuple, Optional

from tests.lib.case import Case
from tests.lib.servers import ROOT

EXAMPLES = ROOT / "examples" / "contract"


class Mistake(NamedTuple):
    """One change to the good environment (None takes the variable away), and what is said then."""

    variable: str
    value: Optional[str]
    rule: str
    said_of: Optional[str] = None  # the variable itself, where nothing else is said


class Example(NamedTuple):
    """An environment that a contract accepts, and changes to it that it does not."""

    profile: Optional[str]
    good: Dict[str, str]
    mistakes: List[Mistake]


MADE: List[str] = []  # every secret, to be looked for in what agent says


def secret(length: int = 32, prefix: str = "") -> str:
    """A secret like no other."""
    MADE.append(secrets.token_hex(length // 2))
    return prefix + MADE[-1]


def base64_secret() -> str:
    """48 bytes."""
    MADE.append(base64.b64encode(secrets.token_bytes(48)).decode())
    return MADE[-1]


PEM = ("-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUYWdlbnQgYWdlbnQgYWdlbnQh\n"
       "-----END CERTIFICATE-----\n")
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJl"

EXAMPLES_BY_NAME: Dict[str, Example] = {
    "three-variables": Example(None, {
        "DATABASE_URL": f"postgresql://app:{secret()}@db.example.org/app",
    }, [
        Mistake("DATABASE_URL", None, "required"),
        Mistake("DATABASE_URL", "mysql://app@db.example.org/app", "scheme"),
        Mistake("PORT", "80800", "type"),
        Mistake("LOG_LEVEL", "verbose", "values"),
    ]),
    "twelve-factor": Example(None, {
        "DATABASE_URL": f"postgresql://app:{secret()}@db.example.org:5432/notes",
        "SECRET_KEY": secret(48),
        "NOTES_BASE_URL": "https://notes.example.org",
        "NOTES_ALLOWED_HOSTS": "notes.example.org,10.0.0.7",
    }, [
        Mistake("NOTES_TIMEOUT_", "10s", "unknown"),
        Mistake("NOTES_TIMEOUT", "10m", "max"),
        Mistake("NOTES_UPLOAD_LIMIT", "2KiB", "min"),
        Mistake("SECRET_KEY", "changeme", "placeholder"),
        Mistake("SECRET_KEY", secret(16), "length"),
        Mistake("DATABASE_URL", "postgresql://app@db.example.org:5432/notes", "password"),
        Mistake("NOTES_ALLOWED_HOSTS", "notes.example.org,not a host", "type"),
    ]),
    "laptop-sealed": Example("dev", {
        "DATABASE_URL": f"postgresql://me:{secret()}@localhost/notes",
        "SESSION_SECRET": base64_secret(),
        "STRIPE_KEY": secret(24, "sk_test_"),
    }, [
        Mistake("DATABASE_URL", f"postgresql://me:{secret()}@db.example.org/notes", "host"),
        Mistake("STRIPE_KEY", secret(24, "sk_live_"), "prefix"),
    ]),
    "fenced-profiles": Example("staging", {
        "APP_ENV": "staging",
        "DATABASE_URL": f"postgresql://shop:{secret()}@ep-stg-1.neon.tech/shop?sslmode=require",
        "SEARCH_HOST": "search.stg.shop.example",
        "STRIPE_SECRET_KEY": secret(24, "sk_test_"),
        "STRIPE_PUBLISHABLE_KEY": "pk_test_1234",
    }, [
        Mistake("DATABASE_URL", f"postgresql://shop:{secret()}@ep-prod-1.neon.tech/shop?sslmode=require", "fence"),
        Mistake("SEARCH_HOST", "search.prod.shop.example", "fence"),
        Mistake("STRIPE_PUBLISHABLE_KEY", "pk_live_1234", "fence"),
        Mistake("DATABASE_URL", f"postgresql://shop:{secret()}@ep-stg-1.neon.tech/shop", "query"),
    ]),
    "vault-dynamic": Example(None, {
        "DATABASE_URL": f"postgresql://v-1:{secret()}@db.example.org:5432/billing?sslmode=verify-full",
        "REPORTS_PASSWORD": secret(),
    }, [
        Mistake("REPORTS_PASSWORD", "", "empty"),
        Mistake("REPORTS_PASSWORD", "vault:database/static-creds/reports#password", "unresolved"),
    ]),
    "groups-and-conditions": Example(None, {
        "EMAIL_MODE": "resend", "RESEND_API_KEY": secret(24, "re_"),
        "STORAGE": "s3", "S3_BUCKET": "clinic-files", "S3_REGION": "eu-west-1",
        "PUBLIC_URL": "https://clinic.example.org", "CALLBACK_URL": "https://clinic.example.org/back",
    }, [
        Mistake("RESEND_API_KEY", None, "required"),
        Mistake("EMAIL_MODE", "log", "forbidden", "RESEND_API_KEY"),
        Mistake("SMTP_USER", "clinic", "group", ""),
        Mistake("CALLBACK_URL", "https://other.example.org/back", "rule", ""),
    ]),
    "renamed-variables": Example(None, {
        "REQUEST_TIMEOUT": "10s", "RELAY_TOKEN": secret(),
    }, [
        Mistake("RELAY_TOKEN", secret(12), "length"),
    ]),
    "every-type": Example(None, {
        "A_STRING": "app-one", "AN_ENUM": "red", "A_BOOL": "Yes", "AN_INT": "-5", "A_NUMBER": "1e-3",
        "A_PORT": "8080", "A_DURATION": "90m", "SOME_BYTES": "10MB",
        "A_URL": "https://example.org:8443/x", "A_POSTGRES_URL": "postgresql+asyncpg://app@db/app?sslmode=require",
        "A_REDIS_URL": "rediss://cache:6380/0", "A_HOST": "example.org", "AN_IP": "::1",
        "A_CIDR": "10.0.0.0/8", "AN_EMAIL": "me@example.org",
        "A_UUID": "0f8fad5b-d9cb-469f-a165-70867728950e", "A_SEMVER": "1.2.3-rc.1+5", "A_DATE": "2026-02-28",
        "SOME_HEX": "00112233445566778899aabbccddeeff", "SOME_BASE64": "AAECAwQFBgcICQoLDA0ODw==",
        "SOME_JSON": '{"a": [1, null]}', "A_PEM": PEM, "A_PATH": "/tmp", "A_JWT": JWT, "A_LIST": "1;9;5",
    }, [
        Mistake("A_STRING", "one", "prefix"), Mistake("AN_ENUM", "Red", "values"),
        Mistake("A_BOOL", "maybe", "type"), Mistake("AN_INT", "6", "max"), Mistake("A_NUMBER", ".5", "type"),
        Mistake("A_PORT", "80", "min"), Mistake("A_DURATION", "3h", "max"),
        Mistake("SOME_BYTES", "10 parsecs", "type"), Mistake("A_URL", "https://localhost/", "host"),
        Mistake("A_POSTGRES_URL", "postgresql://db/app?sslmode=disable", "query"),
        Mistake("A_REDIS_URL", "redis://cache", "scheme"), Mistake("A_HOST", "-x.example.org", "type"),
        Mistake("AN_IP", "10.0.0.256", "type"), Mistake("A_CIDR", "10.0.0.0/33", "type"),
        Mistake("AN_EMAIL", "me at example.org", "type"), Mistake("A_UUID", "0f8fad5b", "type"),
        Mistake("A_SEMVER", "1.2", "type"), Mistake("A_DATE", "2026-02-29", "type"),
        Mistake("SOME_HEX", "001122", "length"), Mistake("SOME_BASE64", "AAEC*", "type"),
        Mistake("SOME_JSON", "{'a': 1}", "type"), Mistake("A_PEM", "-----BEGIN X-----\n", "type"),
        Mistake("A_PATH", "/nowhere", "path"), Mistake("A_JWT", "a.b", "type"), Mistake("A_LIST", "1;10", "max"),
    ]),
    "monorepo": Example("prod", {
        "APP_ENV": "prod", "DATABASE_URL": f"postgresql://app:{secret()}@db.example.org/parcels",
        "QUEUE_URL": "amqps://queue.example.org", "OTEL_EXPORTER_OTLP_ENDPOINT": "https://otel.example.org",
        "OTEL_TOKEN": secret(),
    }, [
        Mistake("OTEL_TOKEN", None, "group", ""),
        Mistake("OTEL_EXPORTER_OTLP_ENDPOINT", None, "required"),
        Mistake("LOG_LEVEL", "loud", "values"),
    ]),
    "other-managers": Example(None, {
        "API_TOKEN": secret(), "TLS_KEY": PEM.replace("CERTIFICATE", "PRIVATE KEY"), "TLS_CERTIFICATE": PEM,
        "SEEDS": "https://a.example https://b.example",
    }, [
        Mistake("SEEDS", "https://a.example http://b.example", "scheme"),
        Mistake("TLS_KEY", "no key", "type"),
    ]),
    "seventeen-secrets": Example("prod", {
        "DB_ROLE": "prod", "DATABASE_URL": f"postgresql://app_a:{secret()}@db.acme.example:5432/app?sslmode=verify-full",
        "REPORTS_PASSWORD": secret(), "NEON_DATABASE_URL": f"postgresql://preview:{secret()}@ep-1.neon.tech/app",
        "REDIS_URL": f"rediss://app:{secret()}@cache.acme.example:6379", "CLERK_SECRET_KEY": secret(24, "sk_live_"),
        "CLERK_WEBHOOK_SECRET": secret(24, "whsec_"), "RESEND_API_KEY": secret(24, "re_"),
        "SESSION_SECRET": base64_secret(), "JWT_SIGNING_KEY": secret(64), "FIELD_ENCRYPTION_KEY": base64_secret(),
    }, [
        Mistake("REDIS_URL", f"redis://app:{secret()}@cache.acme.example:6379", "scheme"),
        Mistake("JWT_SIGNING_KEY", secret(32), "length"),
        Mistake("CLERK_SECRET_KEY", secret(24, "pk_live_"), "pattern"),
    ]),
    "hundred-variables": Example("staging", {
        "MARKET_ENV": "staging", "HTTP_PUBLIC_URL": "https://stg.market.example", "HTTP_ALLOWED_HOSTS": "stg.market.example",
        "DATABASE_URL": f"postgresql://market:{secret()}@db:5432/market?sslmode=require",
        "DATABASE_REPLICA_URL": f"postgresql://market:{secret()}@replica:5432/market?sslmode=require",
        "REDIS_URL": f"redis://:{secret()}@cache:6379", "QUEUE_URL": f"amqps://market:{secret()}@queue",
        "SESSION_SECRET": base64_secret(), "CSRF_SECRET": base64_secret(), "JWT_SIGNING_KEY": base64_secret(),
        "STRIPE_SECRET_KEY": secret(24, "sk_test_"), "STRIPE_WEBHOOK_SECRET": secret(24, "whsec_"),
        "STRIPE_PUBLISHABLE_KEY": "pk_test_1234",
    }, [
        Mistake("SMTP_USER", "market", "group", ""),
        Mistake("STRIPE_PUBLISHABLE_KEY", "pk_live_1234", "fence"),
        Mistake("HTTP_TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.0/40", "type"),
        Mistake("PAYMENT_CURRENCIES", "EUR,XXX", "values"),
        Mistake("UPLOAD_MAX", "6GiB", "max"),
    ]),
}


def quoted(value: str) -> str:
    """The value between double quotes, as env files have it."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n")):
        value = value.replace(plain, escaped)
    return f'"{value}"'


def problems_of(case: Case, name: str, example: Example, environment: Dict[str, str],
                code: int) -> List[Dict[str, Any]]:
    """What `agent check` says of an environment that is given as a file."""
    path = case.folder.path / "environment"
    path.write_text("".join(f"{key}={quoted(value)}\n" for key, value in environment.items()),
                    encoding="utf-8")
    profile = ["--profile", example.profile] if example.profile else []
    result = case.agent("check", "--json", "--contract", str(EXAMPLES / f"{name}.json"), *profile,
                        "--env-file", str(path))
    result.expect(code)
    problems: List[Dict[str, Any]] = json.loads(result.stdout)["problems"]
    return problems


def test_every_example_is_in_the_table(case: Case) -> None:
    found = {path.stem for path in EXAMPLES.glob("*.json")}
    assert found == set(EXAMPLES_BY_NAME), found ^ set(EXAMPLES_BY_NAME)
    assert len(found) >= 12
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert not [name for name in found if f"]({name}.json)" not in readme]
    case.say("the README names each")


def test_every_example_is_sound(case: Case) -> None:
    for name in EXAMPLES_BY_NAME:
        result = case.agent("check", "--lint", "--json", "--contract", str(EXAMPLES / f"{name}.json"))
        result.expect(0)
        assert json.loads(result.stdout)["problems"] == [], name


def test_every_example_takes_its_environment_and_tells_mistakes(case: Case) -> None:
    for number, value in enumerate(MADE):
        case.canaries.add(f"secret {number}", value)
    for name, example in EXAMPLES_BY_NAME.items():
        assert problems_of(case, name, example, example.good, 0) == [], name
        for mistake in example.mistakes:
            environment = {**example.good, mistake.variable: mistake.value or ""}
            if mistake.value is None:
                del environment[mistake.variable]
            problems = problems_of(case, name, example, environment, 1)
            said = [(problem["rule"], problem["variable"] or "") for problem in problems]
            about = mistake.variable if mistake.said_of is None else mistake.said_of
            wanted = [mistake.rule == rule and (about == of or about == "") for rule, of in said]
            assert any(wanted), (name, mistake, said)


def test_the_seventeen_secrets_have_a_rotation_each(case: Case) -> None:
    contract = case.agent("check", "--lint", "--json", "--contract",
                          str(EXAMPLES / "seventeen-secrets.json")).expect(0)
    text = (EXAMPLES / "seventeen-secrets.json").read_text(encoding="utf-8")
    plain = "\n".join(line.split(" // ")[0] for line in text.splitlines()
                      if not line.lstrip().startswith("//"))
    variables = json.loads(plain)["vars"]
    rotated = {name: rules["rotate"]["strategy"] for name, rules in variables.items()
               if rules.get("secret")}
    assert len(rotated) == 17
    assert set(rotated.values()) == {"pg-two-login", "pg-login", "vault-static", "vault-root", "vault-dynamic",
                                     "random", "hook", "manual", "token", "none"}
    assert json.loads(contract.stdout)["ok"] is True


def test_without_sources_the_environment_is_what_lacks_something(case: Case) -> None:
    contract = ["--contract", str(EXAMPLES / "hundred-variables.json")]
    environment = {"MARKET_ENV": "staging"}
    path = case.folder.path / "little.env"
    path.write_text("MARKET_ENV=staging\n", encoding="utf-8")
    for where, result in (
            ("the environment", case.agent("check", "--env-only", "--json", *contract, env=environment)),
            (str(path), case.agent("check", "--env-file", str(path), "--json", *contract))):
        result.expect(1)  # not 4: no source was asked, so none has refused
        problems = json.loads(result.stdout)["problems"]
        assert len(problems) == 12
        assert {problem["message"] for problem in problems} == {f"not set in {where}"}
