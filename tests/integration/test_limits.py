"""What agent is handed and does not obey: odd starts, odd files, hostile names, answers without end.

Also what its binary is made of: hardening marks, libraries on demand, nothing that the house bans.
"""
from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Tuple

from tests.lib.agent import Result
from tests.lib.case import Case, lacks
from tests.lib.processes import ROOT, as_user, plain_environment, wait_until
from tests.lib.project import Project
from tests.lib.servers import Answer, RawServer

VARIANT = "release"
TOKEN = "limits-canary-token-0123456789"
SECRET = {"type": "string", "secret": True}
RUN_SECONDS = 60
RSS_MAX_KIBIBYTES = 32 * 1024


def run_raw(case: Case, argv: Sequence[str], env: Mapping[str, str], **how: Any) -> Result:
    """Run a program whose environment or descriptors are not the usual ones."""
    how = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how}
    done = subprocess.run(list(argv), env=dict(env), cwd=case.folder.path, timeout=RUN_SECONDS, **how)
    return Result(argv, done.returncode, done.stdout or b"", done.stderr or b"")


def vault_contract(case: Case, address: str, **vault: Any) -> Dict[str, str]:
    """One variable of a path; gives the environment."""
    case.canaries.add("token", TOKEN)
    Project(case).contract({"X": {**SECRET, "source": "vault:kv/app#x"}},
                           vault={"address": address, "kv": {"kv": 2}, "deadline": "1s",
                                  "timeout": "1s", **vault})
    return {"VAULT_TOKEN": TOKEN}


def silent(case: Case) -> RawServer:
    """A server that takes connections and says nothing."""
    server = RawServer(lambda connection: server.stopping.wait(RUN_SECONDS) and None)
    case.defer(server.stop)
    return server


# ---- how it is started ------------------------------------------------------------------------------------


def test_no_option_takes_a_secret(case: Case) -> None:
    names = json.loads(case.agent("help", "--json").expect(0).stdout)["text"]
    commands = re.findall(r"^  ([a-z]+) ", names, re.MULTILINE)
    assert len(commands) > 5, names
    for command in commands:
        text = case.agent("help", command).expect(0).stdout
        for option in re.findall(r"--([a-z][a-z-]*) [A-Z]", text):  # those with an argument
            secret = re.search(r"token|pass|secret|key|credential", option)
            assert not secret or option.endswith(("-file", "-fd")), (command, option)


ODD_START = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
argv, env = eval(sys.argv[2])
pack = lambda items: (ctypes.c_char_p * (len(items) + 1))(*items, None)
libc.execve(sys.argv[1].encode(), pack(argv), pack(env))
sys.exit(99)
"""


def odd_start(case: Case, argv: List[bytes], env: List[bytes]) -> Result:
    """execve with exactly these."""
    return run_raw(case, [sys.executable, "-c", ODD_START, str(case.make_agent().binary),
                          repr((argv, env))], {})


def test_odd_arguments_and_environments(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"},
                            "B": {"type": "string", "source": "env", "required": False}})
    got = odd_start(case, [], [b"A=1"])
    # Newer kernels put an empty name there: either way it ends with a text.
    assert got.code == 2 and got.stderr.strip(), got
    ask = [b"agent", b"fetch"]
    twice = odd_start(case, ask, [b"A=first", b"A=second"]).expect(0)
    assert twice.stdout == "A=first\n" and "twice" in twice.stderr, twice
    odd = odd_start(case, ask, [b"A", b"=x", b"", b"A=right", b"AA=wrong", b"\xff\xfe=\x1b[31m"])
    assert odd.expect(0).stdout == "A=right\n", odd
    none = odd_start(case, ask, []).expect(1)
    assert "A" in none.stderr + none.stdout, none
    child = odd_start(case, [b"agent", b"run", b"--", b"/usr/bin/env"],
                      [b"A=first", b"A=second", b"B=2", b"novalue", b"=x"]).expect(0)
    assert sorted(child.stdout.split()) == ["A=first", "B=2"], child
    script = case.folder.write("many.py", ODD_START.replace(
        "eval(sys.argv[2])", "([b'agent', b'fetch'], [b'V%d=x' % i for i in range(100000)] + "
        "[b'A=' + b'v' * 60000])"))
    big = run_raw(case, [sys.executable, str(script), str(case.make_agent().binary)], {})
    assert big.code == 0 and big.stdout == "A=" + "v" * 60000 + "\n", big.stderr


def test_what_is_too_big_to_start_is_named(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": {"command": [
        "python3", "-c", "print('x' * 200000, end='')"]}}})
    got = case.agent("run", "--", "true")
    assert got.code in (125, 126) and got.stderr.strip(), got


def test_descriptors_that_are_shut(case: Case) -> None:
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    agent = str(case.make_agent().binary)
    for shut in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        for args in ("version", "check --env-only", "fetch -o out", "run -- sh -c 'echo hello'"):
            got = run_raw(case, ["sh", "-c", f"exec '{agent}' {args} {shut}"],
                          plain_environment(case.folder.path, {"A": "1"}))
            assert got.code == 0, (shut, args, got)
        assert (case.folder / "out").read_text() == "A=1\n"
        (case.folder / "out").unlink()


def test_values_are_not_lost_in_an_output_that_is_shut(case: Case) -> None:
    value = case.canaries.new("value")
    Project(case).contract({"A": {**SECRET, "source": "env"}})
    agent = str(case.make_agent().binary)
    target = case.folder.write("github", "")
    key = str(case.folder / "key")
    env = plain_environment(case.folder.path, {"A": value, "GITHUB_ENV": str(target),
                                               "AGENT_SEALED_KEY_FILE": key})
    run_raw(case, [agent, "seal", "init"], env).expect(0)
    run_raw(case, ["sh", "-c", f"printf '%s' \"$A\" | '{agent}' seal set A"], env).expect(0)
    for args in ("fetch", "fetch --json", "fetch --reveal", "fetch --format github", "seal get A",
                 "seal export", "seal export --format github"):
        got = run_raw(case, ["sh", "-c", f"exec '{agent}' {args} >&-"], env).expect(2)
        assert not lacks(got.stderr, ["standard output is shut"]), (args, got)
        assert target.read_text() == "", "values whose masks are lost"
        run_raw(case, ["sh", "-c", f"exec '{agent}' {args} >/dev/null"], env).expect(0)
        target.write_text("")


def test_a_binary_with_more_rights_than_its_caller_refuses(case: Case) -> None:
    if os.geteuid() != 0:
        case.skip("a file of another user is needed, which only root can make")
    copy = case.folder / "agent"
    shutil.copy(case.make_agent().binary, copy)
    case.folder.path.chmod(0o755)
    os.chown(copy, 65534, 65534)
    copy.chmod(0o4755)
    got = run_raw(case, [str(copy), "version"], plain_environment(case.folder.path))
    if got.code == 0 and any(path and "nosuid" in path for path in mounts(case.folder.path)):
        case.skip("the temporary folder does not honour set-user-ID")
    assert got.code == 2 and "set-user-ID" in got.stderr, got


def mounts(path: Path) -> Iterator[str]:
    """The options of the mounts that a path may lie on."""
    for line in Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        if str(path).startswith(fields[1]):
            yield fields[3]


def test_the_process_is_shut_to_others_and_leaves_no_core(case: Case) -> None:
    """Nobody of the same user reads its environment or memory; it has no handler; a crash leaves nothing."""
    env = vault_contract(case, f"http://127.0.0.1:{silent(case).port}", deadline="50s", timeout="50s")
    user = "nobody" if os.geteuid() == 0 else None
    agent = case.folder / "agent"
    shutil.copy(case.make_agent().binary, agent)
    for path in (case.folder.path, agent, case.folder / "contract.json"):
        path.chmod(0o755)
    process = subprocess.Popen([str(agent), "fetch"], env=plain_environment(case.folder.path, env),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               cwd=case.folder.path, **as_user(user), preexec_fn=lambda:
                               resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
                               if os.geteuid() == 0 else None)
    case.defer(process.kill)
    proc = Path(f"/proc/{process.pid}")
    # It waits for an answer.
    wait_until(lambda: "libcurl" in (subprocess.run(["cat", f"{proc}/maps"], capture_output=True,
                                                    text=True).stdout or "libcurl"), "the library")
    time.sleep(0.3)
    for name in ("environ", "mem", "maps"):
        look = subprocess.run(["dd", f"if={proc}/{name}", "bs=1", "count=1"], capture_output=True,
                              cwd="/", **as_user(user))
        assert look.returncode != 0, f"{name} can be read"
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines()
                  if ":\t" in line)
    if os.geteuid() == 0:
        limits = (proc / "limits").read_text()
        assert re.search(r"Max core file size\s+0\s", limits), limits
        assert int(status["SigCgt"], 16) & ((1 << 31) - 1) == 0, status["SigCgt"]
    process.send_signal(signal.SIGABRT)
    _, code = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGABRT
    assert os.WIFSIGNALED(code) and not os.WCOREDUMP(code), code
    assert not [path for path in case.folder.path.iterdir() if path.name.startswith("core")]


def test_variables_that_steer_libraries_do_not(case: Case) -> None:
    """SSLKEYLOGFILE, OPENSSL_CONF and their like are not obeyed; proxies see nothing."""
    if shutil.which("strace") is None:
        case.skip("strace is not installed")
    proxy, bao = case.scripted(lambda _request: Answer(502)), case.openbao_tls
    mount = bao.kv(2)
    bao.put(f"{mount}/app", {"x": "over TLS"})
    Project(case).contract({"X": {"type": "string", "source": f"vault:{mount}/app#x"}})
    conf = case.folder.write("evil.cnf", "openssl_conf = init\n[init]\n")
    keys = case.folder / "keys"
    env = {"VAULT_ADDR": bao.address, "VAULT_TOKEN": bao.token, "VAULT_CACERT": str(bao.ca_cert),
           "SSLKEYLOGFILE": str(keys), "OPENSSL_CONF": str(conf), "OPENSSL_MODULES": "/evil",
           "HOSTALIASES": str(conf), "RES_OPTIONS": "debug", "LOCALDOMAIN": "evil.test",
           "SSL_CERT_FILE": "/evil.pem", "CURL_CA_BUNDLE": "/evil.pem", "CURL_HOME": "/evil",
           "NETRC": "/evil", **{name: proxy.address for name in (
               "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "ftp_proxy")}}
    trace = case.folder / "trace"
    got = run_raw(case, ["strace", "-f", "-qq", "-e", "trace=openat,open", "-o", str(trace),
                         str(case.make_agent().binary), "fetch"],
                  plain_environment(case.folder.path, env))
    assert got.expect(0).stdout == "X=over TLS\n"
    assert not keys.exists() and "evil" not in trace.read_text() and proxy.connections == 0
    child = run_raw(case, [str(case.make_agent().binary), "run", "--", "printenv", "SSLKEYLOGFILE"],
                    plain_environment(case.folder.path, env))
    assert child.expect(0).stdout == f"{keys}\n"


def test_locales_and_time_zones_change_nothing(case: Case) -> None:
    Project(case).contract({"N": {"type": "number", "min": 1.5, "source": "env"},
                            "P": {"type": "enum", "values": ["I", "i"], "source": "env"}})
    seen = set()
    for locale in ("C", "C.UTF-8", "tr_TR.UTF-8", "de_DE.UTF-8", "ja_JP.SJIS", "none"):
        for zone in ("UTC", "Pacific/Apia", ":/evil"):
            env = {"LC_ALL": locale, "LANG": locale, "LANGUAGE": "de", "TZ": zone, "N": "1.5",
                   "P": "İ"}
            got = case.agent("check", "--env-only", env=env).expect(1)
            seen.add((got.stdout, got.stderr))
    assert len(seen) == 1, seen


# ---- files ------------------------------------------------------------------------------------------------


def odd_files(case: Case) -> Dict[str, str]:
    """What a path may lead to that is no file of ours."""
    folder = case.folder.path
    os.mkfifo(folder / "fifo")
    (folder / "directory").mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    case.defer(listener.close)
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    case.folder.write("big", "#" * (5 * 1024 * 1024))
    return {name: str(folder / name) for name in (
        "fifo", "directory", "socket", "loop", "dangling", "big")} | {
            "device": "/dev/zero", "null": "/dev/null", "endless": "/proc/self/pagemap",
            "beneath": str(folder / "big") + "/x", "long": str(folder / ("n" * 300))}


def test_inputs_that_are_no_files(case: Case) -> None:
    """A folder, a pipe, a device, a socket, a loop: named in time, whatever the file was to be."""
    odd = odd_files(case)
    Project(case).contract({"T": {"type": "string", "source": "env"}})
    for kind, path in odd.items():
        for args in (["check", "--lint", f"--contract={path}"],
                     ["check", f"--env-file={path}"], ["graph", path],
                     ["fetch", f"--token-file={path}"]):
            if args[0] == "fetch":
                Project(case).contract({"T": {"type": "string", "source": "vault:kv/a#b"}},
                                       vault={"address": "http://127.0.0.1:1", "deadline": "1s"})
            if kind == "fifo":  # that the call names may be waited for
                args = [*args, "--timeout=1s"]
            got = case.agent(*args, seconds=30)
            quiet = (kind in ("null", "big") and "--env-file" in args[-1]) or kind == "directory"
            assert got.code in (1, 2, 3, 4) or quiet, (kind, args, got)
            assert quiet or (got.stderr + got.stdout).strip(), (kind, args, got)
        Project(case).contract({"T": {"type": "string", "source": f"file:{path}"}})
        if kind != "fifo":  # a pipe is a source that may be waited for
            got = case.agent("fetch", "--timeout=5s", seconds=30)
            assert got.code in (1, 2, 3, 4) or kind in ("null", "big"), (kind, got)


def test_schema_files_that_are_no_files(case: Case) -> None:
    odd, database = odd_files(case), case.database()
    for kind, path in odd.items():
        if kind in ("big", "null"):
            continue
        Project(case).database_contract({"sql": [path]})
        got = case.agent("bootstrap", env={"DATABASE_URL": database.url()}, seconds=60).expect(2)
        assert got.stderr.strip(), (kind, got)
    assert database.tables() == []


# ---- hostile names and texts --------------------------------------------------------------------------------

HOSTILE = ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "a\nerror forged line", "a\rerror forged", "\x7f\x08\x08",
           "\u202ereversed", "\u2066iso", "\x9b31m", "tab\there", "\u0085next", "\x01\x02"]


def assert_clean(result: Result) -> None:
    """No byte that a terminal obeys, no line that is not agent's own."""
    for name, text in (("stdout", result.raw_stdout), ("stderr", result.raw_stderr)):
        bad = [byte for byte in text if (byte < 0x20 and byte != 0x0a) or byte == 0x7f]
        assert not bad, (name, bad, result)
        decoded = text.decode("utf-8")
        assert not re.search("[\u0080-\u009f\u202a-\u202e\u2066-\u2069]", decoded), (name, result)
        assert not re.search("^(error )?forged", decoded, re.MULTILINE), (name, result)
    for line in result.stderr.splitlines():
        # A line of the log, or one of the report on the variable X.
        assert re.match(r"(error|warn|info|debug|hint|X| +|\d+ errors?,) ?", line), (line, result)


def test_hostile_names_are_shown_and_not_obeyed(case: Case) -> None:
    for bad in HOSTILE:
        quoted = json.dumps(bad)
        for args in ((bad,), (f"--{bad}",), ("help", bad), ("fetch", bad), ("graph", bad),
                     ("check", f"--contract={bad}"), ("check", f"--profile={bad}"),
                     ("check", f"--env-file={bad}"), ("check", f"--timeout={bad}"),
                     ("fetch", f"--token-file={bad}"), ("run", "--", bad)):
            case.folder.write("contract.json", '{"contract": 1, "vars": {}}')
            assert_clean(case.agent(*args))
        for text in ('{"contract": 1, %s: 1, "vars": {}}', '{"contract": 1, "vars": {%s: {}}}',
                     '{"contract": 1, "vars": {"A": {"type": %s}}}',
                     '{"contract": 1, "include": [%s], "vars": {}}',
                     '{"contract": 1, "vars": {"A": {"source": %s}}}',
                     '{"contract": 1, "vars": {"A": {"default": %s, "type": "int"}}}',
                     '{"contract": 1, "database": {"url": %s}, "vars": {}}'):
            case.folder.write("contract.json", text % quoted)
            assert_clean(case.agent("check", "--lint"))
            assert_clean(case.agent("check", "--env-only", env={"A": bad}))
        case.folder.write("odd.env", f"{bad}=1\nA='{bad}\n")
        case.folder.write("contract.json", '{"contract": 1, "vars": {"A": {"type": "int"}}}')
        assert_clean(case.agent("check", "--env-file=odd.env"))


def test_hostile_words_of_a_server_are_shown_and_not_obeyed(case: Case) -> None:
    for bad in HOSTILE:
        for answer in (Answer(403, json.dumps({"errors": [bad]})), Answer(500, bad),
                       Answer(200, json.dumps({"data": {"data": {bad: "v"}, "metadata": {"version": 1}},
                                               "warnings": [bad]}))):
            env = vault_contract(case, case.scripted(lambda _request, a=answer: a).address,
                                 deadline="300ms")
            got = case.agent("fetch", "-v", env=env)
            assert got.code != 0
            assert_clean(got)
            lines = case.agent("fetch", "-v", "--log=json", env=env).stderr.splitlines()
            assert lines and all(isinstance(json.loads(line), dict) for line in lines)


# ---- answers of Vault -----------------------------------------------------------------------------------------


GOOD = {"request_id": "r", "lease_id": "", "renewable": False, "lease_duration": 0, "data": {
    "data": {"x": "a good value"}, "metadata": {"version": 3, "destroyed": False,
                                                "deletion_time": ""}}, "warnings": None}
ODD_VALUES: List[Any] = [None, True, 0, -1, 1.5, 10 ** 30, "", "text", [], ["a"], {}, {"a": 1},
                         "\u0000", "x" * 70000]


def paths_of(document: Any, here: Tuple[str, ...] = ()) -> Iterator[Tuple[str, ...]]:
    """The path of every member."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield (*here, name)
            yield from paths_of(value, (*here, name))


def changed(document: Any, path: Tuple[str, ...], value: Any) -> Any:
    """A copy with another value there."""
    copy = dict(document)
    copy[path[0]] = value if len(path) == 1 else changed(document[path[0]], path[1:], value)
    return copy


def mutations() -> Iterator[Tuple[str, bytes]]:
    """Each member with each odd value; and the text itself, spoiled."""
    for path in paths_of(GOOD):
        for value in ODD_VALUES:
            yield f"{'.'.join(path)} = {str(value)[:20]!r}", json.dumps(
                changed(GOOD, path, value)).encode()
    whole = json.dumps(GOOD)
    spoiled = {"twice": whole.replace('"x": ', '"x": "first", "x": '), "bom": "\ufeff" + whole,
               "trailing": whole + " {}", "single": whole.replace('"', "'"), "nan": whole.replace(
                   ": 0", ": NaN"), "comment": "/* c */" + whole, "comma": whole[:-1] + ",}",
               "array": f"[{whole}]", "deep": "[" * 100 + whole + "]" * 100, "empty": "",
               "surrogate": whole.replace("good", "\\ud800"), "nul": whole.replace("good", "\\u0000"),
               "many": json.dumps({**GOOD, "data": {str(i): "v" for i in range(9000)}})}
    yield from ((name, text.encode()) for name, text in spoiled.items())
    yield "utf-8", whole.encode().replace(b"good", b"\xff\xfe")
    yield "utf-16", whole.encode("utf-16")


def test_every_mutation_of_an_answer_is_a_value_or_a_named_error(case: Case) -> None:
    body = [b""]
    server = case.scripted(lambda request: Answer(200, body[0]) if "/kv/data/app" in request.path
                           else Answer(404, '{"errors": []}'))
    env = vault_contract(case, server.address, deadline="300ms")
    agent, count = str(case.make_agent().binary), 0
    for name, body[0] in mutations():
        got = run_raw(case, [agent, "fetch"], plain_environment(case.folder.path, env))
        count += 1
        if got.code == 0:
            assert got.stdout.startswith("X=") and got.stdout.endswith("\n"), (name, got)
            assert name.split(" =")[0] not in ("data", "data.data"), (name, got)
        else:
            assert got.code in (1, 3, 4) and got.stdout == "" and got.stderr.strip(), (name, got)
            assert TOKEN not in got.stderr and "a good value" not in got.stderr, name
    assert count > 150, count


def endless(head: str, piece: bytes) -> Callable[[socket.socket], None]:
    """A server that sends a head, and then the same bytes for ever."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head.encode())
        while True:
            connection.sendall(piece)

    return talk


OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENDLESS = {
    "body": (OK + "\r\n", b"x" * 65536),
    "length": (OK + "Content-Length: 99999999999999\r\n\r\n", b"[" * 65536),
    "chunks": (OK + "Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 10000),
    "chunk size": (OK + "Transfer-Encoding: chunked\r\n\r\n", b"0" * 65536),
    "headers": (OK, b"X-A: " + b"b" * 1000 + b"\r\n"),
    "one header": (OK + "X-A: ", b"b" * 65536),
    "informational": ("", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 1000),
    "status line": ("HTTP/1.1 ", b"2" * 65536),
    "gzip": (OK + "Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b\x08\0\0\0\0\0\0\3" + b"\0" * 65536),
    "garbage": ("", b"\xff\xfe\0" * 20000),
}


def high_water(pid: int) -> int:
    """The most memory that a process has had, in KiB; 0 when it has ended."""
    try:
        if "agent" not in Path(f"/proc/{pid}/comm").read_text():
            return 0
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def test_answers_without_end_are_ended_and_cost_little(case: Case) -> None:
    for name, (head, piece) in ENDLESS.items():
        server = RawServer(endless(head, piece))
        case.defer(server.stop)
        env = vault_contract(case, f"http://127.0.0.1:{server.port}", deadline="2s", timeout="2s")
        process = subprocess.Popen([str(case.make_agent().binary), "fetch"], cwd=case.folder.path,
                                   env=plain_environment(case.folder.path, env),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        case.defer(process.kill)
        peak = 0  # what wait4 says is no less than the size of this Python, which forked it
        while process.poll() is None:
            peak = max(peak, high_water(process.pid))
            time.sleep(0.002)
        printed, said = process.communicate()
        known = process.returncode in (3, 4) or (name in ("one header", "status line") and b"header" in said)
        assert known and not printed and said.strip(), (name, said)
        assert 0 < peak <= RSS_MAX_KIBIBYTES, (name, peak)


# ---- certificates ---------------------------------------------------------------------------------------------


def make_certificate(case: Case, name: str, *options: str) -> Tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    certificate, key = case.folder / f"{name}.pem", case.folder / f"{name}.key"
    case.tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out",
              str(certificate), *options).expect(0)
    return certificate, key


def test_no_wrong_certificate_gets_a_byte_of_the_token(case: Case) -> None:
    local = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    days = ("-days", "2")
    kinds = {"expired": (*local, *days), "another name": (
                 "-subj", "/CN=other.test", "-addext", "subjectAltName=DNS:other.test", *days),
             "sha1": (*local, "-sha1", *days), "old protocol": (*local, *days),
             "unknown": (*local, *days)}
    for kind, options in kinds.items():
        certificate, key = make_certificate(case, kind.replace(" ", "-"), *options)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(str(certificate), str(key))
        if kind == "old protocol":
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        said: List[bytes] = []

        def talk(connection: socket.socket, context: ssl.SSLContext = context) -> None:
            with context.wrap_socket(connection, server_side=True) as secured:
                said.append(secured.recv(65536))

        server = RawServer(talk)
        case.defer(server.stop)
        env = vault_contract(case, f"https://127.0.0.1:{server.port}")
        if kind != "unknown":
            env["VAULT_CACERT"] = str(certificate)
        if kind == "expired":  # ten years later
            env.update(LD_PRELOAD=str(ROOT / "build" / "release" / "fault" / "oddclock.so"),
                       FAULT_CLOCK=f"+{10 * 365 * 86400}")
        got = case.agent("fetch", env=env)
        # SHA-1 matters in a chain, not in what is trusted itself: there only the request must be fit.
        assert got.code in (3, 4) and got.stdout == "" and got.stderr.strip(), (kind, got)
        assert kind == "sha1" or not any(said), (kind, said)


# ---- the binary -----------------------------------------------------------------------------------------------


def readelf(case: Case, *options: str) -> str:
    """What binutils says of the release binary."""
    binary = ROOT / "build" / "release" / "agent"
    # It exits 1 for notes that it does not know, those of dlopen among them.
    return case.tool("readelf", "-W", *options, str(binary)).stdout


def test_the_binary_is_hardened(case: Case) -> None:
    header, dynamic, segments = readelf(case, "-h"), readelf(case, "-d"), readelf(case, "-l")
    assert "DYN (Position-Independent Executable" in header
    assert "BIND_NOW" in dynamic and "PIE" in dynamic and "GNU_RELRO" in segments
    assert not re.search(r"RPATH|RUNPATH|TEXTREL", dynamic), dynamic
    assert re.search(r"GNU_STACK.* RW +0x", segments), segments
    assert not re.search(r"LOAD.* RWE ", segments)
    symbols = readelf(case, "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert len(set(re.findall(r"\b(\w+_chk)@", symbols))) >= 4, "FORTIFY_SOURCE has left no trace"
    if "X86-64" in header:
        assert re.search(r"x86 feature: IBT, SHSTK", readelf(case, "-n")), "no CET marks"


def test_nothing_that_is_banned_is_called(case: Case) -> None:
    symbols = set(re.findall(r"UND (\w+)", readelf(case, "--dyn-syms")))
    assert len(symbols) > 50, symbols
    banned = {"system", "popen", "gets", "strcpy", "__strcpy_chk", "strcat", "__strcat_chk", "sprintf",
              "__sprintf_chk", "vsprintf", "strtok", "atoi", "atol", "tmpnam", "mktemp", "wordexp",
              "setenv", "putenv", "setlocale", "rand", "srand", "alloca", "signal"}
    assert not symbols & banned, symbols & banned
    assert not [name for name in symbols if name.startswith(("PQ", "curl_", "pg_query", "lo_"))]
    needed = set(re.findall(r"NEEDED.*\[(\S+?)\.so", readelf(case, "-d")))
    assert needed <= {"libjansson", "libsodium", "libpcre2-8", "libc", "ld-linux-x86-64", "libm"}, needed


def test_libraries_on_demand_are_noted_for_packagers(case: Case) -> None:
    section = case.folder / "notes"
    case.tool("objcopy", "-O", "binary", "--only-section=.note.dlopen", "--set-section-flags",
              ".note.dlopen=alloc", str(ROOT / "build" / "release" / "agent"),
              str(section)).expect(0)
    notes = [json.loads(text) for text in re.findall(rb"\[\{.*?\}\](?=\0)", section.read_bytes())]
    sonames = [name for note in notes for entry in note for name in entry["soname"]]
    for wanted in ("libcurl", "libpq", "libpg_query"):
        assert any(name.startswith(wanted + ".so") or name.startswith(wanted + "-")
                   for name in sonames), (wanted, sonames)
    for note in notes:
        for entry in note:
            assert entry["feature"] and entry["description"] and entry["priority"] in (
                "required", "recommended", "suggested"), entry


def test_a_library_that_is_missing_names_its_package(case: Case) -> None:
    """Files that are no libraries stand where the loader looks first."""
    sonames = re.findall(r"lib(?:curl|pq|pg_query)[\w.-]*\.so[.\d]*",
                         (ROOT / "build" / "release" / "agent").read_bytes().decode("latin-1"))
    for name in {*sonames, "libpg_query.so"}:
        case.folder.write(f"none/{name}", "this is no library\n")
    none = {"LD_LIBRARY_PATH": str(case.folder / "none")}
    env = vault_contract(case, "http://127.0.0.1:1")
    got = case.agent("fetch", env={**env, **none}).expect(9)
    assert not lacks(got.stderr, ["libcurl", "Install the package libcurl4"]), got
    Project(case).database_contract()
    url = {"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}
    got = case.agent("verify", env={**url, **none}).expect(9)
    assert not lacks(got.stderr, ["libpq", "Install the package libpq5"]), got
    case.agent("version", env=none).expect(0)
    case.agent("check", "--env-only", env={**url, **none}).expect(0)
    case.agent("graph", "migrations", env=none).expect(0)


def test_a_library_that_is_another_one_is_named(case: Case) -> None:
    if shutil.which("gcc") is None:
        case.skip("no compiler")
    (case.folder.path / "other").mkdir()
    case.tool("gcc", "-shared", "-x", "c", "/dev/null", "-o", "other/libpq.so.5").expect(0)
    Project(case).database_contract()
    got = case.agent("verify", env={"DATABASE_URL": "postgresql://u@127.0.0.1:1/d",
                                    "LD_LIBRARY_PATH": str(case.folder / "other")}).expect(9)
    assert not lacks(got.stderr, ["libpq.so.5 has no function", "libpq5"]), got


def test_version_loads_no_library_on_demand(case: Case) -> None:
    if shutil.which("strace") is None:
        case.skip("strace is not installed")
    Project(case).contract({"A": {"type": "string", "source": "env"}})
    for args in (["version"], ["check", "--env-only"]):
        trace = case.folder / "trace"
        run_raw(case, ["strace", "-qq", "-e", "trace=openat", "-o", str(trace),
                       str(case.make_agent().binary), *args],
                plain_environment(case.folder.path, {"A": "1"})).expect(0)
        assert not re.search(r"libcurl|libpq|libpg_query|libssl", trace.read_text())
