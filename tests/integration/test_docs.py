"""`agent docs`: the golden project and the example, what is kept, what is refused, and that what the documents
say works: their commands are run, and their examples pass the check."""
from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, Mapping, Optional

from tests.lib.agent import agent_binary
from tests.lib.case import ACME, Case, lacks
from tests.lib.processes import plain_environment
from tests.lib.project import Project
from tests.lib.servers import ROOT

GOLDEN = ROOT / "tests" / "golden" / "docs"
DOCUMENTS = {"ENVIRONMENT_CONTRACT.md": {}, "DB_AUTHORITY.md": {}, "SECRETS_ROTATION.md": {},
             ".env.example": {}, "contract.schema.json": {}}
SECRET = {"secret": True, "source": "env", "rotate": {"strategy": "none", "why": "a test's"}}


def listed(contract: Path) -> List[str]:
    """The paths that `docs` of a contract names."""
    text = re.sub(r"^\s*//.*$|\s//[^\n\"]*$", "", contract.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return list(json.loads(text)["docs"])


def copied(case: Case, project: Path, name: str = "copy") -> Path:
    """A project in a folder of the test's own."""
    return Path(shutil.copytree(project, case.folder.path / name,
                                ignore=shutil.ignore_patterns("__pycache__")))


def contents(folder: Path) -> Dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def fill(example: Path, values: Mapping[str, str]) -> str:
    """An example file with its secrets filled in; each of them, and nothing else, is empty in it."""
    def put(found: "re.Match[str]") -> str:
        return f"{found.group(1)}={values[found.group(1)]}"

    return re.sub(r"^([A-Z_]+)=$", put, example.read_text(encoding="utf-8"), flags=re.MULTILINE)


# ---- what is made ------------------------------------------------------------------------------------


def assert_made_again(case: Case, project: Path) -> None:
    """Made from nothing, in another folder and with another environment, each file has the same bytes."""
    folder = copied(case, project)
    names = listed(project / "contract.json")
    wanted = {name: (project / name).read_bytes() for name in names}
    for name in names:
        (folder / name).unlink()
    said = case.agent("docs", "--json", "--contract", "copy/contract.json",
                      env={"DB_ROLE": "nonsense", "LC_ALL": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "PATH": "/nowhere",
                           "VAULT_ADDR": "http://127.0.0.1:9"}).expect(0).json()
    assert said["written"] == [f"copy/{name}" for name in names], said
    assert said["unchanged"] == said["stale"] == [] and said["command"] == "docs" and said["ok"] is True
    for name in names:
        assert (folder / name).read_bytes() == wanted[name], name
    again = case.agent("docs", "--json", cwd=folder).expect(0).json()
    assert again["unchanged"] == names and again["written"] == [], again


def test_the_golden_project_is_what_is_made(case: Case) -> None:
    case.agent("docs", "--check", cwd=GOLDEN).expect(0)
    assert_made_again(case, GOLDEN)


def test_the_examples_documents_are_what_its_contract_says(case: Case) -> None:
    case.agent("docs", "--check", "--contract", str(ACME / "contract.json")).expect(0)
    assert_made_again(case, ACME)


def test_unchanged_files_are_not_touched(case: Case) -> None:
    folder = copied(case, GOLDEN)
    before = {name: (folder / name).stat() for name in listed(folder / "contract.json")}
    case.agent("docs", cwd=folder).expect(0)
    for name, stat in before.items():
        now = (folder / name).stat()
        assert (now.st_ino, now.st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns), name


def test_a_new_file_is_for_all_and_an_old_one_keeps_its_mode(case: Case) -> None:
    project = Project(case)
    project.contract({"KEY": SECRET}, docs={"a/b/DB_AUTHORITY.md": {}, ".env.example": {}})
    project.folder.write(".env.example", "")
    os.chmod(project.path / ".env.example", 0o640)
    case.agent("docs").expect(0)
    assert (project.path / "a/b/DB_AUTHORITY.md").stat().st_mode & 0o777 == 0o644
    assert (project.path / "a/b").stat().st_mode & 0o777 == 0o755
    assert (project.path / ".env.example").stat().st_mode & 0o777 == 0o640
    assert "KEY=" in (project.path / ".env.example").read_text()


def test_no_environment_is_in_the_documents(case: Case) -> None:
    folder = copied(case, GOLDEN)
    for name in listed(folder / "contract.json"):
        (folder / name).unlink()
    values = {name: case.canaries.new(name) for name in
              ("DATABASE_URL", "CLERK_SECRET_KEY", "SESSION_SECRET", "VAULT_TOKEN", "DATABASE_ADMIN_URL")}
    case.agent("docs", cwd=folder, env=values).expect(0)
    case.agent("docs", "--check", cwd=folder, env=values).expect(0)
    for name, data in contents(folder).items():
        case.canaries.check(data, name)


def test_the_tables_hold_together_whatever_the_contract_says(case: Case) -> None:
    nasty = "a | b `c` ``d\n| e | <!-- agent:end variables -->\r\n# agent:end secrets\t*f* \\| \x1b[31m"
    names = {f"N{number}": {"source": "env", "doc": nasty, "owner": nasty, "default": nasty, "link": nasty}
             for number in range(3)}
    secrets = {"S": {**SECRET, "doc": nasty, "owner": nasty, "rotate": {"strategy": "none", "why": nasty}}}
    project = Project(case)
    project.contract({**names, **secrets}, docs=DOCUMENTS)
    case.agent("docs").expect(0)
    case.agent("docs", "--check").expect(0)
    for name in ("ENVIRONMENT_CONTRACT.md", "SECRETS_ROTATION.md"):
        width = None
        for line in (project.path / name).read_bytes().decode("utf-8").split("\n"):
            bars = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) if line.startswith("|") else None
            assert bars is None or width is None or bars == width, line
            width = bars
    case.tool("bash", "-n", ".env.example").expect(0)


def test_each_example_contract_has_its_documents(case: Case) -> None:
    files = sorted((ROOT / "examples" / "contract").glob("*.json"))
    assert len(files) >= 12
    folder = Path(shutil.copytree(ROOT / "examples" / "contract", case.folder.path / "contracts"))
    for number, file in enumerate(files):
        text = file.read_text(encoding="utf-8")
        profiles = re.search(r'"profile":\s*\{[^}]*"values":\s*\["(\w+)"', text)
        docs = json.dumps({f"{number}/{name}": {"profile": profiles.group(1)} if profiles and name == ".env.example" else {}
                           for name in DOCUMENTS})
        contract = folder / file.name
        if '"docs"' not in text:
            contract.write_text(text[:text.rindex("}")] + f',\n"docs": {docs}\n}}\n')
        case.agent("check", "--lint", "--contract", str(contract)).expect(0)
        case.agent("docs", "--contract", str(contract)).expect(0)
        case.agent("docs", "--check", "--contract", str(contract)).expect(0)


# ---- what is compared --------------------------------------------------------------------------------


def test_check_shows_a_diff_that_mends_the_file(case: Case) -> None:
    folder = copied(case, GOLDEN)
    wanted = contents(folder)
    authority, example = folder / "DB_AUTHORITY.md", folder / ".env.example"
    authority.write_text(authority.read_text().replace("teams", "tames"))
    example.unlink()
    stale = contents(folder)
    said = case.agent("docs", "--check", cwd=folder).expect(1)
    assert "-| 2 | `0003` | tames |" in said.stdout and "+| 2 | `0003` | teams |" in said.stdout
    assert "--- /dev/null\n+++ .env.example\n" in said.stdout and "2 of 7 files are stale" in said.stdout
    assert contents(folder) == stale, "it changed something"
    document = case.agent("docs", "--check", "--json", cwd=folder).expect(1).json()
    assert document["stale"] == ["DB_AUTHORITY.md", ".env.example"] and document["ok"] is False
    assert document["written"] == [] and len(document["unchanged"]) == 5
    notes = case.agent("docs", "--check", "--format", "github", cwd=folder).expect(1).stdout.splitlines()
    assert len(notes) == 2 and notes[0].startswith("::error file=DB_AUTHORITY.md"), notes
    diff = said.stdout[:said.stdout.rindex("2 of 7")]
    done = subprocess.run(["patch", "-p0"], input=diff.encode(), cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done
    assert contents(folder) == wanted
    case.agent("docs", "--check", cwd=folder).expect(0)


def test_a_changed_contract_makes_its_documents_stale(case: Case) -> None:
    folder = copied(case, GOLDEN)
    contract = folder / "contract.json"
    contract.write_text(contract.read_text().replace('"every": "30d", "grace": "24h"', '"every": "60d", "grace": "24h"'))
    document = case.agent("docs", "--check", "--json", cwd=folder).expect(1).json()
    assert document["stale"] == ["SECRETS_ROTATION.md", "short.md"], document
    (folder / "versions" / "0005_more.py").write_text('"""more"""\nrevision = "0005"\ndown_revision = "0004"\n')
    document = case.agent("docs", "--check", "--json", cwd=folder).expect(1).json()
    assert document["stale"] == ["DB_AUTHORITY.md", "SECRETS_ROTATION.md", "short.md"], document


# ---- what is kept, and what is refused ---------------------------------------------------------------


def test_text_around_the_markers_is_kept_byte_for_byte(case: Case) -> None:
    folder = copied(case, GOLDEN)
    path = folder / "SECRETS_ROTATION.md"
    blocks = re.findall(rb"<!-- agent:begin \w+ -->\n.*?<!-- agent:end \w+ -->\n", path.read_bytes(), re.DOTALL)
    before, between, after = b"\xef\xbb\xbf\xff\x00 title\r\n\r\n", b"our own | words\r\n \t\r\n", b"no line end"
    wanted = before + between.join(block.replace(b"\n", b"\r\n") for block in blocks) + after
    path.write_bytes(re.sub(rb"(-->\r\n)## .*?(?=<!-- agent:end)", rb"\1old\r\n", wanted, flags=re.DOTALL))
    assert path.read_bytes() != wanted and len(blocks) == 4
    case.agent("docs", cwd=folder).expect(0)
    assert path.read_bytes() == wanted
    case.agent("docs", "--check", cwd=folder).expect(0)


def assert_refused(case: Case, folder: Path, line: Optional[int], *words: str) -> None:
    """Exit 2, with the line, and nothing written."""
    before = contents(folder)
    for args in (["docs"], ["docs", "--check"]):
        said = case.agent(*args, "--json", cwd=folder).expect(2)
        error = said.json()["error"]
        assert error["kind"] == "file" and error.get("line") == line, error
        assert not lacks(error["message"] + " " + error["hint"], [*words]), error
    assert contents(folder) == before


def test_broken_markers_are_refused_and_nothing_is_written(case: Case) -> None:
    project = Project(case)
    project.contract({"KEY": SECRET}, docs=DOCUMENTS)
    document = project.path / "SECRETS_ROTATION.md"
    for text, line, words in (
            ("# ours\n", None, ["has no markers", "<!-- agent:begin overview -->"]),
            ("a\n<!-- agent:begin gaps -->\n", 2, ["'gaps' begins and does not end"]),
            ("<!-- agent:end gaps -->", 1, ["'gaps' ends without having begun"]),
            ("<!-- agent:begin gaps -->\n<!-- agent:begin flows -->\n", 2, ["inside of 'gaps'"]),
            ("<!-- agent:begin gaps -->\n<!-- agent:end gaps -->\n" * 2, 3, ["a second time"]),
            ("<!-- agent:begin gups -->\n<!-- agent:end gups -->\n", 1, ["Did you mean 'gaps'?"]),
            ("<!-- agent:begin gaps\n", 1, ["a broken marker", "on a line of its own"])):
        document.write_text(text)
        assert_refused(case, project.path, line, "Nothing was written", *words)
    document.unlink()
    project.folder.write(".env.example", "KEY=\n# agent:begin secrets extra\n")
    assert_refused(case, project.path, 2, "a broken marker", "# agent:begin secrets")
    project.folder.write(".env.example", "KEY=mine\n")
    assert_refused(case, project.path, None, "has no markers", "# agent:begin secrets")


def test_what_is_no_file_of_ours_is_refused(case: Case) -> None:
    project = Project(case)
    project.contract({"KEY": SECRET}, docs=DOCUMENTS)
    project.folder.write("contract.schema.json", "{}\n")
    assert_refused(case, project.path, None, "is no JSON Schema")
    (project.path / "contract.schema.json").unlink()
    (project.path / "DB_AUTHORITY.md").symlink_to("elsewhere.md")
    assert_refused(case, project.path, None, "a symbolic link")
    (project.path / "DB_AUTHORITY.md").unlink()
    (project.path / ".env.example").mkdir()
    assert_refused(case, project.path, None, "a folder")


def test_a_call_that_is_wrong_is_said(case: Case) -> None:
    project = Project(case)
    project.contract({"KEY": SECRET})
    for args, words in ((["docs"], ["has no docs", '"ENVIRONMENT_CONTRACT.md": {}']),
                        (["docs", "--profile", "dev"], ["takes no --profile"]),
                        (["docs", "more"], ["does not take 'more'"]),
                        (["docs", "--schema", "--check"], ["exclude each other"])):
        said = case.agent(*args).expect(2)
        assert not lacks(said.stderr, words), said
    (project.path / "contract.json").unlink()
    schema = case.agent("docs", "--schema").expect(0)
    assert json.loads(schema.stdout)["$schema"].startswith("https://json-schema.org/")
    assert schema.stdout == case.agent("docs", "--schema", "--json").expect(0).stdout


def test_migrations_that_cannot_be_read_are_said_and_nothing_is_written(case: Case) -> None:
    project = Project(case)
    project.database_contract(sections={"docs": {"DB_AUTHORITY.md": {}}})
    project.revision("c3", "gone", "lost", "SELECT 1")
    said = case.agent("docs", "--json").expect(2).json()
    assert "gone" in said["error"]["message"] and said["error"]["file"].endswith("c3.py"), said
    assert not (project.path / "DB_AUTHORITY.md").exists()


def test_a_database_without_files_says_why_there_is_no_inventory(case: Case) -> None:
    project = Project(case)
    for stamp, words in (({"style": "plain", "revision": "7"}, "a revision that the contract says"),
                         ({"alembic": "alembic.ini", "heads": ["/nowhere/heads"]}, "asks a program for the heads")):
        project.database_contract(stamp=stamp, sections={"docs": {"DB_AUTHORITY.md": {}}})
        case.agent("docs").expect(0)
        text = (project.path / "DB_AUTHORITY.md").read_text()
        assert not lacks(text, ["There is no inventory: ", words]), text


# ---- what the documents say works --------------------------------------------------------------------


def secrets_of_acme(case: Case, profile: str) -> Dict[str, str]:
    """Canaries of the right shape."""
    key = case.canaries.new("a key")
    signing = base64.b64encode(case.canaries.new("signing key", characters=48).encode()).decode()
    session = base64.b64encode(case.canaries.new("session key", characters=48).encode()).decode()
    kind = "live" if profile == "prod" else "test"
    host = "localhost" if profile == "dev" else "db.acme.example"
    return {"DATABASE_URL": f"postgresql://app:{key}@{host}/acme?sslmode=verify-full",
            "REDIS_URL": f"rediss://:{key}@redis.acme.example:6379/0", "SESSION_SECRET": session,
            "WEBHOOK_SIGNING_KEY": signing, "CLERK_SECRET_KEY": f"sk_{kind}_{key}", "RESEND_API_KEY": f"re_{key}"}


def test_the_examples_example_files_pass_the_check_once_filled_in(case: Case) -> None:
    for name, profile in ((".env.example", "dev"), (".env.production.example", "prod")):
        empty = case.agent("check", "--env-file", str(ACME / name), "--profile", profile, "--json",
                           "--contract", str(ACME / "contract.json")).expect(1).json()
        assert {(p["rule"]) for p in empty["problems"] if p["severity"] == "error"} == {"empty"}, empty
        case.folder.write("filled.env", fill(ACME / name, secrets_of_acme(case, profile)))
        said = case.agent("check", "--env-file", "filled.env", "--profile", profile, "--json",
                          "--contract", str(ACME / "contract.json")).expect(0).json()
        assert said["problems"] == [], said


def test_the_golden_example_files_pass_the_check_once_filled_in(case: Case) -> None:
    for name, profile in ((".env.example", "dev"), (".env.staging.example", "staging"),
                          (".env.production.example", "prod")):
        host = {"dev": "localhost", "staging": "ep-stg-1.neon.tech", "prod": "ep-prod-1.neon.tech"}[profile]
        clerk = {"dev": "sk_dev_", "staging": "sk_test_", "prod": "sk_live_"}[profile]
        values = {"DATABASE_URL": f"postgresql://a:{case.canaries.new('db')}@{host}/app?sslmode=verify-full",
                  "REPORTS_PASSWORD": case.canaries.new("reports"), "RESEND_API_KEY": case.canaries.new("mail", "re_"),
                  "CLERK_SECRET_KEY": case.canaries.new("clerk", clerk),
                  "SESSION_SECRET": base64.b64encode(case.canaries.new("session", characters=48).encode()).decode()}
        case.folder.write("filled.env", fill(GOLDEN / name, values))
        said = case.agent("check", "--env-file", "filled.env", "--profile", profile, "--json",
                          "--contract", str(GOLDEN / "contract.json"))
        assert said.json()["problems"] == [] and said.code == 0, said


def test_every_type_has_an_example_that_passes(case: Case) -> None:
    types = ["string", "bool", "int", "number", "port", "duration", "bytes", "url", "postgres-url", "redis-url", "host",
             "ip", "cidr", "email", "uuid", "semver", "date", "hex", "base64", "json", "path"]
    variables = {f"T_{name.upper().replace('-', '_')}": {"type": name, "source": "env"} for name in types}
    variables["T_ENUM"] = {"type": "enum", "values": ["x y", "z"], "source": "env"}
    variables["T_LIST"] = {"type": "list", "item": {"type": "port"}, "source": "env"}
    variables["T_LIST_OF_HOSTS"] = {"type": "list", "separator": " ", "item": {"type": "host"}, "source": "env"}
    project = Project(case)
    project.contract(variables, docs={".env.example": {}})
    case.agent("docs").expect(0)
    said = case.agent("check", "--env-file", ".env.example", "--json").expect(0).json()
    assert said["checked"] == len(variables) and said["problems"] == [], said
    text = (project.path / ".env.example").read_text()
    assert text.count("The value is made up.") == len(variables), text


def test_the_procedure_for_a_fresh_database_works(case: Case) -> None:
    text = (ACME / "docs" / "DB_AUTHORITY.md").read_text()
    section = text[text.index("<!-- agent:begin fresh -->"):text.index("<!-- agent:end fresh -->")]
    [sql], [shell] = (re.findall(rf"```{kind}\n(.*?)```", section, re.DOTALL) for kind in ("sql", "sh"))
    server = case.server_of_its_own()  # roles are the server's
    database = case.database(server)
    admin = server.url(database.name)
    case.folder.write("roles.sql", sql)
    case.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"login={database.owner.name}", "-d", admin,
              "-f", str(case.folder.path / "roles.sql")).expect(0)
    folder = copied(case, ACME)
    values = secrets_of_acme(case, "dev")
    values["DATABASE_URL"] = database.url()
    path = plain_environment(folder)["PATH"]
    env = {**values, "PROFILE": "dev", "PATH": f"{agent_binary().parent}:{path}"}
    said = case.tool("bash", "-e", "-c", shell, env=env, cwd=folder)
    assert said.code == 0 and "current" in said.stdout, said
    assert database.stamped() == ["8724112fd42a"]
