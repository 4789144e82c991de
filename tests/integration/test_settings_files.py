"""alembic.ini and pyproject.toml as Python reads them: random files, given to both.

What stands around Alembic's own settings is the project's: a table of a build tool must not keep
`agent graph` from reading the one line that it looks for.
"""
from __future__ import annotations

import configparser
import io
import random
import time
from pathlib import Path
from typing import Iterator, List, Optional

from tests.lib.case import Case

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where Alembic brings the other one
    import tomli as tomllib  # type: ignore[no-redef]

FILES = 40
REVISION = 'revision = "found"\ndown_revision = None\n'
KEYS = ("name", '"a b"', "'c'", "d.e", '"\\u0066"', "_-1", 'g . "h.i"')
VALUES = (
    '"x"', "'x\\'", '"""x\ny"""', "'''\nx\n'''", '""""q"""""', '"\\t\\"\\U0001F600 # ]}"', "''", "true",
    "-1_000", "0xdead_BEEF", "6.5e-3", "-inf", "+nan", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5",
    "07:32:00", "[]", "{}", '["a", "b",]', "[ [1, 2], # c ]\n ['x'], {a = 1}\n]", '{text = "MIT"}',
    '{ a = {b = [1, {c = ""}]}, "d" = \'}\' }', '{version = "^1", extras = ["x"], optional = true}')
HEADERS = ("[project{}]", "[tool.poetry{}.dependencies]", "[[tool.x{}]]", '[ "tool" . \'y{}\' ] # c', "[z{}.a.b]")
INI_LINES = (
    "other = 1", "path : x", "lonely", "empty =", "percent = 100%%", "semicolon = x ; y", "# comment", "; comment",
    "  # comment", "", "  ", "twice = a == b", "quoted = 'x'", "é = ü", "from = %(base)s/x", "broken = %(nobody)s",
    "percent = 100%", "base = again", "[alembic]", "[other]", "[loggers]", "keys =\n  a\n\n  b", "key\t=\tvalue",
    "UPPER = x", "upper = x", "= nothing", "[open", "  indented = x", "x" * 300 + " = y")
LOCATIONS = ("%(here)s/migrations", "%(base)s/migrations", "%(base)s/%(leaf)s", "%(here)s/mig%%rations",
             "%(here)s\n  /migrations", "%(missing)s/migrations")


def dice_of(kind: str) -> Iterator[random.Random]:
    """Fixed ones, and some that are new in each run; a failure names the file."""
    for seed in [*range(FILES), *(int(time.time()) + i for i in range(FILES // 10))]:
        yield random.Random(f"{kind} {seed}")


def folder_of(case: Case) -> Path:
    """One revision below migrations/."""
    folder = case.folder.path / "project"
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "migrations" / "env.py").write_text("")
    (versions / "found.py").write_text(REVISION)
    return folder


def heads(case: Case, path: Path) -> Optional[List[str]]:
    """What agent finds; None when it says what is wrong."""
    result = case.agent("graph", "--json", path.name, cwd=path.parent)
    document = result.json()
    if result.code == 0:
        found: List[str] = document["heads"]
        return found
    assert document["error"]["message"] and result.code == 2, result
    return None


def random_toml(dice: random.Random) -> str:
    """A document that TOML allows, with Alembic's table somewhere in it."""
    tables = []
    for number in range(dice.randint(0, 4)):
        keys = dice.sample(KEYS, dice.randint(0, 5))
        tables.append([dice.choice(HEADERS).format(number)] + [
            dice.choice(("", "  ", "\t")) + key + dice.choice((" = ", "=")) + dice.choice(VALUES) +
            dice.choice(("", "", "  # c", " \t")) for key in keys])
    own = dice.choice((
        ['[tool.alembic]', 'script_location = "%(here)s/migrations"'],
        ["[tool.alembic] # c", "other = {a = 1}", "script_location='%(here)s/migrations' # c"]))
    tables.insert(dice.randint(0, len(tables)), own)
    return dice.choice(("\n", "\n\n", "\r\n")).join("\n".join(lines) for lines in tables) + "\n"


def test_a_pyproject_that_python_reads_is_read(case: Case) -> None:
    path = folder_of(case) / "pyproject.toml"
    for dice in dice_of("toml"):
        text = random_toml(dice)
        assert tomllib.loads(text)["tool"]["alembic"]["script_location"] == "%(here)s/migrations"
        path.write_bytes(text.encode())
        assert heads(case, path) == ["found"], text


def random_ini(dice: random.Random) -> str:
    """Perhaps none that Python takes."""
    lines = dice.sample(INI_LINES, dice.randint(0, 5)) + [f"script_location = {dice.choice(LOCATIONS)}"]
    dice.shuffle(lines)
    defaults = ["[DEFAULT]", "leaf = migrations", "base = %(here)s"] if dice.random() < 0.7 else []
    return dice.choice(("\n", "\n", "\r\n")).join(defaults + ["[alembic]"] + lines) + "\n"


def location_by_python(path: Path) -> Optional[str]:
    """Where Python's parser says that the scripts are; None when it refuses the file or the value."""
    parser = configparser.ConfigParser({"here": str(path.parent)})
    try:
        parser.read_file(io.StringIO(path.read_text(encoding="utf-8")))
        return parser.get("alembic", "script_location")
    except configparser.Error:
        return None


def test_an_ini_file_says_what_it_says_to_python(case: Case) -> None:
    path = folder_of(case) / "alembic.ini"
    seen = {True: 0, False: 0}
    for dice in dice_of("ini"):
        text = random_ini(dice)
        path.write_bytes(text.encode())
        there = location_by_python(path) == f"{path.parent}/migrations"
        seen[there] += 1
        assert heads(case, path) == (["found"] if there else None), text
    assert min(seen.values()) > FILES // 10, seen
