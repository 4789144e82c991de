"""What `agent check` prints: text for people, SARIF against its JSON Schema, GitHub's annotations; the
golden files under tests/golden/check are what it must be, byte for byte."""
from __future__ import annotations

import json
import os
import pty
from typing import Any, Dict, List

import jsonschema

from tests.lib.agent import Agent
from tests.lib.case import Case
from tests.lib.processes import ROOT, plain_environment
from tests.lib.project import Project

GOLDEN = ROOT / "tests" / "golden" / "check"
SARIF = ROOT / "build" / "venv" / "share" / "sarif-2.1.0.json"
SCREEN_LINES = 24
SCREEN_COLUMNS = 120

CONTRACT = """{ "contract": 1, "unknown": {"prefix": ["ACME_"]},
  "profile": {"var": "STAGE", "values": ["dev", "prod"], "default": "dev"},
  "vars": {
    "STAGE": {"type": "enum", "values": ["dev", "prod"], "source": "env"},
    "PORT": {"type": "port"},
    "MODE": {"type": "enum", "values": ["log", "smtp"], "default": "log"},
    "API_KEY": {"secret": true, "source": "env", "prefix": "re_", "length": [40, 40],
                "rotate": {"strategy": "none", "why": "w"}},
    "ORIGINS": {"type": "list", "item": {"type": "url"}},
    "OLD": {"required": false, "deprecated": {"since": "2020-01-01", "use": "NEW"}},
    "NEW": {"required": false},
    "HOST": {"type": "host"}
  } }
"""
LINT = """{ "contract": 1,
  "projet": "acme",
  "profile": {"var": "STAGE", "values": ["dev", "prod"]},
  "strict_profiles": ["prd"],
  "vars": {
    "STAGE": {"type": "enmu", "values": ["dev", "prod"]},
    "PORT": {"tpye": "port", "required": {"STAG": "dev"}},
    "KEY": {"secret": true, "source": "env", "expose": "agnt", "profiles": {"pord": {"doc": "d"}}}
  },
  "database": {"url": "PROT"} }
"""
LINES = "# for people\n{API_KEY}\n\nPORT=99999\nACME_MODE=x\nMODE=lgo\nORIGINS=https://a,b\nOLD=x\n"


def env_file(case: Case) -> str:
    """An env file with a mistake of each kind, and the canary that it has."""
    secret = case.canaries.new("API_KEY", prefix="zz_")
    case.folder.write("contract.json", CONTRACT)
    case.folder.write(".env", LINES.replace("{API_KEY}", f"API_KEY={secret}"))
    return secret


def golden(name: str, text: str) -> None:
    """`text` is what the file says; AGENT_UPDATE_GOLDEN=1 writes it."""
    path = GOLDEN / name
    if os.environ.get("AGENT_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path}:\n{text}"


def valid_sarif(text: str) -> Dict[str, Any]:
    """The one run of a valid log."""
    log = json.loads(text)
    validator = jsonschema.Draft4Validator(json.loads(SARIF.read_text()),
                                           format_checker=jsonschema.FormatChecker())
    problems = [f"{list(each.absolute_path)}: {each.message}" for each in validator.iter_errors(log)]
    assert not problems, problems
    run: Dict[str, Any] = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
    return run


def test_text_of_an_env_file_is_the_golden_one(case: Case) -> None:
    env_file(case)
    golden("env-file.txt", case.agent("check", "--env-file", ".env").expect(1).stdout)


def test_text_of_a_lint_is_the_golden_one(case: Case) -> None:
    case.folder.write("contract.json", LINT)
    golden("lint.txt", case.agent("check", "--lint").expect(2).stdout)


def test_annotations_are_the_golden_ones(case: Case) -> None:
    env_file(case)
    golden("env-file.github",
           case.agent("check", "--env-file", ".env", "--format", "github").expect(1).stdout)
    case.folder.write("contract.json", LINT)
    golden("lint.github", case.agent("check", "--lint", "--format", "github").expect(2).stdout)


def test_sarif_of_a_check_is_valid_and_points_to_each_line(case: Case) -> None:
    env_file(case)
    run = valid_sarif(case.agent("check", "--env-file", ".env", "--format", "sarif").expect(1).stdout)
    places: List[Any] = []
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        places.append((result["ruleId"], place["artifactLocation"]["uri"],
                       place["region"]["startLine"]))
    assert ("prefix", ".env", 2) in places and ("type", ".env", 4) in places
    assert ("unknown", ".env", 5) in places and ("required", "contract.json", 12) in places
    assert run["invocations"] == [{"executionSuccessful": True}]


def test_sarif_of_a_lint_is_valid(case: Case) -> None:
    case.folder.write("contract.json", LINT)
    run = valid_sarif(case.agent("check", "--lint", "--format", "sarif").expect(2).stdout)
    assert {result["ruleId"] for result in run["results"]} == {"contract"}
    case.folder.write("contract.json", '{"contract": 1, "vars": {}}')
    assert valid_sarif(case.agent("check", "--lint", "--format", "sarif").expect(0).stdout)["results"] == []


def test_what_ends_a_check_is_in_its_report(case: Case) -> None:
    run = valid_sarif(case.agent("check", "--lint", "--format", "sarif").expect(2).stdout)
    assert run["results"][0]["ruleId"] == "file" and "contract.json" in str(run["results"][0])
    assert run["invocations"] == [{"executionSuccessful": False}]
    line = case.agent("check", "--lint", "--format", "github").expect(2).stdout
    assert line.startswith("::error ") and line.count("\n") == 1
    case.folder.write("contract.json", '{"contract": 1, "vars": {"A": {"source": "vault:kv/a#b"}}}')
    down = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": case.canaries.new("token")}
    run = valid_sarif(case.agent("check", "--format", "sarif", "--timeout", "1s", env=down)
                      .expect(3).stdout)
    assert "source" in run["results"][0]["ruleId"]


def test_an_output_without_room_is_all_that_a_sound_check_says(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    binary = case.make_agent().binary
    for how in ("", "--format sarif", "--format github", "--json"):
        got = case.tool("bash", "-c", f"A=1 {binary} check {how} >/dev/full; echo $?")
        if how == "--format github" and got.stdout == "0\n":
            continue  # nothing was to be written
        assert got.stdout == "9\n", got
        assert got.stderr == "error write 'standard output': No space left on device\n", (how, got)


def test_files_are_named_from_the_working_directory(case: Case) -> None:
    case.folder.write("deploy/contract.json", LINT)
    for name in ("deploy/contract.json", "./deploy/contract.json",
                 str(case.folder.path / "deploy" / "contract.json")):
        out = case.agent("check", "--lint", "--contract", name, "--format", "github").expect(2).stdout
        assert "file=deploy/contract.json,line=2," in out, out


def test_json_has_the_lines_of_the_file(case: Case) -> None:
    env_file(case)
    said = case.agent("check", "--env-file", ".env", "--json").expect(1).json()
    lines = {each["variable"]: (each["file"], each["line"]) for each in said["problems"]}
    assert (said["error"]["file"], said["error"]["line"]) == (".env", 2)
    assert lines["PORT"] == (".env", 4) and lines["HOST"] == ("contract.json", 12)


def test_twenty_variables_with_problems_fit_on_a_screen(case: Case) -> None:
    names = [f"SETTING_{i}" for i in range(20)]
    case.folder.write("contract.json", json.dumps(
        {"contract": 1, "vars": {name: {"type": "port"} for name in names}}))
    case.folder.write(".env", "".join(f"{name}=x\n" for name in names))
    lines = case.agent("check", "--env-file", ".env").expect(1).stdout.splitlines()
    assert len(lines) <= SCREEN_LINES and max(map(len, lines)) <= SCREEN_COLUMNS, lines
    assert lines[-1] == "20 errors, 0 warnings"


def test_colour_is_for_a_terminal_alone(case: Case) -> None:
    env_file(case)
    plain = case.agent("check", "--env-file", ".env").stdout
    assert "\x1b" not in plain
    assert "\x1b[31m" in case.agent("check", "--env-file", ".env", "--color", "always").stdout
    agent = Agent(case.folder.path)
    for more, colored in (({}, True), ({"NO_COLOR": "1"}, False)):
        assert ("\x1b[31m" in on_terminal(agent, more)) == colored


def on_terminal(agent: Agent, more: Dict[str, str]) -> str:
    """What a check prints on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        try:
            os.chdir(agent.home)
            os.execve(agent.binary, [str(agent.binary), "check", "--env-file", ".env"],
                      plain_environment(agent.home, {"TERM": "xterm", **more}))
        finally:
            os._exit(125)  # only where exec failed
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end was shut
            break
        if not part:
            break
        shown += part
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode()


# ---- nearest names ---------------------------------------------------------------------------------


def test_every_kind_of_mistyped_name_gets_the_nearest_one(case: Case) -> None:
    case.folder.write("contract.json", LINT)
    hints = {each["message"]: each["hint"]
             for each in case.agent("check", "--lint", "--json").expect(2).json()["problems"]}
    for wrong, right in (("projet", "project"), ("prd", "prod"), ("enmu", "enum"), ("tpye", "type"),
                         ("STAG", "STAGE"), ("agnt", "agent"), ("pord", "prod"), ("PROT", "PORT")):
        found = [hint for message, hint in hints.items() if f"'{wrong}'" in message]
        assert found and found[0] and f"'{right}'" in found[0], (wrong, hints)
    env_file(case)
    missing = case.agent("fetch", "PROT").expect(2).stderr
    assert "PROT" in missing and "'PORT'" in missing, missing
    profile = case.agent("check", "--env-only", "--profile", "pord").expect(2).stderr
    assert "pord" in profile and "'prod'" in profile, profile
    option = case.agent("check", "--lnit").expect(2).stderr
    assert "--lint" in option, option
    word = case.agent("check", "--format", "sraif").expect(2).stderr
    assert "sarif" in word, word
    command = case.agent("chekc").expect(2).stderr
    assert "check" in command, command
    unknown = case.agent("check", "--env-file", ".env", "--json").json()["problems"]
    assert any(each["rule"] == "unknown" for each in unknown)
