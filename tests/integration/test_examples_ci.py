"""examples/ci: what each service demands of its file, and every shell step run for real, in a copy of the
example that is clean (green) and in copies with one thing planted (red)."""
from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import jsonschema
import yaml

from tests.lib.agent import Result
from tests.lib.case import ACME, Case, lacks
from tests.lib.project import REVISION, Project
from tests.lib.servers import ROOT

CI = ROOT / "examples" / "ci"
OWN = ROOT / ".github" / "workflows" / "ci.yml"
SARIF_SCHEMA = ROOT / "build" / "venv" / "share" / "sarif-2.1.0.json"
STEP_SECONDS = 300.0
GITHUB_SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
GITLAB_SHELL = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]
CONDITION = re.compile(r"github\.event_name (==|!=) '(\w+)'")
RECORD = "docs/migrations"

# What GitHub's workflow syntax knows, as far as these files use it or well might.
GITHUB_WORKFLOW = {"name", "on", "permissions", "env", "defaults", "concurrency", "jobs"}
GITHUB_JOB = {"name", "if", "needs", "permissions", "runs-on", "container", "timeout-minutes", "env",
              "strategy", "services", "steps", "defaults", "concurrency"}
GITHUB_STEP = {"id", "if", "name", "uses", "run", "with", "env", "shell", "timeout-minutes",
               "working-directory", "continue-on-error"}
GITHUB_EVENTS = {"pull_request", "push", "schedule"}
GITHUB_SCOPES = {"contents", "security-events"}
# The same of GitLab's.
GITLAB_GLOBAL = {"stages", "workflow", "default", "variables", "include"}
GITLAB_JOB = {"stage", "image", "script", "before_script", "after_script", "rules", "timeout",
              "artifacts", "needs", "variables", "interruptible", "allow_failure"}
GITLAB_DEFAULT = {"image", "interruptible", "before_script", "after_script", "timeout", "retry"}
GITLAB_ARTIFACTS = {"when", "paths", "expire_in", "expose_as", "name", "reports"}
GITLAB_RULE = {"if", "when", "changes", "variables", "allow_failure"}
GITLAB_CONDITION = re.compile(r'\$CI_[A-Z_]+ == ("[a-z_]+"|\$CI_[A-Z_]+)')
DURATION = re.compile(r"\d+ (minutes|hours|week|days)")


class Step(NamedTuple):
    """One shell step: of which job, and what is run."""

    job: str
    script: str


def load(path: Path) -> Dict[str, Any]:
    """A YAML file; `on`, which YAML 1.1 takes for a truth value, under its own name."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in document.items()}


def github() -> Dict[str, Any]:
    """The workflow."""
    return load(CI / "github-actions.yml")


def gitlab_jobs() -> Dict[str, Any]:
    """The jobs of the pipeline."""
    return {name: job for name, job in load(CI / "gitlab-ci.yml").items() if name not in GITLAB_GLOBAL}


def github_steps(event: str, *jobs: str) -> List[Step]:
    """The shell steps that an event runs, of these jobs or of all."""
    found = []
    for name, job in github()["jobs"].items():
        if happens(job.get("if"), event) and (not jobs or name in jobs):
            found += [Step(name, step["run"]) for step in job["steps"] if "run" in step]
    return found


def happens(condition: Optional[str], event: str) -> bool:
    """What a job's `if` gives for an event; there is one form of it in this file."""
    if condition is None:
        return True
    parts = CONDITION.fullmatch(condition)
    assert parts, condition
    return (parts.group(2) == event) == (parts.group(1) == "==")


def gitlab_steps(*jobs: str) -> List[Step]:
    """The scripts of these jobs, each as the one script that a runner makes of it."""
    return [Step(name, "\n".join(gitlab_jobs()[name]["script"])) for name in jobs]


# ---- what the services demand -----------------------------------------------------------------------


def assert_workflow(workflow: Mapping[str, Any]) -> None:
    """Keys, steps, dependencies and rights as GitHub knows them."""
    assert set(workflow) <= GITHUB_WORKFLOW and {"on", "jobs", "permissions"} <= set(workflow)
    assert set(workflow["on"]) <= GITHUB_EVENTS, workflow["on"]
    assert workflow["permissions"] == {"contents": "read"}, "what no job needs, no job has"
    for name, job in workflow["jobs"].items():
        assert re.fullmatch(r"[a-z_][a-z0-9_-]*", name) and set(job) <= GITHUB_JOB, (name, set(job))
        assert "runs-on" in job and isinstance(job["timeout-minutes"], int), name
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(workflow["jobs"]), needs
        assert set(job.get("permissions", {})) <= GITHUB_SCOPES, job["permissions"]
        assert job["steps"], name
        for step in job["steps"]:
            assert set(step) <= GITHUB_STEP and ("uses" in step) != ("run" in step), step
            assert re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", step.get("uses", "a/b@v1")), step


def test_the_github_workflow_is_one(case: Case) -> None:
    del case
    workflow = github()
    assert_workflow(workflow)
    assert set(workflow["on"]) == GITHUB_EVENTS and workflow["defaults"]["run"]["shell"] == "bash"
    text = (CI / "github-actions.yml").read_text()
    assert "secrets." not in text, "code of a change must see no secret"
    ran = {event: sorted({step.job for step in github_steps(event)}) for event in GITHUB_EVENTS}
    assert ran == {"pull_request": ["contract", "guard", "record"], "push": ["contract", "record", "scan"],
                   "schedule": ["contract", "record", "scan", "thorough"]}, ran


def test_the_upload_has_its_right_and_its_file(case: Case) -> None:
    del case
    scan = github()["jobs"]["scan"]
    assert scan["permissions"] == {"contents": "read", "security-events": "write"}
    (guard,) = [step["run"] for step in scan["steps"] if "run" in step]
    (upload,) = [step for step in scan["steps"] if "upload-sarif" in step.get("uses", "")]
    assert guard.split()[-2:] == ["-o", upload["with"]["sarif_file"]]
    # A red guard must not keep the upload from happening: it is what the upload is for.
    assert "!cancelled()" in upload["if"] and upload["with"]["sarif_file"] in upload["if"]


def test_the_gitlab_pipeline_is_one(case: Case) -> None:
    del case
    pipeline = load(CI / "gitlab-ci.yml")
    assert set(pipeline["default"]) <= GITLAB_DEFAULT and pipeline["default"]["image"]
    jobs = gitlab_jobs()
    assert sorted(jobs) == ["contract", "guard", "record", "thorough"]
    for rules in [pipeline["workflow"]["rules"], *(job.get("rules", []) for job in jobs.values())]:
        for rule in rules:
            assert set(rule) <= GITLAB_RULE and GITLAB_CONDITION.fullmatch(rule["if"]), rule
    for name, job in jobs.items():
        assert set(job) <= GITLAB_JOB and job["stage"] in pipeline["stages"], (name, job)
        assert DURATION.fullmatch(job["timeout"]), job
        for part in ("script", "after_script"):  # a colon and a blank would make a mapping of a command
            assert all(isinstance(line, str) for line in job.get(part, [])), (name, part)
        assert job["script"], name
        kept = job.get("artifacts", {})
        assert set(kept) <= GITLAB_ARTIFACTS and DURATION.fullmatch(kept.get("expire_in", "1 week"))


def test_every_command_is_one_that_agent_takes(case: Case) -> None:
    scripts = [step.script for event in GITHUB_EVENTS for step in github_steps(event)]
    scripts += [step.script for step in gitlab_steps(*gitlab_jobs())]
    scripts += ["\n".join(job.get("after_script", [])) for job in gitlab_jobs().values()]
    commands = sorted({line.strip() for script in scripts for line in script.splitlines()
                       if line.strip().startswith("agent ")})
    assert {line.split()[1] for line in commands} == {"check", "graph", "guard", "audit", "docs"}
    for line in commands:
        case.agent(*line.split()[1:], "--help").expect(0)


# ---- a checkout, and a runner ------------------------------------------------------------------------


class Checkout:
    """A copy of the example as a project has it in CI, and agent on the PATH as the image has it."""

    def __init__(self, case: Case, source: Path = ACME) -> None:
        self.case = case
        self.path = case.folder.path / "checkout"
        shutil.copytree(source, self.path, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(CI / "dev.env", self.path / "dev.env")
        self.summary = case.folder.path / "summary.md"
        tools = case.folder.path / "bin"
        tools.mkdir()
        (tools / "agent").symlink_to(case.make_agent().binary)
        self.tools = tools

    def run(self, shell: Sequence[str], script: str, **env: str) -> Result:
        """Run a script as a runner does: its shell, the checkout, the image's PATH."""
        plain = "export PATH=\"$TOOLS:$PATH\"\n"
        return self.case.tool(*shell, plain + script, cwd=self.path, seconds=STEP_SECONDS,
                              env={"PATH": self.case.alembic_path, "TOOLS": str(self.tools),
                                   "GITHUB_STEP_SUMMARY": str(self.summary), **env})

    def github(self, event: str, *jobs: str) -> Dict[str, Result]:
        """The last result of each job: a job ends at its first step that fails."""
        return self._jobs(GITHUB_SHELL, github_steps(event, *jobs))

    def gitlab(self, *jobs: str) -> Dict[str, Result]:
        """The same of GitLab's jobs."""
        return self._jobs(GITLAB_SHELL, gitlab_steps(*jobs))

    def _jobs(self, shell: Sequence[str], steps: Sequence[Step]) -> Dict[str, Result]:
        done: Dict[str, Result] = {}
        assert steps
        for step in steps:
            if step.job not in done or done[step.job].code == 0:
                done[step.job] = self.run(shell, step.script)
        return done

    def change(self, name: str, old: str, new: str) -> None:
        """Plant something: the first `old` in a file becomes `new`."""
        path = self.path / name
        text = path.read_text()
        assert old in text, (name, old)
        path.write_text(text.replace(old, new, 1))

    def drift(self) -> None:
        """A model that says more than the migrations do."""
        self.change("app/models/accounts.py", "name: Mapped[str] = mapped_column(String(200))",
                    "name: Mapped[str] = mapped_column(String(201))")

    def write_record(self) -> None:
        """What a developer does before the push."""
        self.run(GITHUB_SHELL, f"agent audit --out {RECORD}").expect(0)


def codes(done: Mapping[str, Result]) -> Dict[str, int]:
    """How each job ended."""
    return {name: result.code for name, result in done.items()}


# ---- green --------------------------------------------------------------------------------------------


def test_a_pull_request_without_a_mistake_is_green_on_github(case: Case) -> None:
    checkout = Checkout(case)
    checkout.write_record()
    done = checkout.github("pull_request")
    assert codes(done) == {"contract": 0, "guard": 0, "record": 0}, done
    assert done["guard"].stdout.startswith("::notice title=agent guard::equal"), done["guard"]
    picture = checkout.summary.read_text().splitlines()
    assert picture[0] == "```mermaid" and picture[-1] == "```", picture
    assert any("27ce8460ab9f" in line for line in picture[1:-1]), picture


def test_main_without_a_mistake_uploads_no_finding(case: Case) -> None:
    checkout = Checkout(case)
    assert codes(checkout.github("push", "scan")) == {"scan": 0}
    assert json.loads((checkout.path / "guard.sarif").read_text())["runs"][0]["results"] == []


def test_a_merge_request_without_a_mistake_is_green_on_gitlab(case: Case) -> None:
    checkout = Checkout(case)
    checkout.write_record()
    done = checkout.gitlab("contract", "guard", "record")
    assert codes(done) == {"contract": 0, "guard": 0, "record": 0}, done
    (after,) = gitlab_jobs()["guard"]["after_script"]
    checkout.run(GITLAB_SHELL, after, CI_JOB_STATUS="success").expect(0)
    assert not (checkout.path / "guard.html").exists()


# ---- red ----------------------------------------------------------------------------------------------


def test_drift_is_an_annotation_on_a_pull_request(case: Case) -> None:
    checkout = Checkout(case)
    checkout.drift()
    done = checkout.github("pull_request", "contract", "guard")
    assert codes(done) == {"contract": 0, "guard": 1}, done
    (line,) = [line for line in done["guard"].stdout.splitlines() if "public.users.name" in line]
    assert re.match(r"::error file=alembic/versions/\w+\.py,line=\d+,title=", line), line
    assert "character varying(200)" in line and "character varying(201)" in line, line


def test_drift_on_main_is_a_finding_to_upload(case: Case) -> None:
    checkout = Checkout(case)
    checkout.drift()
    assert codes(checkout.github("push", "scan")) == {"scan": 1}
    log = json.loads((checkout.path / "guard.sarif").read_text())
    jsonschema.Draft4Validator(json.loads(SARIF_SCHEMA.read_text())).validate(log)
    (result,) = log["runs"][0]["results"]
    assert result["ruleId"] == "semantic-difference" and result["level"] == "error", result
    assert "public.users.name" in result["message"]["text"], result
    place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (checkout.path / place).is_file(), place


def test_drift_is_in_gitlabs_log_and_on_a_page(case: Case) -> None:
    checkout = Checkout(case)
    checkout.drift()
    done = checkout.gitlab("guard")["guard"].expect(1)
    assert not lacks(done.stdout, ["public.users.name", "varying(200)", "varying(201)"]), done
    guard = gitlab_jobs()["guard"]
    (after,) = guard["after_script"]
    checkout.run(GITLAB_SHELL, after, CI_JOB_STATUS="failed").expect(1)  # GitLab does not look at its code
    (page,) = guard["artifacts"]["paths"]
    assert "public.users.name" in (checkout.path / page).read_text()


Plant = Callable[[Checkout], None]


def plants() -> Iterator[Tuple[str, Plant, int, str]]:
    """For the job `contract`: what is planted, its exit code, and what is said."""
    yield ("a key that the contract does not know",
           lambda checkout: checkout.change("contract.json", '"profile"', '"profil"'), 2, "profil")
    yield ("a variable that the environment lacks",
           lambda checkout: checkout.change("dev.env", "SESSION_SECRET=", "SESION_SECRET="), 1,
           "SESSION_SECRET")
    yield ("a name in the code that the contract does not declare",
           lambda checkout: checkout.change("app/settings.py", 'get("REDIS_URL")', 'get("REDIS_ULR")'), 1,
           "REDIS_ULR")
    yield ("a revision whose parent is gone",
           lambda checkout: next(checkout.path.glob("alembic/versions/*_tags.py")).unlink(), 1,
           "27ce8460ab9f")


def test_each_mistake_before_a_database_is_red_in_the_first_job(case: Case) -> None:
    for what, plant, code, said in plants():
        checkout = Checkout(case)
        plant(checkout)
        for done in (checkout.github("pull_request", "contract"), checkout.gitlab("contract")):
            result = done["contract"]
            assert result.code == code and said in result.stdout + result.stderr, (what, result)
        shutil.rmtree(checkout.path)
        shutil.rmtree(checkout.tools)


def test_a_document_that_is_stale_is_red(case: Case) -> None:
    checkout = Checkout(case)
    checkout.write_record()
    checkout.change("contract.json", "Mail; sending only.", "Mail, and nothing else.")
    on_github = checkout.github("pull_request", "record")["record"].expect(1)
    stale = ["docs/ENVIRONMENT_CONTRACT.md", "docs/SECRETS_ROTATION.md", ".env.example", ".env.production.example"]
    assert [line.split("file=")[1].split(",")[0] for line in on_github.stdout.splitlines()] == stale, on_github
    on_gitlab = checkout.gitlab("record")["record"].expect(1)
    assert "+# Mail, and nothing else." in on_gitlab.stdout, on_gitlab
    checkout.run(GITLAB_SHELL, "agent docs").expect(0)
    assert codes(checkout.gitlab("record")) == {"record": 0}


def test_a_record_that_is_stale_or_missing_is_red(case: Case) -> None:
    checkout = Checkout(case)
    assert checkout.gitlab("record")["record"].code == 1, "there is no record yet"
    checkout.write_record()
    stale = next((checkout.path / RECORD).glob("*_27ce8460ab9f.md"))
    stale.write_text(stale.read_text() + "edited by hand\n")
    on_github = checkout.github("pull_request", "record")["record"].expect(1)
    (line,) = on_github.stdout.splitlines()
    assert line.startswith(f"::error file={RECORD}/{stale.name},"), line
    on_gitlab = checkout.gitlab("record")["record"].expect(1)
    assert "-edited by hand" in on_gitlab.stdout, on_gitlab


# ---- each night -------------------------------------------------------------------------------------------


def nightly_project(case: Case, downgrade: str) -> Checkout:
    """A project of two revisions, whose second one is undone by `downgrade`: a stairway of minutes is not
    needed to see whether the job's lines work."""
    project = Project(case)
    tables = {"a1": "CREATE TABLE orgs (id bigint PRIMARY KEY, name text NOT NULL)",
              "b2": "CREATE TABLE users (id bigint PRIMARY KEY, org bigint, mail text)"}
    for revision, down, back in (("a1", None, "DROP TABLE orgs"), ("b2", "a1", downgrade)):
        text = REVISION.format(revision=revision, down=down, text=revision, sql=tables[revision])
        project.folder.write(f"migrations/versions/{revision}.py",
                             text.replace("    pass\n", f'    op.execute("{back}")\n'))
    project.folder.write("schema.sql", ";\n".join(tables.values()) + ";\n")
    project.database_contract(
        migrate=["alembic", "upgrade", "heads"], variables={"ROLE": {"source": "env"}},
        sections={"profile": {"var": "ROLE", "values": ["dev", "prod"]}})
    files = case.folder.path / "project"
    files.mkdir()
    for name in ("contract.json", "schema.sql", "alembic.ini", "migrations"):
        shutil.move(str(project.path / name), str(files / name))
    return Checkout(case, files)


def test_the_nightly_jobs_are_green_where_each_step_goes_back(case: Case) -> None:
    checkout = nightly_project(case, "DROP TABLE users")
    assert codes(checkout.github("schedule", "thorough")) == {"thorough": 0}
    done = checkout.gitlab("thorough")["thorough"].expect(0)
    assert "planted differences were found" in done.stdout, done


def test_a_downgrade_that_leaves_something_is_red_at_night(case: Case) -> None:
    checkout = nightly_project(case, "ALTER TABLE users DROP mail")
    on_github = checkout.github("schedule", "thorough")["thorough"].expect(1)
    assert re.search(r"^::error .*'b2'", on_github.stdout, re.M), on_github
    assert "'b2'" in checkout.gitlab("thorough")["thorough"].expect(1).stdout


# ---- this project's own --------------------------------------------------------------------------------------


def test_our_own_workflow_runs_what_a_developer_runs(case: Case) -> None:
    del case
    workflow = load(OWN)
    assert_workflow(workflow)
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1]["run"] == ".ci/run" and (ROOT / ".ci" / "run").stat().st_mode & 0o111
