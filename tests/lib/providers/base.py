"""What the providers have in common: routes, credentials, and weather."""
from __future__ import annotations

import base64
import copy
import json
import re
import threading
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.lib.scripted import Answer, Request, ScriptedHttp


class Weather(NamedTuple):
    """What happens to a request: `status` refuses it before anything is done; `lost` does it and says
    nothing; `nothing` says yes and does nothing."""

    status: int = 0
    headers: Tuple[Tuple[str, str], ...] = ()
    lost: bool = False
    nothing: bool = False


LOST = Weather(lost=True)
NOTHING = Weather(nothing=True)
BUSY = Weather(status=423)


def refuse(status: int) -> Weather:
    """An answer that is no success, before anything is done."""
    return Weather(status=status)


def too_many(retry_after_s: int) -> Weather:
    """429, and when to come again."""
    return Weather(status=429, headers=(("Retry-After", str(retry_after_s)),))


class Asked(NamedTuple):
    """A request, taken apart."""

    method: str
    path: str
    query: Dict[str, str]
    body: Any
    bearer: str
    basic: Tuple[str, str]


Route = Tuple[str, Callable[..., Answer]]


def say(body: Any, status: int = 200, headers: Optional[Mapping[str, str]] = None) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(body), headers)


class Provider:
    """One provider on a port of the loopback. A subclass has `state` (plain data, copied when a yes is to
    mean nothing), `routes` and `problem`. `cut`: called with the number of a request (from 1) when its
    effect is there and nothing was answered; true: there will be no answer."""

    def __init__(self) -> None:
        self.state: Dict[str, Any] = {}
        self.cut: Callable[[int], bool] = lambda _number: False
        self.asked: List[str] = []  # "POST /api-keys", in their order
        self._weather: List[Tuple[str, Weather]] = []
        self._lock = threading.Lock()
        self._http = ScriptedHttp(self._serve)
        self.address = self._http.address

    def stop(self) -> None:
        """Listen no more."""
        self._http.stop()

    def weather(self, pattern: str, *kinds: Weather) -> None:
        """Let these happen to the next requests that match ("POST /api-keys", an expression)."""
        with self._lock:
            self._weather += [(pattern, kind) for kind in kinds]

    def clear(self) -> None:
        """No more weather."""
        with self._lock:
            self._weather.clear()

    def forecast(self) -> List[str]:
        """Patterns whose weather did not come up yet: a test that leaves one tested nothing."""
        return [pattern for pattern, _ in self._weather]

    # ---- what a subclass says -----------------------------------------------------------------

    def routes(self) -> List[Route]:
        """Expressions over "METHOD /path", and what answers: called with the request and the groups."""
        raise NotImplementedError

    def problem(self, status: int, words: str) -> Any:
        """The body of an answer that is no success."""
        raise NotImplementedError

    def no(self, status: int, words: str = "") -> Answer:
        """An answer that is no success."""
        return say(self.problem(status, words), status)

    # ---- serving ------------------------------------------------------------------------------

    def _serve(self, request: Request) -> Optional[Answer]:
        with self._lock:
            asked = _take_apart(request)
            line = f"{asked.method} {asked.path}"
            self.asked.append(line)
            weather = self._pick(line)
            if weather.status:
                return say(self.problem(weather.status, "weather"), weather.status,
                           dict(weather.headers))
            before = copy.deepcopy(self.state) if weather.nothing else None
            answer = self._answer(line, asked)
            if before is not None:
                self.state = before
            return None if weather.lost or self.cut(len(self.asked)) else answer

    def _pick(self, line: str) -> Weather:
        for at, (pattern, weather) in enumerate(self._weather):
            if re.fullmatch(pattern, line):
                del self._weather[at]
                return weather
        return Weather()

    def _answer(self, line: str, asked: Asked) -> Answer:
        for pattern, handle in self.routes():
            match = re.fullmatch(pattern, line)
            if match:
                return handle(asked, *[unquote(group) for group in match.groups()])
        return self.no(404, f"no route: {line}")


def _take_apart(request: Request) -> Asked:
    parts = urlsplit(request.path)
    kind, _, credential = request.headers.get("authorization", "").partition(" ")
    basic = ("", "")
    if kind == "Basic":
        user, _, password = base64.b64decode(credential).decode().partition(":")
        basic = (user, password)
    return Asked(request.method, parts.path, dict(parse_qsl(parts.query)),
                 json.loads(request.body) if request.body else None,
                 credential if kind == "Bearer" else "", basic)
