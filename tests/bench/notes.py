"""Why a target is missed, by the key of its row: written when the cause was found, printed in
docs/BENCH.md only while the target is in fact missed."""
from typing import Dict

_CONSTANT = ("The difference does not grow with the schema: it is the looks at the catalogs (a session "
             "that is new plans such a query for some milliseconds), a second connection with its "
             "log-in, and COMMIT.")
_ROUND_TRIPS = ("The floor takes six round trips, five of them to connect. What makes the result certain "
                "takes more: the look, the lock, COMMIT by itself, and the second look from a new "
                "connection, which has to connect too. The count does not grow with the schema.")
_HERD = ("Bound by the processors: each of the fifty loads libpq, logs in (SCRAM) and looks at the "
         "catalogs, a waiter twice, and PostgreSQL starts a process for each connection.")
_CPU = ("Most of it is loading libpq with the libraries behind it and two log-ins (SCRAM); the floor, "
        "which does nothing but send the file, takes two thirds of it.")
_FETCH = ("One request more than the floor, which knows that the mount is KV version 2; and everything "
          "that held a secret is wiped.")
_START = "A few page faults more than the floor; seen where the machine is busy (see the CPU column)."

NOTES: Dict[str, str] = {
    "start": _START,
    "fetch-1-0": _FETCH, "fetch-20-0": _FETCH, "fetch-1-20": _FETCH, "fetch-20-20": _FETCH,
    "bootstrap-100-0": _CONSTANT, "bootstrap-1000-0": _CONSTANT,
    "bootstrap-100-20": _ROUND_TRIPS, "bootstrap-1000-20": _ROUND_TRIPS,
    "herd-0": _HERD, "herd-20": _HERD,
    "cpu-100": _CPU, "cpu-1000": _CPU,
}
