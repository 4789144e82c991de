"""Every type of value from the environment and from an env file: right ones pass, wrong ones are told apart
and never shown."""
from __future__ import annotations

import base64
import json
import time
from typing import Any, Dict, List, Tuple

from tests.lib.case import Case
from tests.lib.project import Project

CANARY = "Zq7Xw9KjVb3Gf5Ht"
PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


def token(expiry: float) -> str:
    """A JWT whose signature means nothing."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": CANARY, "exp": int(expiry)})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*texts, "c2lnbmF0dXJl"])


# keys of the variable, a right value, a wrong one, its rule
TYPES: List[Tuple[Dict[str, Any], str, str, str]] = [
    ({"type": "string", "length": [1, 64]}, "anything", CANARY * 5, "length"),
    ({"type": "enum", "values": ["a", "b"]}, "b", CANARY, "values"),
    ({"type": "bool"}, "Yes", CANARY, "type"),
    ({"type": "int", "min": -5, "max": 5}, "-5", "6", "max"),
    ({"type": "number", "min": 0.5}, "1e3", "0.25", "min"),
    ({"type": "port"}, "65535", "65536", "type"),
    ({"type": "duration", "max": "1h"}, "59m", "61m", "max"),
    ({"type": "bytes", "min": "1MB"}, "1MiB", "999kB", "min"),
    ({"type": "bytes"}, "4096", f"10{CANARY}", "type"),
    ({"type": "url", "url": {"scheme": "https"}}, "https://acme.io", f"http://{CANARY}", "scheme"),
    ({"type": "postgres-url"}, "postgresql://u@h/d", f"mysql://{CANARY}@h/d", "scheme"),
    ({"type": "redis-url"}, "redis://cache/0", f"redis://cache/{CANARY}", "type"),
    ({"type": "host"}, "db-1.acme.io", f"{CANARY}_.acme.io", "type"),
    ({"type": "ip"}, "::1", f"10.0.0.{CANARY}", "type"),
    ({"type": "cidr"}, "10.1.0.0/16", "10.1.0.1/16", "type"),
    ({"type": "email"}, "ops@acme.io", f"{CANARY}@", "type"),
    ({"type": "uuid"}, "123e4567-e89b-12d3-a456-426614174000", CANARY, "type"),
    ({"type": "semver", "min": "1.2.0"}, "1.10.0", "1.2.0-rc.1", "min"),
    ({"type": "date", "max": "2027-01-31"}, "2024-02-29", "2023-02-29", "type"),
    ({"type": "date", "max": "2027-01-31"}, "2027-01-31", "2027-02-01", "max"),
    ({"type": "hex", "min_bytes": 4}, "deadbeef", "deadbe", "length"),
    ({"type": "base64", "min_bytes": 4}, "YWJjZA==", "YWJj", "length"),
    ({"type": "json"}, '{"a": [1, null]}', f'{{"a": {CANARY}}}', "type"),
    ({"type": "pem"}, PEM.format("TUlJQ1dRSUJB"), PEM.format(f"{CANARY}!"), "type"),
    ({"type": "path", "path": {"must_exist": True}}, "/", f"/no/such/{CANARY}", "path"),
    ({"type": "jwt", "secret": True, "source": "env"}, token(time.time() + 86400),
     token(time.time() - 86400), "expired"),
    ({"type": "jwt", "secret": True, "source": "env"}, token(time.time() + 86400), f"{CANARY}.b.c", "type"),
    ({"type": "list", "item": {"type": "port"}}, "80,443", f"80,{CANARY}", "type"),
    ({"type": "list", "separator": ";"}, "a;b,c", "a;;b", "empty"),
]
NAMES = [f"V{index:02}" for index in range(len(TYPES))]


def contract(case: Case) -> None:
    Project(case).contract({name: keys for name, (keys, _, _, _) in zip(NAMES, TYPES)})


def test_a_right_value_of_every_type_passes(case: Case) -> None:
    contract(case)
    env = {name: good for name, (_, good, _, _) in zip(NAMES, TYPES)}
    case.agent("check", "--env-only", env=env).expect(0)
    lines = "".join(f"{name}='{good}'\n" for name, good in env.items())
    case.folder.write("values.env", lines)
    case.agent("check", "--env-file", "values.env").expect(0)


def test_a_wrong_value_of_every_type_is_told_and_not_shown(case: Case) -> None:
    contract(case)
    env = {name: bad for name, (_, _, bad, _) in zip(NAMES, TYPES)}
    found = case.agent("check", "--env-only", "--json", env=env).expect(1)
    rules = [(p["variable"], p["rule"]) for p in found.json()["problems"]]
    assert rules == [(name, rule) for name, (_, _, _, rule) in zip(NAMES, TYPES)], rules
    text = case.agent("check", "--env-only", env=env).expect(1)
    shown = found.stdout + found.stderr + text.stdout + text.stderr
    assert not [at for at in range(len(CANARY) - 3) if CANARY[at:at + 4] in shown], shown


def test_an_item_is_named_by_its_index(case: Case) -> None:
    Project(case).contract({"PORTS": {"type": "list", "item": {"type": "port", "min": 1024}}})
    text = case.agent("check", "--env-only", env={"PORTS": "8080,80,9090,x"}).expect(1).stdout
    assert "item 2: below the minimum of 1024" in text, text
    assert "item 4: 1 character, expected a port" in text, text
