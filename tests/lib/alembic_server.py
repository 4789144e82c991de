"""Alembic without its start, for tests that run it many times.

Importing Alembic, SQLAlchemy and psycopg is most of the processor time of an `alembic upgrade` on a
small project. A process that has imported them (`serve`) forks for each command; an `alembic` on the PATH
(`CLIENT`) hands it arguments, environment, folder and standard streams, waits, and ends as it ended. What
runs is Alembic's own main(), on the project's own env.py, in an interpreter that nobody has used.

Not the same is whose child it is: it is none of agent's. When the client is killed, it is killed right
behind that. A test about processes or namespaces of a path wants the real one.
"""
from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import List, NoReturn

from tests.lib.processes import ROOT, Folder, Program, plain_environment, wait_until

READ_BEFORE = ("alembic.config", "alembic.command", "alembic.autogenerate", "psycopg",
               "sqlalchemy.orm", "sqlalchemy.dialects.postgresql")
MESSAGE_BYTES = 1 << 17  # arguments and environment
BACKLOG = 64
CLIENT = """\
#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect({socket!r})
socket.send_fds(server, [json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()], [0, 1, 2])
answer = server.recv(16)
if not answer:
    sys.exit("alembic: its server has ended")
code = int(answer)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


class AlembicServer:
    """The server, and `path`: the folder with an `alembic` that asks it."""

    def __init__(self) -> None:
        self.folder = Folder("agent-al-")
        place = self.folder / "s"
        self.path = self.folder / "bin"
        self.folder.write("bin/alembic", CLIENT.format(python=sys.executable, socket=str(place)), 0o755)
        self.program = Program([sys.executable, "-m", "tests.lib.alembic_server", str(place)],
                               self.folder / "log", plain_environment(self.folder.path), ROOT)
        wait_until(place.exists, "Alembic's server", self.program)

    def remove(self) -> None:
        """Stop it and remove its folder."""
        self.program.stop()
        self.folder.remove()


# ---- the server ---------------------------------------------------------------------------------


def serve(place: str) -> NoReturn:
    """Fork for each command that comes, for ever."""
    for name in READ_BEFORE:
        importlib.import_module(name)
    gc.freeze()  # no child has to look at what all of them share
    signal.signal(signal.SIGCHLD, reap)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(place + ".new")
        listener.listen(BACKLOG)
        os.rename(place + ".new", place)  # whoever sees it can connect
        while True:
            client, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                attend(client)
            client.close()


def reap(_number: int, _frame: object) -> None:
    """Take what has ended; nobody asks how attend() ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass  # there is none


def attend(client: socket.socket) -> NoReturn:
    """Run one command; its end is the answer, and the client's end is its own."""
    message, streams, _, _ = socket.recv_fds(client, MESSAGE_BYTES, 3)
    if len(streams) != 3:
        os._exit(1)  # it ended before it asked
    child = os.fork()
    if child == 0:
        client.close()
        work(message, streams)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(child)
    ready, _, _ = select.select([ended, client], [], [])
    if ended not in ready:
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        client.send(str(code).encode())
    except OSError:
        pass  # nobody waits for it any more
    os._exit(0)


def work(message: bytes, streams: List[int]) -> NoReturn:
    """Be the command that was asked for."""
    args, env, folder = json.loads(message)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["alembic", *args]
    code = 1
    try:
        os.chdir(folder)
        sys.modules["alembic.config"].main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
