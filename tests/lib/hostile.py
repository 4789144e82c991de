"""Contracts as large as one may be, each full of one thing: what a hostile change to a contract could make
`agent check` spend its time and memory on."""
from __future__ import annotations

import json
from typing import Dict, Sequence

MIB = 1024 * 1024
CONTRACT_BYTES = 4 * MIB
VALUES_MAX = 318_000
VARIABLES_MAX = 99_000
NAMES = [f"V{index}" for index in range(64)]
HEAD = '{"contract": 1, "profile": {"var": "P", "values": ["a", "b"], "default": "a"}, '
MANY_PROFILES = [f"p{index}" for index in range(32)]
MANY_HEAD = ('{"contract": 1, "profile": {"var": "P", "default": "p0", "values": ' + json.dumps(MANY_PROFILES) + "}, ")
PLAIN = HEAD + '"vars": {"P": {}, ' + ", ".join(f'"{name}": {{"required": false}}' for name in NAMES) + "}"


def filled(head: str, piece: str, tail: str, values: int, most: int = VALUES_MAX) -> str:
    """HEAD, as many numbered PIECEs (of so many JSON values) as a contract may have, TAIL."""
    parts, size, index = [head], len(head) + len(tail), 0
    while (index + 1) * values < VALUES_MAX and index < most:
        part = ("," if index else "") + piece.replace("@", str(index))
        size += len(part)
        if size >= CONTRACT_BYTES:
            break
        parts.append(part)
        index += 1
    return "".join(parts) + tail


def based(base: str, most: int = VARIABLES_MAX, head: str = '{"contract": 1, ') -> str:
    """As many variables as there can be, each with what BASE says."""
    room = (CONTRACT_BYTES - len(base) - 200) // len('"A99999":{},')
    return filled(head + '"base": {' + base + '}, "vars": {"P": {}, ', '"A@":{}', "}}", 1, min(most, room))


def _together() -> Dict[str, str]:
    """What is said of several variables."""
    members = ", ".join(f'"{NAMES[index % 64]}"' for index in range(1000))
    different = ", ".join(f'"{name}"' for name in NAMES)
    url = '"vars": {"U": {"type": "url", "default": "https://u@h/p?' + "q=1&" * 500 + '"}}'
    hosts = '"type": "postgres-url", "default": "postgres://' + "a," * (MIB // 2 - 20) + 'a/x"'
    return {
        "groups": filled(PLAIN + ', "groups": [', '{"exactly_one": ["V1", "V2"]}', "]}", 4),
        "members": filled(PLAIN + ', "groups": [', '{"at_most_one": [' + different + "]}", "]}", 66),
        "repeated": filled(PLAIN + ', "groups": [', '{"at_most_one": [' + members + "]}", "]}", 1002),
        "rules": filled(PLAIN + ', "rules": [', '{"id": "r@", "equal": ["V1", "V2"]}', "]}", 5),
        "matches": filled(PLAIN + ', "rules": [', '{"id": "r@", "match": {"V1": "(a|aa)+x"}}', "]}", 100),
        "when": filled(PLAIN + ', "rules": [', '{"id": "r@", "equal": ["V1", "V2"], "when": {"V3": "a*b"}}',
                       "]}", 7),
        "references": filled('{"contract": 1, ' + url + ', "rules": [',
                             '{"id": "r@", "equal": ["U#host", "U#query.q"]}', "]}", 5),
        "differing": filled(PLAIN + ', "rules": [', '{"id": "r@", "differ": [' + members + "]}", "]}", 1003),
        "ids": filled(PLAIN + ', "rules": [', '{"id": "r", "differ": ["V1", "V2"]}', "]}", 5),
        "fences": filled(PLAIN + ', "fences": {"b": {"values": [', '"*@*"', "]}}}", 1300),
        "hosts": filled(PLAIN + ', "fences": {"b": {"hosts": ["', "a*b", '"]}}}', 1),
        "hosts of a value": HEAD + '"fences": {"b": {"hosts": ' + json.dumps(NAMES) + '}}, "vars": {"P": {}, '
                            + ", ".join(f'"U{index}": {{{hosts}}}' for index in range(3)) + "}}",
        "aliases": filled('{"contract": 1, "vars": {"A": {"aliases": [', '{"name": "O@"}', "]}}}", 2),
        "an alias each": filled('{"contract": 1, "vars": {', '"A@": {"aliases": [{"name": "O@"}]}', "}}", 4),
        "depends": filled('{"contract": 1, "vars": {', '"A@": {"rotate": {"strategy": "none", '
                          '"depends_on": ["A1", "A@"]}}', "}}", 6),
        "logins": filled('{"contract": 1, "vars": {"A": {"rotate": {"strategy": "pg-two-login", "logins": [', '"x"',
                         "]}}}}", 1),
        "a login each": filled('{"contract": 1, "vars": {', '"A@": {"secret": true, "source": "vault:kv/a@#p", '
                               '"rotate": {"strategy": "pg-login", "login": "l@"}}', "}}", 6),
        "one place": filled('{"contract": 1, "base": {"secret": true, "source": "vault:kv/a#p", "rotate": '
                            '{"strategy": "random"}}, "vars": {', '"A@": {}', "}}", 1, VARIABLES_MAX),
        "a place each": filled('{"contract": 1, "base": {"secret": true, "source": "vault:kv/{name}#p", "rotate": '
                               '{"strategy": "random", "keep": 1}}, "vars": {', '"A@": {}', "}}", 1, VARIABLES_MAX),
        "mirrors": filled('{"contract": 1, "vars": {"A": {"secret": true, "source": "vault:kv/a#p", "rotate": '
                          '{"strategy": "random", "mirrors": [', '"vault:kv/b@#p"', "]}}}}", 1),
        "distinct": filled('{"contract": 1, "base": {"distinct": true, "default": "x"}, "vars": {',
                           '"A@": {}', "}}", 4),
        "unknown": filled('{"contract": 1, "vars": {}, "unknown": {"prefix": [', '"V@"', "]}}", 330),
        "stars": filled('{"contract": 1, "vars": {}, "unknown": {"prefix": [', '"' + "*" * 4000 + '@x"', "]}}",
                        1, 1000),
    }


def _each() -> Dict[str, str]:
    """What is said of each variable, mostly by `base`."""
    many = [f"h{index}" for index in range(999)] + ["a"]
    texts = ["p" * 100 + str(index) for index in range(1000)]
    tests = ",".join(f'{{"A{index}": true}}' for index in range(30_000))
    absent = ",".join(f'{{"A{index}": false}}' for index in range(3_000))
    return {
        "variables": filled('{"contract": 1, "vars": {', '"A@": {"prefix": "x"}', "}}", 2, VARIABLES_MAX),
        "messages": based('"default": "x", "empty": "ok", "pattern": "x|' + "y" * 1000 + '"'),
        "conditions": based('"required": {"any": [' + tests + "]}"),
        "reasons": based('"required": {"all": [' + absent + "]}"),
        "globs": based('"required": {"P": ' + json.dumps(["*" + "a" * 1000 + str(index) for index in range(1000)])
                       + "}"),
        "values": based('"values": ' + json.dumps(texts) + ', "default": "' + texts[-1] + '"'),
        "nearest": based('"values": ' + json.dumps(texts) + ', "default": "' + texts[-1][1:] + '"'),
        "steps": based('"pattern": "(a+)+b|a+", "default": "' + "a" * 18 + '"'),
        "steps that end": based('"pattern": "(a+)+b", "default": "' + "a" * 60 + '"'),
        "long defaults": based('"default": "' + "a" * (MIB - 1) + '"'),
        "query": based('"type": "url", "url": {"query": {' + ",".join(f'"q{index}": false' for index in range(1000))
                       + '}}, "default": "http://a/?' + "a&" * (MIB // 4) + '"', 9),
        "url hosts": based('"type": "postgres-url", "url": {"host": ' + json.dumps(many)
                           + '}, "default": "postgres://' + "a," * (MIB // 4) + 'a/x"', 9),
        "items": based('"type": "list", "item": {"type": "url", "url": {"host": ' + json.dumps(many)
                       + '}}, "default": "' + ",".join(["http://a/"] * 50_000) + '"', 9),
        "paths": based('"type": "list", "item": {"type": "path", "path": {"readable": true}}, "default": "'
                       + ",".join(["/bin/sh"] * 60_000) + '"', 9),
        "parts": based('"source": {' + ",".join(f'"p{index}": "env:X"' for index in range(16)) + '}, "compose": "'
                       + "".join(f"{{p{index}}}" for index in range(16)) + '"'),
        "words": based('"source": {"command": ' + json.dumps(["a"] * 1000) + "}"),
        "pieces": filled('{"contract": 1, "vars": {', '"A@": {"source": {"a": "env:X", "b": "env"}, "compose": "'
                         + "{a}{b}" * 32 + '"}', "}}", 5),
        "sections": filled('{"contract": 1, "vars": {}, "docs": {"ENVIRONMENT_CONTRACT.md": {"sections": [',
                           '"vault"', "]}}}", 1),
        "one login": based('"secret": true, "source": "vault:kv/a#p", "profiles": {' + ",".join(
            f'"{name}": {{"rotate": {{"strategy": "pg-login", "login": "{"l" * 100_000}"}}}}' for name in MANY_PROFILES)
                           + "}", head=MANY_HEAD),
        "mirrors of all": based('"secret": true, "source": "vault:kv/{name}#p", "rotate": {"strategy": "random", '
                                '"mirrors": [' + ", ".join(f'"vault:kv/{{profile}}/{{name}}#m{index}"'
                                                           for index in range(1000)) + "]}", head=MANY_HEAD),
        "profiles": based('"required": false, "profiles": {'
                          + ",".join(f'"{name}": {{"doc": "d"}}' for name in MANY_PROFILES) + "}", head=MANY_HEAD),
    }


def shapes() -> Dict[str, str]:
    """Each by its name; what is checked of it are the eight variables of ENVIRONMENT."""
    return {**_together(), **_each()}


ENVIRONMENT = {name: "a" * 100 + "b" for name in NAMES[:8]}
WAYS: Sequence[str] = ("--lint", "--env-only")
