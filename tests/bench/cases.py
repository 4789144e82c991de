"""What is measured, a class for each part: its inputs and servers, its sides, its rows."""
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence

from tests.bench import inputs
from tests.bench.harness import Sample, Side, Stopwatch
from tests.bench.report import Report, Row
from tests.lib import hostile
from tests.lib.openbao import find_binary
from tests.lib.servers import ROOT, Database, Folder, OpenBao, Postgres, Proxy, Role

AGENT = str(ROOT / "build" / "release" / "agent")
ALEMBIC = str(ROOT / "build" / "venv" / "bin" / "alembic")
PYTHON = str(ROOT / "build" / "venv" / "bin" / "python")
ROUND_TRIPS_MS = (0, 20)
HERD = 50
TMPFS = Path("/dev/shm")  # a disk's moods are not what is measured
FAST = 4  # as many times the repetitions for commands of a millisecond
OFTEN = 3  # and where the ratio is close to its target
MEGABYTE = 1000 * 1000
MEMORY_ALLOWANCE_MB = 32
GUARD_FACTOR, SERVER_MS = 1.15, 1500  # of the slower path's commands, and for the server
CATALOG_MS, CATALOG_MB = 500, 64
AUDIT_MS = 200
GRAPH_MS = 500  # of ten thousand revisions


def find_peer(name: str) -> Optional[str]:
    """A peer from PATH or Go's own folder."""
    places = [os.environ.get("PATH", ""), os.environ.get("GOBIN", ""),
              str(Path(os.environ.get("GOPATH", str(Path.home() / "go"))) / "bin")]
    return shutil.which(name, path=os.pathsep.join(place for place in places if place))


class Bench:
    """What all parts share. `quick`: the smallest cases only."""

    def __init__(self, watch: Stopwatch, report: Report, quick: bool) -> None:
        self.watch, self.report, self.quick = watch, report, quick
        # A copy: what is built meanwhile must not be mixed in.
        self.agent = str(shutil.copy2(AGENT, watch.folder / "agent"))

    def folder(self, name: str) -> Path:
        """A folder of one part."""
        path = self.watch.folder / name
        path.mkdir()
        return path

    def versus(self, samples: Mapping[str, Sample], key: str, what: str, ours: str, peer: str,
               limit: Optional[float] = None) -> None:
        """A row of wall times; a peer without a sample is not installed."""
        mine, other = samples[ours], samples.get(peer)
        self.report.add(Row(key, what, mine.wall_ms, peer, other.wall_ms if other else None, limit,
                            runs=f"{mine.count}/{other.count}" if other else str(mine.count),
                            cpu_ratio=mine.cpu_ms / other.cpu_ms if other else None))

    def limit(self, sample: Sample, key: str, what: str, most_ms: float) -> None:
        """A row of a wall time against a fixed limit."""
        self.report.add(Row(key, what, sample.wall_ms, "the limit", most_ms, most_ms, absolute=True,
                            runs=str(sample.count)))


# ---- a: start -----------------------------------------------------------------------------------

def start(bench: Bench) -> None:
    """What a command costs that contacts nothing."""
    bench.report.section("Start")
    contract = inputs.checked_contract(bench.folder("start"), 5)
    sides = [Side("agent version", [bench.agent, "version"]),
             Side("agent check", [bench.agent, "check", "--env-only", "--contract", str(contract)],
                  inputs.checked_environment(5)),
             Side("C, three libraries", [bench.watch.floor("start")]),
             Side("C, empty", [bench.watch.floor("empty")]),
             Side("bao version", [str(find_binary()), "version"])]
    peer = find_peer("consul-template")
    if peer:
        sides.append(Side("consul-template -version", [peer, "-version"]))
    samples = bench.watch.compare(sides, FAST)
    for name, what in (("agent version", "`agent version`"),
                       ("agent check", "`agent check --env-only`, 5 variables")):
        bench.versus(samples, "start", what, name, "C, three libraries", 1.5)
        bench.versus(samples, "start", what, name, "consul-template -version", 0.35)
        bench.versus(samples, "start", what, name, "C, empty")
        bench.versus(samples, "start", what, name, "bao version")


# ---- b: fetch, then exec ------------------------------------------------------------------------

def fetch(bench: Bench) -> None:
    """Secrets from OpenBao over TLS, then /bin/true."""
    bench.report.section("Fetch, then exec `/bin/true`")
    server = OpenBao(tls=True)
    paths = [f"secret/bench/p{number:02}" for number in range(20)]
    for path in paths:
        server.put(path, {"value": f"value of {path}"})
    folder = bench.folder("fetch")
    for round_trip in ROUND_TRIPS_MS[:1] if bench.quick else ROUND_TRIPS_MS:
        proxy = Proxy(server.port, round_trip / 2) if round_trip else None
        port = proxy.port if proxy else server.port
        for count in (1, 20):
            _fetch(bench, folder / f"{count}-{round_trip}", server, port, paths[:count], round_trip)
        if round_trip:
            _fetch_approle(bench, folder / "approle", server, port, paths, round_trip)
        if proxy:
            proxy.stop()
    server.remove()


def _fetch_approle(bench: Bench, folder: Path, server: OpenBao, port: int, paths: Sequence[str],
                   round_trip: int) -> None:
    """A log-in before, and the end of its token behind."""
    policy = server.policy({"secret/data/bench/*": ["read"]})
    role = server.approle([policy], mount="approle")
    env = {"VAULT_ADDR": f"https://127.0.0.1:{port}", "VAULT_CACERT": str(server.ca_cert),
           "ROLE_ID": role.role_id, "SECRET_ID": role.secret_id}
    contract = inputs.fetch_contract(folder, paths, approle=True)
    references = [f"{inputs.secret_name(path)}={path}#value" for path in paths]
    samples = bench.watch.compare([
        Side("agent", [bench.agent, "run", "-q", "--contract", str(contract), "--", "/bin/true"], env),
        Side("C, libcurl", [bench.watch.floor("fetch"), *references, "--", "/bin/true"], env)])
    bench.versus(samples, f"fetch-approle-{round_trip}",
                 f"AppRole, {len(paths)} paths, {round_trip} ms", "agent", "C, libcurl", 1.15)


def _fetch(bench: Bench, folder: Path, server: OpenBao, port: int, paths: Sequence[str],
           round_trip: int) -> None:
    address, ca_cert = f"https://127.0.0.1:{port}", str(server.ca_cert)
    env = {"VAULT_ADDR": address, "VAULT_TOKEN": server.token, "VAULT_CACERT": ca_cert}
    references = [f"{inputs.secret_name(path)}={path}#value" for path in paths]
    contract = inputs.fetch_contract(folder, paths)
    agent_peer = inputs.bao_agent(folder, address, ca_cert, server.token, paths)
    run = [bench.agent, "run", "-q", "--contract", str(contract), "--", "/bin/true"]
    sides = [Side("agent", run, env),
             Side("C, libcurl", [bench.watch.floor("fetch"), *references, "--", "/bin/true"], env),
             Side("bao agent", [str(find_binary()), "agent", f"-config={agent_peer}"], slow=True)]
    peer = find_peer("consul-template")
    if peer:
        settings = inputs.consul_template(folder, address, ca_cert, paths)
        sides.append(Side("consul-template", [peer, f"-config={settings}"], env))
    peer = find_peer("envconsul")
    if peer:
        settings = inputs.envconsul(folder, address, ca_cert, paths)
        sides.append(Side("envconsul", [peer, f"-config={settings}", "/bin/true"], env))
    samples = bench.watch.compare(sides, OFTEN)
    what = f"{len(paths)} path{'s' if len(paths) > 1 else ''}, {round_trip} ms"
    bench.versus(samples, f"fetch-{len(paths)}-{round_trip}", what, "agent", "C, libcurl", 1.15)
    bench.versus(samples, "fetch-peer", what, "agent", "envconsul",
                 0.85 if len(paths) == 1 else 0.4)
    bench.versus(samples, "fetch-peer", what, "agent", "consul-template")
    bench.versus(samples, "fetch-peer", what, "agent", "bao agent")


# ---- c, d: databases ----------------------------------------------------------------------------

class Databases:
    """A PostgreSQL, and a fresh database for each run."""

    def __init__(self) -> None:
        # The tests' servers log every statement, of which the script is the longest.
        self.server = Postgres({"log_statement": "none"},
                               parent=TMPFS if os.access(TMPFS, os.W_OK) else None)
        self.role: Role = self.server.role()
        self.current: Optional[Database] = None

    def maker(self, port: int) -> Callable[[], Mapping[str, str]]:
        """What makes a fresh database and says how to reach it through `port`."""
        def make() -> Dict[str, str]:
            self.current = self.server.database(self.role)
            return {"DATABASE_URL": self.current.url(port=port), "PGHOST": "127.0.0.1",
                    "PGPORT": str(port), "PGUSER": self.role.name,
                    "PGPASSWORD": self.role.password, "PGDATABASE": self.current.name}
        return make

    def drop(self) -> None:
        """Remove the database of the last run."""
        if self.current is not None:
            self.current.drop()
            self.current = None


def _agent_bootstrap(bench: Bench, name: str, databases: Databases, contract: Path, port: int,
                     copies: int = 1) -> Side:
    return Side(name, [bench.agent, "bootstrap", "-q", "--contract", str(contract)], copies=copies,
                before=databases.maker(port), after=databases.drop)


def _project(folder: Path, tables: int) -> Path:
    inputs.schema_file(folder / "schema.sql", tables)
    inputs.alembic_project(folder, inputs.REVISIONS, tables)
    return inputs.bootstrap_contract(folder, "schema.sql")


def bootstrap(bench: Bench) -> None:
    """A fresh database from one file."""
    bench.report.section("Bootstrap")
    databases = Databases()
    for tables in (100,) if bench.quick else (100, 1000):
        contract = _project(bench.folder(f"bootstrap-{tables}"), tables)
        for round_trip in ROUND_TRIPS_MS[:1] if bench.quick else ROUND_TRIPS_MS:
            _bootstrap(bench, databases, contract, tables, round_trip)
    databases.server.remove()


def _bootstrap(bench: Bench, databases: Databases, contract: Path, tables: int,
               round_trip: int) -> None:
    proxy = Proxy(databases.server.port, round_trip / 2) if round_trip else None
    port = proxy.port if proxy else databases.server.port
    schema, make = str(contract.parent / "schema.sql"), databases.maker(port)
    psql = [str(databases.server.bindir / "psql"), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1",
            "-f", schema]
    config = str(contract.parent / "alembic.ini")
    sides = [_agent_bootstrap(bench, "agent", databases, contract, port),
             Side("C, libpq", [bench.watch.floor("query"), schema],
                  before=make, after=databases.drop),
             Side("C, libpq, two log-ins", [bench.watch.floor("query"), schema, "again"],
                  before=make, after=databases.drop),
             Side("psql -1 -f", psql, before=make, after=databases.drop, slow=True),
             Side("alembic upgrade head", [ALEMBIC, "-c", config, "upgrade", "head"],
                  before=make, after=databases.drop, slow=True)]
    # The server's own time for the same script varies by a third from run to run.
    samples = bench.watch.compare(sides, OFTEN if tables == 100 else 1)
    what, key = f"{tables:,} tables, {round_trip} ms", f"bootstrap-{tables}-{round_trip}"
    bench.versus(samples, key, what, "agent", "C, libpq", None if round_trip else 1.10)
    bench.versus(samples, key, what, "agent", "psql -1 -f", 1 / 15 if round_trip else None)
    bench.versus(samples, key, what, "agent", "alembic upgrade head")
    alembic, two_logins = "alembic upgrade head", "C, libpq, two log-ins"
    for ours, peer, limit in (("agent", alembic, 1 / 50), ("agent", two_logins, None),
                              (two_logins, alembic, None)):
        mine, other = samples[ours], samples[peer]
        whose = "client CPU" if ours == "agent" else f"client CPU of {ours}"
        bench.report.add(Row(f"cpu-{tables}", f"{what}: {whose}", mine.cpu_ms, peer,
                             other.cpu_ms, limit, runs=f"{mine.count}/{other.count}"))
    if proxy:
        proxy.stop()


def herd(bench: Bench) -> None:
    """Fifty at once on one empty database."""
    bench.report.section("A herd")
    databases = Databases()
    contract = _project(bench.folder("herd"), 100)
    for round_trip in ROUND_TRIPS_MS[:1] if bench.quick else ROUND_TRIPS_MS:
        proxy = Proxy(databases.server.port, round_trip / 2) if round_trip else None
        port = proxy.port if proxy else databases.server.port
        samples = bench.watch.compare([
            _agent_bootstrap(bench, "one", databases, contract, port),
            _agent_bootstrap(bench, "herd", databases, contract, port, HERD)])
        one, many = samples["one"], samples["herd"]
        bench.report.add(Row(f"herd-{round_trip}", f"{HERD} at once, {round_trip} ms", many.wall_ms,
                             "one alone", one.wall_ms, 2 * one.wall_ms + 1000, absolute=True,
                             runs=f"{many.count}/{one.count}"))
        if proxy:
            proxy.stop()
    databases.server.remove()


def memory(bench: Bench) -> None:
    """Peak memory with a large schema file."""
    bench.report.section("Memory")
    databases = Databases()
    folder = bench.folder("memory")
    size_mb = inputs.dump_file(folder / "schema.sql").stat().st_size / MEGABYTE
    inputs.alembic_project(folder, 1)
    contract = inputs.bootstrap_contract(folder, "schema.sql")
    side = _agent_bootstrap(bench, "agent", databases, contract, databases.server.port)
    runs = [bench.watch.run(side) for _ in range(1 if bench.quick else 3)]
    peak_mb = max(run.peak_kib for run in runs) * 1024 / MEGABYTE
    bench.report.add(Row("memory", f"schema file of {size_mb:.0f} MB", peak_mb, "the file", size_mb,
                         size_mb + MEMORY_ALLOWANCE_MB, unit="MB", absolute=True,
                         runs=str(len(runs))))
    databases.server.remove()


# ---- e: contracts -------------------------------------------------------------------------------

def check(bench: Bench) -> None:
    """A contract against the environment, and parsing by size."""
    bench.report.section("Check")
    folder = bench.folder("check")
    for count in (50, 1000):
        contract = str(inputs.checked_contract(folder, count))
        env = inputs.checked_environment(count)
        agent = Side("agent", [bench.agent, "check", "-q", "--env-only", "--contract", contract], env)
        what, floor, pydantic = f"{count:,} variables", "C, jansson and PCRE2", "pydantic-settings"
        samples = bench.watch.compare(
            [agent, Side(floor, [bench.watch.floor("check"), contract], env)], FAST)
        bench.versus(samples, f"check-{count}", what, "agent", floor, 1.5)
        samples = bench.watch.compare(
            [agent, Side(pydantic, [PYTHON, str(inputs.settings_program(folder, count))], env)])
        bench.versus(samples, f"check-{count}-pydantic", what, "agent", pydantic, 1 / 20)
    check = [bench.agent, "check", "-q", "--contract"]
    _linear(bench, "linear-parse", "parsing",
            lambda count: [*check, str(inputs.plain_contract(folder, count)), "--lint"])
    _linear(bench, "linear-check", "checking",
            lambda count: [*check, str(inputs.plain_contract(folder, count)),
                           "--env-file", str(inputs.plain_env_file(folder, count))])
    _hostile(bench, folder)


def _linear(bench: Bench, key: str, what: str, command: Callable[[int], List[str]]) -> None:
    """What a variable costs where there are many, against what it costs where there are few."""
    sizes = (10, 1000, 100000)
    samples = bench.watch.compare([Side(str(count), command(count)) for count in sizes], FAST)
    # Processor time: what a thousand variables cost is less than the machine's noise.
    per_variable = [1000 * (samples[str(many)].cpu_ms - samples[str(few)].cpu_ms) / (many - few)
                    for few, many in zip(sizes, sizes[1:])]
    count = samples[str(sizes[0])].count
    bench.report.add(Row(key, f"{what}, each variable up to 100,000", per_variable[1],
                         "each up to 1,000", per_variable[0], 1.5, unit="µs", runs=str(count)))


def _hostile(bench: Bench, folder: Path) -> None:
    """The slowest and the largest of all contracts that are full of one thing."""
    ends = 'code=0; "$@" || code=$?; [ "$code" -le 2 ]'  # right, wrong, or no contract: it has ended
    costs = {}
    for name, text in hostile.shapes().items():
        contract = inputs.write(folder / f"hostile-{name.replace(' ', '-')}.json", text)
        costs[name] = bench.watch.run(Side(name, ["sh", "-c", ends, "sh", bench.agent, "check", "-q", "--env-only",
                                                  "--contract", str(contract)], hostile.ENVIRONMENT))
    slowest = max(costs, key=lambda name: costs[name].cpu_ms)
    largest = max(costs, key=lambda name: costs[name].peak_kib)
    what = f"{len(costs)} contracts of up to 4 MiB"
    bench.report.add(Row("hostile-time", f"{what}: {slowest}", costs[slowest].cpu_ms, "a second (CPU)", 1000, 1000,
                         absolute=True, runs=str(len(costs))))
    bench.report.add(Row("hostile-memory", f"{what}: {largest}", costs[largest].peak_kib * 1024 / MEGABYTE,
                         "64 MiB", 64 * hostile.MIB / MEGABYTE, 64 * hostile.MIB / MEGABYTE, unit="MB", absolute=True,
                         runs=str(len(costs))))


# ---- output without secrets -----------------------------------------------------------------------

def redact(bench: Bench) -> None:
    """`run --redact`: what the application writes, passed on."""
    bench.report.section("Output without secrets")
    folder, megabytes = bench.folder("redact"), 20 if bench.quick else 100
    contract, env = inputs.redact_contract(folder)
    log = str(inputs.log_file(folder, megabytes * MEGABYTE))
    run = [bench.agent, "run", "--contract", contract]
    sed = [argument for value in env.values() for argument in ("-e", f"s|{value}|***|g")]
    sides = [Side("agent", [*run, "--redact", "--", "cat", log], env),
             Side("cat | sed", ["sh", "-c", 'cat "$0" | sed "$@"', log, *sed]),
             Side("agent --supervise", [*run, "--supervise", "--", "cat", log], env)]
    samples = bench.watch.compare(sides)
    what = f"{megabytes} MB of a log, 10 secrets"
    bench.versus(samples, "redact-sed", what, "agent", "cat | sed", 1.0)
    bench.versus(samples, "redact", what, "agent", "agent --supervise")


# ---- f: revision graphs -------------------------------------------------------------------------

def graph(bench: Bench) -> None:
    """Revision files, read without Python."""
    bench.report.section("Graph")
    counts = (1000,) if bench.quick else (1000, 10000, 100000)
    cpu_ms: Dict[int, float] = {}
    for count in counts:
        config = str(inputs.alembic_project(bench.folder(f"graph-{count}"), count))
        sides = [Side("agent", [bench.agent, "graph", config])]
        if count < counts[-1] or bench.quick:  # Alembic takes minutes for the last
            sides.append(Side("alembic heads", [ALEMBIC, "-c", config, "heads"], slow=True))
        samples = bench.watch.compare(sides)
        cpu_ms[count] = samples["agent"].cpu_ms
        if "alembic heads" in samples:
            bench.versus(samples, "graph", f"{count:,} revisions", "agent", "alembic heads")
        if count == 10000:
            bench.limit(samples["agent"], "graph-10000", f"{count:,} revisions", GRAPH_MS)
        shutil.rmtree(Path(config).parent)  # a hundred thousand files are in the way of what follows
    if len(counts) < 3:
        return
    each = [1000 * (cpu_ms[many] - cpu_ms[few]) / (many - few)
            for few, many in zip(counts, counts[1:])]
    bench.report.add(Row("graph-linear", f"each revision up to {counts[2]:,}", each[1],
                         f"each up to {counts[1]:,}", each[0], 1.5, unit="µs"))


# ---- g: guard and audit -------------------------------------------------------------------------

def _acme(bench: Bench, name: str) -> Path:
    """A copy of the example: what its Python leaves behind stays out of the tree."""
    return Path(shutil.copytree(ROOT / "examples" / "acme", bench.folder(name) / "acme",
                                ignore=shutil.ignore_patterns("__pycache__")))


def guard(bench: Bench) -> None:
    """Both paths of the example on a throwaway server, and each path's commands by themselves."""
    bench.report.section("Guard")
    folder, databases = _acme(bench, "guard"), Databases()
    databases.server.sql("CREATE ROLE acme_owner NOLOGIN")
    databases.server.sql(f"GRANT acme_owner TO {databases.role.name}")
    done = databases.server.database(databases.role)
    there = {"DATABASE_URL": done.url(scheme="postgresql+psycopg")}

    def fresh() -> Mapping[str, str]:
        databases.current = databases.server.database(databases.role)
        return {"DATABASE_URL": databases.current.url(scheme="postgresql+psycopg")}

    upgrade = [ALEMBIC, "upgrade", "heads"]
    bench.watch.run(Side("migrate", upgrade, there, cwd=folder))
    samples = bench.watch.compare([
        Side("agent", [bench.agent, "guard", "--profile", "dev", "--ephemeral"], cwd=folder),
        Side("migrate", upgrade, cwd=folder, before=fresh, after=databases.drop),
        Side("again", upgrade, there, cwd=folder),
        Side("emit", [str(Path(ALEMBIC).parent / "python3"), "-m", "app.emit_ddl"], there,
             cwd=folder),
        Side("stamp", [ALEMBIC, "stamp", "heads"], there, cwd=folder)])
    wall = {name: sample.wall_ms for name, sample in samples.items()}
    slower = max(wall["migrate"] + wall["again"], wall["emit"] + wall["stamp"] + wall["again"])
    ours = samples["agent"]
    bench.report.add(Row("guard", "125 revisions, both paths and all proofs", ours.wall_ms,
                         "the slower path's commands", slower,
                         GUARD_FACTOR * slower + SERVER_MS, absolute=True, runs=str(ours.count),
                         cpu_ratio=ours.cpu_ms / sum(one.cpu_ms for name, one in samples.items()
                                                     if name != "agent")))
    databases.server.remove()


def catalog(bench: Bench) -> None:
    """A large schema read from the server's catalogs and written as text."""
    bench.report.section("Catalog")
    databases = Databases()
    folder = bench.folder("catalog")
    schema = inputs.schema_file(folder / "schema.sql", 1000)
    inputs.alembic_project(folder, 1)
    contract = inputs.bootstrap_contract(folder, "schema.sql")
    made = databases.server.database(databases.role)
    made.sql(f"SET ROLE {databases.role.name};\n{schema.read_text()}")
    env = {"DATABASE_URL": made.url(), "PGPASSWORD": databases.role.password}
    dump = [str(databases.server.bindir / "pg_dump"), "-s", "-h", "127.0.0.1", "-p",
            str(databases.server.port), "-U", databases.role.name, made.name]
    samples = bench.watch.compare([
        Side("agent", [bench.agent, "verify", "--schema", "--contract", str(contract)], env),
        Side("pg_dump -s", dump, env)])
    what = "1,000 tables of 10 columns"
    bench.limit(samples["agent"], "catalog", what, CATALOG_MS)
    bench.versus(samples, "catalog", what, "agent", "pg_dump -s")
    ours = samples["agent"]
    bench.report.add(Row("catalog-memory", f"{what}: memory", ours.peak_kib * 1024 / MEGABYTE,
                         "the limit", CATALOG_MB, CATALOG_MB, unit="MB", absolute=True,
                         runs=str(ours.count)))
    databases.server.remove()


def audit(bench: Bench) -> None:
    """The record of all migrations, against Alembic's own printing of their SQL."""
    bench.report.section("Audit")
    folder = _acme(bench, "audit")
    env = {"DATABASE_URL": "postgresql+psycopg://nobody@offline.invalid/offline"}
    samples = bench.watch.compare([
        Side("agent", [bench.agent, "audit", "--out", str(folder.parent / "record")], env,
             cwd=folder),
        Side("alembic upgrade heads --sql", [ALEMBIC, "upgrade", "heads", "--sql"], env,
             cwd=folder)])
    ours, other = samples["agent"], samples["alembic upgrade heads --sql"]
    bench.report.add(Row("audit", "125 revisions", ours.wall_ms, "alembic upgrade heads --sql",
                         other.wall_ms, other.wall_ms + AUDIT_MS, absolute=True,
                         runs=f"{ours.count}/{other.count}", cpu_ratio=ours.cpu_ms / other.cpu_ms))


PARTS: Dict[str, Callable[[Bench], None]] = {
    "start": start, "fetch": fetch, "bootstrap": bootstrap, "herd": herd, "memory": memory,
    "check": check, "redact": redact, "graph": graph, "guard": guard, "catalog": catalog, "audit": audit,
}
