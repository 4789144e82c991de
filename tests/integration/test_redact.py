"""`agent run --redact`: what is secret in the application's output does not come out, and all else does."""
from __future__ import annotations

import functools
import hashlib
import json
import os
import pty
import resource
import signal
import subprocess
import sys
from typing import Any, Dict, IO, List, Mapping, Optional
from urllib.parse import quote

from tests.lib.case import Case
from tests.lib.processes import plain_environment, register, unregister, wait_until
from tests.lib.project import Project
from tests.lib.supervised import in_both_modes

FLOOD_BYTES = 8 * 1024 * 1024
SECRET = {"type": "string", "secret": True, "source": "env"}


def contract(case: Case, variables: Optional[Mapping[str, Any]] = None) -> Dict[str, str]:
    """A contract with one secret, PASSWORD; gives the environment."""
    Project(case).contract({"PASSWORD": SECRET, **(variables or {})})
    return {"PASSWORD": case.canaries.new("password", prefix="p/w \"")}


def script(case: Case, text: str) -> List[str]:
    """A Python program of the test's own; gives what `run` gets behind --redact."""
    case.folder.write("app.py", "import base64, json, os, sys, urllib.parse\n"
                                "password = os.environ['PASSWORD']\n" + text)
    return ["--", sys.executable, "-u", "app.py"]


class Redacted:
    """`agent run --redact` with an output that is read as it comes."""

    def __init__(self, case: Case, argv: List[str], env: Mapping[str, str],
                 stdout: Any = subprocess.PIPE) -> None:
        agent = case.make_agent()
        self.process = subprocess.Popen(
            [str(agent.binary), "run", "--redact", *argv], stdin=subprocess.PIPE, stdout=stdout,
            stderr=subprocess.PIPE, cwd=case.folder.path, start_new_session=True,
            env=plain_environment(case.folder.path, env))
        self._key = register(self.process.kill)
        case.defer(self.close)

    def read(self, length: int) -> bytes:
        """The next LENGTH bytes of its stdout."""
        assert self.process.stdout
        text = b""
        while len(text) < length:
            piece = os.read(self.process.stdout.fileno(), length - len(text))
            assert piece, f"it ended after {text!r}"
            text += piece
        return text

    def end(self) -> int:
        """Have it go on, wait for its end, and give how it ended."""
        stdin: Optional[IO[bytes]] = self.process.stdin
        assert stdin
        stdin.close()
        return self.process.wait(60)

    def close(self) -> None:
        """Nothing of it is left."""
        unregister(self._key)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()


def test_a_secret_in_the_output_is_hidden_in_all_its_shapes(case: Case) -> None:
    env = contract(case)
    argv = script(case, """
print("plain", password)
print("url", urllib.parse.quote(password, safe=""), urllib.parse.quote_plus(password))
print("json", json.dumps({"p": password}))
print("base64", base64.b64encode(password.encode()).decode())
for before in ("", "x", "xx"):
    print(before, base64.b64encode((before + password + "yz").encode()).decode())
sys.stderr.write("Traceback: " + password + password + "\\n")
""")
    result = case.agent("run", "--redact", *argv, env=env).expect(0)
    assert result.stdout.splitlines()[:4] == ["plain ***", "url *** ***", 'json {"p": "***"}',
                                              "base64 ***"], result
    assert result.stderr == "Traceback: ******\n", result


def test_passwords_of_urls_and_parts_are_hidden(case: Case) -> None:
    password = case.canaries.new("password in a url", prefix="a@b")
    url = f"postgresql://app:{quote(password, safe='')}@db.acme.internal/app"
    case.canaries.add("the whole url", url)
    Project(case).contract({"PASSWORD": {"type": "postgres-url", "secret": True, "source": "env"}})
    argv = script(case, "u = urllib.parse.urlsplit(password)\n"
                        "print(u.password, urllib.parse.unquote(u.password), password)")
    result = case.agent("run", "--redact", *argv, env={"PASSWORD": url}).expect(0)
    assert result.stdout == "*** *** ***\n", result


def test_a_secret_in_several_writes_is_hidden(case: Case) -> None:
    env = contract(case)
    argv = script(case, """
for cut in range(1, len(password)):
    for piece in ("<", password[:cut], password[cut:], ">\\n"):
        os.write(1, piece.encode())
for byte in password.encode():
    os.write(2, bytes([byte]))
""")
    result = case.agent("run", "--redact", *argv, env=env).expect(0)
    assert set(result.stdout.splitlines()) == {"<***>"}, result
    assert result.stderr == "***", result


def test_what_may_begin_a_secret_is_shown_when_nothing_follows(case: Case) -> None:
    env = contract(case)
    argv = script(case, "os.write(1, b'a line\\nis ' + password[:6].encode())\n"
                        "sys.stdin.read()\n"
                        "os.write(1, password[6:].encode() + b' end')\n")
    running = Redacted(case, argv, env)
    begin = env["PASSWORD"][:6].encode()
    assert running.read(len(begin) + 10) == b"a line\nis " + begin
    assert running.process.poll() is None, "it waits"
    assert running.end() == 0
    assert running.read(7) == b"*** end", "what came too late for the whole is hidden all the same"


@in_both_modes
def test_any_bytes_come_through_whole_and_in_order(case: Case) -> None:
    env = contract(case)
    flood = os.urandom(1024 * 1024) + b"p/w" * 1000 + bytes(range(256))
    case.folder.path.joinpath("flood").write_bytes(flood)
    argv = script(case, f"""
flood = open("flood", "rb").read()
for i in range({FLOOD_BYTES} // len(flood)):
    sys.stdout.buffer.write(flood)
    sys.stderr.buffer.write(flood[:100000])
""")
    result = case.agent("run", "--redact", *argv, env=env).expect(0)
    times = FLOOD_BYTES // len(flood)
    assert len(result.raw_stdout) == len(flood) * times
    assert hashlib.sha256(result.raw_stdout).digest() == hashlib.sha256(flood * times).digest()
    assert result.raw_stderr == flood[:100000] * times


def test_exit_codes_and_signals_are_as_without_it(case: Case) -> None:
    env = contract(case)
    for command, code in (("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)):
        result = case.agent("run", "--redact", "--", "sh", "-c", f"echo out; {command}", env=env)
        assert (result.code, result.stdout) == (code, "out\n"), result


def test_a_reader_that_is_gone_is_the_applications_matter(case: Case) -> None:
    env = contract(case)
    reading, writing = os.pipe()
    running = Redacted(case, ["--", "sh", "-c", "while echo y; do :; done; exit 3"], env,
                       stdout=writing)
    os.close(writing)
    assert os.read(reading, 2) == b"y\n"
    os.close(reading)
    code = running.process.wait(60)
    assert code in (3, 128 + signal.SIGPIPE), code


FILLS_ITS_OUTPUT = """
import time
os.set_blocking(1, False)
full = 0
while full < 20:  # what is on the way has arrived by then
    try:
        os.write(1, b"a line\\n" * 500)
        full = 0
    except BlockingIOError:
        full += 1
        time.sleep(0.01)
open("full", "w").close()
time.sleep(600)
"""


def test_a_reader_that_does_not_read_holds_no_stop_up(case: Case) -> None:
    env = contract(case)
    for reading, writing in (os.pipe(), pty.openpty()):
        case.defer(functools.partial(os.close, reading))
        running = Redacted(case, script(case, FILLS_ITS_OUTPUT), env, stdout=writing)
        os.close(writing)
        wait_until((case.folder / "full").exists, "an output that takes no more")
        (case.folder / "full").unlink()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 128 + signal.SIGTERM
        assert running.process.stderr
        assert b"were not taken" in running.process.stderr.read()


def test_a_file_that_takes_no_more_is_no_end_of_the_application(case: Case) -> None:
    env = contract(case)
    path = case.folder / "out"
    with path.open("wb") as out:
        running = Redacted(case, ["--", "sh", "-c", "while read line; do echo $line; done; exit 3"], env,
                           stdout=out)
    process = running.process
    assert process.stdin and process.stderr
    for word, most in ((b"one\n", resource.RLIM_INFINITY), (b"two\n", len("one\n")),
                       (b"four\n", resource.RLIM_INFINITY)):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        process.stdin.write(word)
        process.stdin.flush()
        if word == b"two\n":
            said = process.stderr.readline()
            assert b"can't be written" in said and b"EFBIG" in said, said
        else:
            wait_until(functools.partial(lambda end: path.read_bytes().endswith(end), word), "the line")
    assert running.end() == 3
    assert path.read_bytes() == b"one\nfour\n"
    assert process.stderr.read() == b"warn 4 bytes of the application's stdout were lost\n"


def test_what_keeps_the_output_open_holds_no_end_up(case: Case) -> None:
    env = contract(case)
    case.folder.write("app.sh", "sleep 600 & echo $! >kept; echo said; exit 5\n")
    result = case.agent("run", "--redact", "--", "sh", "app.sh", env=env, seconds=90).expect(5)
    assert result.stdout == "said\n", result
    kept = int((case.folder / "kept").read_text())
    try:
        os.kill(kept, signal.SIGKILL)
    except ProcessLookupError:
        pass  # the supervisor has taken it along


def test_values_that_are_too_short_are_said_once(case: Case) -> None:
    env = {**contract(case, {"PIN": SECRET, "CODE": SECRET}), "PIN": "12345", "CODE": "abc"}
    result = case.agent("run", "--redact", "--", "sh", "-c", "echo $PIN $CODE", env=env).expect(0)
    assert result.stdout == "12345 abc\n", result
    assert result.stderr.count("less than 6 bytes are not hidden") == 1, result


def test_redact_stays_so_it_can_not_replace(case: Case) -> None:
    env = contract(case)
    result = case.agent("run", "--redact", "--replace", "--", "true", env=env).expect(125)
    assert "--redact and --replace exclude each other" in result.stderr, result


def test_the_output_is_no_terminal_and_stdin_is_what_it_was(case: Case) -> None:
    env = contract(case)
    argv = script(case, "print(json.dumps([os.isatty(1), os.isatty(2), sys.stdin.read()]))")
    result = case.agent("run", "--redact", *argv, env=env, text=b"typed").expect(0)
    assert json.loads(result.stdout) == [False, False, "typed"]
