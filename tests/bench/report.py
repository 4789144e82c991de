"""Rows of results: printed as they come, and written as docs/BENCH.md."""
from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from tests.bench.notes import INTRODUCTIONS, NOTES

COLUMNS = ("what", "ours", "peer", "its", "ratio", "target", "reached", "CPU", "runs")
WIDTHS = (44, 11, 26, 13, 7, 10, 7, 7, 6)


class Row:
    """One comparison. `key` names the note that explains it when the target is missed; `limit` is
    the ratio that is allowed, or with `absolute` the value in the row's unit; None: orientation.
    `cpu_ratio` is ours by its of the processor time, which depends less on what else runs."""

    def __init__(self, key: str, what: str, ours: float, peer: str, its: Optional[float],
                 limit: Optional[float] = None, unit: str = "ms", absolute: bool = False,
                 runs: str = "", cpu_ratio: Optional[float] = None) -> None:
        self.cpu_ratio = cpu_ratio
        self.key, self.what, self.ours, self.peer, self.its = key, what, ours, peer, its
        self.limit, self.unit, self.absolute, self.runs = limit, unit, absolute, runs

    @property
    def ratio(self) -> Optional[float]:
        """Ours by its."""
        return self.ours / self.its if self.its else None

    @property
    def reached(self) -> Optional[bool]:
        """None: there is no target, or nothing to compare with."""
        if self.limit is None or self.its is None:
            return None
        return (self.ours if self.absolute else self.ours / self.its) <= self.limit

    def cells(self) -> List[str]:
        """As texts, in the order of COLUMNS."""
        target = ""
        if self.limit is not None:
            target = f"≤ {_number(self.limit, self.unit if self.absolute else '')}"
        return [self.what, _number(self.ours, self.unit), self.peer,
                "not installed" if self.its is None else _number(self.its, self.unit),
                "" if self.ratio is None else _number(self.ratio, ""), target,
                {None: "", True: "yes", False: "**no**"}[self.reached],
                "" if self.cpu_ratio is None else _number(self.cpu_ratio, ""), self.runs]


def _number(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 0.1 else 4
    return f"{value:,.{digits}f} {unit}".strip()


class Report:
    """Everything that was measured, in order."""

    def __init__(self) -> None:
        self.sections: List[str] = []
        self.rows: Dict[str, List[Row]] = {}

    def section(self, title: str) -> None:
        """Begin a section; INTRODUCTIONS has its first words."""
        self.sections.append(title)
        self.rows[title] = []
        print(f"\n{title}\n{_line(COLUMNS)}", flush=True)

    def add(self, row: Row) -> None:
        """Add a row to the section that was begun last, and print it."""
        self.rows[self.sections[-1]].append(row)
        print(_line(row.cells()), flush=True)

    def missed(self) -> List[Row]:
        """The rows whose target was not reached."""
        return [row for title in self.sections for row in self.rows[title] if row.reached is False]

    def write(self, path: Path, facts: Sequence[str], how: str) -> None:
        """Write the document."""
        text = ["# Measurements", "",
                "Made by `make bench` (`tests/bench/run.py`); nothing here is edited by hand.", "",
                how, ""]
        text += [f"- {fact}" for fact in facts]
        for title in self.sections:
            text += ["", f"## {title}", "", INTRODUCTIONS[title], "",
                     f"| {' | '.join(COLUMNS)} |", "|---|--:|---|--:|--:|--:|---|--:|--:|"]
            text += [f"| {' | '.join(row.cells())} |" for row in self.rows[title]]
        text += ["", "## Targets that were missed", ""]
        missed = self.missed()
        if not missed:
            text.append("None in this run.")
        for row in missed:
            why = NOTES.get(row.key, "The cause is not known yet.")
            text.append(f"- **{row.what}** against {row.peer}: "
                        f"{row.cells()[4]}, target {row.cells()[5]}. {why}")
        path.write_text("\n".join(text) + "\n", encoding="utf-8")


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.replace("**", "").ljust(width)
                     for cell, width in zip(cells, WIDTHS)).rstrip()


def load() -> str:
    """How busy the machine is by its own account, over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def machine() -> str:
    """What it ran on, without a name."""
    kernel = re.match(r"[0-9.]+", platform.release())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, "
            f"Linux {kernel.group(0) if kernel else platform.release()}")
