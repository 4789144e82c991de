"""The part of docs/ROTATION.md that is made from the machine's table, by way of `agent help rotation`.

    python -m tests.lib.rotation_doc --write AGENT      rewrite it
"""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import List, Tuple

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "ROTATION.md"
BEGIN, END = "<!-- machine:begin -->\n", "<!-- machine:end -->\n"
ROW = re.compile(r"^  (\w+) +(\w+) +(?:-> (\w+)|(ends)(?: at (\w+))?|(refused))(?: \((.*)\))?$")
Row = Tuple[str, str, str, str]  # state, event, what follows, why


def rows_of(text: str) -> List[Row]:
    """The table in the help text."""
    rows: List[Row] = []
    for line in text.split("what follows\n", 1)[1].splitlines():
        found = ROW.match(line)
        if not found:
            raise ValueError(f"no row of the machine: {line!r}")
        state, event, following, ends, at, _refused, why = found.groups()
        what = following or (("stays at " + at if at else "ends") if ends else "refused")
        rows.append((state, event, what, why or ""))
    return rows


def steps_of(text: str) -> List[Tuple[str, str]]:
    """The steps and what each does."""
    head = text.split("\nstate ", 1)[0]
    return [(name, effect) for name, effect in re.findall(r"^  (\w+) +(.+)$", head, re.MULTILINE)]


def picture(rows: List[Row]) -> List[str]:
    """What goes on by itself or by an option, as a mermaid diagram; what stays where it is, is in the table."""
    lines = ["```mermaid", "stateDiagram-v2"]
    for state, event, what, _why in rows:
        source = "[*]" if state == "none" else state
        if what == "ends" and state != "none":
            lines.append(f"    {source} --> [*]: {event}")
        elif what not in ("ends", "refused", state) and not what.startswith("stays"):
            lines.append(f"    {source} --> {what}: {event}")
    return lines + ["```"]


def generated(text: str) -> str:
    """The document's part, from the text of `agent help rotation`."""
    rows = rows_of(text)
    lines = ["| step | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {effect} |" for name, effect in steps_of(text)]
    lines += ["", *picture(rows), "", "| state | event | what follows | why |", "|---|---|---|---|"]
    lines += [f"| {state} | {event} | {what} | {why} |" for state, event, what, why in rows]
    return "\n".join(lines) + "\n"


def put_into(document: str, part: str) -> str:
    """The document with that part between its marks."""
    before, rest = document.split(BEGIN, 1)
    _old, after = rest.split(END, 1)
    return before + BEGIN + part + END + after


def main() -> None:
    """Rewrite the document."""
    if len(sys.argv) != 3 or sys.argv[1] != "--write":
        raise SystemExit(__doc__)
    text = subprocess.run([sys.argv[2], "help", "rotation"], check=True, capture_output=True,
                          text=True).stdout
    DOCUMENT.write_text(put_into(DOCUMENT.read_text(encoding="utf-8"), generated(text)),
                        encoding="utf-8")


if __name__ == "__main__":
    main()
