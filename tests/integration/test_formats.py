"""`agent fetch`: what it writes is what each format's own reader reads, byte for byte, or is refused.

The readers are the real ones where they are installed: bash, dash, Python's json, python-dotenv, Node's
parser and npm's dotenv, docker's own client, the parser in systemd's library, PyYAML. Beside them stand
some that are written here to the letter of a documentation, so that the tests say on every machine what a
format means: docker's --env-file, python-dotenv, systemd's EnvironmentFile=, the file of $GITHUB_ENV.
"""
from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping

from tests.lib.case import Case
from tests.lib.processes import ROOT, plain_environment
from tests.lib.servers import Answer, Request

NPM_DOTENV = ROOT / "build" / "node" / "node_modules" / "dotenv"
SYSTEMD_LIBRARIES = sorted(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so"))

SHAPES = (b"%", b"a%b", b"'%'", b'"%', b"\\%", b"% ", b"%%", b" %")
TEXTS = ("", "plain", "p\u00e4ssw\u00f6rd \u2603 \U0001f511", "it's", 'say "hi"', "a\\b", "C:\\dir\\",
         "two\nlines", "three\r\nlines\r\n", "$HOME", "$(id)", "`id`", "a # b", "#", "!!", "%s%n",
         "a=b", "=", "export A=b", "'\"'\"'", "\\'", "\\\\'", "'\\", "x\\\n", " blanks ", "\t", "~",
         "-----BEGIN KEY-----\nQUJD\n-----END KEY-----\n", "{\"a\": [1, \"$x\"]}", "*", "\\n", "\\r",
         "${x", "${a:b}", "{x}", "\u2028", "\u0085", "\ufeff", "\x7f\x1b[31m")
REFERENCES = ("${HOMER}x", "a${a:b}${c}")


def values_of_every_byte() -> List[bytes]:
    """Each byte but NUL, alone and beside what quoting trips over; and texts that were trouble."""
    made = [shape.replace(b"%", bytes([byte])) for byte in range(1, 256) for shape in SHAPES]
    return made + [text.encode() for text in TEXTS]


def is_utf8(value: bytes) -> bool:
    """Is it?"""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


# ---- what each format can carry, said a second time ------------------------------------------------


def fits_env(value: bytes) -> bool:
    """docker: one line, UTF-8, no carriage return at its end."""
    return is_utf8(value) and b"\n" not in value and not value.endswith(b"\r")


def fits_node(value: bytes) -> bool:
    """What every reader of dotenv understands in one way: no escape is needed."""
    if not fits_dotenv(value) or b"\r" in value:
        return False
    if b"\\" in value:
        return bool(re.fullmatch(rb"[!-~]+", value)) and not any(c in value for c in b"'\"`#")
    return b"'" not in value or not any(c in value for c in b'"$`')


def fits_systemd(value: bytes) -> bool:
    """systemd: UTF-8 without noncharacters; of control characters tab and line break alone."""
    if not is_utf8(value):
        return False
    return not any((ord(c) < 32 and c not in "\t\n") or ord(c) == 127
                   or 0xfdd0 <= ord(c) <= 0xfdef or ord(c) & 0xfffe == 0xfffe
                   for c in value.decode())


def fits_dotenv(value: bytes) -> bool:
    """python-dotenv: UTF-8; a quoted value does not end in a backslash."""
    bare = bool(re.fullmatch(rb"[!-~]+", value)) and value[:1] not in (b"'", b'"')
    return is_utf8(value) and (not value.endswith(b"\\") or bare)


# ---- readers ---------------------------------------------------------------------------------------


def read_json(written: bytes, _folder: Path) -> Dict[str, bytes]:
    """Python's."""
    return {name: value.encode() for name, value in json.loads(written).items()}


def read_docker(written: bytes, _folder: Path) -> Dict[str, bytes]:
    """docker/cli, opts/file.go: lines without their CR, left-trimmed; the rest is the value's."""
    read = {}
    for line in written.decode().split("\n"):
        line = line[:-1] if line.endswith("\r") else line
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        assert equals and not re.search(r"\s", name), name
        read[name] = value.encode()
    return read


DOTENV_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def dotenv_unescape(text: str, quote: str) -> str:
    """Escapes that python-dotenv knows within QUOTE; any other backslash is one."""
    known = r"\\([\\'])" if quote == "'" else r"\\([\\'\"abfnrtv])"
    return re.sub(known, lambda match: DOTENV_ESCAPES.get(match[1], match[1]), text)


def read_dotenv(written: bytes, _folder: Path) -> Dict[str, bytes]:
    """python-dotenv's grammar, and nothing that it would only warn about."""
    text = re.sub(r"\r\n?", "\n", written.decode())  # a file that is opened as text
    read, at = {}, 0
    while at < len(text):
        name = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=[^\S\r\n]*").match(text, at)
        assert name, f"no binding at character {at}"
        at = name.end()
        quote = text[at:at + 1]
        if quote in ("'", '"'):
            body = re.compile(rf"{quote}((?:\\{quote}|[^{quote}])*){quote}").match(text, at)
            assert body, f"no end of the quotes at character {at}"
            value, at = dotenv_unescape(body[1], quote), body.end()
        else:
            body = re.compile(r"[^\r\n]*").match(text, at)
            assert body
            value, at = re.sub(r"\s+#.*", "", body[0]).rstrip(), body.end()
        assert not re.search(r"\$\{[^}:]*(?::-[^}]*)?\}", value), "a reference would be filled in"
        assert text[at:at + 1] == "\n", f"text behind the value at character {at}"
        at += 1
        read[name[1]] = value.encode()
    return read


def read_python_dotenv(written: bytes, folder: Path) -> Dict[str, bytes]:
    """The program itself; None where it is not installed."""
    import dotenv  # type: ignore[import-not-found]  # pylint: disable=import-outside-toplevel
    path = folder / "dotenv"
    path.write_bytes(written)
    return {name: value.encode() for name, value in dotenv.dotenv_values(path).items()
            if value is not None}


def read_with_shell(shell: str) -> Callable[[bytes, Path], Dict[str, bytes]]:
    """A real shell reads the file and hands its environment on."""
    def read(written: bytes, folder: Path) -> Dict[str, bytes]:
        path = folder / "values.sh"
        path.write_bytes(written)
        done = subprocess.run([shell, "-c", '. "$1" && exec /usr/bin/env -0', shell, str(path)],
                              env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=True, timeout=60)
        assert not done.stderr, done.stderr
        pairs = (entry.partition(b"=") for entry in done.stdout.split(b"\0") if entry)
        return {name.decode(): value for name, _, value in pairs}
    return read


def read_node(written: bytes, folder: Path) -> Dict[str, bytes]:
    """util.parseEnv: what `node --env-file` reads with."""
    return _read_with_node("require('util').parseEnv(text)", written, folder)


def read_npm_dotenv(written: bytes, folder: Path) -> Dict[str, bytes]:
    """The package dotenv of npm."""
    return _read_with_node(f"require({json.dumps(str(NPM_DOTENV))}).parse(text)", written, folder)


def _read_with_node(parse: str, written: bytes, folder: Path) -> Dict[str, bytes]:
    path = folder / "node.env"
    path.write_bytes(written)
    script = (f"const text = require('fs').readFileSync({json.dumps(str(path))}, 'utf8');"
              f"process.stdout.write(JSON.stringify({parse}))")
    done = subprocess.run(["node", "-e", script], capture_output=True, check=True, timeout=60)
    return {name: value.encode() for name, value in json.loads(done.stdout).items()}


def read_yaml(written: bytes, _folder: Path) -> Dict[str, bytes]:
    """A Secret's manifest, by a reader of YAML 1.1 (where NO is false)."""
    import yaml  # type: ignore[import-untyped]  # pylint: disable=import-outside-toplevel
    manifest = yaml.safe_load(written)
    assert (manifest["apiVersion"], manifest["kind"], manifest["type"]) == ("v1", "Secret", "Opaque")
    assert all(isinstance(name, str) and isinstance(value, str)
               for name, value in manifest["data"].items())
    return {name: base64.b64decode(value, validate=True)
            for name, value in manifest["data"].items()}


def read_systemd(written: bytes, _folder: Path) -> Dict[str, bytes]:
    """systemd.exec(5): a line each; between double quotes `\\` takes the meaning of " \\ ` $."""
    text, read, at = written.decode(), {}, 0
    while at < len(text):
        name = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=").match(text, at)
        assert name, f"no variable at character {at}"
        body = re.compile(r'"((?:\\["\\`$]|[^"\\])*)"\n|([^\s"\\\'#;]*)\n').match(text, name.end())
        assert body, f"no value at character {name.end()}"
        value = body[2] if body[1] is None else re.sub(r'\\(["\\`$])', r"\1", body[1])
        read[name[1]], at = value.encode(), body.end()
    return read


SYSTEMD_SCRIPT = """
import ctypes, json, os, sys
library = ctypes.CDLL(sys.argv[1])
strings = ctypes.POINTER(ctypes.c_char_p)
library.load_env_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(strings)]
library.strv_env_clean_with_callback.argtypes = [strings, ctypes.c_void_p, ctypes.c_void_p]
library.strv_env_clean_with_callback.restype = strings
read = strings()
failed = library.load_env_file(None, os.fsencode(sys.argv[2]), ctypes.byref(read))
if failed < 0:
    sys.exit(f"load_env_file: {os.strerror(-failed)}")
read = library.strv_env_clean_with_callback(read, None, None)
found = []
while read[len(found)]:
    found.append(read[len(found)].hex())
print(json.dumps(found))
"""


def read_real_systemd(written: bytes, folder: Path) -> Dict[str, bytes]:
    """What systemd does with EnvironmentFile=: its own library's functions (they are no public ones,
    so in a process of their own)."""
    path = folder / "systemd.env"
    path.write_bytes(written)
    done = subprocess.run([sys.executable, "-c", SYSTEMD_SCRIPT, str(SYSTEMD_LIBRARIES[0]), str(path)],
                          capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    pairs = (bytes.fromhex(entry).partition(b"=") for entry in json.loads(done.stdout))
    return {name.decode(): value for name, _, value in pairs}


def read_github(written: bytes, _folder: Path) -> Dict[str, bytes]:
    """GitHub, "Workflow commands", multiline strings: NAME<<DELIMITER, lines, DELIMITER."""
    lines, read, at = written.decode().split("\n"), {}, 0
    assert lines.pop() == "", "the last line has an end"
    while at < len(lines):
        name, mark, delimiter = lines[at].partition("<<")
        assert mark and re.fullmatch(r"[A-Za-z_]\w*", name), lines[at]
        end = lines.index(delimiter, at + 1)
        assert name not in read, name
        read[name] = "\n".join(lines[at + 1:end]).encode()
        at = end + 1
    return read


def read_real_docker(case: Case) -> Callable[[bytes, Path], Dict[str, bytes]]:
    """docker's own client reads the file, and says to a daemon of ours what it has read."""
    def daemon(request: Request) -> Answer:
        if request.path.endswith("/_ping"):
            return Answer(200, b"" if request.method == "HEAD" else "OK", {"Api-Version": "1.41"})
        return Answer(201, '{"Id": "0123456789abcdef", "Warnings": []}')

    def read(written: bytes, folder: Path) -> Dict[str, bytes]:
        server = case.scripted(daemon)
        path = folder / "docker.env"
        path.write_bytes(written)
        subprocess.run(["docker", "--host", f"tcp://127.0.0.1:{server.port}", "create", "--env-file",
                        str(path), "image"], capture_output=True, check=True, timeout=60,
                       env=plain_environment(folder, {}))
        asked = [json.loads(one.body) for one in server.requests if "/containers/create" in one.path]
        pairs = (entry.encode().partition(b"=") for entry in asked[-1]["Env"])
        return {name.decode(): value for name, _, value in pairs}
    return read


# ---- the round trip --------------------------------------------------------------------------------


def fetch(case: Case, form: str, values: Mapping[str, bytes], code: int = 0) -> bytes:
    """`agent fetch` of variables whose source is the environment; gives the document."""
    contract = {"contract": 1, "project": "acme", "vars": {
        name: {"type": "string", "empty": "ok", "source": "env", "doc": "A value.",
               "secret": name.endswith("_SECRET"), "placeholder_ok": True}
        for name in values}}
    path = case.folder.path / "contract.json"
    path.write_text(json.dumps(contract))
    env = {name: os.fsdecode(value) for name, value in values.items()}
    written = case.folder.path / "github-env"
    written.write_bytes(b"")
    env["GITHUB_ENV"] = str(written)
    result = case.agent("fetch", "--contract", str(path), "--format", form, env=env,
                        prints_secrets=True)
    result.expect(code)
    if code:
        assert not result.stdout, result
        assert "NAME_0" in result.stderr, result
        assert written.read_bytes() == b"", "nothing is written"
    return written.read_bytes() if form == "github" else result.raw_stdout


def round_trip(case: Case, form: str, fits: Callable[[bytes], bool],
               readers: Iterable[Callable[[bytes, Path], Dict[str, bytes]]]) -> None:
    """All that fits, in one file, through each reader."""
    values = [value for value in values_of_every_byte() if fits(value)]
    named = {f"NAME_{index}": value for index, value in enumerate(values)}
    written = fetch(case, form, named)
    for reader in readers:
        read = reader(written, case.folder.path)
        for name, value in named.items():
            assert read.get(name) == value, f"{form}: {value!r} is read as {read.get(name)!r}"


def refused(case: Case, form: str, fits: Callable[[bytes], bool]) -> None:
    """Of what does not fit, one of each kind: refused by name, and nothing is written."""
    kinds = (b"a\nb", b"a\r", b"\xff", b"a\xc3", b"' \\", b"a \\")
    for value in kinds:
        if not fits(value):
            fetch(case, form, {"NAME_0": value}, code=1)


def test_json_is_read_back_by_python(case: Case) -> None:
    """JSON carries all that is UTF-8."""
    round_trip(case, "json", is_utf8, [read_json])
    refused(case, "json", is_utf8)


def test_shell_is_read_back_by_bash_and_dash(case: Case) -> None:
    """A shell's words carry every byte."""
    shells = [read_with_shell(shell) for shell in ("bash", "dash") if shutil.which(shell)]
    round_trip(case, "shell", lambda value: True, shells)


def test_env_is_read_back_as_docker_does(case: Case) -> None:
    """A raw line carries all that is one line."""
    readers = [read_docker]
    if shutil.which("docker"):
        readers.append(read_real_docker(case))
    else:
        case.say("docker's client is not installed: not asked")
    round_trip(case, "env", fits_env, readers)
    refused(case, "env", fits_env)


def test_dotenv_is_read_back_as_python_dotenv_does(case: Case) -> None:
    """Quotes carry the rest, but for references and a last backslash."""
    round_trip(case, "dotenv", fits_dotenv, [read_dotenv, read_python_dotenv])
    refused(case, "dotenv", fits_dotenv)


def test_dotenv_without_escapes_is_read_back_by_node(case: Case) -> None:
    """Node's readers know no escapes: what can do without is written without."""
    if shutil.which("node") is None:
        case.skip("node is not installed")
    readers = []
    probe = "process.exit(require('util').parseEnv ? 0 : 1)"
    if subprocess.run(["node", "-e", probe], check=False, timeout=60).returncode == 0:
        readers.append(read_node)
    if NPM_DOTENV.exists():
        readers.append(read_npm_dotenv)
    if not readers:
        case.skip("this node has no util.parseEnv, and npm's dotenv is not installed")
    round_trip(case, "dotenv", fits_node, readers)


def test_github_is_read_back_by_its_documentation(case: Case) -> None:
    """Lines between delimiters carry all that is UTF-8."""
    round_trip(case, "github", is_utf8, [read_github])
    refused(case, "github", is_utf8)


def test_kubernetes_is_read_back_by_a_reader_of_yaml(case: Case) -> None:
    """Base64 carries every byte."""
    round_trip(case, "kubernetes", lambda value: True, [read_yaml])


def test_names_of_kubernetes_are_no_truth_values(case: Case) -> None:
    """YAML 1.1 takes a bare NO, ON or NULL for something else than a name."""
    values = {name: name.encode() for name in ("NO", "Y", "ON", "NULL", "TRUE", "E1")}
    assert read_yaml(fetch(case, "kubernetes", values), case.folder.path) == values


def test_systemd_is_read_back_by_its_own_parser(case: Case) -> None:
    """Quotes carry all that systemd does not refuse or drop."""
    readers = [read_systemd]
    if SYSTEMD_LIBRARIES:
        readers.append(read_real_systemd)
    else:
        case.say("systemd's library is not installed: not asked")
    round_trip(case, "systemd", fits_systemd, readers)
    refused(case, "systemd", fits_systemd)
    for text in ("\x1b", "\x7f", "\ufdd0", "\ufffe", "\U0001ffff"):
        fetch(case, "systemd", {"NAME_0": text.encode()}, code=1)


def test_dotenv_refuses_what_its_reader_would_fill_in(case: Case) -> None:
    """`${NAME}` is refused by `fetch` one way or another, never written."""
    for text in REFERENCES:
        fetch(case, "dotenv", {"NAME_0": text.encode()}, code=1)
