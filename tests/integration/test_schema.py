"""The JSON Schema of the contract and agent give one verdict, wherever a schema can say it.

Agent judges by `check --lint`, the schema by a validator of Python's. What only agent can know is in a
table with the reason; there is nothing that the schema refuses and agent takes."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import jsonschema

from tests.lib.agent import run_tool
from tests.lib.case import Case
from tests.lib.processes import ROOT

GOLDEN = ROOT / "tests" / "golden" / "contract"
EXAMPLES = ROOT / "examples"
BATCH = 250  # variables of one contract; agent reports a thousand problems at most

HEAD = '"contract": 1, "profile": {"var": "P", "values": ["dev", "prod"]}'
VARS = ('"P": {"type": "enum", "values": ["dev", "prod"], "source": "env"}, "B": {}, '
        '"U": {"type": "postgres-url"}')

# ---- the keys of a variable ------------------------------------------------------------------------

GOOD_VARIABLES = [
    "", '"type": "string"', '"type": "enum", "values": ["a", 2, true]', '"type": "int", "min": 1',
    '"type": "int", "min": "1", "max": 9', '"type": "duration", "min": "1s", "max": "2m"',
    '"type": "date", "min": "2027-01-01"', '"type": "bytes", "max": "10MB"',
    '"length": [8, 64]', '"length": [0, null]', '"type": "hex", "min_bytes": 16',
    '"pattern": "[a-z]+"', '"prefix": "re_"', '"type": "list"', '"type": "list", "separator": ";"',
    '"type": "list", "item": {"type": "url", "url": {"scheme": ["https"]}}',
    '"type": "list", "item": {"type": "enum", "values": ["a"]}',
    '"type": "url", "url": {"scheme": "https", "port": 443, "user": "forbidden"}',
    '"type": "url", "url": {"host": ["*.a"], "deny_host": "b", "port": [80, 443], "user": ["x*"]}',
    '"type": "postgres-url", "url": {"password": "required", "query": {"sslmode": ["a", "b"]}}',
    '"type": "url", "url": {"query": {"a": true, "b": false, "c": "x"}}',
    '"type": "path", "path": {"must_exist": true, "dir": false, "readable": true}',
    '"secret": true, "source": "env"', '"secret": true, "source": "vault:kv/a#b", "distinct": true',
    '"expose": "agent"', '"empty": "ok", "default": ""', '"default": 3', '"default": false',
    '"required": false', '"required": {"B": "x"}', '"required": {"B": ["x", "y*"]}',
    '"required": {"any": [{"B": true}, {"not": {"@profile": "dev"}}]}',
    '"forbidden": {"all": [{"B": false}, {"@profile": ["dev", "prod"]}]}',
    '"source": "none"', '"source": "env:OTHER"', '"source": "sealed:{name}"',
    '"source": "file:/run/{profile}/{lower_name}"', '"source": "vault:/kv/data/{profile}#f"',
    '"source": {"command": ["bin/secret", "{name}"]}', '"source": {"a": "env"}, "compose": "x{a}"',
    '"source": {"a": "env:A", "b": {"command": ["c"]}}, "compose": "{a|url}{b}"',
    '"source": {"command": "env", "b": "env:B"}, "compose": "{command}{b}"',
    '"override": true', '"doc": ""', '"example": 3', '"owner": "a", "link": "b"',
    '"expires": "2031-01-31"', '"aliases": [{"name": "OLD", "remove": "2031-01-31"}]',
    '"deprecated": {"since": "2030-01-01", "remove": "2031-01-01", "use": "B"}',
    '"profiles": {"dev": {"default": "x"}, "prod": {"values": ["a"]}}',
    '"min": null, "secret": null, "source": null, "profiles": null',
    '"type": "int", "min": 1, "profiles": {"dev": {"type": "string", "min": null}}',
    '"type": "string", "profiles": {"dev": {"type": "int", "min": 1}}',
    '"secret": true, "source": "env", "profiles": {"dev": {"secret": false, "default": "x"}}',
    '"source": {"a": "env"}, "compose": "{a}", "profiles": {"dev": {"source": "env", "compose": null}}',
    '"secret": true, "source": "vault:kv/a#b", "rotate": {"strategy": "none", "why": "w"}',
    '"secret": true, "source": "vault:kv/a#b", "rotate": {"strategy": "random", "bytes": 32,'
    ' "as": "hex", "every": "30d", "keep": 1}',
    '"secret": true, "source": "vault:kv/a#b", "rotate": {"strategy": "hook", "hook": ["h"],'
    ' "every": "90d", "grace": "1d", "after": [{"command": ["a"]}], "test": {"command": ["t"]}}',
    '"secret": true, "source": "vault:kv/a#b", "rotate": {"strategy": "pg-login", "login": "a",'
    ' "password": "plain"}',
    '"secret": true, "source": "vault:kv/a#b", "rotate": {"strategy": "manual", "steps": ["one"]}',
    '"secret": true, "source": "vault:kv/a#b", "rotate": {"strategy": "random", "mirrors":'
    ' ["vault:kv/{profile}/c#d", "sealed:{name}_2"], "after": [{"signal": "SIGHUP", "pidfile": "p"}]}',
]

BAD_VARIABLES = [
    '"tpye": "int"', '"type": "strin"', '"type": 3', '"type": "enum"',
    '"type": "enum", "values": null', '"values": []', '"values": "a"', '"values": ["a", []]',
    '"min": 1', '"type": "string", "max": 1', '"type": "int", "min": true', '"type": "uuid", "min": 1',
    '"length": [5]', '"length": [1, 2, 3]', '"length": [-1, 2]', '"length": [null, 2]',
    '"min_bytes": 1', '"type": "base64", "min_bytes": -1', '"type": "base64", "min_bytes": 3000000000',
    '"pattern": ""', '"pattern": 1', '"prefix": ""', '"separator": ";"', '"item": {}',
    '"type": "list", "separator": ""', '"type": "list", "item": {"type": "list"}',
    '"type": "list", "item": {"min": 1}', '"type": "list", "item": {"type": "enum"}',
    '"type": "list", "item": {"secret": true}', '"type": "list", "item": {"type": null}',
    '"url": {}', '"type": "url", "url": []', '"type": "url", "url": {"shceme": "x"}',
    '"type": "url", "url": {"port": 70000}', '"type": "url", "url": {"port": [80, "81"]}',
    '"type": "url", "url": {"port": []}', '"type": "url", "url": {"password": "requird"}',
    '"type": "url", "url": {"user": "requird"}', '"type": "url", "url": {"query": {"a": 1}}',
    '"type": "url", "url": {"scheme": []}', '"type": "url", "url": {"host": [""]}',
    '"path": {}', '"type": "path", "path": {"dir": "yes"}', '"secret": "yes"', '"secret": true',
    '"secret": true, "source": "none"', '"secret": true, "source": "env", "default": "x"',
    '"secret": true, "source": "env", "example": "x"', '"distinct": 1', '"expose": "all"',
    '"empty": "no"', '"default": []', '"default": ""', '"required": "yes"', '"required": {}',
    '"required": {"any": []}', '"required": {"any": {"B": true}}', '"required": {"not": []}',
    '"required": {"B": {}}', '"required": {"B": []}', '"required": {"@profile": true}',
    '"required": {"@profil": "dev"}', '"source": 1', '"source": ""', '"source": "vault:kv/a"',
    '"source": "vault:kv#a"', '"source": "vault:kv/../a#b"', '"source": "vault:kv//a#b"',
    '"source": "vault:kv/a#b#c"', '"source": "env: A"', '"source": "env:"', '"source": "file: x"',
    '"source": "file:x "', '"source": "kv/a"', '"source": "file:{nmae}"', '"source": {}',
    '"source": {"command": []}', '"source": {"command": [""]}', '"source": {"a": "env"}',
    '"source": {"a b": "env"}, "compose": "x"', '"source": {"a": 1}, "compose": "{a}"',
    '"source": {"a": {"comand": ["x"]}}, "compose": "{a}"', '"compose": "x"',
    '"source": "env", "compose": "x"', '"source": {"command": ["x"]}, "compose": "x"',
    '"override": 1', '"stale_ok": "soon"', '"stale_ok": "1h"', '"stale_ok": 5', '"doc": 1', '"owner": ""',
    '"expires": "2027-13-01"', '"expires": "2027-04-31"', '"expires": "31.1.2027"',
    '"aliases": {}', '"aliases": [{}]', '"aliases": [{"name": "a b"}]', '"aliases": [{"nmae": "X"}]',
    '"deprecated": {"since": "soon"}', '"deprecated": true', '"profiles": {"dev": []}',
    '"profiles": {"dev": {"profiles": {}}}', '"profiles": {"dev": {"min": 1}}',
    '"type": "int", "min": 1, "profiles": {"dev": {"type": "string"}}',
    '"secret": true, "source": "env", "profiles": {"dev": {"default": "x"}}',
    '"profiles": {"dev": {"secret": true}}', '"profiles": {"dev": {"type": "enum"}}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "after": [{}]}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "after": [{"signal": "HUP"}]}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "after": [{"command": ["x"], "pidfile": "p"}]}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "after": [{"signal": "HU", "pidfile": "p"}]}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "test": {}}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "mirrors": ["env:X"]}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "mirrors": ["vault:kv/c"]}',
    '"rotate": []', '"rotate": {"strategi": "none"}', '"rotate": {}', '"rotate": {"strategy": "non"}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "manual", "bytes": 3}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "every": "0d"}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "none", "why": ""}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "random", "as": "utf-8"}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "hook", "hook": []}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "hook"}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "vault-static", "mount": "m"}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "pg-two-login", "owner": "o", "logins": ["a"]}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "pg-two-login", "owner": "o", "logins": ["a", "a"]}',
    '"source": "vault:kv/a#b", "rotate": {"strategy": "hook", "every": "monthly"}',
]

# ---- the other sections ----------------------------------------------------------------------------

GOOD_CONTRACTS = [
    '"$schema": "x", "project": "p", "strict_profiles": ["prod"]',
    '"base": {"owner": "p", "source": "vault:kv/{profile}#{name}"}', '"base": {"min": 1}',
    '"vault": {"address": "https://v", "auth": {"method": "token", "token": "env:T"}}',
    '"vault": {"auth": {"method": "approle", "role_id": "r", "secret_id": "file:/s"}}',
    '"vault": {"auth": {"method": "userpass", "username": "u", "password": "env:X"}}',
    '"vault": {"auth": {"method": "kubernetes", "role": "r"}, "addresses": ["https://a"]}',
    '"vault": {"auth": {"method": "jwt", "jwt": "file:/t"}}',
    '"vault": {"auth": {"method": "approle"}}', '"vault": {"auth": {"method": "kubernetes", "jwt": "file:/t"}}',
    '"vault": {"auth": {"method": "jwt", "role": "r"}}', '"vault": {"auth": {"method": "cert", "cert": "/c"}}',
    '"vault": {"auth": {"method": "cert", "cert": "/c", "key": "file:/k", "role": "env:R"}}',
    '"vault": {"auth": {"method": "approle", "role_id": "r", "secret_id": "file:/s",'
    ' "secret_id_wrapped": true, "role": "app"}}',
    '"vault": {"kv": {"kv": 1, "secret": 2}, "timeout": "1s500ms", "retries": 3}',
    '"vault": {"profiles": {"dev": {"address": "http://v", "allow_http": true, "ca_cert": null}}}',
    '"unknown": {"prefix": ["X_"], "level": "warning", "ignore": []}',
    '"fences": {"prod": {"hosts": ["*.a"], "values": ["sk_live_*"]}}',
    '"groups": [{"exactly_one": ["B", "U"], "when": {"@profile": "prod"}, "doc": "d"}]',
    '"groups": [{"all_or_none": ["B", "U"]}, {"at_most_one": ["B"]}, {"at_least_one": ["U"]}]',
    '"rules": [{"id": "a", "match": {"B": "x+", "U#host": "y"}, "say": "s", "level": "warning"}]',
    '"rules": [{"id": "a", "differ": ["U#database", "B"]}, {"id": "b", "equal": ["B", "U#query.x"]}]',
    '"database": {"url": "U"}', '"database": {"url": "U", "create": {"sql": ["a.sql"]}}',
    '"database": {"url": "U", "create": {"command": ["c"]}, "expect": ["t"]}',
    '"database": {"url": "U", "stamp": {"alembic": "a.ini", "revision": "heads"}}',
    '"database": {"url": "U", "stamp": {"style": "plain", "revision": "7"}}',
    '"database": {"url": "U", "accept": ["current", "behind"], "wait": "60s", "env": []}',
    '"database": {"url": "U", "authority": {"var": "P", "hosts": {"dev": ["localhost"]}}}',
    '"guard": {"server": "U", "jobs": 1, "strict": true}', '"guard": {"ephemeral": true}',
    '"guard": {"ignore": [{"kind": "k", "object": "o", "until": "2030-02-28", "why": "w"}]}',
    '"run": {"unset": ["X"], "only_contract": true, "stop_timeout": "30s"}',
    '"run": {"stop_signal": "SIGQUIT", "rewrite": {"TERM": "INT", "SIGRTMIN+3": "RTMAX-30"}}',
    '"run": {"exit_codes": {"143": 0, "0": 255}, "on_change": "signal:HUP"}',
    '"run": {"on_change": ["/bin/reload", "--now"]}', '"run": {"on_change": "none"}',
    '"files": [{"path": "/run/x", "template": "x", "mode": "0400"}]',
    '"files": [{"path": "x", "var": "B", "mode": "444", "owner": "app", "group": "1000"}]',
    '"run": {"status": "unix:agent.sock", "refresh": "5m", "splay": "0s", "keep_leases": true}',
    '"database": {"url": "U", "wait": "0s", "statement_timeout": "0s", "lock_wait": "0m"}',
    '"database": {"url": "U", "connect_timeout": "0s1ms"}', '"vault": {"timeout": "10s"}',
    '"run": {"status": "127.0.0.1:9100", "refresh": "off"}', '"run": {"status": "[::1]:9100"}',
    '"docs": {"ENVIRONMENT_CONTRACT.md": {}, ".env.example": {"profile": "dev"}}',
]

BAD_CONTRACTS = [
    '"records": "env:X"', '"records": "vault:kv/a#b"',
    '"projet": "p"', '"project": ""', '"project": null', '"include": "x"', '"include": [""]',
    '"strict_profiles": "prod"', '"base": []', '"base": {"tpye": "int"}',
    '"base": {"aliases": [{"name": "X"}]}', '"vault": {"adress": "x"}', '"vault": {"auth": {}}',
    '"vault": {"auth": {"method": "tokn"}}',
    '"vault": {"auth": {"method": "userpass", "username": "u"}}',
    '"vault": {"addresses": "x"}',
    '"vault": {"auth": {"method": "token", "secret_id_wrapped": "yes"}}',
    '"vault": {"auth": {"method": "token", "token": "hvs.x"}}', '"vault": {"retries": -1}',
    '"vault": {"kv": {"kv": 3}}', '"vault": {"timeout": "soon"}', '"vault": {"timeout": 5}',
    '"vault": {"profiles": {"dev": {"profiles": {}}}}', '"vault": {"redirect_hosts": "x"}',
    '"unknown": {}', '"unknown": {"prefix": []}', '"unknown": {"prefix": ["X"], "level": "info"}',
    '"fences": []', '"fences": {"prod": {"host": []}}', '"groups": {}', '"groups": [{}]',
    '"groups": [{"exactly_one": []}]', '"groups": [{"exactly_one": ["B"], "all_or_none": ["U"]}]',
    '"groups": [{"at_most_one": ["B", "B"]}]', '"groups": [{"exactly_one": ["B"], "when": "x"}]',
    '"rules": [{"match": {"B": "x"}}]', '"rules": [{"id": "a"}]', '"rules": [{"id": "a", "match": {}}]',
    '"rules": [{"id": "a", "equal": ["B"]}]', '"rules": [{"id": "a", "match": {"U#hst": "x"}}]',
    '"rules": [{"id": "a", "differ": ["B", "U#query."]}]', '"database": {}',
    '"database": {"url": "U", "create": {}}', '"database": {"url": "U", "create": {"sql": []}}',
    '"database": {"url": "U", "create": {"sql": ["a"], "emit": ["b"]}}',
    '"database": {"url": "U", "create": {"command": ["c"]}}',
    '"database": {"url": "U", "create": {"command": ["c"]}, "expect": []}',
    '"database": {"url": "U", "stamp": {"revision": "7"}}',
    '"database": {"url": "U", "stamp": {"style": "plain"}}',
    '"database": {"url": "U", "stamp": {"style": "plain", "revision": "7", "alembic": "a.ini"}}',
    '"database": {"url": "U", "accept": ["curent"]}', '"database": {"url": "U", "wait": "1 minute"}',
    '"database": {"url": "U", "authority": {"var": "P"}}', '"guard": {"jobs": 3}',
    '"guard": {"server": "U", "ephemeral": true}', '"guard": {"ignore": [{"kind": "k"}]}',
    '"guard": {"ignore": [{"kind": "k", "object": "o", "until": "soon", "why": "w"}]}',
    '"run": {"stop_signal": "term"}', '"run": {"stop_signal": 15}', '"run": {"stop_signal": "RTMIN+31"}',
    '"run": {"rewrite": {"KILL": "TERM"}}', '"run": {"rewrite": {"TERM": "NONE"}}', '"run": {"rewrite": []}',
    '"run": {"exit_codes": {"256": 0}}', '"run": {"exit_codes": {"01": 0}}',
    '"run": {"exit_codes": {"1": 256}}', '"run": {"exit_codes": {"1": "2"}}', '"run": {"on_change": []}',
    '"run": {"on_change": "reload"}', '"run": {"on_change": "signal:hup"}', '"run": {"on_change": true}',
    '"run": {"stop_timout": "1s"}', '"run": {"unset": "X"}', '"files": [{"pth": "x"}]', '"files": {}',
    '"files": [{"path": "x"}]', '"files": [{"var": "B"}]', '"files": [{"path": "x", "template": ""}]',
    '"files": [{"path": "x", "var": "B", "template": "x"}]',
    '"files": [{"path": "x", "var": "B", "mode": "0666"}]',
    '"files": [{"path": "x", "var": "B", "mode": 400}]', '"run": {"refresh": "often"}',
    '"run": {"status": "localhost:80"}', '"run": {"status": ":80"}', '"run": {"status": "unix:"}',
    '"database": {"url": "U", "connect_timeout": "0s"}', '"vault": {"deadline": "0h00m"}',
    '"guard": {"timeout": "0s"}', '"run": {"refresh": "0s"}',
    '"run": {"status": 80}', '"run": {"keep_leases": "no"}',
    '"docs": []', '"docs": {"ENVIRONMENT_CONTRACT.md": {"sections": []}}',
]

WHOLE_GOOD = ['{"contract": 1, "vars": {}}']
WHOLE_BAD = [
    "[]", "1", "{}", '{"vars": {}}', '{"contract": 1}', '{"contract": 2, "vars": {}}',
    '{"contract": "1", "vars": {}}', '{"contract": 1, "vars": []}', '{"contract": 1, "vars": {"A": "x"}}',
    '{"contract": 1, "vars": {"1A": {}}}', '{"contract": 1, "vars": {"A-B": {}}}',
    '{"contract": 1, "vars": {"": {}}}', '{"contract": 1, "profile": {}, "vars": {}}',
    '{"contract": 1, "profile": {"var": "P", "values": []}, "vars": {"P": {}}}',
    '{"contract": 1, "profile": {"var": "P", "values": ["a", "a"]}, "vars": {"P": {}}}',
    '{"contract": 1, "vars": {"LD_PRELOAD": {"source": "vault:kv/a#b"}}}',
]

# ---- what a schema cannot say ----------------------------------------------------------------------

NAMES = "a name that is declared elsewhere"
UNSAYABLE = [
    ('"required": {"C": true}', NAMES), ('"profiles": {"staging": {}}', NAMES),
    ('"deprecated": {"use": "C"}', NAMES), ('"aliases": [{"name": "B"}]', NAMES),
    ('"source": {"a": "env"}, "compose": "{b}"', NAMES),
    ('"type": "int", "default": "x"', "the grammar of the variable's own type"),
    ('"type": "duration", "min": 5', "the grammar of the variable's own type"),
    ('"type": "int", "min": 5, "max": 4', "which of two values is larger"),
    ('"length": [5, 4]', "which of two values is larger"),
    ('"deprecated": {"since": "2031-01-01", "remove": "2030-01-01"}', "which of two days is later"),
    ('"source": "vault:kv/a#b", "rotate": {"strategy": "hook", "hook": ["h"], "every": "1d", "grace": "2d"}',
     "which of two durations is longer"),
    ('"source": "env", "rotate": {"strategy": "hook", "hook": ["h"]}', "what a rotation can write to"),
    ('"pattern": "(a"', "PCRE2's grammar"), ('"source": {"a": "env"}, "compose": "{a|ulr}"',
                                             "the grammar of templates"),
    ('"expires": "2027-02-29"', "which years have a 29th of February"),
    ('"min_bytes": 1.0, "type": "hex"', "a whole number is one, however it is written"),
    ('"type": "list", "source": "vault:kv/a#b", "rotate": {"strategy": "hook", "hook": ["h"], "every": "99999999999999999999d"}', "how long a duration may be"),
]
UNSAYABLE_CONTRACTS = [
    ('"strict_profiles": ["staging"]', NAMES), ('"database": {"url": "X"}', NAMES),
    ('"database": {"url": "B"}', "the type of another variable"),
    ('"groups": [{"exactly_one": ["X"]}]', NAMES),
    ('"include": ["absent.json"]', "what is in another file"),
    ('"base": {"secret": true}', "what `base` means for a variable that says nothing"),
    ('"project": "a", "project": "b"', "a key that is there twice"),
    ('"docs": {"notes.md": {}}', "what a file is by its name"),
    ('"rules": [{"id": "a", "equal": ["B", "P"]}, {"id": "a", "equal": ["B", "P"]}]',
     "an id that is there twice"),
    ('"run": {"rewrite": {"TERM": "INT", "SIGTERM": "HUP"}}', "that two names are one"),
]


def of_variable(keys: str) -> str:
    """A contract with a variable A of these keys."""
    return f'{{{HEAD}, "vars": {{{VARS}, "A": {{{keys}}}}}}}'


def of_contract(keys: str) -> str:
    """A contract with these keys of its own."""
    return f'{{{HEAD}, "vars": {{{VARS}}}, {keys}}}'


def all_good() -> Iterator[str]:
    """Contracts that both take."""
    yield from WHOLE_GOOD
    yield from map(of_variable, GOOD_VARIABLES)
    yield from map(of_contract, GOOD_CONTRACTS)


def all_bad() -> Iterator[str]:
    """Contracts that both refuse."""
    yield from WHOLE_BAD
    yield from map(of_variable, BAD_VARIABLES)
    yield from map(of_contract, BAD_CONTRACTS)


class Judges:
    """Agent and the schema."""

    def __init__(self, case: Case) -> None:
        self.schema: Dict[str, Any] = json.loads(case.agent("docs", "--schema").expect(0).stdout)
        self._validator = jsonschema.Draft202012Validator(self.schema)
        self._case = case
        self._binary = str(case.make_agent().binary)

    def agent(self, text: str) -> bool:
        """Whether agent takes it."""
        done = self._lint(text)
        if done.code not in (0, 2):
            raise AssertionError(f"{text}\n{done}")
        return done.code == 0

    def problems(self, text: str) -> List[Dict[str, Any]]:
        """What agent says, errors alone."""
        return [each for each in self._lint(text, "--json").json()["problems"]
                if each["severity"] == "error"]

    def validator(self, text: str) -> bool:
        """Whether the schema takes it."""
        return bool(self._validator.is_valid(json.loads(text)))

    def _lint(self, text: str, *more: str) -> Any:
        path = self._case.folder.write("contract.json", text)
        return run_tool([self._binary, "check", "--lint", "--contract", str(path), *more], {},
                        self._case.folder.path)


def without_comments(path: Path) -> str:
    """A contract of the tree as plain JSON; its strings have no "//" but in URLs."""
    return re.sub(r"(?m)(^|\s)//.*$", "", path.read_text())


def test_the_schema_is_one(case: Case) -> None:
    schema = Judges(case).schema
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_schema_and_agent_give_one_verdict(case: Case) -> None:
    judges, wrong = Judges(case), []
    good, bad = list(all_good()), list(all_bad())
    assert len(good) + len(bad) >= 150 and len(set(good + bad)) == len(good) + len(bad)
    for expected, texts in ((True, good), (False, bad)):
        for text in texts:
            verdicts = (judges.agent(text), judges.validator(text))
            if verdicts != (expected, expected):
                wrong.append(f"agent {verdicts[0]}, schema {verdicts[1]}, not {expected}: {text}")
    assert not wrong, "\n".join(wrong)


def test_what_a_schema_cannot_say_agent_says(case: Case) -> None:
    judges, wrong = Judges(case), []
    table = [(of_variable(keys), why) for keys, why in UNSAYABLE]
    table += [(of_contract(keys), why) for keys, why in UNSAYABLE_CONTRACTS]
    for text, why in table:
        verdicts = (judges.agent(text), judges.validator(text))
        if verdicts != (False, True):
            wrong.append(f"{why}: agent {verdicts[0]}, schema {verdicts[1]}: {text}")
    assert not wrong, "\n".join(wrong)


def test_contracts_of_the_tree_are_valid(case: Case) -> None:
    judges = Judges(case)
    paths = [GOLDEN / "example.json", GOLDEN / "whole-example.json",
             *sorted(EXAMPLES.rglob("contract*.json")), *sorted((EXAMPLES / "contract").rglob("*.json"))]
    main = [path for path in paths if "schema" not in path.name]
    assert len(main) > 3
    for path in main:
        text = without_comments(path)
        if '"vars"' in text and '"$defs"' not in text:
            assert judges.validator(text), path


def test_included_files_have_a_definition(case: Case) -> None:
    schema = Judges(case).schema
    included = {"$schema": schema["$schema"], "$ref": "#/$defs/included", "$defs": schema["$defs"]}
    validator = jsonschema.Draft202012Validator(included)
    assert validator.is_valid({"contract": 1})
    assert validator.is_valid(json.loads(without_comments(GOLDEN / "contracts" / "observability.json")))
    assert not validator.is_valid({"contract": 1, "vars": {"A": {"tpye": "int"}}})
    assert not validator.is_valid({"contract": 1, "project": "p"})
    assert not validator.is_valid({"vars": {}})
    assert not validator.is_valid([])


# ---- every key with values of every kind -----------------------------------------------------------

VALUES = [
    "null", "true", "0", "-1", "1.5", "70000", '""', '"x"', '"30s"', '"env"', '"env: A"',
    '"vault:a/b#c"', '"vault:a#c"', '"none"', '"required"', '"int"', '"agent"', '"2027-01-31"',
    '"2027-13-01"', "[]", '[""]', '["x"]', '["a", "b"]', "[1, 2]", "[1, null]", "[-1, 2]", "[{}]",
    "{}", '{"x": 1}', '{"x": ["y"]}', '{"B": "x"}', '{"any": [{"B": true}]}', '{"any": []}',
    '{"@profile": true}', '{"command": ["x"]}', '{"command": []}', '{"x": "env"}',
]
# What agent says where the schema is silent: each is in a table above, with the reason.
ONLY_AGENT = [
    "is no variable of the contract", "is no profile of the contract", "'compose' is no part of",
    "is not in 'compose'", "the default", "is no value of its type", "ends below its begin",
]


def grid(schema: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Every key of a variable, alone and in a profile, with every value; and every type with every
    constraint."""
    keys = [(key, value) for key in schema["$defs"]["variable"]["properties"] for value in VALUES]
    cells = [("key", f'"{key}": {value}') for key, value in keys]
    cells += [("profile", f'"profiles": {{"dev": {{"{key}": {value}}}}}') for key, value in keys]
    types = [name for name in schema["$defs"]["variable"]["properties"]["type"]["enum"] if name]
    for name in types:
        more = '"values": ["x"], ' if name == "enum" else ""
        for rule in ('"min": null', '"max": null', '"min_bytes": 4', '"url": {}', '"path": {}',
                     '"item": {}', '"separator": ";"'):
            cells.append(("type", f'{more}"type": "{name}", {rule}'))
            cells.append(("item", f'"type": "list", "item": {{{more}"type": "{name}", {rule}}}'))
    return cells


def test_every_key_with_every_kind_of_value_gets_one_verdict(case: Case) -> None:
    judges, wrong = Judges(case), []
    cells = [keys for _, keys in grid(judges.schema)]
    for start in range(0, len(cells), BATCH):
        batch = cells[start:start + BATCH]
        variables = ", ".join(f'"V{i}": {{{keys}}}' for i, keys in enumerate(batch))
        said: Dict[str, List[str]] = {}
        for each in judges.problems(f'{{{HEAD}, "vars": {{{VARS}, {variables}}}}}'):
            said.setdefault(each["variable"], []).append(each["message"])
        for i, keys in enumerate(batch):
            messages = said.get(f"V{i}", [])
            sayable = [text for text in messages if not any(part in text for part in ONLY_AGENT)]
            valid = judges.validator(of_variable(keys))
            if valid and sayable or not valid and not messages:
                wrong.append(f"schema {valid}, agent {messages}: {keys}")
    assert len(cells) > 2000
    assert not wrong, "\n".join(wrong[:20])
