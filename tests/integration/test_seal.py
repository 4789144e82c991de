"""`agent seal` and `sealed:NAME`: what is sealed can be committed, merged, used, and read by nobody else."""
from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.processes import plain_environment
from tests.lib.project import Project

SECRET = {"type": "string", "secret": True}
STORE = "sealed.json"
PUBLIC = re.compile(r"agent-public-1:[A-Za-z0-9+/]{43}=")
AT_ONCE = 8


class Sealed:
    """A store in the test's folder, with its key under the folder's ~/.config."""

    def __init__(self, case: Case, init: bool = True) -> None:
        self.case, self.path = case, case.folder.path / STORE
        self.key = case.folder.path / ".config" / "agent" / "sealed.key"
        if init:
            self.run("init").expect(0)

    def run(self, *args: str, text: bytes = b"", env: Optional[Dict[str, str]] = None,
            reads: bool = False, cwd: Optional[Path] = None) -> Result:
        """`agent seal ARGS`; `reads`: stdout has secrets."""
        return self.case.agent("seal", *args, text=text, env=env, prints_secrets=reads, cwd=cwd)

    def set(self, name: str, value: str, **how: Any) -> Result:
        """Seal a value from stdin."""
        return self.run("set", name, text=value.encode(), **how)

    def new(self, name: str) -> str:
        """Seal a canary."""
        value = self.case.canaries.new(name)
        self.set(name, value).expect(0)
        return value

    def get(self, name: str, **how: Any) -> bytes:
        """What `agent seal get` writes."""
        return self.run("get", name, reads=True, **how).expect(0).raw_stdout

    def another_key(self, name: str) -> Dict[str, str]:
        """A second key, as the environment of whoever has it; `public` is its public half."""
        env = {"AGENT_SEALED_KEY_FILE": str(self.case.folder / name)}
        made = self.run("init", "--key-only", "--json", env=env).expect(0).json()
        assert made["new_key"] and made["key_file"] == env["AGENT_SEALED_KEY_FILE"]
        return {**env, "PUBLIC": made["public_key"]}

    def lines(self) -> List[str]:
        """The store's lines."""
        return self.path.read_text().splitlines()

    def look_for_canaries(self) -> None:
        """No file of the folder has a value in the clear."""
        for path in self.case.folder.path.rglob("*"):
            if path.is_file():
                self.case.canaries.check(path.read_bytes(), path.name)


def refused(result: Result, code: int, words: Sequence[str]) -> Result:
    """It ended with that code and says all of it."""
    result.expect(code)
    assert not lacks(result.stderr, words), result
    return result


# ---- making, setting, reading -------------------------------------------------------------------------


def test_what_is_set_can_be_read_by_the_key_alone(case: Case) -> None:
    store = Sealed(case)
    value = store.new("API_TOKEN")
    assert store.get("API_TOKEN") == value.encode()
    mode = stat.S_IMODE(store.key.stat().st_mode), stat.S_IMODE(store.key.parent.stat().st_mode)
    assert mode == (0o600, 0o700)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o644, "it is for the repository"
    store.look_for_canaries()
    listed = store.run("list", env={"HOME": "/nonexistent"}).expect(0)
    assert "API_TOKEN" in listed.stdout and "owner" in listed.stdout and PUBLIC.search(listed.stdout)
    other = store.another_key("other")
    refused(store.run("get", "API_TOKEN", env=other), 4, ["no recipient", other["PUBLIC"], "owner", "rekey --add"])
    refused(store.run("get", "API_TOKEN", env={"AGENT_SEALED_KEY_FILE": "/no/key"}), 4,
            ["there is no key file '/no/key'", "--key-only"])


def test_init_says_what_it_made_and_replaces_nothing(case: Case) -> None:
    store = Sealed(case, init=False)
    made = store.run("init", "--label", "anna", "--json").expect(0).json()
    assert made["new_key"] is True and made["store"] == STORE and made["ok"] is True
    assert made["recipients"] == [{"label": "anna", "public_key": made["public_key"], "passphrase": False}]
    before = store.path.read_bytes(), store.key.read_bytes()
    refused(store.run("init"), 2, ["there is a sealed store already", "rekey"])
    assert (store.path.read_bytes(), store.key.read_bytes()) == before
    again = Sealed(case, init=False)
    elsewhere = {"AGENT_SEALED": str(case.folder / "other" / "store.json")}
    refused(again.run("init", env=elsewhere), 2, ["other"])
    (case.folder / "other").mkdir()
    assert again.run("init", "--json", env=elsewhere).expect(0).json()["new_key"] is False


def test_values_survive_byte_for_byte_but_for_one_newline(case: Case) -> None:
    store = Sealed(case)
    for name, given, kept in (("A", b"plain", b"plain"), ("B", b"one\n", b"one"), ("C", b"two\n\n", b"two\n"),
                              ("D", b"", b""),
                              ("E", b" \t\x01\xff\xfe 'q' \"d\" \\ $x\n", b" \t\x01\xff\xfe 'q' \"d\" \\ $x"),
                              ("F", b"-----BEGIN\nKEY\n-----END\n", b"-----BEGIN\nKEY\n-----END")):
        store.run("set", name, text=given).expect(0)
        assert store.get(name) == kept
    store.run("set", "B", "--keep-newline", text=b"one\n").expect(0)
    assert store.get("B") == b"one\n"
    case.folder.write("value", "from a file\n")
    store.run("set", "G", "--file", "value").expect(0)
    assert store.get("G") == b"from a file"
    refused(store.run("set", "H", text=b"a\0b"), 2, ["NUL"])
    refused(store.run("set", "H", text=b"x" * (256 * 1024 + 2)), 2, ["longer than"])
    assert store.run("get", "G", "--json", reads=True).expect(0).json()["value"] == "from a file"
    refused(store.run("get", "E", "--json", reads=True), 1, ["'E' is not UTF-8"])


def test_a_line_changes_when_its_value_does(case: Case) -> None:
    store = Sealed(case)
    for name in ("B", "A", "C"):
        store.new(name)
    before = store.lines()
    assert [line.split('"')[1] for line in before if line.startswith("    \"")] == ["owner", "A", "B", "C", ""]
    value = store.get("B").decode()
    assert store.run("set", "B", "--json", text=value.encode()).expect(0).json()["changed"] is False
    assert store.lines() == before
    assert store.run("set", "B", "--anew", "--json", text=value.encode()).expect(0).json()["changed"] is True
    changed = [(a, b) for a, b in zip(before, store.lines()) if a != b]
    assert len(changed) == 1 and changed[0][1].startswith('    "B": ')
    store.run("rm", "A", "C").expect(0)
    refused(store.run("rm", "A"), 4, ["has no 'A'"])
    assert store.run("list", "--json").expect(0).json()["names"] == ["B"]


def test_names_and_calls_that_can_not_be_are_refused(case: Case) -> None:
    store = Sealed(case)
    store.new("API_TOKEN")
    refused(store.run("set", "A-B", text=b"x"), 2, ["cannot be the name", "letters"])
    refused(store.run("get", "API_TOKE"), 4, ["has no 'API_TOKE'", "Did you mean 'API_TOKEN'?"])
    word = case.agent("seal", "set", "X", "a-value-in-argv", canaries=False)
    assert "a-value-in-argv" not in refused(word, 2, ["too many words", "standard input"]).stderr
    refused(store.run("gett", "X"), 2, ["'gett'", "Did you mean 'agent seal get'?"])
    refused(store.run(), 2, ["needs an operation", "init"])
    refused(store.run("list", "--reveal"), 2, ["'agent seal list' does not take --reveal"])
    refused(store.run("get"), 2, ["too few words"])
    refused(store.run("rekey", "--add", "agent-public-1:x"), 2, ["--label"])
    refused(store.run("rekey", "--add", "x", "--label", "l"), 2, ["no public key", "agent-public-1:"])
    refused(store.run("get", "X", "--passphrase", "--passphrase-file", "f"), 2, ["exclude"])
    document = store.run("get", "NO", "--json").expect(4).json()
    assert document["command"] == "seal" and document["error"]["kind"] == "source-missing"


def test_nothing_there_says_what_to_run(case: Case) -> None:
    store = Sealed(case, init=False)
    for call in (["get", "X"], ["list"], ["rm", "X"], ["rekey"], ["export"]):
        refused(store.run(*call), 4, ["there is no sealed store 'sealed.json'", "agent seal init", "AGENT_SEALED"])
    refused(store.set("X", "v"), 4, ["agent seal init"])
    assert sorted(path.name for path in case.folder.path.iterdir()) == []


# ---- a terminal ---------------------------------------------------------------------------------------


class Terminal:
    """`agent seal ARGS` on a terminal of its own, which is its controlling one."""

    def __init__(self, case: Case, *args: str) -> None:
        self.shown = b""
        self.outer, inner = pty.openpty()
        agent = case.make_agent()

        def own_terminal() -> None:
            os.setsid()
            os.close(os.open(os.ttyname(0), os.O_RDWR))

        self.process = subprocess.Popen([str(agent.binary), "seal", *args], stdin=inner, stdout=inner, stderr=inner,
                                        env=plain_environment(case.folder.path, {"ASAN_OPTIONS": "detect_leaks=0"}),
                                        cwd=case.folder.path, preexec_fn=own_terminal)
        self.inner = inner

    def until(self, words: str) -> None:
        """Read until that has been shown."""
        deadline = time.monotonic() + 60
        while words.encode() not in self.shown:
            ready, _, _ = select.select([self.outer], [], [], 0.2)
            if ready:
                self.shown += os.read(self.outer, 4096)
            assert time.monotonic() < deadline, self.shown

    def type(self, text: str) -> None:
        """Type it."""
        os.write(self.outer, text.encode())

    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        import termios
        return bool(termios.tcgetattr(self.inner)[3] & termios.ECHO)

    def end(self) -> int:
        """Its exit code; what it wrote up to then is in `shown`."""
        code = self.process.wait(60)
        while select.select([self.outer], [], [], 0.1)[0]:
            self.shown += os.read(self.outer, 4096)
        assert self.echoes(), "the echo is back"
        os.close(self.inner)
        os.close(self.outer)
        return code


def test_a_terminal_asks_twice_and_shows_nothing(case: Case) -> None:
    store = Sealed(case)
    value = case.canaries.new("typed")
    terminal = Terminal(case, "set", "TYPED")
    terminal.until("the value of TYPED: ")
    assert not terminal.echoes()
    terminal.type(value + "\n")
    terminal.until("the value of TYPED, again: ")
    terminal.type(value + "\n")
    assert terminal.end() == 0, terminal.shown
    case.canaries.check(terminal.shown, "the terminal")
    assert store.get("TYPED") == value.encode()

    terminal = Terminal(case, "set", "TYPED")
    terminal.until("TYPED: ")
    terminal.type("one\n")
    terminal.until("again: ")
    terminal.type("other\n")
    assert terminal.end() == 2 and b"not the same" in terminal.shown

    for stop in ("\x03", signal.SIGTERM):
        terminal = Terminal(case, "set", "TYPED")
        terminal.until("TYPED: ")
        if isinstance(stop, str):
            terminal.type(stop)
        else:
            terminal.process.send_signal(stop)
        assert terminal.end() != 0, terminal.shown
    assert store.get("TYPED") == value.encode()


def test_get_and_export_refuse_a_terminal_unless_told(case: Case) -> None:
    store = Sealed(case)
    value = store.new("API_TOKEN")
    for call in (["get", "API_TOKEN"], ["export"], ["get", "API_TOKEN", "--json"]):
        terminal = Terminal(case, *call)
        assert terminal.end() == 2 and b"--reveal" in terminal.shown
        case.canaries.check(terminal.shown, "the terminal")
    terminal = Terminal(case, "get", "API_TOKEN", "--reveal")
    terminal.until(value)
    assert terminal.end() == 0


# ---- who can open it ----------------------------------------------------------------------------------


def test_recipients_come_and_go(case: Case) -> None:
    store = Sealed(case)
    value = store.new("API_TOKEN")
    other = store.another_key("ci.key")
    store.run("rekey", "--add", other["PUBLIC"], "--label", "ci").expect(0)
    assert store.get("API_TOKEN", env=other) == value.encode() == store.get("API_TOKEN")
    with_ci = store.lines()
    store.run("rekey").expect(0)
    assert not set(with_ci) & {line for line in store.lines() if "API_TOKEN" in line}, "everything anew"
    refused(store.run("rekey", "--remove", "owner"), 2, ["could not open it again", "--force"])
    removed = store.run("rekey", "--remove", "ci").expect(0)
    assert not lacks(removed.stderr, ["ci", "replace those secrets"])
    refused(store.run("get", "API_TOKEN", env=other), 4, ["no recipient"])
    refused(store.run("rekey", "--remove", "owner", "--force"), 2, ["last recipient"])
    refused(store.run("rekey", "--remove", "nobody"), 2, ["no recipient of that label", "agent seal list"])
    store.look_for_canaries()


def test_a_passphrase_opens_it(case: Case) -> None:
    store = Sealed(case, init=False)
    passphrase = case.canaries.new("passphrase")
    case.folder.write("pass", passphrase + "\n", 0o600)
    case.folder.write("short", "1234567\n", 0o600)
    refused(store.run("init", "--passphrase-file", "short"), 2, ["at least 8"])
    store.run("init", "--passphrase-file", "pass", "--label", "office").expect(0)
    assert not store.key.exists()
    refused(store.set("A", "v"), 4, ["no key file", "office (a passphrase)", "AGENT_SEALED_PASSPHRASE_FILE"])
    store.set("A", "value-of-a", env={"AGENT_SEALED_PASSPHRASE_FILE": "pass"}).expect(0)
    assert store.run("get", "A", "--passphrase-file=pass", reads=True).expect(0).stdout == "value-of-a"
    by_descriptor = store.run("get", "A", "--passphrase-fd=0", text=passphrase.encode(), reads=True)
    assert by_descriptor.expect(0).stdout == "value-of-a"
    refused(store.run("get", "A", "--passphrase-fd=0", text=b"another one"), 4, ["the passphrase is another one"])
    (case.folder / "pass").chmod(0o644)
    refused(store.run("get", "A", "--passphrase-file=pass"), 2, ["can be read by others", "chmod"])
    (case.folder / "pass").chmod(0o600)
    case.folder.write("new", "another passphrase\n", 0o600)
    store.run("rekey", "--passphrase-file=pass", "--add=passphrase", "--label=home",
              "--new-passphrase-file=new").expect(0)
    for file in ("pass", "new"):
        assert store.run("get", "A", f"--passphrase-file={file}", reads=True).expect(0).stdout == "value-of-a"
    terminal = Terminal(case, "get", "A", "--reveal")
    terminal.until("the passphrase of 'home': ")
    terminal.type("another passphrase\n")
    terminal.until("value-of-a")
    assert terminal.end() == 0
    (case.folder / "pass").unlink()
    store.look_for_canaries()


def test_a_key_that_others_could_have_is_refused(case: Case) -> None:
    store = Sealed(case)
    store.new("A")
    store.key.chmod(0o604)
    refused(store.run("get", "A"), 2, ["can be read by others", "chmod go-rwx"])
    store.key.chmod(0o620)
    refused(store.run("get", "A"), 2, ["can be written by others", "chmod"])
    store.key.chmod(0o600)
    (case.folder / "link").symlink_to(store.key)
    refused(store.run("get", "A", env={"AGENT_SEALED_KEY_FILE": "link"}), 2, ["symbolic link"])
    if os.geteuid() == 0:
        os.chown(store.key, 65534, 65534)
        refused(store.run("get", "A"), 2, ["belongs to user 65534", "chown"])


def test_what_was_changed_is_named_with_its_line(case: Case) -> None:
    store = Sealed(case)
    for name in ("A", "B"):
        store.new(name)
    whole = store.path.read_text()
    lines = whole.splitlines()
    at = {line.split('"')[1]: number for number, line in enumerate(lines) if line.startswith("    ")}
    text_of = {name: lines[number].split('"')[3] for name, number in at.items()}
    swapped = whole.replace(text_of["A"], "?").replace(text_of["B"], text_of["A"]).replace("?", text_of["B"])
    twice = whole.replace('    "B"', f'    "A": "{text_of["B"]}",\n    "B"')
    for text, code, words in (
            (swapped, 4, [f"{STORE}:{at['A'] + 1}:", "'A' does not open"]),
            (twice, 2, [f"{STORE}:{at['B'] + 1}:", f"another value in line {at['A'] + 1}"]),
            (whole[:-20], 2, ["the file ends"]), ("", 2, ["is empty"]), ("not json", 2, [f"{STORE}:1:1: ", "expected"]),
            (whole.replace('"sealed": 1', '"sealed": 7'), 2, ["version 7", f"{STORE}:2:13: "]),
            (whole.replace('"owner"', '"evil"'), 4, ["recipients was changed by somebody without the key"]),
            (whole.replace(text_of["A"], "AAAA" + text_of["A"][4:]), 4, ["'A' does not open"]),
            (whole.replace('    "B"', "<<<<<<< ours\n    \"B\""), 2, ["merge that was not finished"])):
        store.path.write_text(text)
        refused(store.run("get", "A"), code, [STORE, *words])
        refused(store.set("C", "v") if code == 2 else store.run("rekey"), code, [STORE])
        assert store.path.read_text() == text, "what is wrong is not written over"


# ---- many at once, and death --------------------------------------------------------------------------


def test_processes_that_set_at_once_lose_nothing(case: Case) -> None:
    store = Sealed(case)
    agent = case.make_agent()
    running = [agent.start("seal", "set", f"NAME_{n}_{i}") for n in range(AT_ONCE) for i in range(2)]
    for index, one in enumerate(running):
        one.wait(text=f"value {index}".encode()).expect(0)
    names = store.run("list", "--json").expect(0).json()["names"]
    assert names == sorted(f"NAME_{n}_{i}" for n in range(AT_ONCE) for i in range(2))
    assert store.get("NAME_0_1") == b"value 1"
    assert sorted(path.name for path in case.folder.path.iterdir()) == [".config", STORE], "nothing is left behind"


def test_a_death_at_any_step_leaves_the_old_store_or_the_new_one(case: Case) -> None:
    if shutil.which("strace") is None:
        case.skip("strace is not installed")
    store = Sealed(case)
    store.set("A", "before").expect(0)
    environment = plain_environment(case.folder.path, {"ASAN_OPTIONS": "detect_leaks=0"})
    killed, kept = 0, 0
    for call, count in (("flock", 1), ("fchmod", 1), ("write", 1), ("write", 2), ("fsync", 1), ("renameat", 1),
                        ("fsync", 2), ("getrandom", 1)):
        before, value = store.get("A"), f"{call} {count}".encode()
        done = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={count}",
                               str(case.make_agent("release").binary), "seal", "set", "A"], input=value,
                              env=environment, cwd=case.folder.path, capture_output=True, timeout=60, check=False)
        killed += done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        after = store.get("A")
        assert after in (before, value), (call, count)
        kept += after == before
        store.set("B", value.decode()).expect(0)  # nothing holds the lock, and nothing is in the way
    assert killed >= 6 and kept >= 5, (killed, kept)


# ---- git ----------------------------------------------------------------------------------------------


def test_names_added_on_two_branches_merge(case: Case) -> None:
    if shutil.which("git") is None:
        case.skip("git is not installed")
    store = Sealed(case)
    values = {name: store.new(name) for name in ("ALPHA", "KILO", "ZULU")}

    def git(*args: str) -> Result:
        return case.tool("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *args)

    def branch(name: str, *added: str) -> None:
        git("checkout", "-q", "-b", name, "start").expect(0)
        for one in added:
            values[one] = store.new(one)
        git("commit", "-q", "-am", name).expect(0)

    git("init", "-q", ".").expect(0)
    git("add", STORE).expect(0)
    git("commit", "-q", "-m", "start").expect(0)
    git("tag", "start").expect(0)
    branch("one", "BRAVO")
    branch("two", "LIMA")
    git("merge", "-q", "--no-edit", "one").expect(0)
    for name, value in values.items():
        assert store.get(name) == value.encode(), name

    # beside each other, and behind the last: both sides' lines are kept
    case.folder.write(".gitattributes", f"{STORE} merge=union\n")
    git("add", ".gitattributes").expect(0)
    git("commit", "-q", "-m", "attributes").expect(0)
    git("tag", "-f", "start").expect(0)
    branch("three", "CHARLIE", "ZULU_B")
    branch("four", "DELTA", "ZULU_A")
    git("merge", "-q", "--no-edit", "three").expect(0)
    for name, value in values.items():
        assert store.get(name) == value.encode(), name
    store.new("ECHO")
    assert [line.split('"')[1] for line in store.lines() if line.startswith('    "')][1:-1] == sorted([*values, "ECHO"])


# ---- using it -----------------------------------------------------------------------------------------


def test_sealed_sources_give_their_values(case: Case) -> None:
    store = Sealed(case)
    password, token = store.new("DB_PASSWORD"), store.new("TOKEN_DEV")
    profile = {"var": "STAGE", "values": ["dev", "prod"]}
    Project(case).contract({
        "STAGE": {"type": "enum", "values": ["dev", "prod"], "source": "env"},
        "URL": {"type": "postgres-url", "secret": True, "source": {"password": "sealed:DB_PASSWORD"},
                "compose": "postgresql://app:{password|url}@localhost/app"},
        "TOKEN": {**SECRET, "source": "sealed:{name}_DEV"},
        "GONE": {**SECRET, "source": "sealed:TOKEN_DEW", "required": False}}, profile=profile)
    got = case.agent("fetch", "--format=json", "--profile=dev", prints_secrets=True).expect(0).json()
    assert got == {"STAGE": "dev", "URL": f"postgresql://app:{password}@localhost/app", "TOKEN": token}
    Project(case).contract({"GONE": {**SECRET, "source": "sealed:TOKEN_DEW"}})
    refused(case.agent("fetch", prints_secrets=True), 4, ["GONE", "has no 'TOKEN_DEW'", "Did you mean 'TOKEN_DEV'?"])
    Project(case).contract({"TOKEN": {**SECRET, "source": "sealed:TOKEN_DEV"}})
    other = store.another_key("other")
    refused(case.agent("run", "--", "touch", "started", env=other), 125, ["TOKEN", "no recipient", other["PUBLIC"]])
    assert not (case.folder / "started").exists()
    (case.folder / "contract.json").unlink()
    ran = case.agent("run", "--", "sh", "-c", "echo $X", env={"X": "sealed:TOKEN_DEV"}, prints_secrets=True)
    assert ran.expect(0).stdout == token + "\n"
    store.look_for_canaries()


def test_the_store_is_beside_the_contract_wherever_one_stands(case: Case) -> None:
    store = Sealed(case)
    value = store.new("TOKEN")
    Project(case).contract({"TOKEN": {**SECRET, "source": "sealed:TOKEN"}})
    inner = case.folder / "inner"
    inner.mkdir()
    got = case.agent("fetch", "--contract", "../contract.json", cwd=inner, prints_secrets=True).expect(0)
    assert got.stdout == f"TOKEN={value}\n"
    assert store.get("TOKEN", cwd=inner, env={"AGENT_CONTRACT": "../contract.json"}) == value.encode()
    moved = case.folder / "elsewhere.json"
    store.path.rename(moved)
    got = case.agent("fetch", env={"AGENT_SEALED": str(moved)}, prints_secrets=True).expect(0)
    assert got.stdout == f"TOKEN={value}\n"


def test_what_logs_in_to_vault_may_be_sealed(case: Case) -> None:
    bao, store = case.openbao, Sealed(case)
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "of the vault"})
    role = bao.approle([bao.policy({f"{mount}/data/app": ["read"]})])
    case.canaries.add("secret id", role.secret_id)
    store.set("SECRET_ID", role.secret_id).expect(0)
    Project(case).contract({"X": {"type": "string", "source": f"vault:{mount}/app#x"}},
                           vault={"address": bao.address, "auth": {
                               "method": "approle", "mount": role.mount, "role_id": role.role_id,
                               "secret_id": "sealed:SECRET_ID"}})
    assert case.agent("fetch", "--format=json").expect(0).json() == {"X": "of the vault"}


def test_a_value_that_breaks_the_contract_is_not_set_unless_forced(case: Case) -> None:
    store = Sealed(case)
    Project(case).contract({"PORT": {"type": "port", "source": "sealed:PORT"},
                            "KEY": {**SECRET, "prefix": "re_", "source": "sealed:KEY"}})
    bad = case.canaries.new("bad key")
    refused(store.set("KEY", bad), 1, ["KEY", "re_", "Nothing was changed", "--force"])
    refused(store.set("PORT", "70000"), 1, ["PORT"])
    assert store.run("list", "--json").expect(0).json()["names"] == []
    store.set("KEY", "re_" + case.canaries.new("good")).expect(0)
    store.set("OTHER", "is not in the contract").expect(0)
    store.run("set", "KEY", "--force", text=bad.encode()).expect(0)
    assert store.get("KEY") == bad.encode()
    case.folder.write("contract.json", "{")
    refused(store.set("PORT", "5432"), 2, ["contract.json", "--force"])
    document = store.run("set", "PORT", "--json", text=b"5432").expect(2).json()
    assert document["ok"] is False and document["error"]["kind"] == "contract"


def test_export_writes_in_the_formats_of_fetch(case: Case) -> None:
    store = Sealed(case)
    awkward = case.canaries.new("awkward", prefix="a 'b' \"c\" $d \\ é ")
    store.set("AWKWARD", awkward).expect(0)
    store.set("LINES", "one\ntwo").expect(0)
    wanted = {"AWKWARD": awkward, "LINES": "one\ntwo"}
    assert store.run("export", "--json", reads=True).expect(0).json() == wanted
    assert store.run("export", "--format=json", "-o", "-", reads=True).expect(0).json() == wanted
    store.run("export", "--format=shell", "-o", "out.sh").expect(0)
    out = case.folder / "out.sh"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    shell = subprocess.run(["sh", "-c", ". ./out.sh; printf '%s|%s' \"$AWKWARD\" \"$LINES\""], capture_output=True,
                           cwd=case.folder.path, check=True)
    assert shell.stdout.decode() == f"{awkward}|one\ntwo"
    out.unlink()
    store.set("LINES_TOO", "three\nfour").expect(0)
    refused(store.run("export", reads=True), 1, ["'LINES' cannot", "'LINES_TOO' cannot", "2 problems"])
    store.run("rm", "LINES_TOO").expect(0)
    refused(store.run("export", "--format=env", "--json"), 2, ["exclude"])
    secret = store.run("export", "--format=kubernetes", "--name=app", reads=True).expect(0).stdout
    assert "kind: Secret" in secret and 'name: "app"' in secret
    store.look_for_canaries()


def test_a_secret_is_in_no_environment_either(case: Case) -> None:
    """While it waits for its value, and for the lock with the value read, nothing of it can be seen from outside."""
    Sealed(case)
    value = case.canaries.new("waiting")
    agent = case.make_agent()
    lock = os.open(case.folder.path, os.O_RDONLY | os.O_DIRECTORY)
    import fcntl
    fcntl.flock(lock, fcntl.LOCK_EX)
    running = agent.start("seal", "set", "WAITING")
    try:
        for name in ("environ", "cmdline"):
            try:
                case.canaries.check(Path(f"/proc/{running.pid}/{name}").read_bytes(), name)
            except PermissionError:
                pass  # the process is shut to others: all the better
    finally:
        os.close(lock)
    running.wait(text=value.encode()).expect(0)
    assert json.loads((case.folder / STORE).read_text())["values"]["WAITING"]
