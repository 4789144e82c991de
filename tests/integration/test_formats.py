"""`agent fetch`: what it writes is what each format's own reader reads, byte for byte, or is refused.

The readers are bash, dash, Python's json, and two written here to the letter of the programs that they
stand for: docker's --env-file and python-dotenv (which is asked itself where it is installed).
"""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping

from tests.lib.case import Case

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


# ---- the round trip --------------------------------------------------------------------------------


def fetch(case: Case, form: str, values: Mapping[str, bytes], code: int = 0) -> bytes:
    """`agent fetch` of variables whose source is the environment."""
    contract = {"contract": 1, "vars": {
        name: {"type": "string", "empty": "ok", "source": "env", "doc": "A value."}
        for name in values}}
    path = case.folder.path / "contract.json"
    path.write_text(json.dumps(contract))
    env = {name: os.fsdecode(value) for name, value in values.items()}
    result = case.agent("fetch", "--contract", str(path), "--format", form, env=env,
                        prints_secrets=True)
    result.expect(code)
    if code:
        assert not result.stdout, result
        assert "NAME_0" in result.stderr, result
    return result.raw_stdout


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
    round_trip(case, "env", fits_env, [read_docker])
    refused(case, "env", fits_env)


def test_dotenv_is_read_back_as_python_dotenv_does(case: Case) -> None:
    """Quotes carry the rest, but for references and a last backslash."""
    readers = [read_dotenv]
    try:
        import dotenv  # type: ignore[import-not-found]  # pylint: disable=import-outside-toplevel
        readers += [read_python_dotenv] if dotenv else []
    except ImportError:
        pass
    round_trip(case, "dotenv", fits_dotenv, readers)
    refused(case, "dotenv", fits_dotenv)


def test_dotenv_refuses_what_its_reader_would_fill_in(case: Case) -> None:
    """`${NAME}` is refused by `fetch` one way or another, never written."""
    for text in REFERENCES:
        fetch(case, "dotenv", {"NAME_0": text.encode()}, code=1)
