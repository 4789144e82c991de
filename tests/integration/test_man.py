"""The man pages say what the program has, and the program has what they say."""
from __future__ import annotations

import re
import shutil
from typing import Dict, List, Set

from tests.lib.case import Case
from tests.lib.processes import ROOT
from tests.integration.test_commands import COMMANDS, options_in

PAGES = ROOT / "docs" / "man"
FOLDERS = ("base", "vault", "envcontract", "migrations", "bootstrap", "rotate", "agent")
NEEDS_NO_ENTRY = {  # handed on, or as every program has them
    "HOME", "PATH", "USER", "LANG", "TZ", "TMPDIR", "LISTEN_PID", "LISTEN_FDS"}


def page(name: str) -> str:
    """A man page's source."""
    return (PAGES / name).read_text(encoding="utf-8")


def sections(text: str) -> Dict[str, str]:
    """The text of each section by its name."""
    parts = re.split(r"^\.Sh (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def options_of(text: str) -> Set[str]:
    """The options that tagged lists describe: `.It Fl o Ar file , Fl -output Ar file`."""
    found: Set[str] = set()
    for line in re.findall(r"^\.It (Fl .+)$", text, flags=re.MULTILINE):
        found |= {f"-{name}" for name in re.findall(r"Fl (-?[\w-]+)", line)}
    return found


def test_every_option_is_in_the_page_and_the_reverse(case: Case) -> None:
    text = page("agent.1")
    common = options_in(case.agent("help").expect(0).stdout)
    own: Dict[str, Set[str]] = {name: options_in(case.agent("help", name).stdout) - common
                                for name in COMMANDS}
    commands = re.split(r"^\.It Cm (\w+)$", sections(text)["COMMANDS"], flags=re.MULTILINE)
    described = dict(zip(commands[1::2], commands[2::2]))
    assert list(described) == COMMANDS
    for name in COMMANDS:
        assert options_of(described[name]) == own[name], name
    assert options_of(sections(text)["OPTIONS"]) == common


def test_every_exit_code_is_in_the_page_and_the_reverse(case: Case) -> None:
    listed = set(re.findall(r"^\.It (\d+)$", sections(page("agent.1"))["EXIT STATUS"], re.MULTILINE))
    header = (ROOT / "base" / "err.h").read_text()
    coded = set(re.findall(r"X\(ERR_\w+, \"[\w-]+\", (\d+),", header)) | {"125", "126", "127", "143"}
    assert listed == coded, listed ^ coded
    helped = re.findall(r"^  (\d+)(?:-(\d+))? ", case.agent("help").stdout.split("Exit codes")[1],
                        re.MULTILINE)
    codes: Set[str] = set()
    for first, last in helped:
        codes |= {str(code) for code in range(int(first), int(last or first) + 1)}
    assert codes == listed, codes ^ listed


def variables_in_code() -> Set[str]:
    """Names that the code reads from the environment: getenv, and lists of names."""
    found: Set[str] = set()
    for folder in FOLDERS:
        for source in (ROOT / folder).glob("*.c"):
            text = source.read_text(encoding="utf-8")
            found |= set(re.findall(r'(?:getenv|environment_get)\((?:[^")]*, )?"([A-Za-z_]+)"', text))
            found |= set(re.findall(r'"((?:VAULT|BAO|AGENT|ALEMBIC)_[A-Z_]+|PG[A-Z]{3,})"', text))
            found |= {f"VAULT_{name}"
                      for name in re.findall(r'vault_environment\("([A-Z_]+)"', text)}
    found -= {"AGENT_ADDR", "AGENT_VERSION"}  # a part of VAULT_AGENT_ADDR, and a macro
    found |= set(re.findall(r'"([A-Z_]{6,})"', (ROOT / "base" / "proc_harden.c").read_text()))
    return found


def test_every_environment_variable_is_in_the_page_and_the_reverse() -> None:
    text = page("agent.1")
    named = {word for line in re.findall(r"\.?(?:It )?\bEv (.+)", text)
             for word in re.findall(r"[A-Za-z_]+", line) if re.fullmatch(r"[A-Za-z]+_?[A-Z_]*", word)}
    wanted = variables_in_code() - NEEDS_NO_ENTRY
    missing = {name for name in wanted if name not in named
               and re.sub("^BAO_", "VAULT_", name) not in named}
    assert not missing, sorted(missing)
    sources = "\n".join(path.read_text(encoding="utf-8") for folder in FOLDERS
                        for path in (ROOT / folder).glob("*.c"))
    stale = {name for line in re.findall(r"^\.It Ev (.+)$", text, re.MULTILINE)
             for name in line.split(" , ") if name not in sources
             and re.sub("^VAULT_", "", name) not in sources}
    assert not stale, sorted(stale)


def test_every_state_of_a_database_is_in_the_page() -> None:
    header = (ROOT / "bootstrap" / "bootstrap.h").read_text()
    states = re.findall(r'X\(STATE_\w+, "([\w-]+)"\)', header)
    assert states == re.findall(r"^\.It Li ([\w-]+)$", sections(page("agent.1"))["DATABASE STATES"],
                                re.MULTILINE)


def keys_of_the_contract() -> Dict[str, Set[str]]:
    """Each key of the contract by its status."""
    header = (ROOT / "envcontract" / "keys.h").read_text()
    found: Dict[str, Set[str]] = {"BUILT": set(), "UNUSED": set()}
    for section, text in re.findall(r"#define (\w+)_KEYS\(KEY\)(.*?)\n\n", header, re.DOTALL):
        for name, status in re.findall(r'KEY\(\w+, "([^"]+)", \w+, (\w+),', text):
            if status == "UNUSED" and section not in ("TOP", "VARIABLE", "RUN"):
                continue  # inside of a section that is left unused as a whole
            found[status].add(name)
    return found


def test_every_key_of_the_contract_is_in_its_page() -> None:
    parts = sections(page("agent-contract.5"))
    said = "\n".join(text for name, text in parts.items()
                     if name not in ("EXAMPLES", "READ AND LEFT UNUSED"))
    keys = keys_of_the_contract()
    assert len(keys["BUILT"]) > 100

    def named(text: str) -> Set[str]:
        return {word for line in re.findall(r"^\.(?:It )?Ic (.+)$", text, re.MULTILINE)
                for word in line.replace(",", " ").split()}

    missing = keys["BUILT"] - named(said)
    assert not missing, sorted(missing)
    missing = keys["UNUSED"] - named(parts.get("READ AND LEFT UNUSED", "")) - named(said)
    assert not missing, sorted(missing)


def test_every_type_is_in_the_contracts_page() -> None:
    header = (ROOT / "envcontract" / "internal.h").read_text()
    known = re.findall(r'X\(TYPE_\w+, "([\w-]+)"', header)
    assert known == re.findall(r"^\.It Li ([\w-]+)$", sections(page("agent-contract.5"))["TYPES"],
                               re.MULTILINE)


def test_the_pages_are_sound(case: Case) -> None:
    pages: List[str] = sorted(path.name for path in PAGES.iterdir())
    assert pages == ["agent-contract.5", "agent.1"]
    if shutil.which("mandoc") is None:
        case.skip("mandoc is not installed")
    for name in pages:
        said = case.tool("mandoc", "-T", "lint", "-W", "warning", str(PAGES / name))
        assert said.stdout == "" and said.code == 0, said
        assert case.tool("mandoc", "-T", "utf8", str(PAGES / name)).expect(0).stdout.strip()
