"""A real standby: a base backup of a throwaway PostgreSQL that follows it, and can be promoted."""
from __future__ import annotations

import shutil
import signal
import subprocess

from tests.lib.postgres import STATEMENT_SECONDS, SUPERUSER, Postgres, PostgresError
from tests.lib.processes import STOP_SECONDS, Skip, as_user, wait_until

# Of a pair: what is committed is on its way to the standby at once.
PAIR_OPTIONS = {"synchronous_commit": "on", "wal_receiver_status_interval": "100ms",
                "wal_retrieve_retry_interval": "100ms"}


class Standby(Postgres):
    """Follows `primary`, whose roles and passwords it has, over the unix socket."""

    def __init__(self, primary: Postgres) -> None:
        self.primary = primary
        super().__init__(primary.options, parent=primary.folder.path.parent)
        wait_until(self._follows, "a standby that follows", self.program)

    def _initdb(self) -> None:
        place = self.primary.socket_folder
        if place is None:
            raise Skip("the temporary folder's path is too long for a unix socket")
        backup = self.folder / "backup"
        try:
            # Unpacked by itself it takes ten times as long.
            self._tool(["pg_basebackup", "-h", str(place), "-p", str(self.primary.port), "-U", SUPERUSER,
                        "-D", str(backup), "-F", "tar", "-X", "fetch", "-R", "-c", "fast", "--no-sync",
                        "--no-password"])
        except PostgresError as problem:
            if "incompatible server version" in str(problem):
                raise Skip("this machine's pg_basebackup does not fit AGENT_TEST_POSTGRES") from problem
            raise
        unpack = ["tar", "-x", "-f", str(backup / "base.tar"), "-C", str(self.data)]
        for argv in (["mkdir", "-m", "700", str(self.data)], unpack):
            subprocess.run(argv, check=True, timeout=STATEMENT_SECONDS, **as_user(self.user))
        shutil.rmtree(backup)
        self.password = self.primary.password

    def _own_password(self) -> None:
        pass  # it is the primary's

    def _follows(self) -> bool:
        return self.primary.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") != "0"

    def catch_up(self) -> None:
        """Wait until what the primary has now is seen here."""
        self._has_come("pg_last_wal_replay_lsn()")

    def receive(self) -> None:
        """Wait until what the primary has now is on the disk here, applied or not."""
        self._has_come("pg_last_wal_receive_lsn()")

    def _has_come(self, so_far: str) -> None:
        # a commit, which is on the primary's disk with all before it
        place = self.primary.value("SELECT pg_logical_emit_message(true, 'here', '')")
        wait_until(lambda: self.value(f"SELECT {so_far} >= '{place}'::pg_lsn") == "t",
                   "a standby that is behind", self.program)

    def promote(self) -> None:
        """Have it end the recovery: it is a primary from then on."""
        if self.value("SELECT pg_promote()") != "t":
            raise PostgresError("pg_promote: the standby was not promoted in time")


def stop_at_once(server: Postgres) -> None:
    """PostgreSQL's immediate shutdown: no session ends in order, as when the machine is lost."""
    program = server.program
    if program is None or program.ended():
        return
    program.process.send_signal(signal.SIGQUIT)
    program.process.wait(STOP_SECONDS)


def wait_for_standby(primary: Postgres, names: str = "*") -> None:
    """From now on a COMMIT of the primary's is answered when a standby has it, too."""
    primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'; SELECT pg_reload_conf()")
    wait_until(lambda: primary.value("SHOW synchronous_standby_names") == names, "a setting that is read")
