"""`agent graph` against Alembic itself: heads, effective heads, bases, order, and what is an error.

Alembic runs each revision file; agent reads it. Both look at the same folders here, and must say the
same, but for a duplicate id (Alembic warns, agent refuses) and a cycle that Alembic overlooks.
"""
from __future__ import annotations

import random
import sys
import time
import warnings
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.lib.case import Case
from tests.lib.servers import ROOT

RANDOM_GRAPHS = 200
LARGEST_GRAPH = 30
HEADER = "from typing import Optional, Sequence, Union\n"
warnings.filterwarnings("ignore", category=UserWarning, module="alembic")  # "referenced from", twice
INI = "[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n"


class View(NamedTuple):
    """What is known of a graph; ids in sets, but for the order."""

    heads: frozenset
    effective_heads: frozenset
    bases: frozenset
    order: Tuple[str, ...]


# ---- the two sides ------------------------------------------------------------------------------


def settle(script: ScriptDirectory) -> None:
    """Alembic keeps a revision's dependencies in a Python set, whose order is another in each run:
    put them in the order in which they are written."""
    for revision in script.revision_map._revision_map.values():
        if revision is not None:
            counted = set(revision._normalized_resolved_dependencies)
            revision._normalized_resolved_dependencies = tuple(
                name for name in dict.fromkeys(revision._resolved_dependencies) if name in counted)


def alembic_view(ini: Path) -> View:
    """What Alembic makes of it; raises what Alembic raises."""
    script = ScriptDirectory.from_config(Config(str(ini)))
    settle(script)
    newest_first = [revision.revision for revision in script.iterate_revisions(
        "heads", None, implicit_base=True)]
    return View(frozenset(script.get_heads()),
                frozenset(script.get_heads(consider_depends_on=True)),
                frozenset(script.get_bases()), tuple(reversed(newest_first)))


def agent_document(case: Case, path: Path, cwd: Optional[Path] = None) -> Dict[str, Any]:
    """agent's document; its exit code must fit."""
    result = case.agent("graph", "--json", str(path), cwd=cwd)
    document: Dict[str, Any] = result.json()
    result.expect(1 if document["errors"] else 0)
    return document


def agent_view(document: Dict[str, Any]) -> View:
    return View(frozenset(document["heads"]), frozenset(document["effective_heads"]),
                frozenset(document["bases"]), tuple(document["order"]))


def project(case: Case, name: str, files: Dict[str, Any], ini: str = INI) -> Path:
    """An Alembic project with these revision files (text or bytes); gives its alembic.ini."""
    folder = case.folder.path / name
    versions = folder / "migrations" / "versions"
    versions.mkdir(parents=True)
    (folder / "migrations" / "env.py").write_text("")
    for file, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (versions / file).write_bytes(data)
    path = folder / "alembic.ini"
    path.write_text(ini)
    return path


def agree(case: Case, ini: Path) -> View:
    """Both must see the same, without errors."""
    document = agent_document(case, ini)
    assert document["errors"] == [], document["errors"]
    ours, theirs = agent_view(document), alembic_view(ini)
    assert ours == theirs, f"agent: {ours}\nalembic: {theirs}"
    return ours


def kinds(document: Dict[str, Any]) -> List[str]:
    return [error["kind"] for error in document["errors"]]


def alembic_fails(ini: Path) -> bool:
    try:
        alembic_view(ini)
    except Exception:
        return True
    return False


# ---- every way to write a revision --------------------------------------------------------------

# What a file says, for an id `b` whose parent is `a`.
FORMS = {
    "plain": "revision = 'b'\ndown_revision = 'a'\n",
    "annotated": "revision: str = 'b'\ndown_revision: Union[str, Sequence[str], None] = 'a'\n",
    "annotated with a bar": "revision: 'str | None' = 'b'\ndown_revision: 'str | None' = 'a'\n",
    "annotation alone": "revision: str\nrevision = 'b'\ndown_revision: str\ndown_revision = 'a'\n"
                        "revision: str\n",
    "double quotes": 'revision = "b"\ndown_revision = "a"\n',
    "triple quotes": "revision = '''b'''\ndown_revision = \"\"\"a\"\"\"\n",
    "prefixes": "revision = u'b'\ndown_revision = R'a'\n",
    "hex escape": "revision = '\\x62'\ndown_revision = '\\141'\n",
    "unicode escapes": "revision = '\\u0062'\ndown_revision = '\\U00000061'\n",
    "unknown escape in raw": "revision = 'b'\ndown_revision = r'a'\n",
    "concatenated": "revision = 'b' ''\ndown_revision = '' \"a\" ''\n",
    "concatenated over lines": "revision = ('b'\n  # here\n  '')\ndown_revision = ('a' \\\n '')\n",
    "added": "revision = '' + 'b'\ndown_revision = ('' + 'a') + ''\n",
    "brackets": "revision = ('b')\ndown_revision = ((('a')))\n",
    "tuple of one": "revision = 'b'\ndown_revision = ('a',)\n",
    "bare tuple": "revision = 'b'\ndown_revision = 'a',\n",
    "list": "revision = 'b'\ndown_revision = ['a']\n",
    "set": "revision = 'b'\ndown_revision = {'a'}\n",
    "tuple over lines": "revision = 'b'\ndown_revision = (  # why\n\n    'a',  # because\n)\n",
    "parent twice": "revision = 'b'\ndown_revision = ('a', 'a')\n",
    "backslash": "revision = \\\n    'b'\ndown_revision \\\n = 'a'\n",
    "chained": "x = revision = 'b'\ny = down_revision = z = 'a'\n",
    "unpacked": "revision, down_revision = 'b', 'a'\n",
    "unpacked with a star": "revision, *x, down_revision = 'b', 1, 'a'\n",
    "unpacked in brackets": "(revision, [down_revision, x]) = ('b', ['a', 1])\n",
    "semicolons": "x = 1; revision = 'b'; down_revision = 'a'; y = 2\n",
    "if True": "if True:\n    revision = 'b'\n    if 1:\n        down_revision = 'a'\n",
    "if True in one line": "if True: revision = 'b'; down_revision = 'a'\n",
    "else of False": "if False:\n    revision = 'x'\nelif 0:\n    pass\nelse:\n    revision = 'b'\n"
                     "down_revision = 'a'\n",
    "type checking": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    revision = 'x'\nrevision = 'b'\n"
                     "if not TYPE_CHECKING:\n    down_revision = 'a'\n",
    "main guard": "revision = 'b'\ndown_revision = 'a'\nif __name__ == '__main__':\n"
                  "    revision = 'x'\n",
    "try": "try:\n    revision = 'b'\nfinally:\n    down_revision = 'a'\n",
    "with": "import contextlib\nwith contextlib.suppress(ValueError):\n    revision = 'b'\n"
            "    down_revision = 'a'\n",
    "last one wins": "revision = 'x'\ndown_revision = 'y'\nrevision = 'b'\ndown_revision = None\n"
                     "down_revision = 'a'\n",
    "last one wins over a condition": "import os\nif os.sep:\n    revision = 'x'\nrevision = 'b'\n"
                                      "down_revision = 'a'\n",
    "deleted and set": "revision = 'x'\ndel revision\nrevision = 'b'\ndown_revision = 'a'\n",
    "docstring": "'''message\n\nrevision = 'x'\ndown_revision = 'x'\n'''\nrevision = 'b'\n"
                 "down_revision = 'a'\n",
    "comments": "# revision = 'x'\nrevision = 'b'  # revision = 'x'\n    # down_revision = 'x'\n"
                "down_revision = 'a'\n",
    "local names": "revision = 'b'\ndown_revision = 'a'\ndef upgrade():\n    revision = 'x'\n"
                   "    down_revision = 'x'\n    if True:\n        revision = 'y'\n"
                   "async def other(revision='x', *, down_revision='x'): revision = 'z'\n",
    "class attributes": "class A:\n    revision = 'x'\n    class B: down_revision = 'x'\n"
                        "revision = 'b'\ndown_revision = 'a'\n",
    "keyword arguments": "revision = 'b'\ndown_revision = 'a'\ndict(revision='x',\n"
                         "down_revision='x')\nx = lambda revision='y': revision\n",
    "attributes and items": "revision = 'b'\ndown_revision = 'a'\nclass A: pass\n"
                            "A.revision = 'x'\nd = {}\nd['revision'] = 'x'\nd[revision] = 'y'\n",
    "comprehensions": "revision = 'b'\ndown_revision = 'a'\nx = [revision for revision in 'xyz']\n",
    "strings with code": "revision = 'b'\ndown_revision = 'a'\nx = '''\nrevision = 'x'\n'''\n"
                         "y = '\\\nrevision = \"x\"'\n",
    "f-strings": "revision = 'b'\ndown_revision = 'a'\nx = f'{revision!r:>{10}} {{ ' f\"\"\"{\n"
                 "revision}\nrevision = 'x' \"\"\"\ny = f'{1:\">10}'\nz = rf'\\{1}{2}'\n",
    "brackets in strings": "revision = 'b'\ndef f():\n    x = '(['\n    y = \"{\"  # ((\n"
                           "down_revision = 'a'\n",
    "CRLF": "revision = 'b'\r\ndown_revision = (\r\n  'a',\r\n)\r\n",
    "CR": "revision = 'b'\rdown_revision = 'a'\r",
    "form feed": "\f\nrevision = 'b'\n\f\ndown_revision = 'a'\n",
    "tabs": "if True:\n\tif True:\n\t\trevision = 'b'\n\tdown_revision = 'a'\n",
    "no newline at the end": "revision = 'b'\ndown_revision = 'a'",
    "decorators and match": "import functools\n@functools.lru_cache(maxsize=None)\ndef f():\n"
                            "    pass\nmatch 1:\n    case 1:\n        x = 2\n    case _:\n"
                            "        x = 3\nrevision = 'b'\ndown_revision = 'a'\n",
    "walrus of another name": "str((x := ''))\nrevision = 'b'\ndown_revision = 'a'\n",
    "None in a tuple": "revision = 'b'\ndown_revision = 'a'\ndepends_on = (None,)\n",
    "labels and dependencies": "revision = 'b'\ndown_revision = 'a'\nbranch_labels = ('l', 'm')\n"
                               "depends_on = []\n",
    "dependency": "revision = 'b'\ndown_revision = None\ndepends_on = 'a'\n",
    "empty tuple is a base": "revision = 'b'\ndown_revision = ()\ndepends_on = ['a']\n",
    "list with None is a base": "revision = 'b'\ndown_revision = [None]\n",
    "dependency that is empty": "revision = 'b'\ndown_revision = 'a'\ndepends_on = ''\n",
}
FIRST = "revision = 'a'\ndown_revision = None\nbranch_labels = 'root'\n"


def test_every_form_of_assignment_is_read_as_python_runs_it(case: Case) -> None:
    for number, (name, text) in enumerate(FORMS.items()):
        ini = project(case, f"form{number}", {"1_a.py": FIRST, "0_b.py": HEADER + text})
        try:
            view = agree(case, ini)
            assert set(view.order) == {"a", "b"}, view
        except AssertionError as problem:
            raise AssertionError(f"{name}: {problem}") from None


def test_encodings_and_strange_ids(case: Case) -> None:
    ids = ["ünïcode", "日本語", "with space", "it's", 'say "x"', "back\\slash", "tab\t", "<&>", "a%s",
           "x" * 200, "A", "é", "\U0001f600", "None"]
    files: Dict[str, Any] = {}
    for number, revision in enumerate(ids):
        parent = repr(ids[number - 1]) if number else "None"
        files[f"{number}.py"] = f"revision = {revision!r}\ndown_revision = {parent}\n"
    files["bom.py"] = b"\xef\xbb\xbfrevision = 'bom'\ndown_revision = 'None'\n"
    files["latin.py"] = "# -*- coding: latin-1 -*-\nrevision = 'ö'\ndown_revision = 'bom'\n".encode(
        "latin-1")
    files["latin_late.py"] = "#!/x\n# vim: set fileencoding=iso-8859-15 :\nrevision = 'l9'\n" \
                             "down_revision = 'ö'\n".replace("'ö'", "'\\xf6'").encode("latin-1")
    view = agree(case, project(case, "ids", files))
    assert view.order[-2:] == ("ö", "l9"), view.order


def test_which_files_count(case: Case) -> None:
    def revision(name: str) -> str:
        return f"revision = {name!r}\ndown_revision = None\n"

    names = ["a.py", ".hidden.py", "_x.py", "__init__.py", "__init__x.py", ".#a.py", "b.PY", "c.py~",
             "d.pyc", "e.txt", "ä.py", "with space.py", "f.py.py"]
    ini = project(case, "names", {name: revision(f"id {name}") for name in names})
    versions = ini.parent / "migrations" / "versions"
    (versions / "sub").mkdir()
    (versions / "sub" / "below.py").write_text(revision("below"))
    (versions / "__pycache__").mkdir(exist_ok=True)
    (versions / "__pycache__" / "cached.py").write_text(revision("cached"))
    (versions / "folder.py").mkdir()
    (versions / "link.py").symlink_to(versions / "a.py")
    (versions / "link_to_text.py").symlink_to(versions / "e.txt")
    (ini.parent / "outside.py").write_text(revision("outside"))
    (versions / "link_without_suffix").symlink_to(ini.parent / "outside.py")
    view = agree(case, ini)
    assert view.heads == {"id a.py", "id .hidden.py", "id _x.py", "id ä.py", "id with space.py",
                          "id f.py.py", "outside"}, view.heads
    for value, below in (("true", True), ("True", False), ("false", False)):
        ini.write_text(INI + f"recursive_version_locations = {value}\n")
        assert ("below" in agree(case, ini).heads) is below
        assert "cached" not in agree(case, ini).heads


def test_a_legacy_file_is_named_after_its_revision(case: Case) -> None:
    agree(case, project(case, "legacy", {
        "0a1b.py": "down_revision = None\n", "c0ffee.py": "down_revision = '0a1b'\n"}))
    ini = project(case, "no_id", {"xyz.py": "down_revision = None\n"})
    assert kinds(agent_document(case, ini)) == ["unreadable"] and alembic_fails(ini)


# ---- what is only known at run time -------------------------------------------------------------

COMPUTED = {
    "f-string": "x = 1\nrevision = f'b{x}'\ndown_revision = 'a'\n",
    "percent": "\nrevision = '%s' % 'b'\ndown_revision = 'a'\n",
    "format": "\nrevision = '{}'.format('b')\ndown_revision = 'a'\n",
    "file's name": "import os\nrevision = os.path.basename(__file__)[2:-3]\ndown_revision = 'a'\n",
    "environment": "import os\nrevision = os.environ.get('NOPE', 'b')\ndown_revision = 'a'\n",
    "imported": "revision = 'b'\nfrom string import digits as down_revision; down_revision = 'a'\n"
                "from os import sep as revision\nrevision = 'b'.strip()\n",
    "another name": "x = 'b'\nrevision = x\ndown_revision = 'a'\n",
    "loop": "down_revision = 'a'\nfor revision in ['b']: pass\n",
    "loop's body": "down_revision = 'a'; x = 1\nfor x in 'b': revision = x\n",
    "condition": "import os; down_revision = 'a'; revision = 'x'\nif os.sep: revision = 'b'\n",
    "handler": "down_revision = 'a'\ntry: 1/0\nexcept ZeroDivisionError: revision = 'b'\n",
    "walrus": "down_revision = 'a'\nstr((revision := 'b'))\n",
    "augmented": "revision, down_revision = '', 'a'\nrevision += 'b'\n",
    "exec": "revision, down_revision = 'x', 'a'\nexec(\"revision = 'b'\")\n",
    "globals": "revision, down_revision = 'x', 'a'\nglobals()['revision'] = 'b'\n",
    "global": "revision, down_revision = 'x', 'a'\n\ndef f():\n    global revision\n"
              "    revision = 'b'\nf()\n",
    "attribute": "import types; o = types.SimpleNamespace(r='b')\nrevision = o.r\n"
                 "down_revision = 'a'\n",
    "call": "\nrevision = str('b')\ndown_revision = 'a'\n",
    "choice": "\nrevision = 'b' if True else 'c'\ndown_revision = 'a'\n",
    "star": "down_revision = 'a'\n*rest, revision = 'x', 'y', 'b'\n",
    "letters": "down_revision = 'a'\nrevision, x = 'bc'\n",
    "function": "down_revision = 'a'\ndef revision(): pass\nrevision = 'b'[:]\n",
    "list comprehension": "revision = 'b'\ndown_revision = [x for x in 'a']\n",
    "named character": "\nrevision = '\\N{LATIN SMALL LETTER B}'[0]\ndown_revision = 'a'\n",
}


def test_a_computed_value_is_an_error_with_its_line(case: Case) -> None:
    for number, (name, text) in enumerate(COMPUTED.items()):
        ini = project(case, f"computed{number}", {"1_a.py": FIRST, "0_b.py": text})
        document = agent_document(case, ini)
        where = [(error["kind"], error["file"], error.get("line")) for error in document["errors"]]
        line = {"function": 3, "handler": 3, "imported": 4, "global": 4}.get(name, 2)
        expected = ("computed", "0_b.py", line)
        got = [(kind, Path(file).name, at) for kind, file, at in where]
        assert got[:1] == [expected], f"{name}: {document['errors']}"
        assert not alembic_fails(ini), name


def test_a_file_that_python_could_not_run_is_read_all_the_same(case: Case) -> None:
    ini = project(case, "broken_import", {
        "a.py": "import no_such_module_anywhere\nrevision = 'a'\ndown_revision = None\n"})
    assert alembic_fails(ini)
    assert agent_document(case, ini)["heads"] == ["a"]


# ---- errors -------------------------------------------------------------------------------------


def simple(revision: Any, down: Any = None, **more: Any) -> str:
    lines = [f"revision = {revision!r}", f"down_revision = {down!r}"]
    return "\n".join(lines + [f"{name} = {value!r}" for name, value in more.items()]) + "\n"


ERRORS = {
    "missing parent": (["missing-parent"], {"a.py": simple("a", "nope")}),
    "prefix is no match": (["missing-parent"], {"a.py": simple("abcdef"),
                                                "b.py": simple("b", "abcd")}),
    "case counts": (["missing-parent"], {"a.py": simple("a"), "b.py": simple("b", "A")}),
    "base is no None": (["missing-parent"], {"a.py": simple("a", "base")}),
    "empty is no None": (["missing-parent"], {"a.py": simple("a", "")}),
    "missing dependency": (["missing-parent"], {"a.py": simple("a", depends_on="nope")}),
    "parent is a label": (["missing-parent"], {"a.py": simple("a", branch_labels="l"),
                                               "b.py": simple("b", "l")}),
    "base with an empty dependency": (["missing-parent"], {"a.py": simple("a", depends_on="")}),
    "self-loop": (["cycle"], {"a.py": simple("a", "a")}),
    "self-dependency": (["cycle"], {"a.py": simple("a", depends_on=("a",))}),
    "dependency on the own label": (["cycle"], {"a.py": simple("a", branch_labels="l",
                                                               depends_on="l")}),
    "cycle": (["cycle"], {"a.py": simple("a", "c"), "b.py": simple("b", "a"),
                          "c.py": simple("c", "b")}),
    "cycle beside a chain": (["cycle"], {"x.py": simple("x"), "y.py": simple("y", "x"),
                                         "a.py": simple("a", "b"), "b.py": simple("b", "a")}),
    "cycle through dependencies": (["cycle"], {"a.py": simple("a", depends_on="b"),
                                               "b.py": simple("b", depends_on="a")}),
    "label is an id": (["duplicate"], {"a.py": simple("a"), "b.py": simple("b", "a",
                                                                           branch_labels="a")}),
    "label used twice": (["duplicate"], {"a.py": simple("a", branch_labels="l"),
                                         "b.py": simple("b", "a", branch_labels=("m", "l"))}),
    "no down_revision": (["unreadable"], {"a.py": "revision = 'a'\n"}),
    "illegal @": (["unreadable"], {"a.py": simple("a@b")}),
    "illegal -": (["unreadable"], {"a.py": simple("a-b")}),
    "illegal +": (["unreadable"], {"a.py": simple("a+b")}),
    "illegal :": (["unreadable"], {"a.py": simple("a:b")}),
    "id is None": (["unreadable"], {"a.py": simple(None)}),
    "id is a number": (["unreadable"], {"a.py": simple(7)}),
    "parent is a number": (["unreadable"], {"a.py": simple("a", 7)}),
    "None among parents": (["unreadable"], {"a.py": simple("a"), "b.py": simple("b", ("a", None))}),
    "open string": (["unreadable"], {"a.py": "revision = 'a\ndown_revision = None\n"}),
    "open bracket": (["unreadable"], {"a.py": "revision = 'a'\ndown_revision = (None\n"}),
    "closing bracket": (["unreadable"], {"a.py": "revision = 'a')\ndown_revision = None\n"}),
}


def test_what_alembic_refuses_is_an_error_with_file_and_line(case: Case) -> None:
    for number, (name, (expected, files)) in enumerate(ERRORS.items()):
        ini = project(case, f"error{number}", files)
        document = agent_document(case, ini)
        assert kinds(document) == expected, f"{name}: {document['errors']}"
        for error in document["errors"]:
            assert Path(error["file"]).name in files and error["line"] >= 1, (name, error)
            assert error["message"].startswith(f"{error['file']}:{error['line']}: "), error
        assert alembic_fails(ini), name


def test_a_duplicate_id_is_an_error_though_alembic_only_warns(case: Case) -> None:
    ini = project(case, "twice", {"1.py": simple("a"), "2.py": simple("b", "a"),
                                  "3.py": simple("b", "a")})
    document = agent_document(case, ini)
    assert kinds(document) == ["duplicate"], document["errors"]
    assert "1.py" not in document["errors"][0]["message"]
    assert document["errors"][0]["message"].count(".py") == 2
    assert not alembic_fails(ini)


def test_a_cycle_that_alembic_overlooks_is_an_error(case: Case) -> None:
    ini = project(case, "hidden_cycle", {
        "a.py": simple("a"), "b.py": simple("b", ("a", "c")), "c.py": simple("c", "b"),
        "d.py": simple("d", "b")})
    assert kinds(agent_document(case, ini)) == ["cycle"]
    assert not alembic_fails(ini)


# ---- random graphs ------------------------------------------------------------------------------


class Node(NamedTuple):
    """A revision of a random graph."""

    revision: str
    down: Tuple[str, ...]
    depends_on: Tuple[str, ...]
    labels: Tuple[str, ...]


def some(dice: random.Random, names: Sequence[str], most: int) -> Tuple[str, ...]:
    return tuple(dice.sample(list(names), min(len(names), dice.randint(1, most))))


def random_nodes(dice: random.Random) -> List[Node]:
    """Revisions whose parents come before them."""
    nodes: List[Node] = []
    labels: List[str] = []
    merging, depending, rooting = dice.random() / 2, dice.random() / 2, dice.random() / 4
    for number in range(dice.randint(1, LARGEST_GRAPH)):
        before = [node.revision for node in nodes]
        revision = f"{dice.getrandbits(32):08x}"
        if revision in before:
            continue
        recent = before[-4:] if dice.random() < 0.7 else before
        down: Tuple[str, ...] = ()
        if before and dice.random() > rooting:
            down = some(dice, recent, 3 if dice.random() < merging else 1)
        depends_on: Tuple[str, ...] = ()
        if before and dice.random() < depending:
            depends_on = some(dice, before + labels, 3)
        own: Tuple[str, ...] = ()
        if dice.random() < 0.1:
            own = tuple(f"l{number}{letter}" for letter in "xy"[:dice.randint(1, 2)])
        nodes.append(Node(revision, down, depends_on, own))
        labels.extend(own)
    return nodes


def written(dice: random.Random, names: Tuple[str, ...]) -> str:
    """Names as one of the forms that mean them."""
    if not names:
        return dice.choice(["None", "()", "[]"])
    if len(names) == 1 and dice.random() < 0.7:
        return dice.choice([f"'{names[0]}'", f'"{names[0]}"', f"('{names[0]}')"])
    inside = ", ".join(f"'{name}'" for name in names)
    return dice.choice([f"({inside},)", f"[{inside}]", f"(\n    {inside},\n)"])


def random_files(dice: random.Random, nodes: Sequence[Node]) -> Dict[str, str]:
    files = {}
    for node in nodes:
        lines = [f'"""message of {node.revision}\n\nRevises: nothing\n"""']
        lines += [f"revision = '{node.revision}'", f"down_revision = {written(dice, node.down)}"]
        lines += [f"depends_on = {written(dice, node.depends_on)}"]
        lines += [f"branch_labels = {written(dice, node.labels)}"]
        lines += ["def upgrade():", f"    revision = '{node.revision}x'", ""]
        files[f"{dice.getrandbits(16):04x}_{node.revision}.py"] = "\n".join(lines)
    return files


def seeds() -> Iterator[int]:
    """Fixed ones, and some that are new in each run."""
    yield from range(RANDOM_GRAPHS)
    fresh = int(time.time())
    yield from range(fresh, fresh + RANDOM_GRAPHS // 10)


def test_random_graphs_have_alembics_heads_bases_and_order(case: Case) -> None:
    for seed in seeds():
        dice = random.Random(seed)
        nodes = random_nodes(dice)
        ini = project(case, f"random{seed}", random_files(dice, nodes))
        try:
            view = agree(case, ini)
            assert len(view.order) == len(nodes)
        except AssertionError as problem:
            raise AssertionError(f"seed {seed}: {problem}\n{nodes}") from None


def has_cycle(nodes: Sequence[Node]) -> bool:
    """Whether something comes before itself, by what the files say."""
    names = {label: node.revision for node in nodes for label in node.labels}
    names.update({node.revision: node.revision for node in nodes})
    ids = {node.revision for node in nodes}
    waiting = {node.revision: ids.intersection(node.down) | {
        names[name] for name in node.depends_on if name in names} for node in nodes}
    while ready := [name for name, parents in waiting.items() if not parents & set(waiting)]:
        for name in ready:
            del waiting[name]
    return bool(waiting)


def damaged(dice: random.Random, nodes: List[Node]) -> List[Node]:
    """The same with one thing changed that may make it wrong."""
    at = dice.randrange(len(nodes))
    node = nodes[at]
    other = dice.choice(nodes)
    changed = dice.choice([
        node._replace(down=node.down + (other.revision,)),
        node._replace(depends_on=node.depends_on + (other.revision,)),
        node._replace(down=("nope",)), node._replace(depends_on=("nope",)),
        node._replace(labels=node.labels + (other.revision,)),
        node._replace(labels=node.labels + other.labels),
        node._replace(down=other.labels[:1] or node.down)])
    return nodes[:at] + [changed] + nodes[at + 1:]


def test_damaged_random_graphs_are_errors_where_they_are_for_alembic(case: Case) -> None:
    refused = 0
    for seed in seeds():
        dice = random.Random(seed)
        nodes = damaged(dice, random_nodes(dice))
        ini = project(case, f"damaged{seed}", random_files(dice, nodes))
        document = agent_document(case, ini)
        assert ("cycle" in kinds(document)) == has_cycle(nodes), f"seed {seed}: {document['errors']}"
        if has_cycle(nodes):
            continue  # Alembic may overlook it, and then never ends
        theirs = alembic_fails(ini)
        assert bool(kinds(document)) == theirs, f"seed {seed}: {document['errors']}\n{nodes}"
        if not theirs:
            agree(case, ini)
        refused += theirs
    assert refused > RANDOM_GRAPHS // 5, refused


# ---- settings -----------------------------------------------------------------------------------


# Run with the folders as arguments; prints what `alembic -c ../conf/alembic.ini heads` finds in each.
# One process for all: starting Alembic takes longer than what it is asked.
ASK_ALEMBIC = """
import json, os, sys, warnings
from alembic.script import ScriptDirectory
from alembic.config import Config
warnings.simplefilter("ignore")
answers = []
for folder in sys.argv[1:]:
    os.chdir(folder)
    try:
        config = Config("../conf/alembic.ini", toml_file="pyproject.toml")
        answers.append(sorted(ScriptDirectory.from_config(config).get_heads()))
    except Exception:
        answers.append(None)
print(json.dumps(answers))
"""


def heads_by_command(case: Case, cwd: Path, *options: str) -> Optional[List[str]]:
    """What `alembic heads` prints, run in that folder; None when it fails."""
    result = case.tool(sys.executable, "-W", "ignore", "-m", "alembic", *options, "heads", cwd=cwd)
    if result.code != 0:
        return None
    return sorted(line.split(" (")[0] for line in result.stdout.splitlines())


def heads_by_agent(case: Case, cwd: Path, path: str) -> Optional[List[str]]:
    result = case.agent("graph", "--json", path, cwd=cwd)
    if result.code == 0:
        return sorted(result.json()["heads"])
    document = result.json()
    assert document.get("error", {}).get("message") or document.get("errors"), result
    return None


def settings_tree(case: Case, name: str) -> Path:
    """Folders with one revision each, named after the folder: conf/, here/, cwd/."""
    top = case.folder.path / name
    for folder in ("conf/here/versions", "conf/more", "conf/with space", "cwd/migrations/versions",
                   "cwd/one", "cwd/two", "cwd/conf"):
        place = top / folder
        place.mkdir(parents=True)
        revision = folder.replace("/", " ")
        (place / f"{revision.split(' ')[0]}.py").write_text(simple(revision))
    return top


# name: (conf/alembic.ini, cwd/pyproject.toml)
SETTINGS: Dict[str, Tuple[str, str]] = {
    "here": ("[alembic]\nscript_location = %(here)s/here\n", ""),
    "relative is the working folder's": ("[alembic]\nscript_location = migrations\n", ""),
    "dots": ("[alembic]\nscript_location = ./migrations/../migrations/.\n", ""),
    "colon as delimiter": ("[alembic]\nScript_Location : migrations\n", ""),
    "comments": ("# c\n; c\n[alembic]\n# script_location = x\nscript_location = migrations\n", ""),
    "a comment behind a value belongs to it": ("[alembic]\nscript_location = migrations # x\n", ""),
    "default section": ("[DEFAULT]\nbase = %(here)s\n[alembic]\n"
                        "script_location = %(base)s/here\n", ""),
    "option of the section": ("[alembic]\nd = here\nscript_location = %(here)s/%(D)s\n", ""),
    "here can be set": ("[DEFAULT]\nhere = .\n[alembic]\nscript_location = %(here)s/migrations\n",
                        ""),
    "percent": ("[alembic]\nx = 100%%\nscript_location = migrations\n", ""),
    "bare percent": ("[alembic]\nscript_location = %here\n", ""),
    "unknown name": ("[alembic]\nscript_location = %(nope)s/x\n", ""),
    "interpolates itself": ("[alembic]\nscript_location = %(script_location)s\n", ""),
    "no option": ("[alembic]\nsqlalchemy.url = x\n", ""),
    "no section": ("[other]\nscript_location = migrations\n", ""),
    "no header": ("script_location = migrations\n", ""),
    "section twice": ("[alembic]\nscript_location = migrations\n[x]\n[x]\n", ""),
    "option twice": ("[alembic]\nscript_location = migrations\n[x]\na = 1\nA = 2\n", ""),
    "line without delimiter": ("[alembic]\nscript_location = migrations\nnonsense\n", ""),
    "missing folder": ("[alembic]\nscript_location = nowhere\n", ""),
    "package": ("[alembic]\nscript_location = no_such_package:migrations\n", ""),
    "separator os": ("[alembic]\nscript_location = migrations\npath_separator = os\n"
                     "version_locations = one:two:%(here)s/more\n", ""),
    "separator space": ("[alembic]\nscript_location = migrations\npath_separator = space\n"
                        "version_locations = one  two\n", ""),
    "separator newline": ("[alembic]\nscript_location = migrations\npath_separator = newline\n"
                          "version_locations =\n    one\n\n    # c\n    %(here)s/with space\n", ""),
    "separator ;": ("[alembic]\nscript_location = migrations\npath_separator = ;\n"
                    "version_locations = one; two ;;\n", ""),
    "separator :": ("[alembic]\nscript_location = migrations\npath_separator = :\n"
                    "version_locations = one : two\n", ""),
    "old separator": ("[alembic]\nscript_location = migrations\nversion_path_separator = :\n"
                      "version_locations = one:two\n", ""),
    "both separators": ("[alembic]\nscript_location = migrations\nversion_path_separator = ;\n"
                        "path_separator = :\nversion_locations = one:two\n", ""),
    "no separator": ("[alembic]\nscript_location = migrations\nversion_locations = one,  two\n", ""),
    "no separator, blanks": ("[alembic]\nscript_location = migrations\n"
                             "version_locations = one   two\n", ""),
    "wrong separator": ("[alembic]\nscript_location = migrations\npath_separator = ,\n"
                        "version_locations = one,two\n", ""),
    "missing location is skipped": ("[alembic]\nscript_location = migrations\npath_separator = os\n"
                                    "version_locations = one:nowhere\n", ""),
    "location twice": ("[alembic]\nscript_location = migrations\npath_separator = os\n"
                       "version_locations = one:./one:two\n", ""),
    "empty locations": ("[alembic]\nscript_location = migrations\nversion_locations =\n", ""),
    "toml fills in": ("[alembic]\nx = y\n", "[tool.alembic]\nscript_location = 'migrations'\n"),
    "toml's here": ("[alembic]\nx = y\n",
                    "[tool.alembic]\nscript_location = \"%(here)s/migrations\"\n"),
    "ini wins": ("[alembic]\nscript_location = %(here)s/here\n",
                 "[tool.alembic]\nscript_location = 'migrations'\n"),
    "toml's locations leak in": ("[alembic]\nscript_location = %(here)s/here\n",
                                 "[tool.alembic]\nversion_locations = ['one', \"two\"]\n"),
    "toml's recursion": ("[alembic]\nscript_location = %(here)s\npath_separator = os\n"
                         "version_locations = .\n", "[tool.alembic]\n"
                         "recursive_version_locations = true\n"),
    "ini's recursion wins": ("[alembic]\nscript_location = %(here)s\npath_separator = os\n"
                             "version_locations = .\nrecursive_version_locations = false\n",
                             "[tool.alembic]\nrecursive_version_locations = true\n"),
    "boolean as a string": ("[alembic]\nscript_location = migrations\n",
                            "[tool.alembic]\nrecursive_version_locations = 'true'\n"),
    "toml's percent": ("[alembic]\nx = y\n", "[tool.alembic]\nscript_location = '100%%'\n"),
    "toml's bare percent": ("[alembic]\nx = y\n", "[tool.alembic]\nscript_location = '%(nope)s'\n"),
    "dotted keys": ("[alembic]\nx = y\n", "tool.alembic.script_location = 'migrations'\n"),
    "dotted in a table": ("[alembic]\nx = y\n", "[tool]\n'alembic' . \"script_location\" = "
                          "'migrations' # c\n"),
    "inline table": ("[alembic]\nx = y\n", "tool = {x.y = 1, alembic = {script_location = "
                     "'migrations', version_locations = ['one',\n 'two', # c\n]}}\n"),
    "strings of toml": ("[alembic]\nx = y\n", "[tool.alembic]\nscript_location = \"\"\"\\\n   "
                        "m\\u0069grations\"\"\"\nversion_locations = ['''one''', '''\ntwo''']\n"),
    "other tables": ("[alembic]\nx = y\n", "# c\n[project]\nname = \"x\"\ndates = [1979-05-27, "
                     "1979-05-27T07:32:00Z, 07:32:00, 1979-05-27 07:32:00]\n"
                     "n = [1_000, 0xff, -1.5e+3, inf, -nan, true]\nq = \"\"\"a \"\"b\"\" \"\"\"\"\n"
                     "r = '''it''s [tool.alembic]\nscript_location = 'x' '''\n"
                     "[[tool.alembic_other]]\nscript_location = 'x'\n[tool.alembic.inner]\n"
                     "script_location = 'x'\n[\"tool\".alembic]\nscript_location = 'migrations'\n"
                     "[[tool.x.alembic]]\nscript_location = 'x'\n"),
    "broken toml": ("[alembic]\nscript_location = migrations\n", "[tool.alembic\n"),
    "toml without quotes": ("[alembic]\nscript_location = migrations\n", "a = nonsense\n"),
}


def test_settings_are_resolved_as_alembic_resolves_them(case: Case) -> None:
    differ = []
    folders = []
    for number, (ini_text, toml_text) in enumerate(SETTINGS.values()):
        top = settings_tree(case, f"settings{number}")
        (top / "conf" / "alembic.ini").write_text(ini_text)
        (top / "cwd" / "pyproject.toml").write_text(toml_text)
        folders.append(top / "cwd")
    asked = case.tool(sys.executable, "-c", ASK_ALEMBIC, *map(str, folders)).expect(0).json()
    for name, folder, theirs in zip(SETTINGS, folders, asked):
        ours = heads_by_agent(case, folder, "../conf/alembic.ini")
        if ours != theirs:
            differ.append(f"{name}: agent {ours}, alembic {theirs}")
    assert not differ, "\n".join(differ)
    assert sum(theirs is not None for theirs in asked) > len(SETTINGS) // 2


def test_the_command_line_of_alembic_says_the_same(case: Case) -> None:
    top = settings_tree(case, "command")
    (top / "conf" / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/here\n")
    (top / "cwd" / "pyproject.toml").write_text("[tool.alembic]\nversion_locations = ['one']\n")
    ours = heads_by_agent(case, top / "cwd", "../conf/alembic.ini")
    assert ours == heads_by_command(case, top / "cwd", "-c", "../conf/alembic.ini") == ["cwd one"]


def test_pyproject_alone_and_with_an_ini_beside_it(case: Case) -> None:
    top = settings_tree(case, "pyproject")
    cwd = top / "cwd"
    (cwd / "pyproject.toml").write_text("[tool.alembic]\nscript_location = '%(here)s/migrations'\n")
    assert heads_by_agent(case, cwd, "pyproject.toml") == ["cwd migrations versions"]
    assert heads_by_command(case, cwd, "-c", "pyproject.toml") == ["cwd migrations versions"]
    (cwd / "alembic.ini").write_text("[alembic]\npath_separator = os\nversion_locations = one\n")
    assert heads_by_agent(case, cwd, "pyproject.toml") == ["cwd one"]
    assert heads_by_command(case, cwd, "-c", "pyproject.toml") == ["cwd one"]


def test_a_script_folder_is_enough(case: Case) -> None:
    top = settings_tree(case, "folder")
    assert heads_by_agent(case, top / "cwd", "migrations") == ["cwd migrations versions"]
    assert heads_by_agent(case, top / "cwd", "one") is None  # neither versions nor env.py
    (top / "cwd" / "one" / "env.py").write_text("")
    assert heads_by_agent(case, top / "cwd", "one") == []
    assert heads_by_agent(case, top / "cwd", "nowhere") is None


def test_what_cannot_be_resolved_says_what_to_do(case: Case) -> None:
    top = settings_tree(case, "advice")
    ini = top / "cwd" / "alembic.ini"
    for text, parts in [
            ("script_location = pkg:migrations\n", ["pkg:migrations", "heads", "stamp"]),
            ("script_location = migrations\nsourceless = true\n", ["sourceless", "heads"]),
            ("script_location = migrations\npath_separator = os\nversion_locations = a;b:c\n", [])]:
        ini.write_text("[alembic]\n" + text)
        result = case.agent("graph", "--json", "alembic.ini", cwd=top / "cwd")
        if parts:
            error = result.expect(2).json()["error"]
            said = error["message"] + error["hint"]
            assert all(part in said for part in parts), error


def test_the_example_backend(case: Case) -> None:
    ini = ROOT / "examples" / "acme" / "alembic.ini"
    if not ini.exists():
        case.skip("examples/acme has no alembic.ini")
    document = agent_document(case, ini, cwd=ini.parent)
    assert document["errors"] == []
    assert sorted(document["heads"]) == heads_by_command(case, ini.parent)


# ---- pictures -----------------------------------------------------------------------------------


def test_pictures_are_the_same_each_time_and_well_formed(case: Case) -> None:
    import xml.etree.ElementTree as xml

    dice = random.Random(7)
    nodes = random_nodes(dice)
    nodes.append(Node("<&\"'>", (nodes[-1].revision,), (), ("l<",)))
    files = random_files(dice, nodes[:-1])
    files["last.py"] = '"""<message> & "more" """\n' + simple("<&\"'>", nodes[-2].revision,
                                                              branch_labels="l<")
    ini = project(case, "pictures", files)
    for name in ("text", "dot", "mermaid", "svg"):
        first = case.agent("graph", "--format", name, str(ini)).expect(0).raw_stdout
        assert first == case.agent("graph", "--format", name, str(ini)).expect(0).raw_stdout
        for node in nodes[:-1]:
            assert node.revision.encode() in first, name
        if name == "svg":
            assert xml.fromstring(first).tag.endswith("svg")
