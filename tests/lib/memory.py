"""What is in another process's memory."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, List, Tuple

LARGEST_BYTES = 256 * 1024 * 1024  # of a mapping; larger ones are a sanitizer's own


class Mapping:
    """One mapping of a process: `line` of smaps, whether it is `locked`, and its bytes."""

    def __init__(self, line: str, locked: bool, held: bytes) -> None:
        self.line, self.locked, self.held = line, locked, held

    def __str__(self) -> str:
        return f"{self.line} {'locked' if self.locked else ''}"


def mappings_of(pid: int) -> Iterator[Mapping]:
    """Those that can be read and have a page in memory."""
    for span in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path(f"/proc/{pid}/smaps").read_text()):
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", span)
        if not head or not head.group(3).startswith("r") or head.group(4) in ("[vvar]", "[vsyscall]"):
            continue
        start, end = (int(head.group(k), 16) for k in (1, 2))
        if re.search(r"^Rss: +0 kB", span, re.M) or end - start > LARGEST_BYTES:
            continue
        with open(f"/proc/{pid}/mem", "rb") as memory:
            memory.seek(start)
            try:
                held = memory.read(end - start)
            except OSError:
                continue
        flags = re.search(r"^VmFlags:(.*)$", span, re.M)
        yield Mapping(head.group(0), bool(flags and " lo" in flags.group(1)), held)


def places_of(pid: int, texts: List[bytes]) -> List[Tuple[bytes, Mapping]]:
    """Where which of these is."""
    return [(text, mapping) for mapping in mappings_of(pid) for text in texts if text in mapping.held]
