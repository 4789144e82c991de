"""examples/entrypoint in real containers: the Dockerfile built as it is, agent as process 1, fifty pods, Compose."""
from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

import yaml

from tests.integration.test_examples_entrypoint import (ENTRYPOINT, Staging, container_environment, container_of,
                                                        kubernetes)
from tests.lib.case import ACME, Case, alone
from tests.lib.podman import Container, Podman, of
from tests.lib.processes import ROOT, Folder, register, wait_until

API, DISTROLESS = "registry.example.org/acme/acme-api:1", "localhost/acme-api:distroless"
SECRET = "made up, and not to be packed\n"
AS_IN_KUBERNETES = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--tmpfs=/tmp"]
STAYS = ["sh", "-c", "for s in TERM INT HUP USR1 QUIT; do trap \"echo had $s; exit 40\" $s; done; echo up; "
                     "while :; do sleep 0.05; done"]
POD = "import os, signal, sys\nsignal.signal(15, lambda *_: sys.exit(0))\nprint('up', os.getppid(), flush=True)\nsignal.pause()"
HEALTHY = {"contract": 1, "vars": {}, "run": {"status": "unix:/tmp/agent.sock"}}


def sources() -> Path:
    """What is committed or about to be, beside a build that is another machine's."""
    folder = Folder("agent-source-")
    register(folder.remove)
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=str(ROOT),
                            stdout=subprocess.PIPE, check=True)
    archive = ["tar", "--create", "--null", "--files-from=-", "--ignore-failed-read"]
    packed = subprocess.run(archive, cwd=str(ROOT), input=listed.stdout, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "--extract"], cwd=str(folder.path), input=packed.stdout, check=True)
    folder.write("build/release/elsewhere", "")
    folder.write("examples/acme/.env", SECRET)
    return folder.path


def images(case: Case) -> Podman:
    """podman with the Dockerfile's images, built once: the file as it is, and its contexts as its head says."""
    podman = of(case)

    def build() -> Path:
        tree = sources()
        entrypoint = tree / "examples" / "entrypoint"
        for target, tag in (("build", "localhost/agent-build"), ("app", API), ("distroless", DISTROLESS)):
            podman.build(tree / "examples" / "acme", f"--file={entrypoint / 'Dockerfile'}",
                         f"--ignorefile={entrypoint / 'Dockerfile.dockerignore'}",
                         f"--build-context=agent-source={tree}", f"--target={target}", f"--tag={tag}")
        return tree

    case.once("the images", build)
    return podman


def here(staging: Staging) -> Tuple[Dict[str, str], List[str]]:
    """The Deployment's variables with our servers, and the options that bring their certificate."""
    env = staging.environment(container_environment(kubernetes()["Deployment"]))
    mount = f"--volume={env['VAULT_CACERT']}:/etc/vault-ca.pem:ro"
    env["VAULT_CACERT"] = "/etc/vault-ca.pem"
    return env, [mount]


def lent(staging: Staging) -> int:
    """How many logins Vault has made that are there."""
    return int(staging.postgres.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'"))


def test_an_image_has_no_build_of_elsewhere_and_no_secret_of_the_project(case: Case) -> None:
    podman = images(case)
    look = ["run", "--rm", "--network=host", "--entrypoint=/usr/bin/find"]
    assert podman.run(*look, "localhost/agent-build", "/src", "-name", "elsewhere").expect(0).stdout == ""
    found = podman.run(*look, API, "/app", "-name", ".env*").expect(0).stdout.split()
    assert "/app/.env" not in found and all(each.endswith(".example") for each in found), found


def test_both_images_make_the_database_and_start_under_every_restriction(case: Case) -> None:
    podman, staging = images(case), Staging(case)
    env, mount = here(staging)
    ways = [[], AS_IN_KUBERNETES, ["--init"], ["--user=1000650000:0"], ["--memory=16m", "--memory-swap=16m"],
            ["--ulimit=memlock=65536:65536", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]]
    for image, options in [(API, way) for way in ways] + [(DISTROLESS, AS_IN_KUBERNETES)]:
        one = podman.container(case, image, env=env, options=[*mount, *options])
        assert one.wait() == 0, one.log()
        assert "environment staging" in one.log() and "could not be locked" not in one.log(), (options, one.log())
    unlocked = ["--ulimit=memlock=0:0", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--cap-drop=all"]
    one = podman.container(case, API, env=env, options=[*mount, *unlocked])
    assert one.wait() == 0 and "memory for secrets could not be locked" in one.log(), one.log()
    assert staging.postgres.value("SELECT count(*) FROM alembic_version", "acme") == "1" and lent(staging) == 0


def test_process_1_hands_each_signal_on_and_ends_as_the_application(case: Case) -> None:
    podman, staging = images(case), Staging(case)
    env, mount = here(staging)
    for name in ("TERM", "INT", "HUP", "USR1", "QUIT"):
        one = podman.container(case, API, *STAYS, env=env, options=[*mount, *AS_IN_KUBERNETES])
        one.waits_for("up\n")
        assert one.inside("cat", "/proc/1/comm").expect(0).stdout == "agent\n" and lent(staging) == 1
        one.kill(name)
        assert one.wait() == 40 and f"had {name}\n" in one.log()
        assert lent(staging) == 0, "the lease is given back"
    stopped = podman.container(case, API, *STAYS, env=env, options=mount)
    stopped.waits_for("up\n")
    stopped.stop()
    assert stopped.wait() == 40 and lent(staging) == 0
    failed = podman.container(case, API, env={**env, "VAULT_SECRET_ID": "another"}, options=mount)
    assert failed.wait() == 125 and "error " in failed.log()
    assert podman.container(case, API, "/no/such", env=env, options=mount).wait() == 127


def test_a_health_check_asks_agent(case: Case) -> None:
    podman = images(case)
    path = case.folder.write("contract.json", json.dumps(HEALTHY))
    path.parent.chmod(0o755)
    check = json.dumps(["agent", "run", "--probe", "/ready"])
    one = podman.container(case, API, "-c", "echo up; sleep 1000", env={"AGENT_CONTRACT": "/etc/contract.json"}, options=[
        f"--volume={path}:/etc/contract.json:ro", '--entrypoint=["agent","run","--","sh"]', f"--health-cmd={check}",
        "--health-interval=disable"])
    one.waits_for("up\n")
    podman.run("healthcheck", "run", one.name).expect(0)
    pid = one.inside("agent", "run", "--probe", "/metrics").expect(0).stdout
    assert "agent_application_running 1" in pid
    one.stop(5)
    assert one.wait() == 128 + signal.SIGTERM


@alone
def test_a_deployment_of_fifty_pods_makes_one_database(case: Case) -> None:
    podman, staging = images(case), Staging(case)
    env, _ = here(staging)
    deployment, name = kubernetes()["Deployment"], "acme-api"
    pod, container = deployment["spec"]["template"]["spec"], container_of(deployment)
    # Other servers, their certificate, and a program that stays: the rest is the file's.
    shutil.copy(staging.address["VAULT_CACERT"], case.folder / "vault-ca.pem")
    case.folder.path.chmod(0o755)
    for each in container["env"]:
        each["value"] = env["VAULT_ADDR"] if each["name"] == "VAULT_ADDR" else each.get("value")
    container["env"] = [{key: value for key, value in each.items() if value is not None} for each in container["env"]]
    container["env"].append({"name": "VAULT_CACERT", "value": "/etc/here/vault-ca.pem"})
    container["args"] = ["python3", "-c", POD]
    container["volumeMounts"].append({"name": "here", "mountPath": "/etc/here"})
    pod["volumes"].append({"name": "here", "hostPath": {"path": str(case.folder.path), "type": "Directory"}})
    # podman 4.3 wants a Secret's data as JSON, in its own store.
    data = {key: base64.b64encode(staging.secrets[which].encode()).decode()
            for key, which in (("role-id", "VAULT_ROLE_ID"), ("secret-id", "VAULT_SECRET_ID"))}
    podman.run("secret", "create", "acme-approle", str(case.folder.write("secret.json", json.dumps(data), 0o600))).expect(0)
    case.defer(lambda: podman.run("secret", "rm", "acme-approle").expect(0))
    made = case.folder.write("pods.yaml", yaml.safe_dump(deployment))
    case.defer(lambda: podman.run("pod", "rm", "--force", "--all", "--time", "0").expect(0))
    podman.run("kube", "play", "--network=host", str(made), seconds=600.0).expect(0)
    replicas = deployment["spec"]["replicas"]
    pods = [Container(podman, case, f"{name}-pod-{number}-api") for number in range(replicas)]
    assert replicas == 50
    for each in pods:
        each.waits_for("up 1\n")
    assert sum("was made and stamped" in each.log() for each in pods) == 1 and lent(staging) == replicas
    status = pods[0].inside("cat", "/proc/1/status").expect(0).stdout
    assert "Uid:\t65532" in status and "CapEff:\t0000000000000000" in status and "Seccomp:\t2" in status
    podman.run("pod", "stop", "--all", "--time", "45", seconds=600.0).expect(0)
    assert [each.inspect("{{.State.ExitCode}}") for each in pods] == ["0"] * replicas
    assert lent(staging) == 0, "each has given its lease back"


def test_compose_starts_an_application_with_its_database(case: Case) -> None:
    podman = images(case)
    podman.postgres()
    tree: Path = case.once("the images", Path)
    compose: List[str] = [str(Path(sys.executable).parent / "podman-compose"), "--file",
                          str(tree / "examples" / "entrypoint" / "compose.yaml"), "--podman-build-args=--network=host"]
    env: Dict[str, str] = {"PATH": f"{podman.program.parent}:/usr/sbin:/usr/bin:/sbin:/bin"}
    case.defer(lambda: case.tool(*compose, "down", env=env))
    case.tool(*compose, "up", "--detach", env=env, cwd=tree / "examples" / "entrypoint", seconds=600.0).expect(0)
    said: Any = lambda: podman.run("logs", "entrypoint_api_1").stdout
    wait_until(lambda: "acme-api, process" in said(), "the application in Compose")
    assert "environment dev" in said() and "missing" not in said()
