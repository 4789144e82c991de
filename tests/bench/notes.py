"""Why a target is missed, by the key of its row: written when the cause was found, printed in
docs/BENCH.md only while the target is in fact missed."""
from typing import Dict

NOTES: Dict[str, str] = {}
