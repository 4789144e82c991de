"""The command line itself: options in every place, help, completion, exit codes, the shape of each document."""
from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as xml
from typing import Any, Dict, List, Mapping, Optional, Set

from tests.lib.case import ACME, Case, lacks
from tests.lib.processes import plain_environment
from tests.lib.project import HEAD, Project

COMMANDS = ["run", "fetch", "check", "bootstrap", "verify", "guard", "graph", "audit", "rotate", "docs", "seal",
            "doctor", "completion", "help", "version"]
VERIFY = {"state": str, "server_version": str, "host": str, "port": str, "database": str, "user": str,
          "tls": bool, "tables": int, "missing": list, "heads": list, "stamped": list, "behind": int,
          "read_only": bool}
BOOTSTRAP = {**VERIFY, "created": bool, "state_before": str, "statements": int, "waited_ms": int,
             "duration_ms": int, "verified": bool}
GRAPH = {"heads": list, "effective_heads": list, "bases": list, "count": int, "order": list,
         "revisions": list, "errors": list}
REVISION = {"revision": str, "down_revision": list, "depends_on": list, "branch_labels": list,
            "message": str, "file": str}
FORMATS = ["env", "dotenv", "json", "shell", "github", "kubernetes", "systemd"]


def shape(document: Dict[str, Any], wanted: Dict[str, type], command: str, ok: bool) -> None:
    """The document has these members, of these types, and the three that all have."""
    assert document["command"] == command and document["ok"] is ok and document["version"] == 1
    for name, kind in wanted.items():
        value = document[name]
        if name == "port":
            assert isinstance(value, (str, int)), document
        else:
            assert isinstance(value, kind) and (kind is bool or not isinstance(value, bool)), \
                (name, value)


def options_in(text: str) -> Set[str]:
    """The options that a help text lists, long and short."""
    found = set()
    for line in text.splitlines():
        match = re.match(r"^\s+(?:(-\w), )?(--[a-z-]+)", line)
        if match:
            found |= {name for name in match.groups() if name}
    return found


# ---- words and options ----------------------------------------------------------------------------------


def test_help_in_every_form(case: Case) -> None:
    whole = case.agent("help").expect(0)
    assert whole.stderr == "" and not lacks(whole.stdout, COMMANDS + ["Exit codes", "--contract"])
    assert case.agent("--help").stdout == case.agent("-h").stdout == whole.stdout
    for name in COMMANDS:
        said = case.agent("help", name).expect(0)
        assert said.stdout.startswith(f"agent {name}") and said.stderr == ""
        for form in ([name, "--help"], [name, "-h"], ["-h", name]):
            assert case.agent(*form).expect(0).stdout == said.stdout, form
        assert all(len(line) <= 90 for line in said.stdout.splitlines())
    document = case.agent("help", "run", "--json").expect(0).json()
    assert document["command"] == "help" and "--bootstrap" in document["text"]


def test_version_is_one_line_or_one_document(case: Case) -> None:
    said = case.agent("version").expect(0)
    assert re.fullmatch(r"agent \d+\.\d+\.\d+\n", said.stdout) and said.stderr == ""
    document = case.agent("version", "--json").expect(0).json()
    shape(document, {"agent": str}, "version", True)
    assert document["agent"] == said.stdout.split()[1]


def test_options_stand_anywhere_and_in_each_form(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    other = case.folder.write("other.json", (case.folder / "contract.json").read_text())
    (case.folder / "contract.json").unlink()
    env, path = {"A": "1"}, str(other)
    for form in (["fetch", "--contract", path, "A"], ["fetch", f"--contract={path}", "A"],
                 ["--contract", path, "fetch", "A"], [f"--contract={path}", "fetch", "A"],
                 ["fetch", "A", "--contract", path], ["-q", "fetch", "A", f"--contract={path}"],
                 ["fetch", "-vv", "A", "--contract", "other.json"]):
        assert case.agent(*form, env=env).expect(0).stdout == "A=1\n", form
    assert case.agent("fetch", env={**env, "AGENT_CONTRACT": path}).expect(0).stdout == "A=1\n"
    for form in (["-oout", "--contract", path], ["-o", "out", "--contract", path]):
        case.agent("fetch", *form, env=env).expect(0)
        assert (case.folder / "out").read_text() == "A=1\n"
        (case.folder / "out").unlink()


def test_what_is_mistyped_gets_the_nearest(case: Case) -> None:
    for words, said in {
            ("chekc",): ["'chekc'", "agent check"], ("help", "bootstrp"): ["bootstrp", "bootstrap"],
            ("check", "--lnit"): ["'--lnit'", "'--lint'"], ("check", "--env-flie=x"): ["--env-file"],
            ("check", "--contract"): ["--contract", "needs a value"],
            ("check", "--lint=yes"): ["--lint", "takes no value"],
            ("check", "-x"): ["'-x'"], ("check", "--timeout", "soon"): ["soon", "duration", "30s"],
            ("check", "--color", "red"): ["red", "auto|always|never"], ("check", "extra"): ["extra"],
            (): ["a command is missing", "agent help"], ("completion", "tcsh"): ["tcsh", "bash"],
            ("completion",): ["bash", "zsh", "fish"], ("verify", "--", "x"): ["--"],
            ("--version",): ["agent version"], ("-V",): ["agent version"],
            ("check", "--json", "--lnit"): ["--lint"]}.items():
        result = case.agent(*words).expect(2)
        assert not lacks(result.stderr, said), result
        if "--json" in words:
            assert result.json()["error"]["kind"] == "usage", result
        else:
            assert result.stdout == "", result


def test_colour_only_where_it_is_asked_for(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    assert "\x1b[" not in case.agent("check").expect(1).stdout
    assert "\x1b[" in case.agent("check", "--color=always").expect(1).stdout
    assert "\x1b[" not in case.agent("check", "--color=never").expect(1).stdout


def test_log_lines_are_objects_when_asked_for(case: Case) -> None:
    Project(case).contract({"A": {"type": "port", "source": "env"},
                            "B": {"type": "string", "source": "env"}})
    result = case.agent("fetch", "--log=json", env={"A": "x"}).expect(1)
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert all({"ts", "level", "msg"} <= set(line) for line in lines), result
    assert [line.get("variable") for line in lines] == ["A", "B", None]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["ts"]) for line in lines)
    assert lines[-1]["code"] == 1 and lines[-1]["kind"] == "violation"


def test_a_reader_that_goes_away_is_told(case: Case) -> None:
    Project(case)
    binary = case.make_agent().binary
    got = case.tool("bash", "-c", f"{binary} graph alembic.ini >/dev/full; echo $?")
    assert got.stdout == "9\n" and "No space left" in got.stderr, got
    got = case.tool("bash", "-c", f"{binary} version >&-; echo $?")
    assert got.stdout in ("0\n", "9\n"), got
    Project(case).contract({"A": {"type": "string", "source": "env"}}, docs={"ENVIRONMENT_CONTRACT.md": {}})
    for call in ("fetch", "fetch --format json", "fetch --explain", "check", "check --lint --json",
                 "check --env-only --format sarif", "graph alembic.ini", "graph alembic.ini --json", "version", "help",
                 "help rotation", "completion bash", "doctor", "doctor --json", "rotate --status", "docs --check",
                 "docs --json", "audit alembic.ini --json", "check --drift ."):
        reader, writer = os.pipe()
        os.close(reader)
        got = subprocess.run([str(binary), *call.split()], stdout=writer, stderr=subprocess.PIPE, text=True,
                             cwd=case.folder.path, env=plain_environment(case.folder.path, {"A": "x"}), timeout=60,
                             check=False)
        os.close(writer)
        last = got.stderr.splitlines()[-2:]
        assert got.returncode == 2 and last == ["error write 'standard output': Broken pipe",
                                                "hint Its reader has ended before all was written."], (call, got)


# ---- documents ----------------------------------------------------------------------------------------


def test_the_documents_of_the_databases_commands(case: Case) -> None:
    database = case.database()
    Project(case).database_contract(expect=["users"])
    env = {"DATABASE_URL": database.url()}
    fresh = case.agent("verify", "--json", env=env).expect(1).json()
    shape(fresh, VERIFY, "verify", False)
    assert fresh["state"] == "fresh" and fresh["missing"] == ["users"] or fresh["missing"] == []
    plan = case.agent("bootstrap", "--dry-run", "--json", env=env).expect(0).json()
    assert "CREATE TABLE orgs" in plan["plan"] and plan["ok"] is True
    assert "CREATE TABLE orgs" in case.agent("bootstrap", "--dry-run", env=env).expect(0).stdout
    assert database.tables() == []
    made = case.agent("bootstrap", "--json", env=env).expect(0).json()
    shape(made, BOOTSTRAP, "bootstrap", True)
    assert made["created"] is made["verified"] is True and made["state_before"] == "fresh"
    assert made["statements"] == 3 and made["state"] == "current"
    again = case.agent("bootstrap", "--json", env=env).expect(0).json()
    shape(again, BOOTSTRAP, "bootstrap", True)
    assert again["created"] is False and again["state_before"] == "current"
    looked = case.agent("verify", "--json", env=env).expect(0).json()
    shape(looked, VERIFY, "verify", True)
    assert looked["heads"] == looked["stamped"] == [HEAD] and looked["tables"] == 2
    assert looked["database"] == database.name and looked["user"] == database.owner.name
    text = case.agent("verify", env=env).expect(0).stdout
    assert not lacks(text, ["current", database.name, database.owner.name, HEAD, "PostgreSQL"])


def test_a_query_is_shown_and_changes_nothing(case: Case) -> None:
    database = case.database()
    Project(case).database_contract()
    env = {"DATABASE_URL": database.url()}
    case.agent("bootstrap", env=env).expect(0)
    text = case.agent("verify", "--query", "SELECT id, name FROM orgs", env=env).expect(0)
    assert not lacks(text.stdout, ["id", "name", "Acme"]), text
    got = case.agent("verify", "--json", "--query=SELECT id, NULL AS n FROM orgs", env=env).expect(0)
    assert got.json()["columns"] == ["id", "n"] and got.json()["rows"] == [["1", None]], got
    for query, code in {"DELETE FROM orgs": 6, "SELECT 1; SELECT 2": 2, "SELEC 1": 6, "": 2}.items():
        result = case.agent("verify", "--query", query, env=env)
        assert result.code in (code, 2) and result.stderr.strip(), result
    assert database.value("SELECT count(*) FROM orgs") == "1"


def test_the_documents_of_check_and_fetch(case: Case) -> None:
    Project(case).contract({"A": {"type": "port", "source": "env"}})
    wrong = case.agent("check", "--json", env={"A": "x"}).expect(1).json()
    shape(wrong, {"checked": int, "problems": list}, "check", False)
    assert wrong["profile"] is None and wrong["checked"] == 1
    problem = wrong["problems"][0]
    for name, kind in {"variable": str, "rule": str, "severity": str, "message": str, "file": str,
                       "line": int, "pointer": str}.items():
        assert isinstance(problem[name], kind), problem
    assert problem["variable"] == "A" and problem["rule"] == "type" and "hint" in problem
    assert problem["pointer"] == "/vars/A" and problem["severity"] == "error"
    right = case.agent("check", "--json", env={"A": "1"}).expect(0).json()
    shape(right, {"checked": int, "problems": list}, "check", True)
    assert right["problems"] == [] and "error" not in right
    assert case.agent("check", "--format=json", env={"A": "1"}).expect(0).json() == right
    lint = case.agent("check", "--lint", "--json").expect(0).json()
    shape(lint, {"problems": list}, "check", True)
    assert case.agent("fetch", "--json", env={"A": "1"}).expect(0).json() == {"A": "1"}


def test_the_graph_in_each_format(case: Case) -> None:
    ini = str(ACME / "alembic.ini")
    document = case.agent("graph", ini, "--json").expect(0).json()
    shape(document, GRAPH, "graph", True)
    assert document["count"] == len(document["revisions"]) == len(document["order"]) > 20
    for revision in document["revisions"]:
        assert all(isinstance(revision[name], kind) for name, kind in REVISION.items()), revision
    ids = [revision["revision"] for revision in document["revisions"]]
    assert case.agent("graph", ini, "--format=json").expect(0).json() == document
    text = case.agent("graph", ini).expect(0).stdout
    dot = case.agent("graph", ini, "--format", "dot").expect(0).stdout
    mermaid = case.agent("graph", ini, "--format", "mermaid").expect(0).stdout
    svg = case.agent("graph", ini, "--format", "svg").expect(0).stdout
    for picture in (text, dot, mermaid, svg):
        assert not lacks(picture, ids)
    assert dot.startswith("digraph") and mermaid.split()[0] in ("flowchart", "graph")
    assert xml.fromstring(svg).tag.endswith("svg")


def test_a_graph_with_errors_exits_1_with_all_of_them(case: Case) -> None:
    project = Project(case)
    project.revision("c3", "gone", "an orphan", "")
    project.folder.write("migrations/versions/copy.py", "revision = 'a1'\ndown_revision = None\n")
    result = case.agent("graph", "alembic.ini", "--json").expect(1)
    shape(result.json(), GRAPH, "graph", False)
    kinds = {error["kind"] for error in result.json()["errors"]}
    assert kinds == {"missing-parent", "duplicate"}, result
    for error in result.json()["errors"]:
        assert error["message"] and "file" in error and "line" in error, error
    assert not lacks(result.stderr, ["gone", "a1"])


def test_where_graph_looks(case: Case) -> None:
    project = Project(case)
    elsewhere = case.folder / "empty"
    elsewhere.mkdir()
    assert HEAD in case.agent("graph").expect(0).stdout
    assert HEAD in case.agent("graph", "migrations").expect(0).stdout
    assert "alembic.ini" in case.agent("graph", cwd=elsewhere).expect(2).stderr
    env = {"ALEMBIC_CONFIG": "../alembic.ini"}
    assert HEAD in case.agent("graph", cwd=elsewhere, env=env).expect(0).stdout
    project.database_contract(stamp={"alembic": "migrations"})
    (case.folder / "alembic.ini").unlink()
    assert HEAD in case.agent("graph").expect(0).stdout


# ---- completion ---------------------------------------------------------------------------------------


def complete(case: Case, line: str, env: Optional[Mapping[str, str]] = None) -> List[str]:
    """What bash offers behind LINE, whose last word is being typed."""
    words = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith((" ", "=")) else [])
    script = (f"source <({shlex.quote(str(case.make_agent().binary))} completion bash)\n"
              f"COMP_WORDS=({' '.join(shlex.quote(word) for word in words)})\n"
              f"COMP_CWORD={len(words) - 1}\ncompopt() {{ :; }}\n"
              "complete -p agent >/dev/null && _agent agent\nprintf '%s\\n' \"${COMPREPLY[@]}\"")
    got = case.tool("bash", "--norc", "-u", "-c", script, env=env).expect(0)
    assert got.stderr == "", got
    return [word for word in got.stdout.splitlines() if word]


def test_bash_completes(case: Case) -> None:
    case.folder.write("contract.json", "{}")
    assert set(COMMANDS) <= set(complete(case, "agent "))
    assert complete(case, "agent boo") == ["bootstrap"]
    assert complete(case, "agent check --l") == ["--lint", "--log"]
    assert complete(case, "agent fetch --format ") == FORMATS
    assert complete(case, "agent fetch --format j") == ["json"]
    assert complete(case, "agent fetch --format=d") == ["dotenv"]
    assert complete(case, "agent fetch --format=") == FORMATS
    assert complete(case, "agent --log json check --env-o") == ["--env-only"]
    assert complete(case, "agent check --contract con") == ["contract.json"]
    assert complete(case, "agent fetch -o con") == ["contract.json"]
    assert complete(case, "agent check --profile ") == []
    assert complete(case, "agent completion ")[:3] == ["bash", "zsh", "fish"]
    assert complete(case, "agent seal re") == ["rekey"]
    arguments = case.agent("help", "seal").expect(0).stdout.splitlines()[0]
    operations = [part.split()[0] for part in arguments[len("agent seal "):].split(" | ")]
    assert complete(case, "agent seal ")[:len(operations)] == operations
    assert complete(case, "agent help gr") == ["graph"]
    assert complete(case, "agent graph con") == ["contract.json"]
    assert complete(case, "agent run -- --") == []


def test_each_shell_reads_its_completion(case: Case) -> None:
    listed = {name: options_in(case.agent("help", name).stdout) for name in COMMANDS}
    for shell in ("bash", "zsh", "fish"):
        text = case.agent("completion", shell).expect(0).stdout
        script = case.folder.write(f"completion.{shell}", text)
        if shutil.which(shell):
            assert case.tool(shell, "-n", str(script)).expect(0).stderr == ""
        for name, options in listed.items():
            for option in options:
                bare = option.lstrip("-")
                form = f" -{'l' if option.startswith('--') else 's'} {bare}" if shell == "fish" \
                    else option
                assert form in text, (shell, name, option)


# What a line is completed to, by shells that have options before the command, too. zsdeeper/ is the one
# folder beside the file zsfile.
OFFERED = (
    ("agent boo", ["bootstrap"]), ("agent check --env-o", ["--env-only"]),
    ("agent fetch --format ", FORMATS), ("agent fetch --format=kub", ["kubernetes"]),
    ("agent --profile check fet", ["fetch"]), ("agent --log json check --env-o", ["--env-only"]),
    ("agent help rotati", ["rotation"]), ("agent seal rek", ["rekey"]),
    ("agent completion ", ["bash", "zsh", "fish"]), ("agent check --drift zs", ["zsdeeper"]),
    ("agent fetch -o zsf", ["zsfile"]), ("agent graph zsf", ["zsfile"]),
    ("agent run --probe zsf", ["zsfile"]), ("agent run --redact -- zsprog", ["zsprogram"]))


def completing(case: Case) -> Dict[str, str]:
    """The files of OFFERED, and a program; gives the environment."""
    case.folder.write("zsfile", "")
    case.folder.write("zsdeeper/file", "")
    case.folder.write("bin/zsprogram", "#!/bin/sh\n", 0o755)
    os.symlink(case.make_agent().binary, case.folder / "bin/agent")
    return {"PATH": f"{case.folder / 'bin'}:{os.environ['PATH']}", "TERM": "dumb"}


def test_bash_completes_the_same_as_the_others(case: Case) -> None:
    env = completing(case)
    for line, expected in OFFERED:
        offered = [word for word in complete(case, line, env)  # behind a blank, options too
                   if not line.endswith(" ") or not word.startswith("-")]
        assert sorted(offered) == sorted(expected), line


def test_fish_completes(case: Case) -> None:
    if not shutil.which("fish"):
        case.skip("fish is not installed")
    env = completing(case)
    script = "agent completion fish | source\n" + "".join(
        f"echo '== {line}'\ncomplete -C '{line}'\n" for line, _ in OFFERED)
    got = case.tool("fish", "--no-config", "-c", script, env=env).expect(0)
    offered = [part.splitlines()[1:] for part in got.stdout.split("== ")[1:]]
    for (line, expected), lines in zip(OFFERED, offered):
        words = [each.split("\t")[0].rstrip("/").rpartition("=")[2] for each in lines]
        assert sorted(words) == sorted(expected), (line, words)


# zsh completes on a terminal alone, which zpty is. What it would add goes between two marks.
ZSH_SETUP = r"""
PROMPT= ; unset zle_bracketed_paste
autoload -U compinit; compinit -u -D; source <(agent completion zsh)
zstyle ':completion:*' completer _complete
bindkey '^I' complete-word
compprefuncs=(begins) comppostfuncs=(ends)
begins() { print '\n<<'; compprefuncs=(begins) }
ends() { print '>>'; comppostfuncs=(ends); compstate[insert]= compstate[list]= }
compadd() {
    local -a hits
    [[ "${@[1,(i)(-|--)]}" == *-(O|A|D)* ]] || { builtin compadd -O hits "$@"; print -rl -- $hits }
    builtin compadd "$@"
}
print REA''DY
"""
ZSH_DRIVER = r"""
zmodload zsh/zpty; zpty z zsh -f -i; zpty -w z 'source ./setup.zsh'; zpty -r -m z said '*READY*'
for line; do
    zpty -n -w z "$line"$'\t'; zpty -r -m z said '*<<*>>*'; zpty -n -w z $'\x15'
    print -r -- "== $line"; print -r -- "${${${said//$'\r'/}##*<<$'\n'}%%>>*}"
done
"""


def test_zsh_completes(case: Case) -> None:
    if not shutil.which("zsh"):
        case.skip("zsh is not installed")
    env = completing(case)
    case.folder.write("setup.zsh", ZSH_SETUP)
    got = case.tool("zsh", "-f", "-c", ZSH_DRIVER, "zsh", *(line for line, _ in OFFERED),
                    env=env).expect(0)
    offered = [part.splitlines()[1:] for part in got.stdout.split("== ")[1:]]
    assert len(offered) == len(OFFERED), got
    for (line, expected), words in zip(OFFERED, offered):
        assert {word for word in words if word} == set(expected), (line, words)
