#!/usr/bin/env python3
"""examples/hooks/neon.py: a role's password at Neon, rotated by agent (strategy `hook`).

Wants Python 3.9 and psql. Two ways, by `config`:

  role      one role. Neon makes the new password, and the former one stops: a gap from `create` until the
            application has the new value, and no way back.
  roles     two roles, of which the application uses one: the idle one gets a new password, and the other
            one works on until `retire`. The contract's `compose` has `user` and `password`. What the roles
            make must belong to a third one: strategy pg-two-login sets that up and refuses where it is not
            so. (Wherever SQL is enough, pg-two-login with "password": "plain" is the better choice.)

From the documentation (neon.com/docs/reference/api: reset-project-branch-role-password, operations, key
concepts; neon.com/faqs/reset-database-password), not more:
  POST /projects/{p}/branches/{b}/roles/{r}/reset_password -> {role: {password}, operations: [{id, action,
       status}]}: the new password is ready, and the former one stops, when the last operation has finished;
       connections to the compute are dropped
  GET  /projects/{p}/branches/{b}/roles/{r}/reveal_password -> {password}; 412 where none is stored
  GET  /projects/{p}/operations?limit= -> {operations: [{branch_id, action, status}]}, the newest first;
       finished, skipped and cancelled are for good, failed may be repeated
  423 while another operation runs, 429 for too many requests.
Never tried for real: all of it. This program has only talked to a local server that behaves as those
pages say, and to a real PostgreSQL behind it. Not said there, and taken as given: that the list of
operations begins with the newest; that 429 has Retry-After.

How it is safe: the password that a reset answers is printed at once, and waited for in the next step: agent
has it before anything else can go wrong. Where a reply was lost (`attempt` over 1) and the password is
stored, it is read, and taken when it is the former one no more; otherwise there is one more reset.

Where the store has a URL, user and password are taken out of it, and agent puts the new ones in.

`config` also: project, branch, host, database (required), port, sslmode (default `require`; `verify-full`
with sslrootcert is better), field and user_field (the names in the store: by default the one that there
is, else `password` and `user`), operation_seconds (default 40: less than the contract's `timeout`),
api_key_file or api_key_env (default NEON_API_KEY).
"""
import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

API = "https://console.neon.tech/api/v2"
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost):[0-9]+")  # for tests: keys go nowhere else
DONE, FAILED, DONE_BEFORE, LATER, NO_SUCH_STEP = 0, 1, 10, 20, 78
INPUT_MAX_BYTES = BODY_MAX_BYTES = 1024 * 1024
REQUEST_SECONDS, CONNECT_SECONDS, OPERATION_SECONDS = 20, 15, 40
PATIENCE_SECONDS, PATIENCE_TIMES = 5, 3  # where a 429 asks for more, agent comes again
POLL_FIRST_SECONDS, POLL_MAX_SECONDS = 0.1, 2.0
OPERATIONS = 50  # looked at
RUNNING = {"scheduling", "running", "cancelling"}
NAME = r"[A-Za-z0-9_.-]+"


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


def text(value, what, pattern=r"[!-~]+"):
    """`value`, where it is such a text."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise End(FAILED, f"there is no {what}, or it is none")
    return value


class Job:
    """What agent says. `former`, `role`: the role that the application has, and the one that gets a new
    password; `current`, `pending`: their passwords."""

    def __init__(self, given):
        if not isinstance(given, dict) or given.get("version") != 1:
            raise End(FAILED, "the input is not one JSON object of version 1")
        config = given.get("config") or {}
        self.config, self.step = config, text(given.get("step"), "step")
        if self.step not in STEPS:
            raise End(NO_SUCH_STEP, f"there is nothing to do at '{self.step}'")
        self.attempt = given.get("attempt", 1)
        self.project = text(config.get("project"), "config.project", NAME)
        self.branch = text(config.get("branch"), "config.branch", NAME)
        self.api = config.get("api", API)
        if self.api != API and not LOOPBACK.fullmatch(str(self.api)):
            raise End(FAILED, "config.api is for tests, and the loopback's: http://127.0.0.1:PORT")
        current, pending = given.get("current") or {}, given.get("pending") or {}
        only = next(iter(current or pending), None) if len(current or pending) == 1 else None
        self.field = config.get("field", only or "password")
        self.user_field = config.get("user_field", "user")
        self.is_url = False
        user, self.current = self.login(current)
        new_user, self.pending = self.login(pending)
        self.two = "roles" in config
        self.former, self.role = self.choose(user, new_user)

    def login(self, group):
        """User and password of a group, whose field may be a URL."""
        value = group.get(self.field)
        if not isinstance(value, str) or "://" not in value:
            return group.get(self.user_field), value
        self.is_url = True
        parts = urllib.parse.urlsplit(value)
        return urllib.parse.unquote(parts.username or ""), urllib.parse.unquote(parts.password or "")

    def choose(self, user, new_user):
        """The former role and the new one."""
        if not self.two:
            role = text(self.config.get("role"), "config.role", NAME)
            return role, role
        roles = self.config["roles"]
        if not isinstance(roles, list) or len(set(map(str, roles))) != 2:
            raise End(FAILED, "config.roles are not two roles")
        first, second = (text(role, "role in config.roles", NAME) for role in roles)
        known = user or {first: second, second: first}.get(new_user)  # `test` gets the new one alone
        if known not in (first, second):
            raise End(FAILED, f"the current '{self.user_field}' is none of config.roles")
        return (first, second) if known == first else (second, first)

    def key(self):
        """The API key."""
        path, name = self.config.get("api_key_file"), self.config.get("api_key_env", "NEON_API_KEY")
        if not path:
            return text(os.environ.get(str(name)), f"API key in the environment's '{name}'")
        try:
            with open(path, encoding="ascii") as file:
                return text(file.readline().strip(), f"API key in '{path}'")
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", None) or "no ASCII"
            raise End(FAILED, f"read api_key_file '{path}': {why}") from None


# ---- talking to Neon ----------------------------------------------------------------------------


def ask(job, method, path, what):
    """One request; gives status and JSON. Where there is no answer for good, the end is "later"."""
    request = urllib.request.Request(
        f"{job.api}/projects/{job.project}{path}", method=method,
        headers={"Authorization": f"Bearer {job.key()}", "Accept": "application/json",
                 "User-Agent": "agent-hook"})
    for times in range(PATIENCE_TIMES + 1):
        status, headers, body = exchange(request, what)
        if status != 429:
            break
        said = headers.get("Retry-After", "1")
        wait_s = max(int(said), 1) if said.isdigit() else 1
        if wait_s > PATIENCE_SECONDS or times == PATIENCE_TIMES:
            raise End(LATER, f"{what}: too many requests; again in {wait_s} s")
        time.sleep(wait_s)
    if status == 423:
        raise End(LATER, f"{what}: Neon runs another operation on this project")
    if status >= 500:
        raise End(LATER, f"{what}: Neon answered {status}")
    try:
        return status, json.loads(body)
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


def reset(job, role):
    """A new password for the role; gives it. It works when the operations have ended."""
    what = f"reset the password of '{role}'"
    status, answer = ask(job, "POST", f"/branches/{job.branch}/roles/{role}/reset_password", what)
    if status != 200:
        raise End(FAILED, f"{what}: Neon answered {status}")
    try:
        return text(answer["role"]["password"], "password in Neon's answer")
    except (TypeError, KeyError):
        raise End(FAILED, f"{what}: Neon's answer has no password") from None


def reveal(job, role):
    """The role's password; None where Neon does not store it."""
    what = f"read the password of '{role}'"
    status, answer = ask(job, "GET", f"/branches/{job.branch}/roles/{role}/reveal_password", what)
    if status == 412:
        return None
    if status != 200 or not isinstance(answer, dict):
        raise End(FAILED, f"{what}: Neon answered {status}")
    return answer.get("password")


def operations(job):
    """The branch's newest operations, the newest first."""
    status, answer = ask(job, "GET", f"/operations?limit={OPERATIONS}", "list the operations")
    if status != 200 or not isinstance(answer, dict):
        raise End(FAILED, f"list the operations: Neon answered {status}")
    return [one for one in answer.get("operations", []) if one.get("branch_id") == job.branch]


def wait_for_operations(job):
    """Until none of the branch runs; "later" when that takes too long."""
    end = time.monotonic() + float(job.config.get("operation_seconds", OPERATION_SECONDS))
    pause = POLL_FIRST_SECONDS
    while True:
        running = [one for one in operations(job) if one.get("status") in RUNNING]
        if not running:
            return
        if time.monotonic() + pause > end:
            raise End(LATER, f"'{running[-1].get('action')}' is still {running[-1].get('status')}")
        time.sleep(pause)
        pause = min(pause * 2, POLL_MAX_SECONDS)


# ---- the database -------------------------------------------------------------------------------


def log_in(job, role, password):
    """A new connection, as the application makes one: whether the password is accepted, as that role.

    psql reads it from a file without a name that lies in memory: not from its arguments or environment."""
    config = job.config
    parts = {"host": text(config.get("host"), "config.host"), "user": role,
             "port": str(config.get("port", 5432)), "sslmode": config.get("sslmode", "require"),
             "dbname": text(config.get("database"), "config.database", r"[\w.-]+"),
             "connect_timeout": str(CONNECT_SECONDS)}
    if "sslrootcert" in config:
        parts["sslrootcert"] = config["sslrootcert"]
    quoted = " ".join("{}='{}'".format(name, value.replace("\\", "\\\\").replace("'", "\\'"))
                      for name, value in parts.items())
    passwords = os.memfd_create("passwords")
    os.fchmod(passwords, 0o600)
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    os.write(passwords, f"*:*:*:*:{escaped}\n".encode())
    try:
        done = subprocess.run(
            ["psql", "-X", "-A", "-t", "-w", "-c", "SELECT session_user", quoted],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=[passwords],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C",
                 "PGPASSFILE": f"/proc/self/fd/{passwords}"}, timeout=2 * CONNECT_SECONDS)
    except FileNotFoundError:
        raise End(FAILED, "psql is not there: it is needed to use the new password") from None
    except subprocess.TimeoutExpired:
        raise End(LATER, f"log in as '{role}': no answer") from None
    finally:
        os.close(passwords)
    if done.returncode == 0 and done.stdout.strip() == role:
        return True
    if "password authentication failed" in done.stderr:
        return False
    said = (done.stderr.strip().splitlines() or ["psql said nothing"])[0]
    raise End(LATER, f"log in as '{role}': {said}")


# ---- steps --------------------------------------------------------------------------------------


def create(job):
    """A new password; it is given out before it is waited for."""
    made, said = None, f"a new password for '{job.role}'"
    if job.attempt > 1 and not job.two:
        made = reveal(job, job.role)
        said = "the password had been reset already, and the reply was lost: it was read"
    if made is None or made == job.current:
        made, said = reset(job, job.role), f"a new password for '{job.role}'"
    # These two are agent's names for the parts of a URL.
    field, user_field = ("password", "user") if job.is_url else (job.field, job.user_field)
    raise End(DONE, said, {field: made, **({user_field: job.role} if job.two else {})})


def set_step(job):
    """Neon's operations have ended: the new password is in force."""
    wait_for_operations(job)
    raise End(DONE, "Neon's operations have ended")


def test(job):
    """A new connection with the new password."""
    if not log_in(job, job.role, text(job.pending, f"new '{job.field}'")):
        newest = (operations(job) or [{}])[0]
        if newest.get("status") in RUNNING | {"failed"}:
            raise End(LATER, f"Neon's '{newest.get('action')}' is {newest.get('status')}: the new "
                             "password does not work yet")
        raise End(FAILED, f"the new password of '{job.role}' is refused")
    raise End(DONE, f"logged in as '{job.role}' with the new password")


def retire(job):
    """The former password is refused: by the reset of `create`, or with two roles by one more."""
    if not job.current or job.current == job.pending:
        raise End(DONE_BEFORE, "there is no former password")
    if not log_in(job, job.role, text(job.pending, f"new '{job.field}'")):
        raise End(FAILED, "the new password is refused: the former one was left")
    code = DONE_BEFORE
    if job.two and log_in(job, job.former, job.current):
        reset(job, job.former)  # nobody gets to know it
        wait_for_operations(job)
        code = DONE
    if log_in(job, job.former, job.current):
        raise End(FAILED, f"the former password of '{job.former}' still works")
    raise End(code, f"the former password of '{job.former}' is refused")


def rollback(job):
    """With two roles the former one was not touched."""
    if not job.two:
        raise End(NO_SUCH_STEP, "Neon chooses a role's password and keeps one: the former one is gone")
    if job.current and not log_in(job, job.former, job.current):
        raise End(FAILED, f"the former password of '{job.former}' is refused: the new one was left")
    if not job.pending or not log_in(job, job.role, job.pending):
        raise End(DONE_BEFORE, "there is no new password that works")
    reset(job, job.role)  # nobody gets to know it
    wait_for_operations(job)
    if log_in(job, job.role, job.pending):
        raise End(FAILED, f"the new password of '{job.role}' still works")
    raise End(DONE, f"the new password of '{job.role}' is refused now")


STEPS = {"create": create, "set": set_step, "test": test, "retire": retire, "rollback": rollback}


def main():
    """Run the step; print one JSON object."""
    try:
        job = Job(json.loads(sys.stdin.buffer.read(INPUT_MAX_BYTES)))
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
