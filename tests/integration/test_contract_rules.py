"""Every rule of the contract, each broken by one small contract and said by `agent check --json`.

The values are canaries where they can be: no finding of any rule shows a piece of one.
"""
from __future__ import annotations

import datetime
import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence

from tests.lib.agent import Result, agent_binary
from tests.lib.case import Case
from tests.lib.hostile import ENVIRONMENT, MIB, WAYS, shapes
from tests.lib.processes import ROOT, plain_environment

RULES = ["required", "forbidden", "empty", "type", "values", "min", "max", "length", "pattern", "prefix",
         "scheme", "host", "user", "password", "query", "port", "path", "placeholder", "unresolved",
         "fence", "distinct", "deprecated", "removed", "alias", "unknown", "shadowed", "group", "rule",
         "expired", "authority"]
WARNINGS = {"deprecated", "alias", "shadowed"}
PROFILES = {"var": "ROLE", "values": ["dev", "staging", "prod"], "default": "staging"}
OPTIONAL = {"required": False}
SECRET = {"secret": True, "source": "env", "rotate": {"strategy": "none", "why": "a test's"}}
CANARY = "{canary}"  # in a value: the test's canary takes its place
URL = f"postgresql://app:{CANARY}@db.acme.io:5432/app?sslmode=require"
LONG_AGO, FAR_AWAY = "2001-01-01", "9999-01-01"


@dataclass
class Broken:
    """A contract with one variable X (and others), an environment, and whose the finding is."""

    rule: str
    x: Mapping[str, Any]
    value: Optional[str] = CANARY
    others: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    sections: Mapping[str, Any] = field(default_factory=dict)
    variable: Optional[str] = "X"
    sources: bool = False  # resolve them: not --env-only


def url(**rules: Any) -> Dict[str, Any]:
    """A PostgreSQL URL of which something is asked."""
    return {"type": "postgres-url", **SECRET, "url": rules}


BROKEN = [
    Broken("required", SECRET, value=None),
    Broken("required", {**SECRET, "required": {"MODE": "smtp"}}, value=None, others={"MODE": {}},
           env={"MODE": "smtp"}),
    Broken("forbidden", {**SECRET, **OPTIONAL, "forbidden": {"MODE": "log"}}, others={"MODE": {}},
           env={"MODE": "log"}),
    Broken("empty", SECRET, value=""),
    Broken("type", {**SECRET, "type": "int"}),
    Broken("type", {**SECRET, "type": "postgres-url"}),
    Broken("values", {**SECRET, "values": ["one", "two"]}),
    Broken("min", {"type": "int", "min": 10}, value="9"),
    Broken("max", {"type": "duration", "max": "1m"}, value="61s"),
    Broken("length", {**SECRET, "length": [1, 8]}),
    Broken("pattern", {**SECRET, "pattern": "[0-9]+"}),
    Broken("prefix", {**SECRET, "prefix": "re_"}),
    Broken("scheme", url(scheme=["postgres"]), value=URL),
    Broken("host", url(host=["*.neon.tech"]), value=URL),
    Broken("user", url(user="forbidden"), value=URL),
    Broken("password", url(password="forbidden"), value=URL),
    Broken("query", url(query={"sslmode": ["verify-full"]}), value=URL),
    Broken("port", url(port=[6432]), value=URL),
    Broken("path", {"type": "path", "path": {"must_exist": True}}, value="/nowhere/" + CANARY),
    Broken("placeholder", SECRET, value="changeme"),
    Broken("unresolved", SECRET, value="vault:secret/app#" + CANARY),
    Broken("unresolved", SECRET, value="ENC[AES256_GCM,data:" + CANARY + "]"),
    Broken("unresolved", {}, value="a${" + "NAME}b"),
    Broken("fence", SECRET, value="sk_live_" + CANARY,
           sections={"fences": {"prod": {"values": ["sk_live_*"]}}}),
    Broken("fence", {"type": "postgres-url", **SECRET}, value=URL,
           sections={"fences": {"prod": {"hosts": ["*.ACME.io"]}}}),
    Broken("distinct", SECRET, others={"A": {**SECRET, "distinct": True}}, env={"A": CANARY}),
    Broken("deprecated", {**SECRET, "deprecated": {"since": LONG_AGO, "remove": FAR_AWAY}}),
    Broken("removed", {**SECRET, "deprecated": {"remove": LONG_AGO}}),
    Broken("removed", {**SECRET, "aliases": [{"name": "OLD", "remove": LONG_AGO}]}, value=None,
           env={"OLD": CANARY}),
    Broken("alias", {**SECRET, "aliases": [{"name": "OLD", "remove": FAR_AWAY}]}, value=None,
           env={"OLD": CANARY}),
    Broken("alias", {**SECRET, "aliases": [{"name": "OLD"}]}, env={"OLD": CANARY + "x"}),
    Broken("unknown", SECRET, env={"ACME_X": CANARY}, variable="ACME_X",
           sections={"unknown": {"prefix": ["ACME_"]}}),
    Broken("shadowed", {**SECRET, "source": "file:x.txt"}, value=CANARY + "x", sources=True),
    Broken("group", {**SECRET, **OPTIONAL}, others={"Y": OPTIONAL}, variable=None,
           sections={"groups": [{"all_or_none": ["X", "Y"]}]}),
    Broken("rule", {**SECRET, **OPTIONAL},
           sections={"rules": [{"id": "r", "match": {"X": "pk_.*"}, "say": "another kind of key"}]}),
    Broken("rule", {"type": "postgres-url", **SECRET}, value=URL,
           sections={"rules": [{"id": "r", "when": {"@profile": "staging"},
                                "match": {"X#database": "other"}}]}),
    Broken("rule", SECRET, others={"A": SECRET}, env={"A": CANARY + "x"},
           sections={"rules": [{"id": "r", "equal": ["A", "X"]}]}),
    Broken("expired", {**SECRET, "expires": LONG_AGO}),
    Broken("authority", {"type": "postgres-url", **SECRET}, value=URL,
           others={"WHO": {"type": "enum", "values": ["neon", "local"]}}, env={"WHO": "neon"},
           sections={"database": {"url": "X", "authority": {
               "var": "WHO", "hosts": {"neon": ["*.neon.tech"], "local": ["localhost", "/*"]}}}}),
]


def write_contract(case: Case, variables: Mapping[str, Any], **sections: Any) -> None:
    """contract.json in the test's folder, with profiles."""
    case.folder.write("contract.json", json.dumps(
        {"contract": 1, "profile": PROFILES, **sections,
         "vars": {"ROLE": {"type": "enum", "values": PROFILES["values"]}, **variables}}, indent=1))


def environment(broken: Broken, canary: str) -> Dict[str, str]:
    """Its environment, with the canary put in."""
    env = {**broken.env, **({} if broken.value is None else {"X": broken.value})}
    return {name: value.replace(CANARY, canary) for name, value in env.items()}


def problems(result: Result) -> List[Dict[str, Any]]:
    """What `check --json` found."""
    document = json.loads(result.stdout)
    assert document["command"] == "check", document
    return list(document["problems"])


def assert_only(found: Sequence[Mapping[str, Any]], rule: str, variable: Optional[str]) -> None:
    """One problem, of that rule and variable, with a place in the contract and words."""
    assert len(found) == 1, found
    assert (found[0]["rule"], found[0].get("variable")) == (rule, variable), found
    assert found[0]["severity"] == ("warning" if rule in WARNINGS else "error"), found
    assert found[0]["message"] and found[0]["file"].endswith(("contract.json", "app.env")), found
    assert found[0]["line"] > 1 and found[0]["pointer"].startswith("/"), found


def test_every_rule_is_broken_by_one_small_contract(case: Case) -> None:
    assert {broken.rule for broken in BROKEN} == set(RULES)
    for index, broken in enumerate(BROKEN):
        canary = case.canaries.new(f"value {index}")
        case.folder.write("x.txt", canary)
        write_contract(case, {"X": broken.x, **broken.others}, **broken.sections)
        where = [] if broken.sources else ["--env-only"]
        result = case.agent("check", "--json", *where, env=environment(broken, canary))
        result.expect(0 if broken.rule in WARNINGS else 1)
        assert_only(problems(result), broken.rule, broken.variable)
        text = case.agent("check", *where, env=environment(broken, canary))
        assert broken.rule in text.stdout, text


def test_an_env_file_is_held_against_all_of_them_too(case: Case) -> None:
    for index, broken in enumerate(BROKEN):
        if broken.sources:
            continue
        canary = case.canaries.new(f"value {index}")
        write_contract(case, {"X": broken.x, **broken.others}, **broken.sections)
        lines = [f"{name}='{value}'" for name, value in environment(broken, canary).items()]
        case.folder.write("app.env", "\n".join(["# of a test", *lines]) + "\n")
        result = case.agent("check", "--json", "--env-file", "app.env")
        assert_only(problems(result), broken.rule, broken.variable)


def test_an_alias_becomes_its_variable(case: Case) -> None:
    canary = case.canaries.new("alias")
    write_contract(case, {"X": {**SECRET, "aliases": [{"name": "OLDER"}, {"name": "OLD"}]},
                          "Y": {**SECRET, "source": "env:Z", "aliases": [{"name": "OLD_Y"}]}})
    env = {"OLD": canary, "OLD_Y": canary}
    program = "import os; assert os.environ['X'] == os.environ['Y'] == os.environ['OLD']"
    case.agent("run", "--", "python3", "-c", program, env=env).expect(0)
    shown = case.agent("fetch", "X", env=env, prints_secrets=True).expect(0)
    assert canary in shown.stdout
    result = case.agent("check", "--json", env=env).expect(0)
    assert [(one["variable"], one["rule"]) for one in problems(result)] == [("X", "alias"), ("Y", "alias")]
    both = {**env, "X": canary + "1", "Z": canary}
    case.agent("run", "--", "python3", "-c", "import os; assert os.environ['X'] != os.environ['OLD']",
               env=both).expect(0)


def test_an_alias_overrides_where_the_variable_may(case: Case) -> None:
    canary, theirs = case.canaries.new("alias"), case.canaries.new("source")
    case.folder.write("x.txt", theirs)
    write_contract(case, {"X": {**SECRET, "source": "file:x.txt", "override": True,
                                "aliases": [{"name": "OLD"}]}}, strict_profiles=["prod"])
    result = case.agent("fetch", "X", env={"OLD": canary}, prints_secrets=True).expect(0)
    assert canary in result.stdout and theirs not in result.stdout
    strict = case.agent("fetch", "X", "--profile=prod", env={"OLD": canary}, prints_secrets=True).expect(0)
    assert theirs in strict.stdout and canary not in strict.stdout
    assert_only(problems(case.agent("check", "--json", "--profile=prod", env={"OLD": canary}).expect(0)),
                "shadowed", "X")


def test_what_only_agent_uses_is_not_judged_by_others(case: Case) -> None:
    write_contract(case, {"A": {**OPTIONAL, "expose": "agent"},
                          "B": {**SECRET, "expose": "agent", "source": "file:nowhere"},
                          "C": OPTIONAL},
                   groups=[{"exactly_one": ["A", "C"]}, {"all_or_none": ["A", "C"]}],
                   rules=[{"id": "r", "when": {"A": True}, "match": {"C": "x"}}])
    for how in ([], ["--env-only"]):
        result = case.agent("check", "--json", *how).expect(0)
        assert problems(result) == [], result
    broken = case.agent("check", "--json", "--env-only", env={"A": "1", "C": "1"}).expect(1)
    assert [one["rule"] for one in problems(broken)] == ["group", "rule"]


def test_run_refuses_what_check_refuses(case: Case) -> None:
    canary = case.canaries.new("key")
    write_contract(case, {"X": {**SECRET, "required": False}}, unknown={"prefix": ["ACME_"]},
                   fences={"prod": {"values": ["sk_live_*"]}})
    refused = case.agent("run", "--", "true", env={"ACME_Y": canary}).expect(125)
    assert "unknown" in refused.stderr and "ACME_Y" in refused.stderr
    refused = case.agent("run", "--", "true", env={"X": "sk_live_" + canary}).expect(125)
    assert "fence" in refused.stderr
    case.agent("run", "--profile=prod", "--", "true", env={"X": "sk_live_" + canary}).expect(0)


def test_bootstrap_goes_only_where_the_authority_says(case: Case) -> None:
    canary = case.canaries.new("password")
    case.folder.write("url.txt", f"postgresql://app:{canary}@127.0.0.1:1/app")
    case.folder.write("s.sql", "SELECT 1;")
    write_contract(case, {"WHO": {"type": "enum", "values": ["neon", "local"], "default": "neon"},
                          "X": {"type": "postgres-url", **SECRET, "source": "file:url.txt"}},
                   database={"url": "X", "create": {"sql": ["s.sql"]}, "wait": "1s",
                             "stamp": {"style": "plain", "revision": "1"},
                             "authority": {"var": "WHO", "hosts": {"neon": ["*.neon.tech"],
                                                                   "local": ["127.0.0.1"]}}})
    refused = case.agent("bootstrap").expect(1)
    assert "authority" in refused.stderr and "`*.neon.tech`" in refused.stderr, refused
    reached = case.agent("bootstrap", env={"WHO": "local"})
    assert reached.code not in (0, 1) and "authority" not in reached.stderr, reached


def test_what_expires_is_said_fourteen_days_before(case: Case) -> None:
    canary = case.canaries.new("key")
    write_contract(case, {"X": {**SECRET, "expires": "2031-06-15"}})
    now = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.datetime(2031, 6, 15, 12, tzinfo=datetime.timezone.utc)
    agent = case.make_agent("release")
    for days, expected in ((15, []), (14, ["warning"]), (0, ["warning"]), (-1, ["error"])):
        ahead = int((day - datetime.timedelta(days=days) - now).total_seconds())
        faked = {"LD_PRELOAD": str(ROOT / "build" / "release" / "fault" / "oddclock.so"),
                 "FAULT_CLOCK": f"+{ahead}"}
        result = agent.run("check", "--json", "--env-only", env={"X": canary, **faked})
        assert [one["severity"] for one in problems(result)] == expected, (days, result)


# ---- of any size ------------------------------------------------------------------------------------------

MEMORY_MAX_KIBIBYTES = 64 * 1024
LONG = bool(os.environ.get("AGENT_LONG"))


def limited(case: Case, *args: str, env: Optional[Mapping[str, str]] = None) -> int:
    """Run the release binary; the most memory that it had, in KiB. It must end with 0, 1 or 2."""
    measure = ("import resource, subprocess, sys\n"
               "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
               ".returncode\n"
               "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n")
    done = subprocess.run(["python3", "-c", measure, str(agent_binary("release")), *args],
                          cwd=case.folder.path, env=plain_environment(case.folder.path, env or {}),
                          capture_output=True, text=True, timeout=60, check=True)
    code, peak = done.stdout.split()
    assert int(code) in (0, 1, 2), done
    return int(peak)


def test_four_mebibytes_of_rules_of_any_shape_end_in_little_memory(case: Case) -> None:
    for name, text in shapes().items():
        case.folder.write("contract.json", text)
        for how in WAYS if LONG else WAYS[-1:]:  # which reads and looks at the contract, too
            peak = limited(case, "check", how, env=ENVIRONMENT)
            assert peak <= MEMORY_MAX_KIBIBYTES, (name, how, peak)


def test_a_hundred_thousand_names_are_looked_up_and_compared(case: Case) -> None:
    variables = ", ".join(f'"APP_{index}": {{}}' for index in range(50_000))
    case.folder.write("contract.json", '{"contract": 1, "unknown": {"prefix": ["APP_"]}, '
                      '"base": {"distinct": true}, "vars": {' + variables + "}}")
    case.folder.write("app.env", "".join(f"APP_{index}={index % 40_000}\n" for index in range(100_000)))
    result = case.make_agent("release").run("check", "--json", "--env-file", "app.env").expect(1)
    found = [one["rule"] for one in problems(result)]
    assert found.count("distinct") == 1000 and found.count("unknown") == 1001, found[:10]
    assert "9000 more of groups, rules, fences" in result.stdout


def test_conditions_that_would_take_for_ever_are_an_error(case: Case) -> None:
    variables = ", ".join(f'"V{index}": {{"required": {{"A": "*{index}*aaaaaaab"}}}}' for index in range(20_000))
    case.folder.write("contract.json", '{"contract": 1, "vars": {"A": {}, ' + variables + "}}")
    case.folder.write("app.env", "A=" + "1234567890" + "a" * (2 * MIB) + "\n")
    result = case.make_agent("release").run("check", "--json", "--env-file", "app.env").expect(1)
    found = [one["message"] for one in problems(result) if one["rule"] == "contract"]
    assert len(found) == 1 and "conditions take more than 50000000 steps" in found[0], found


def test_env_only_names_the_variable_that_it_looked_for(case: Case) -> None:
    write_contract(case, {"X": {"source": "env:OTHER"}})
    found = problems(case.agent("check", "--json", "--env-only").expect(1))
    assert [one["message"] for one in found] == ["not set in the environment (as OTHER)"], found
