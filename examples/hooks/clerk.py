#!/usr/bin/env python3
"""examples/hooks/clerk.py: a secret key of Clerk, rotated by agent (strategy `hook`).

Wants Python 3.9, nothing else. Two kinds of keys, by `config`:

  application, instance   the Secret Key (sk_…) of an instance ("production", "development", or its id),
                          by Clerk's Platform API. That is a beta which one has to be let into; who is not
                          rotates in the dashboard, with agent's strategy `manual` and the steps in README.md.
  machine                 the secret key (ak_…) of a machine (mch_…) for M2M tokens, by the Backend API.

From the documentation (Clerk's published OpenAPI of the Platform API, beta, and of the Backend API;
clerk.com/docs: rotate-api-keys, backend/machines, rate limits), not more:
  POST /v1/platform/applications/{application}/instances/{instance}/rotate_secret_keys
       {delay_old_secrets_expiration_hours, reason} -> {instances: [{…, secret_key}]}
  POST /v1/machines/{machine}/secret_key/rotate {previous_token_ttl: 0 to 28800} -> {secret}
  GET  /v1/machines/{machine}/secret_key -> {secret}
  GET  /v1/users/count, with an instance's key; GET /v1/m2m_tokens?subject=, with a machine's key
  429 has Retry-After.
Never tried for real: all of it. This program has only talked to a local server that behaves as those
pages say. Not said there, and taken as given: the names of the other members beside `secret_key`; that a
second rotation leaves the time of older keys as it is.

How it is safe: the overlap is Clerk's own timer, which starts at `create`. Each rotation puts all older
keys on it, so that a key whose reply was lost ends by itself: a second `create` makes another one. (Of a
machine the key can be read: with `attempt` over 1 it is, and taken when it is another than the former.)
What follows from a timer: overlap_hours must be longer than the contract's `grace` and what a resume may
come late; `retire` can only look whether the time is over, and says "later" until then; there is no
`rollback`: the former key ends, whatever becomes of the new one.

`config` also: overlap_hours (default 72; for a machine at most 8, and that is its default), field (the
value's name in the store: by default the one that there is, else `secret_key`), api_key_file or
api_key_env (default CLERK_ADMIN_KEY): a token of the Platform API, or for a machine the instance's
Secret Key.
"""
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request

API = "https://api.clerk.com"
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost):[0-9]+")  # for tests: keys go nowhere else
DONE, FAILED, DONE_BEFORE, LATER, NO_SUCH_STEP = 0, 1, 10, 20, 78
INPUT_MAX_BYTES = BODY_MAX_BYTES = 1024 * 1024
REQUEST_SECONDS = 20
PATIENCE_SECONDS, PATIENCE_TIMES = 5, 3  # where a 429 asks for more, agent comes again
OVERLAP_HOURS, MACHINE_HOURS_MAX = 72, 8


class End(Exception):
    """The hook ends: an exit code, what is said (no secret in it), and the secret that was made."""

    def __init__(self, code, message, secret=None):
        super().__init__(message)
        self.code, self.message, self.secret = code, message, secret


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to somebody else."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def ask(job, method, path, key, body=None):
    """One request; gives status and JSON. Where there is no answer for good, the end is "later"."""
    request = urllib.request.Request(
        job.api + path, method=method, data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json",
                 "User-Agent": "agent-hook"})
    what = f"{method} {path.partition('?')[0]}"
    for times in range(PATIENCE_TIMES + 1):
        status, headers, text = exchange(request, what)
        if status != 429:
            break
        said = headers.get("Retry-After", "1")
        wait_s = max(int(said), 1) if said.isdigit() else 1
        if wait_s > PATIENCE_SECONDS or times == PATIENCE_TIMES:
            raise End(LATER, f"{what}: too many requests; again in {wait_s} s")
        time.sleep(wait_s)
    if status >= 500:
        raise End(LATER, f"{what}: Clerk answered {status}")
    try:
        return status, json.loads(text)
    except ValueError:
        return status, None


def exchange(request, what):
    """Status, headers, body."""
    try:
        with OPENER.open(request, timeout=REQUEST_SECONDS) as answer:
            return answer.status, answer.headers, answer.read(BODY_MAX_BYTES)
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers, answer.read(BODY_MAX_BYTES)
    except (OSError, http.client.HTTPException) as problem:
        reason = getattr(problem, "reason", None) or type(problem).__name__
        raise End(LATER, f"{what}: no answer ({reason}); whether it was done is not known") from None


def unexpected(what, status, answer):
    """Clerk's code for what is wrong; its sentences may quote what was sent."""
    try:
        code = re.sub(r"[^a-z0-9_]", "", answer["errors"][0]["code"]) or "no code"
    except (TypeError, KeyError, IndexError):
        code = "no code"
    return End(FAILED, f"{what}: Clerk answered {status} ({code})")


def text(value, what, pattern=r"[!-~]+"):
    """`value`, where it is such a text."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise End(FAILED, f"there is no {what}, or it is none")
    return value


class Job:
    """What agent says."""

    def __init__(self, given):
        if not isinstance(given, dict) or given.get("version") != 1:
            raise End(FAILED, "the input is not one JSON object of version 1")
        self.step, self.id = text(given.get("step"), "step"), text(given.get("id"), "id")
        self.attempt = given.get("attempt", 1)
        self.config = given.get("config") or {}
        current, pending = given.get("current") or {}, given.get("pending") or {}
        only = next(iter(current or pending), None) if len(current or pending) == 1 else None
        self.field = self.config.get("field", only or "secret_key")
        self.current, self.pending = current.get(self.field), pending.get(self.field)
        if not re.fullmatch(r"[!-~]+", str(self.current)):
            self.current = None  # what is no key was none
        self.machine = self.config.get("machine")
        self.api = self.config.get("api", API)
        if self.api != API and not LOOPBACK.fullmatch(str(self.api)):
            raise End(FAILED, "config.api is for tests, and the loopback's: http://127.0.0.1:PORT")

    def admin(self):
        """The credential that may rotate."""
        path = self.config.get("api_key_file")
        name = self.config.get("api_key_env", "CLERK_ADMIN_KEY")
        if not path:
            return text(os.environ.get(str(name)), f"admin's key in the environment's '{name}'")
        try:
            with open(path, encoding="ascii") as file:
                return text(file.readline().strip(), f"admin's key in '{path}'")
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", None) or "no ASCII"
            raise End(FAILED, f"read api_key_file '{path}': {why}") from None

    def hours(self):
        """How long the former key is to work on."""
        hours = self.config.get("overlap_hours", MACHINE_HOURS_MAX if self.machine else OVERLAP_HOURS)
        if isinstance(hours, bool) or not isinstance(hours, (int, float)) or hours < 0:
            raise End(FAILED, "config.overlap_hours is no number of hours")
        if self.machine and hours > MACHINE_HOURS_MAX:
            raise End(FAILED, f"config.overlap_hours: Clerk gives a machine {MACHINE_HOURS_MAX}")
        return hours


def works(job, key):
    """Whether Clerk accepts the key, asked with a request that changes nothing."""
    path = "/v1/users/count"
    if job.machine:
        path = "/v1/m2m_tokens?limit=1&subject=" + text(job.machine, "config.machine", r"mch_\w+")
    status, answer = ask(job, "GET", path, key)
    if status in (200, 401):
        return status == 200
    raise unexpected("use the key", status, answer)


# ---- steps --------------------------------------------------------------------------------------


def create(job):
    """A new key; the former one is on Clerk's timer from here on."""
    secret, said = machine_key(job) if job.machine else instance_key(job)
    if secret == job.current:
        raise End(FAILED, "Clerk gave the former key again")
    raise End(DONE, said, {job.field: text(secret, "key in Clerk's answer")})


def instance_key(job):
    """Of an instance, by the Platform API."""
    application = text(job.config.get("application"), "config.application", r"[\w-]+")
    instance = text(job.config.get("instance"), "config.instance", r"[\w-]+")
    hours = job.hours()
    status, answer = ask(
        job, "POST", f"/v1/platform/applications/{application}/instances/{instance}/rotate_secret_keys",
        job.admin(), {"delay_old_secrets_expiration_hours": hours, "reason": f"agent {job.id}"})
    if status != 200:
        raise unexpected("rotate the instance's key", status, answer)
    made = [one for one in (answer or {}).get("instances", [])
            if instance in (one.get("instance_id"), one.get("environment_type"))]
    if len(made) != 1:
        raise End(FAILED, f"Clerk's answer has {len(made)} keys of '{instance}', not 1")
    return made[0].get("secret_key"), f"a new key; the former one ends in {hours:g} hours"


def machine_key(job):
    """Of a machine, by the Backend API."""
    path = f"/v1/machines/{text(job.machine, 'config.machine', 'mch_[A-Za-z0-9]+')}/secret_key"
    hours, admin = job.hours(), job.admin()
    if job.attempt > 1:
        status, answer = ask(job, "GET", path, admin)
        if status == 200 and answer.get("secret") not in (None, job.current):
            return answer["secret"], "the key had been rotated already, and the reply was lost: it was read"
    status, answer = ask(job, "POST", path + "/rotate", admin,
                         {"previous_token_ttl": int(hours * 3600)})
    if status != 200:
        raise unexpected("rotate the machine's key", status, answer)
    return (answer or {}).get("secret"), f"a new key; the former one ends in {hours:g} hours"


def test(job):
    """The new key is used."""
    if not works(job, text(job.pending, f"new '{job.field}'")):
        raise End(FAILED, "Clerk refuses the new key")
    raise End(DONE, "the new key works")


def retire(job):
    """Nobody can end the former key but its timer: look whether it has."""
    if not job.current or job.current == job.pending:
        raise End(DONE_BEFORE, "there is no former key")
    if not works(job, text(job.pending, f"new '{job.field}'")):
        raise End(FAILED, "Clerk refuses the new key: look before the former one ends")
    if works(job, job.current):
        raise End(LATER, f"the former key works until Clerk's timer ends it, {job.hours():g} hours after "
                         "it was made; the dashboard can end it before")
    raise End(DONE_BEFORE, "the former key is refused: its time is over")


def rollback(job):
    """There is none."""
    raise End(NO_SUCH_STEP, "Clerk's timer can't be stopped: the former key ends in at most "
                            f"{job.hours():g} hours. Rotate again before that; the dashboard can delete "
                            "the new key")


STEPS = {"create": create, "test": test, "retire": retire, "rollback": rollback}


def main():
    """Run the step; print one JSON object."""
    try:
        job = Job(json.loads(sys.stdin.buffer.read(INPUT_MAX_BYTES)))
        if job.step not in STEPS:
            raise End(NO_SUCH_STEP, f"Clerk has no step '{job.step}': a key works when it is made")
        STEPS[job.step](job)
    except End as end:
        print(json.dumps({"message": end.message, **({"secret": end.secret} if end.secret else {})}))
        return end.code
    except Exception as problem:  # its text may quote what was given: the kind must do
        print(json.dumps({"message": f"the hook broke: {type(problem).__name__}"}))
        return FAILED
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
