"""`agent run` as the parent of the application, as PID 1 and not: signals, stops, terminals, failures."""
from __future__ import annotations

import functools
import os
import pty
import resource
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any, List, Mapping, Optional

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.processes import plain_environment, wait_until
from tests.lib.servers import Answer
from tests.lib.supervised import LINE_SECONDS, Supervised, application, children, modes, state

SHORT = {"stop_timeout": "100ms"}
LONG_STOP = {"stop_timeout": "10m"}


def supervised(case: Case, first: bool, *words: str, **how: Any) -> Supervised:
    """The application that does what `words` say, under agent."""
    return Supervised(case, [application(case), *words], first, **how)


# ---- what the application gets -----------------------------------------------------------------------


def test_it_has_three_descriptors_no_blocked_signal_and_a_group_of_its_own(case: Case) -> None:
    for first in modes(case):
        read, write = os.pipe()
        os.set_inheritable(write, True)
        try:
            started = supervised(case, first, "state", close_fds=False)
            assert started.line() == "fd=0 fd=1 fd=2 leads=1 dumpable=1 subreaper=0"
            started.wait().expect(0)
        finally:
            os.close(read)
            os.close(write)


def test_sockets_of_the_service_manager_are_handed_on(case: Case) -> None:
    binary = case.make_agent().binary
    for pid, seen in (("$$", "listens=1 fd=0 fd=1 fd=2 fd=3 fd=4 "),
                      ("1", "listens=0 fd=0 fd=1 fd=2 leads")):
        script = (f"exec 3</dev/null 4</dev/null 5</dev/null; LISTEN_PID={pid} LISTEN_FDS=2 "
                  f"exec {binary} run --supervise -- {application(case)} state")
        said = case.tool("sh", "-c", script).expect(0)
        assert said.stdout.startswith(seen), said


def test_what_agent_becomes_reaps_no_orphans(case: Case) -> None:
    said = case.agent("run", "--", application(case), "state").expect(0)
    assert said.stdout.endswith("subreaper=0\n"), said


def test_what_the_caller_ignores_it_ignores(case: Case) -> None:
    def ignore_and_block() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {40})

    for first in modes(case):
        started = supervised(case, first, "state", preexec_fn=ignore_and_block)
        assert started.line() == "fd=0 fd=1 fd=2 ignored=1 blocked=40 leads=1 dumpable=1 subreaper=0"
        started.wait().expect(0)


def test_what_can_not_be_started_is_126_or_127_and_says_why(case: Case) -> None:
    plain = case.folder.write("plain", "no program\n", mode=0o755)
    denied = case.folder.write("denied", "#!/bin/sh\n", mode=0o644)
    missing = case.folder.write("missing", "#!/no/such/interpreter\n", mode=0o755)
    dos = case.folder.write("dos", "#!/bin/sh\r\n", mode=0o755)
    for first in modes(case):
        for command, code, words in (("no-such-command", 127, ["no-such-command", "PATH"]),
                                     (str(plain), 126, ["Exec format error", "architecture", "#!"]),
                                     (str(denied), 126, ["Permission denied"]),
                                     (str(missing), 127, ["No such file", "interpreter"]),
                                     (str(dos), 127, ["No such file", "line ends"])):
            said = Supervised(case, [command], first).wait().expect(code)
            assert not lacks(said.stderr, [command, *words]), said
    said = wide_environment(case)
    assert "larger than the system takes" in said.stderr, said


def wide_environment(case: Case) -> Result:
    """The end of agent with an application whose environment the system does not take."""
    wide = case.folder.write("wide", case.canaries.new("a wide secret") + "x" * 200000)
    started = Supervised(case, ["true"], False, env={"WIDE": f"file:{wide}"})
    result = started.wait().expect(126)
    case.canaries.check(result.raw_stderr, "stderr")
    return result


# ---- signals and stops -------------------------------------------------------------------------------


def test_term_is_the_stop_signal_and_the_rest_is_forwarded(case: Case) -> None:
    run = {**LONG_STOP, "stop_signal": "QUIT", "rewrite": {"HUP": "USR2", "SIGRTMIN+1": "RTMIN+2"}}
    for first in modes(case):
        started = supervised(case, first, "count", run=run)
        assert started.line() == "ready"
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGWINCH,
                       signal.SIGSEGV, 35, 35):
            started.signal(number)
        started.signal(64)
        # QUIT for TERM, with the CONT that follows it; USR2 for HUP, RTMIN+2 for RTMIN+1.
        assert started.line() == "3:1 10:1 11:1 12:1 18:1 28:1 36:2 "
        started.signal(63)
        started.wait().expect(0)


def test_an_application_that_ignores_term_is_killed_after_its_time(case: Case) -> None:
    for first in modes(case):
        started = supervised(case, first, "deaf", run=SHORT)
        assert started.line() == "ready"
        started.signal(signal.SIGTERM)
        said = started.wait().expect(137)
        assert "did not end in time and is killed" in said.stderr


def test_an_application_that_is_stopped_ends_when_it_is_asked_to(case: Case) -> None:
    for first in modes(case):
        started = supervised(case, first, "daemons", "0", run=LONG_STOP)
        assert started.line() == "ready"
        its = started.application()
        os.kill(its, signal.SIGSTOP)
        wait_until(lambda: state(its) == "T", "its stop")
        started.signal(signal.SIGTERM)
        started.wait().expect(143)


def test_daemons_in_sessions_of_their_own_end_at_a_stop(case: Case) -> None:
    for first in modes(case):
        for words in (["40"], ["40", "deaf"]):
            started = supervised(case, first, "daemons", *words, run=SHORT)
            assert started.line() == "ready"
            daemons = children(started.pid)
            assert len(daemons) == 41
            started.signal(signal.SIGTERM)
            started.wait().expect(143)  # its stdout, which they have too, is at its end
            assert [pid for pid in daemons if state(pid)] == []


def test_what_an_application_that_ends_by_itself_leaves_is_left(case: Case) -> None:
    started = Supervised(case, ["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!; exit 3"],
                         False)
    left = int(started.line())
    started.wait().expect(3)
    assert state(left) in ("S", "R", "D")
    os.kill(left, signal.SIGKILL)


def test_a_program_that_was_there_before_is_not_the_applications(case: Case) -> None:
    binary = case.make_agent().binary
    script = (f"sleep 1000 & echo $!; exec {binary} run --supervise -- "
              f"{application(case)} daemons 3")
    started = Supervised(case, ["true"], False)
    started.wait().expect(0)
    shell = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True,
                             cwd=case.folder.path, stderr=subprocess.DEVNULL)
    assert shell.stdout is not None
    beside = int(shell.stdout.readline())
    try:
        assert shell.stdout.readline() == "ready\n"
        shell.terminate()
        assert shell.wait(60) == 143
        assert state(beside) in ("S", "R", "D")
    finally:
        os.kill(beside, signal.SIGKILL)
        shell.stdout.close()


def test_signals_while_nothing_has_started_end_the_preparation(case: Case) -> None:
    asked: List[str] = []

    def hang(request: Any) -> Answer:
        asked.append(request.path)
        server.stopping.wait(60)
        return Answer(500)

    server = case.scripted(hang)
    for first in modes(case):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            path = f"secret/{first}/{number:d}/app"  # the last request of the one before may come late
            started = Supervised(case, ["true"], first,
                                 env={"VAULT_ADDR": server.address, "VAULT_TOKEN": "t" * 20,
                                      "X": f"vault:{path}#x"})
            wait_until(lambda path=path: any(path in one for one in asked), "the request")
            started.signal(number)
            said = started.wait().expect(128 + number)
            assert f"stopped by {signal.Signals(number).name}" in said.stderr, said


class Preparing:
    """A Vault that answers when it is told to, and the environment that asks it for a value."""

    def __init__(self, case: Case) -> None:
        self._asked, self._go = threading.Event(), threading.Event()
        case.defer(self._go.set)
        server = case.scripted(self._answer)
        self.env = {"VAULT_ADDR": server.address, "VAULT_TOKEN": "t" * 20, "X": "vault:secret/app#x"}

    def _answer(self, request: Any) -> Answer:
        del request
        self._asked.set()
        assert self._go.wait(LINE_SECONDS)
        return Answer(200, '{"data": {"x": "1"}}')

    def wait(self) -> None:
        """Until it is asked."""
        assert self._asked.wait(LINE_SECONDS)

    def go(self) -> None:
        """It answers."""
        self._go.set()


def test_what_the_caller_ignores_does_not_end_the_preparation(case: Case) -> None:
    number = signal.SIGHUP
    for first in modes(case):
        vault = Preparing(case)
        started = Supervised(case, ["echo", "started"], first, env=vault.env,
                             preexec_fn=functools.partial(signal.signal, number, signal.SIG_IGN))
        vault.wait()
        started.signal(number)
        wait_until(functools.partial(is_taken, started.pid, number), "it to take the signal")
        vault.go()
        assert started.wait().expect(0).stdout == "started\n"


def is_taken(pid: int, number: int) -> bool:
    """Whether a signal that was sent does not wait for the process any more."""
    status = Path(f"/proc/{pid}/status").read_text()
    waiting = int(status.partition("ShdPnd:")[2].split()[0], 16)
    return not waiting >> (number - 1) & 1


def test_signals_that_come_before_the_start_reach_the_application(case: Case) -> None:
    for first in modes(case):
        vault = Preparing(case)
        started = Supervised(case, [application(case), "count"], first,
                             preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)),
                             env=vault.env, options=["--timeout=60s"])
        vault.wait()
        for number in (signal.SIGUSR1, signal.SIGWINCH, 40, 40, 41):
            started.signal(number)
        vault.go()
        assert started.line() == "ready"
        started.signal(64)
        assert started.line() == "10:1 28:1 40:2 41:1 "
        started.signal(63)
        started.wait().expect(0)


def test_what_agent_becomes_has_the_signals_that_came_before(case: Case) -> None:
    vault = Preparing(case)
    running = case.make_agent().start("run", "--", "echo", "started", env=vault.env)
    vault.wait()
    running.signal(signal.SIGUSR1)
    wait_until(lambda: is_taken(running.pid, signal.SIGUSR1), "it to take the signal")
    vault.go()
    result = running.wait()
    assert (result.code, result.stdout) == (-signal.SIGUSR1, ""), result  # as without us


def test_a_tstp_that_comes_before_the_start_stops_nothing_for_good(case: Case) -> None:
    for first in modes(case):
        vault = Preparing(case)
        started = Supervised(case, ["echo", "started"], first, env=vault.env, start_new_session=True)
        vault.wait()
        started.signal(signal.SIGTSTP)
        wait_until(functools.partial(is_taken, started.pid, signal.SIGTSTP), "it to take the signal")
        vault.go()
        assert started.wait().expect(0).stdout == "started\n"


# ---- odd applications --------------------------------------------------------------------------------


def test_an_application_that_closes_everything_still_has_its_code(case: Case) -> None:
    for first in modes(case):
        supervised(case, first, "closes").wait().expect(5)


def test_a_full_stderr_blocks_nobody(case: Case) -> None:
    for first in modes(case):
        read, write = os.pipe()
        try:
            started = supervised(case, first, "flood", run=SHORT, stderr=write, options=["-v"])
            assert started.line() == "ready"
            its = started.application()
            wait_until(lambda: "pipe" in wchan(its) or state(its) == "S", "the pipe to be full")
            for _ in range(20):  # each a line of the log that nobody reads
                started.signal(signal.SIGWINCH)
            started.signal(signal.SIGTERM)
            started.wait().expect(143)
        finally:
            os.close(read)
            os.close(write)


def wchan(pid: int) -> str:
    """Where in the kernel a process waits, where that is said."""
    try:
        return Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return ""


def test_the_application_dies_when_agent_is_killed(case: Case) -> None:
    started = supervised(case, False, "deaf")
    assert started.line() == "ready"
    its = started.application()
    started.signal(signal.SIGKILL)
    started.process.wait()
    wait_until(lambda: state(its) in ("", "Z"), "the application's end")


def test_out_of_descriptors_it_still_reaps_and_ends(case: Case) -> None:
    case.needs_a_look_inside()
    for first in modes(case):
        started = supervised(case, first, "daemons", "3", run=SHORT)
        assert started.line() == "ready"
        pid = started.pid
        in_use = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use, in_use))
        started.signal(signal.SIGTERM)
        started.wait().expect(143)


# ---- idle --------------------------------------------------------------------------------------------


def test_it_does_not_wake_up_without_an_event(case: Case) -> None:
    seconds = 60 if os.environ.get("AGENT_LONG") else 2
    for first in modes(case):
        started = supervised(case, first, "deaf", run=SHORT)
        assert started.line() == "ready"
        pid = started.pid
        wait_until(lambda: state(pid) == "S", "its sleep")
        before = switches(pid)
        time.sleep(seconds)
        assert switches(pid) == before
        started.signal(signal.SIGKILL)
        started.process.wait()


def switches(pid: int) -> List[str]:
    """How often a process was given the processor."""
    return [line for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if "ctxt_switches" in line]


# ---- terminals ---------------------------------------------------------------------------------------

SHELL = """\
import fcntl, os, signal, sys, termios
# A shell with job control, as far as it matters here: one job, in the foreground, or with & in the
# background until it is stopped, or until somebody types what says so; ^Z, fg.
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
def say(*words):
    print(*words, flush=True)
background = sys.argv[1] == "&"
del sys.argv[:background]
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    if not background:
        os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
if background and sys.stdin.readline().strip() == "fg":
    os.tcsetpgrp(0, job)  # it runs, so it is not told
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpgrp())
    if not os.WIFSTOPPED(status):
        break
    say("stopped")
    sys.stdin.readline()
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
    say("continued")
say("code", os.waitstatus_to_exitcode(status))
"""


class Terminal:
    """A terminal with that shell on it, and agent with a command as its job."""

    def __init__(self, case: Case, *command: str, env: Optional[Mapping[str, str]] = None,
                 background: bool = False) -> None:
        case.folder.write("shell.py", SHELL)
        self.master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        agent = case.make_agent()
        self.shell = subprocess.Popen(
            [sys.executable, str(case.folder / "shell.py"), *["&"] * background, str(agent.binary), "run",
             "--supervise", "--", *command], stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            cwd=case.folder.path, env=plain_environment(case.folder.path, env or {}))
        os.close(slave)
        self.seen = b""
        case.defer(self.close)

    def until(self, text: str) -> None:
        """Read until it has written `text`."""
        while text.encode() not in self.seen:
            ready, _, _ = select.select([self.master], [], [], LINE_SECONDS)
            try:
                piece = os.read(self.master, 65536) if ready else b""
            except OSError:
                piece = b""
            assert piece, (text, self.seen)
            self.seen += piece
        self.seen = self.seen.partition(text.encode())[2]

    def type(self, keys: bytes) -> None:
        """What somebody types."""
        os.write(self.master, keys)

    def close(self) -> None:
        """End it."""
        self.shell.kill()
        self.shell.wait()
        os.close(self.master)


def test_the_application_has_the_terminal(case: Case) -> None:
    terminal = Terminal(case, "sh", "-c", "read line; echo got $line; exit 4")
    terminal.type(b"hello\n")
    terminal.until("got hello")
    terminal.until("code 4")


def test_an_interrupt_from_the_terminal_ends_the_application_as_it_would(case: Case) -> None:
    terminal = Terminal(case, "sh", "-c", "trap 'echo caught; exit 6' INT; echo set; "
                        "while :; do sleep 0.1; done")
    terminal.until("set")
    terminal.type(b"\x03")
    terminal.until("caught")
    terminal.until("code 6")


def test_a_suspended_application_suspends_agent_and_goes_on_in_the_foreground(case: Case) -> None:
    terminal = Terminal(case, "sh", "-c", "echo set; read line; echo got $line")
    terminal.until("set")
    for _ in range(3):
        terminal.type(b"\x1a")
        terminal.until("stopped")
        terminal.type(b"fg\n")
        terminal.until("continued")
    terminal.type(b"hello\n")
    terminal.until("got hello")
    terminal.until("code 0")


def test_in_the_background_it_waits_for_the_terminal_as_a_job_does(case: Case) -> None:
    terminal = Terminal(case, "sh", "-c", "read line; echo got $line", background=True)
    terminal.type(b"wait\n")
    terminal.until("stopped")
    terminal.type(b"fg\n")
    terminal.until("continued")
    terminal.type(b"hello\n")
    terminal.until("got hello")
    terminal.until("code 0")


def test_a_job_that_comes_to_the_foreground_while_it_runs_has_the_terminal(case: Case) -> None:
    case.folder.write("app.sh", "echo set; while [ ! -e go ]; do sleep 0.05; done; read line; echo got $line")
    terminal = Terminal(case, "sh", "app.sh", background=True)
    terminal.until("set")
    terminal.type(b"fg\n")
    wait_until(lambda: os.tcgetpgrp(terminal.master) != os.getpgid(terminal.shell.pid), "the foreground")
    case.folder.write("go", "")
    terminal.type(b"hello\n")
    terminal.until("got hello")
    terminal.until("code 0")


def test_a_suspension_while_it_prepares_comes_with_the_start(case: Case) -> None:
    vault = Preparing(case)
    terminal = Terminal(case, "sh", "-c", "read line; echo got $line", env=vault.env)
    vault.wait()
    terminal.type(b"\x1a")
    vault.go()
    terminal.until("stopped")
    terminal.type(b"fg\n")
    terminal.until("continued")
    terminal.type(b"hello\n")
    terminal.until("got hello")
    terminal.until("code 0")


def test_a_stop_of_agent_by_tstp_stops_the_application_too(case: Case) -> None:
    terminal = Terminal(case, "sh", "-c", "echo set $PPID; read line; echo got $line")
    terminal.until("set ")
    while b"\n" not in terminal.seen:
        terminal.seen += os.read(terminal.master, 1)
    os.kill(int(terminal.seen.split()[0]), signal.SIGTSTP)
    terminal.until("stopped")
    terminal.type(b"fg\nhello\n")
    terminal.until("got hello")
    terminal.until("code 0")
