"""What a guard writes for others to read: SARIF against its JSON Schema, the page in a real browser.

The reports are made up (tests/lib/guard_sample.h); the unit test's program prints them."""
from __future__ import annotations

import base64
import glob
import hashlib
import json
import re
import shutil
import struct
import tempfile
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple

import jsonschema

from tests.lib.case import Case
from tests.lib.processes import ROOT

SAMPLES = ["equal", "different", "failed", "hostile", "nothing"]
SCHEMA = ROOT / "build" / "venv" / "share" / "sarif-2.1.0.json"
BROWSERS = ["chromium", "google-chrome"]
QT_BROWSER = ["/usr/bin/python3", str(ROOT / "tests" / "lib" / "qtbrowser.py")]
QT_ENGINE = "/usr/lib/python3/dist-packages/PyQt6/QtWebEngineWidgets*.so"
BROWSER_OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update",
                   "--disable-sync"]
DIFFERENCES = 10  # of the sample "different"
REVISION = '"""add orders"""\n\nrevision = "8d3f0c51"\ndown_revision = None\n'


def sample(case: Case, name: str, form: str, *more: str) -> str:
    """A made-up report in a format."""
    program = case.make_agent().binary.parent / "unit" / "bootstrap_guard_report"
    return case.tool(str(program), name, form, *more).expect(0).stdout


# ---- for programs -------------------------------------------------------------------------------


def test_sarif_is_valid_against_its_schema(case: Case) -> None:
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())
    for name in SAMPLES:
        log = json.loads(sample(case, name, "sarif"))
        problems = [f"{list(each.absolute_path)}: {each.message}"
                    for each in validator.iter_errors(log)]
        assert not problems, (name, problems)


def test_sarif_results_name_their_rule_twice_and_alike(case: Case) -> None:
    for name in SAMPLES:
        run = json.loads(sample(case, name, "sarif"))["runs"][0]
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert len(set(rules)) == len(rules)
        for result in run["results"]:
            assert rules[result["ruleIndex"]] == result["ruleId"]


def test_findings_point_to_the_revision_that_touched_the_object(case: Case) -> None:
    case.folder.write("db/versions/8d3f0c51 add#orders.py", REVISION)
    absolute = str(case.folder.path / "db")
    for folder in ("db", "./db", absolute):
        run = json.loads(sample(case, "different", "sarif", folder))["runs"][0]
        places = [result["locations"][0].get("physicalLocation") for result in run["results"]
                  if "locations" in result]
        assert [each for each in places if each] == 3 * [{
            "artifactLocation": {"uri": "db/versions/8d3f0c51%20add%23orders.py"},
            "region": {"startLine": 3}}]
        lines = sample(case, "different", "github", folder).splitlines()
        assert sum("file=db/versions/8d3f0c51 add#orders.py,line=3," in each for each in lines) == 3
        assert lines[1].startswith("::error title=agent guard::path A: migrating again")


def test_a_file_outside_of_the_working_directory_is_a_whole_uri(case: Case) -> None:
    with tempfile.TemporaryDirectory() as outside:
        versions = Path(outside) / "versions"
        versions.mkdir()
        (versions / "8d3f0c51.py").write_text(REVISION)
        assert f'"uri":"file://{versions}/8d3f0c51.py"' in sample(case, "different", "sarif", outside)


def test_json_has_the_fields_that_were_promised(case: Case) -> None:
    for name in SAMPLES:
        said: Dict[str, Any] = json.loads(sample(case, name, "json"))
        assert set(said["paths"]) == set(said["stamp"]) == set(said["idempotent"]) == {"a", "b"}
        for path in said["paths"].values():
            assert isinstance(path["ok"], bool) and isinstance(path["duration_ms"], int)
            assert path["error"] is None or path["error"]
        for each in said["differences"]:
            assert set(each) == {"kind", "class", "object", "a", "b", "revision", "ignored"}
            assert each["class"] in ("semantic", "textual", "cosmetic")


# ---- the page, read as text ---------------------------------------------------------------------


class Page(HTMLParser):
    """What of a page the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: List[Tuple[str, bool]] = []  # class, hidden
        self.sections: List[Tuple[Optional[str], bool]] = []
        self.title = self.shown = self.text = self.policy = ""
        self.inline: Dict[str, str] = {}
        self.tags: Set[str] = set()
        self.addresses: List[str] = []
        self.form_hidden = False
        self._inside: List[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        known = dict(attrs)
        self.tags.add(tag)
        self._inside.append(tag)
        self.addresses += [value or "" for name, value in attrs
                           if name in ("src", "href", "action", "data", "srcset")]
        if tag == "tr" and "data-class" in known:
            self.rows.append((known["data-class"] or "", "hidden" in known))
        if tag == "section":
            self.sections.append((known.get("class"), "hidden" in known))
        if tag == "form":
            self.form_hidden = "hidden" in known
        if tag == "meta" and known.get("http-equiv") == "Content-Security-Policy":
            self.policy = known.get("content") or ""

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        here = self._inside[-1] if self._inside else ""
        if here in ("style", "script"):
            self.inline[here] = self.inline.get(here, "") + data
        elif here == "title":
            self.title += data
        elif here == "output":
            self.shown += data
        else:
            self.text += data

    @property
    def visible(self) -> List[str]:
        """The classes of the rows that are shown."""
        return [name for name, hidden in self.rows if not hidden]


def test_the_page_needs_nothing_else(case: Case) -> None:
    for name in SAMPLES:
        page = Page(sample(case, name, "html"))
        assert page.addresses == []
        assert not page.tags & {"link", "img", "iframe", "object", "embed", "base", "video", "audio"}
        assert "url(" not in page.inline["style"] and "@import" not in page.inline["style"]


def test_the_page_admits_its_own_style_and_script_alone(case: Case) -> None:
    page = Page(sample(case, "different", "html"))
    assert page.policy.startswith("default-src 'none'; ")
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.inline[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy, \
            f"bootstrap/guard_page.c: guard_page_{kind}_hash must be {digest}"


def test_without_a_script_everything_is_shown_and_no_filter(case: Case) -> None:
    page = Page(sample(case, "different", "html"))
    assert len(page.visible) == DIFFERENCES and page.form_hidden


# ---- the page, in a browser -----------------------------------------------------------------------


def browse(case: Case, name: str, *options: str, fragment: str = "") -> str:
    """Open a sample from a file; what the browser prints."""
    there = next(filter(None, map(shutil.which, BROWSERS)), None)
    browser = [str(there)] if there else QT_BROWSER if glob.glob(QT_ENGINE) else []
    if not browser:
        case.skip("there is no Chromium here")
    page = case.folder.path / f"{name}.html"
    if not page.exists():
        page.write_text(sample(case, name, "html"))
    with tempfile.TemporaryDirectory() as profile:
        return case.tool(*browser, *BROWSER_OPTIONS, f"--user-data-dir={profile}", *options,
                         page.as_uri() + fragment).expect(0).stdout


def opened(case: Case, name: str, fragment: str = "") -> Page:
    """The page as it is once its script has run."""
    return Page(browse(case, name, "--dump-dom", fragment=fragment))


def test_the_browser_shows_everything_at_first(case: Case) -> None:
    page = opened(case, "different")
    assert len(page.visible) == DIFFERENCES and not page.form_hidden
    assert page.shown == "10 of 10 shown"
    assert page.title.startswith("Not equal")
    assert opened(case, "equal").title.startswith("Equal")


def test_the_address_filters_by_class_and_words(case: Case) -> None:
    page = opened(case, "different", "#class=textual")
    assert page.visible == ["textual"] and page.shown == "1 of 10 shown"
    assert page.sections == [("semantic", True), ("textual", False), ("cosmetic", True)]
    page = opened(case, "different", "#q=ORDERS%208d3f&class=semantic,cosmetic")
    assert page.visible == ["semantic", "semantic"] and page.shown == "2 of 10 shown"
    page = opened(case, "different", "#q=nothing-has-this")
    assert page.visible == [] and all(hidden for _, hidden in page.sections)
    assert opened(case, "different", "#class=ignored").visible == ["ignored"]


def test_foreign_text_does_not_run(case: Case) -> None:
    page = opened(case, "hostile")
    assert page.title.startswith("Not equal")
    assert "img" not in page.tags
    assert "</script><script>document.title='owned'</script>" in page.text
    assert page.shown == "1 of 1 shown"


def colors(png: bytes) -> Set[bytes]:
    """The colours of a picture of eight bits, RGB or RGBA, without interlacing, as PNG defines it."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", body)
        packed += body if kind == b"IDAT" else b""
        at += length + 12
    assert (depth, interlaced) == (8, 0) and color in (2, 6)
    size = 3 if color == 2 else 4
    raw, stride = zlib.decompress(packed), width * size
    above, seen = bytearray(stride), set()
    for row in range(height):
        start = row * (stride + 1)
        line = unfilter(raw[start], bytearray(raw[start + 1:start + 1 + stride]), above, size)
        seen |= {bytes(line[i:i + 3]) for i in range(0, stride, size)}
        above = line
    return seen


def unfilter(kind: int, line: bytearray, above: bytearray, size: int) -> bytearray:
    """One line of pixels from what its filter made of it (PNG, "Filter Algorithms")."""
    for i in range(len(line)):
        left = line[i - size] if i >= size else 0
        corner = above[i - size] if i >= size else 0
        if kind == 1:
            line[i] = (line[i] + left) & 255
        elif kind == 2:
            line[i] = (line[i] + above[i]) & 255
        elif kind == 3:
            line[i] = (line[i] + (left + above[i]) // 2) & 255
        elif kind == 4:
            guess = left + above[i] - corner
            line[i] = (line[i] + min((left, above[i], corner),
                                     key=lambda each: abs(guess - each))) & 255
    return line


def test_the_picture_has_the_marks_of_both_sides_in_light_and_dark(case: Case) -> None:
    picture = case.folder.path / "page.png"
    for scheme, a, b in (("1", "ffd7d0", "c9f2d2"), ("0", "6e2521", "1c5530")):
        browse(case, "different", f"--screenshot={picture}", "--window-size=700,1000",
               f"--blink-settings=preferredColorScheme={scheme}",
               fragment="#q=orders.total&class=semantic")
        seen = colors(picture.read_bytes())
        assert {bytes.fromhex(a), bytes.fromhex(b)} <= seen, scheme
