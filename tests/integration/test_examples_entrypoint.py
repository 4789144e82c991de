"""examples/entrypoint: the files are what their programs want, and what they start does start: with the
environment that each file sets, on a real PostgreSQL and a real OpenBao."""
from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple
from urllib.parse import quote

import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.lib.case import ACME, Case, lacks
from tests.lib.rootfs import release
from tests.lib.servers import ROOT, Postgres

ENTRYPOINT = ROOT / "examples" / "entrypoint"
UNITS = ["acme-api.service", "acme-reports.service"]
MANIFESTS = ["kubernetes.yaml", "kubernetes-auth.yaml"]
SCHEMAS = ROOT / "build" / "venv" / "share" / "kubernetes"
INSTRUCTIONS = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD"}
RUN_ARGV = ["agent", "run", "--bootstrap"]
START_SECONDS = 300.0
STOP_SECONDS = 30  # run.stop_timeout, where a contract does not say it


class Stage(NamedTuple):
    """One stage of the Dockerfile."""

    base: str
    lines: List[Tuple[str, str]]


def stages() -> Dict[str, Stage]:
    """The Dockerfile's stages by name, each with its instructions."""
    text = (ENTRYPOINT / "Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    made: Dict[str, Stage] = {}
    current = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(None, 1)
        assert word in INSTRUCTIONS, line
        if word == "FROM":
            base, keyword, current = rest.split()
            assert keyword == "AS", line
            made[current] = Stage(base, [])
        else:
            made[current].lines.append((word, rest))
    return made


def packages_of(stage: Stage) -> List[str]:
    """What a stage installs with apt-get."""
    (command,) = [rest for word, rest in stage.lines if word == "RUN" and "apt-get install" in rest]
    listed = command.split("--no-install-recommends", 1)[1].split("&&", 1)[0]
    return listed.split()


def argv_of(stage: Stage, word: str) -> List[str]:
    """The exec form of ENTRYPOINT or CMD: with any other a shell would be process 1."""
    (text,) = [rest for found, rest in stage.lines if found == word]
    argv = json.loads(text)
    assert isinstance(argv, list) and all(isinstance(each, str) for each in argv)
    return argv


# ---- the image ------------------------------------------------------------------------------------


def test_the_stages_hang_together(case: Case) -> None:
    del case
    made = stages()
    assert {"app", "ci", "bundle", "distroless"} <= set(made)
    known = {"agent-source", "scratch"}
    for name, stage in made.items():
        assert stage.base in known or ":" in stage.base, (name, stage.base)
        for source in re.findall(r"--from=(\S+)", " ".join(rest for _, rest in stage.lines)):
            assert source in known, (name, source)
        known.add(name)
    for name in ("app", "distroless"):
        (user,) = [rest for word, rest in made[name].lines if word == "USER"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes can tell a number from root, not a name"


def test_the_bundle_is_where_the_images_take_it_from(case: Case) -> None:
    made = stages()
    ((word, copied),) = made["bundle"].lines
    assert (word, copied) == ("COPY", "--from=bundled /src/build/bundle/ /")
    plan = case.tool("make", "-n", "bundle", cwd=ROOT).expect(0).stdout
    assert re.search(r"bundle\.sh \S+ /opt/agent .* build/bundle dist/", plan), plan
    entrypoint = argv_of(made["distroless"], "ENTRYPOINT")
    assert entrypoint == ["/opt/agent/agent", *argv_of(made["app"], "ENTRYPOINT")[1:]]
    assert argv_of(made["distroless"], "CMD") == argv_of(made["app"], "CMD")


def test_the_image_has_what_the_build_and_the_binary_need(case: Case) -> None:
    made = stages()
    wanted = (ROOT / "tests" / "lib" / "deps.sh").read_text()
    missing = [name for name in packages_of(made["build"])
               if not re.search(rf"(^|[\s(]){re.escape(name)}[\s)]", wanted)]
    assert not missing, missing
    case.tool("make", "-n", "install", "DESTDIR=/out", "PREFIX=/usr", cwd=ROOT).expect(0)
    binary = case.make_agent("release").binary
    linked = re.findall(r"=> (\S+)", case.tool("ldd", str(binary)).expect(0).stdout)
    installed = set(packages_of(made["base"]))
    for library in linked:
        owner = case.tool("dpkg", "-S", str(Path("/usr") / library.lstrip("/"))).stdout \
            or case.tool("dpkg", "-S", library).stdout
        package = owner.split(":", 1)[0]
        assert package == "libc6" or package in installed, (library, owner)
    assert not lacks(" ".join(installed), ["libcurl4", "libpq5", "ca-certificates"]), installed
    query = [name for name in packages_of(made["ci"]) if name.startswith("libpg-query")]
    soname = re.search(rb"libpg_query\.so\.([\d.]+)", binary.read_bytes())
    assert soname
    if release().get("VERSION_CODENAME") in made["base"].base.rsplit("-", 1):
        assert query == [f"libpg-query{soname.group(1).decode()}"], query


# ---- Compose: a developer's machine -----------------------------------------------------------------


def compose_environment(service: Dict[str, Any]) -> Dict[str, str]:
    """What `env_file` gives the container."""
    lines = (ENTRYPOINT / service["env_file"]).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_compose_names_what_is_there(case: Case) -> None:
    del case
    document = yaml.safe_load((ENTRYPOINT / "compose.yaml").read_text())
    assert set(document) == {"services"}
    api, database = document["services"]["api"], document["services"]["db"]
    build = api["build"]
    context = (ENTRYPOINT / build["context"]).resolve()
    assert context == ACME and (context / build["dockerfile"]).resolve() == ENTRYPOINT / "Dockerfile"
    assert build["target"] in stages()
    source = (ENTRYPOINT / build["additional_contexts"]["agent-source"]).resolve()
    assert (source / "Makefile").is_file() and source == ROOT
    assert api["network_mode"] == "service:db" and api["depends_on"] == ["db"]
    ((there, inside, mode),) = [each.split(":") for each in database["volumes"]]
    # By its ending the image knows what to do with it.
    assert (ENTRYPOINT / there).is_file() and Path(inside).parent == Path("/docker-entrypoint-initdb.d")
    assert Path(inside).suffix == ".sql" and mode == "ro"


def test_what_compose_starts_makes_the_database_and_starts(case: Case) -> None:
    document = yaml.safe_load((ENTRYPOINT / "compose.yaml").read_text())
    api, database = document["services"]["api"], document["services"]["db"]
    env, postgres = compose_environment(api), case.server_of_its_own()
    there, name = database["environment"], database["environment"]["POSTGRES_DB"]
    assert env["DATABASE_URL"].endswith(f"postgres:{there['POSTGRES_PASSWORD']}@localhost:5432/{name}")
    postgres.sql(f"CREATE DATABASE {name}")
    postgres.sql((ENTRYPOINT / database["volumes"][0].split(":")[0]).read_text(), name)
    env["DATABASE_URL"] = (f"postgresql+psycopg://postgres:{quote(postgres.password)}"
                           f"@localhost:{postgres.port}/{name}")
    stage = stages()[api["build"]["target"]]
    entrypoint = argv_of(stage, "ENTRYPOINT")
    assert entrypoint[:3] == RUN_ARGV
    argv = entrypoint + argv_of(stage, "CMD")
    for made in (True, False):
        done = case.agent(*argv[1:], env=env, cwd=ACME, seconds=START_SECONDS)
        assert "acme-api, process" in done.expect(0).stdout, (made, done)
    assert postgres.value("SELECT count(*) FROM pg_tables WHERE tableowner = 'acme_owner' AND "
                          "tablename = 'alembic_version'", name) == "1"


# ---- Kubernetes and systemd: staging, with OpenBao --------------------------------------------------


def kubernetes(name: str = "kubernetes.yaml") -> Dict[str, Any]:
    """The objects by kind."""
    with open(ENTRYPOINT / name, encoding="utf-8") as text:
        return {each["kind"]: each for each in yaml.safe_load_all(text)}


def container_of(thing: Dict[str, Any]) -> Dict[str, Any]:
    """The one container of an object's pods."""
    (container,) = thing["spec"]["template"]["spec"]["containers"]
    return container


def container_environment(thing: Dict[str, Any]) -> Dict[str, str]:
    """Its variables; what comes from a secret is `secret:KEY`."""
    made = {}
    for each in container_of(thing)["env"]:
        assert ("value" in each) != ("valueFrom" in each), each
        made[each["name"]] = each.get("value") or "secret:" + each["valueFrom"]["secretKeyRef"]["key"]
    return made


def unit(name: str = "acme-api.service") -> Dict[str, List[str]]:
    """The unit's settings; those that stand more than once have several values."""
    made: Dict[str, List[str]] = {}
    for line in (ENTRYPOINT / name).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            made.setdefault(name, []).append(value)
    return made


def schema_of(thing: Dict[str, Any]) -> Draft7Validator:
    """Kubernetes' own schema of an object, which refuses what it does not know."""
    version = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", thing["apiVersion"])
    schema = json.loads((SCHEMAS / f"{thing['kind'].lower()}-{version}.json").read_text())
    definitions = json.loads((SCHEMAS / "_definitions.json").read_text())
    named = Resource.from_contents(definitions, default_specification=DRAFT7)
    registry = Registry().with_resource("/api/_definitions.json", named)
    return Draft7Validator({**schema, "$id": "/api/object.json"}, registry=registry)


def test_kubernetes_knows_every_key_and_type(case: Case) -> None:
    del case
    for name in MANIFESTS:
        for kind, thing in kubernetes(name).items():
            problems = [f"{each.json_path}: {each.message}" for each in schema_of(thing).iter_errors(thing)]
            assert not problems, (name, kind, problems)
    deployment = kubernetes()["Deployment"]
    container_of(deployment)["securityContext"]["readOnlyFilesystem"] = True
    assert not schema_of(deployment).is_valid(deployment), "the schema refuses nothing"


def test_the_kubernetes_objects_are_whole(case: Case) -> None:
    del case
    objects = kubernetes()
    deployment, job = objects["Deployment"], objects["Job"]
    assert deployment["apiVersion"] == "apps/v1" and job["apiVersion"] == "batch/v1"
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    for thing in (deployment, job):
        pod, container = thing["spec"]["template"]["spec"], container_of(thing)
        volumes = [each["name"] for each in pod["volumes"]]
        assert [each["name"] for each in container["volumeMounts"]] == volumes
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
        assert all(isinstance(each, str) for each in container["command"] + container.get("args", []))
    assert container_environment(deployment) == container_environment(job)


def test_the_unit_is_one_that_systemd_takes(case: Case) -> None:
    if shutil.which("systemd-analyze") is None:
        case.skip("there is no systemd-analyze")
    binary = str(case.make_agent().binary)
    for name in UNITS:
        text = (ENTRYPOINT / name).read_text()
        assert text.count("/usr/bin/agent") == 1
        path = case.folder.write(name, text.replace("/usr/bin/agent", binary))
        done = case.tool("systemd-analyze", "verify", str(path)).expect(0)
        # An unknown key is said and is no failure. What it says of this machine's own units is not ours.
        assert name not in done.stderr + done.stdout, done


def test_nobody_kills_agent_before_it_has_ended_the_application(case: Case) -> None:
    del case
    contracts = [(ACME / "contract.json").read_text(), (ENTRYPOINT / "passfile.contract.json").read_text(),
                 *kubernetes("kubernetes-auth.yaml")["ConfigMap"]["data"].values()]
    assert not [text for text in contracts if "stop_timeout" in text]
    source = (ROOT / "envcontract" / "run.c").read_text()
    assert f"DEFAULT_STOP_TIMEOUT_MS = {STOP_SECONDS} * 1000" in source
    for name in MANIFESTS:
        pod = kubernetes(name)["Deployment"]["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > STOP_SECONDS, name
    for name in UNITS:
        settings = unit(name)
        (seconds,), (argv,) = settings["TimeoutStopSec"], settings["ExecStart"]
        assert int(seconds.rstrip("s")) > STOP_SECONDS, name
        # Without a lease agent would become the application, and nobody would say that it is ready.
        assert settings["Type"] == ["notify"] and "--supervise" in shlex.split(argv), name
        assert settings["KillMode"] == ["mixed"], "a signal to all would reach the application twice"


class Staging:
    """What the contract's profile `staging` gets: a database, and OpenBao with the secrets."""

    def __init__(self, case: Case) -> None:
        self.postgres, bao = case.server_of_its_own(), case.openbao_of_its_own(tls=True)
        new = case.canaries.new
        self._database(self.postgres)
        bao.database_engine(self.postgres, "acme", role="acme", member_of="acme_owner", mount="database")
        bao.put("secret/acme/staging/db", {"host": "127.0.0.1", "port": str(self.postgres.port),
                                           "sslmode": "disable"})
        self._bao, self._values = bao, {
            "REDIS_URL": f"rediss://:{new('redis')}@cache.acme.internal:6379/0",
            "SESSION_SECRET": base64.b64encode(new("session", characters=60).encode()).decode(),
            "WEBHOOK_SIGNING_KEY": base64.b64encode(new("hooks", characters=60).encode()).decode(),
            "CLERK_SECRET_KEY": new("clerk", prefix="sk_test_")}
        self.put()
        policy = bao.policy({"secret/data/acme/staging/*": ["read"], "database/creds/acme": ["read"]})
        role = bao.approle([policy], mount="approle")
        self.secrets = {"VAULT_ROLE_ID": role.role_id,
                        "VAULT_SECRET_ID": case.canaries.add("secret id", role.secret_id)}
        self.address = {"VAULT_ADDR": bao.address, "VAULT_CACERT": str(bao.ca_cert)}

    @staticmethod
    def _database(postgres: Postgres) -> None:
        postgres.sql("CREATE DATABASE acme")
        postgres.sql("CREATE ROLE acme_owner NOLOGIN; GRANT CREATE ON SCHEMA public TO acme_owner", "acme")

    def put(self, **values: str) -> None:
        """Have the application's secrets be these, and the others as they are."""
        self._values.update(values)
        self._bao.put("secret/acme/staging/app", self._values)

    def environment(self, given: Dict[str, str]) -> Dict[str, str]:
        """A file's variables, its secrets filled in, its Vault being ours."""
        assert given["VAULT_ADDR"].startswith("https://"), given
        return {**given, **self.secrets, **self.address}


def test_what_kubernetes_and_systemd_start_does_start(case: Case) -> None:
    staging, objects = Staging(case), kubernetes()
    given = container_environment(objects["Deployment"])
    assert {given[name] for name in staging.secrets} == {"secret:role-id", "secret:secret-id"}
    env = staging.environment(given)
    container = container_of(objects["Deployment"])
    argv = container["command"] + container["args"]
    assert argv[:3] == RUN_ARGV and container["command"][-1] == "--"
    first = case.agent(*argv[1:], env=env, cwd=ACME, seconds=START_SECONDS).expect(0)
    assert "environment staging" in first.stdout and "missing" not in first.stdout, first
    migrate = container_of(objects["Job"])["command"]
    assert migrate[0] == "agent" and "--migrate" in migrate
    case.agent(*migrate[1:], env=env, cwd=ACME, seconds=START_SECONDS).expect(0)

    settings = unit()
    (exec_start,) = settings["ExecStart"]
    argv = shlex.split(exec_start)
    assert Path(argv[0]).is_absolute() and ["agent", *argv[1:3]] == RUN_ARGV
    pairs = dict(each.split("=", 1) for line in settings["Environment"] for each in shlex.split(line))
    pairs.pop("PATH")
    again = case.agent(*argv[1:], env=staging.environment(pairs), cwd=ACME, seconds=START_SECONDS)
    assert "environment staging" in again.expect(0).stdout, again
