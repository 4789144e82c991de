"""`agent audit`: the record of the example's migrations, against what Alembic says of them, and of projects
that can't be recorded."""
from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List

from tests.lib.agent import Result
from tests.lib.case import ACME, Case, lacks
from tests.lib.project import Project

REVISIONS = 125
COLUMNS = ["seq", "revision", "operation", "object_type", "schema", "object", "column", "detail", "lock",
           "rewrites_table", "destructive", "reversible", "line"]
OF_THE_WHOLE = {"INVENTORY.md", "graph.svg", "graph.dot", "graph.mmd"}
RULES_IN_THE_EXAMPLE = ["adding-field-with-default", "adding-foreign-key-constraint", "ban-drop-column",
                        "adding-not-nullable-field", "ban-drop-not-null", "ban-drop-table",
                        "changing-column-type", "constraint-missing-not-valid",
                        "disallowed-unique-constraint", "renaming-column", "renaming-table",
                        "require-concurrent-index-creation", "require-concurrent-index-deletion"]


def audit(case: Case, *args: str) -> Result:
    """`agent audit` of the example, without a profile and without a value."""
    return case.agent("audit", "--contract", str(ACME / "contract.json"), *args, cwd=case.folder.path)


def recorded(case: Case) -> Path:
    """The example's record; made once for all tests, which must not change it."""
    def make() -> Path:
        folder = Path(case.postgres.folder.path) / "acme-audit"
        done = audit(case, "--out", str(folder), "--json").expect(0).json()
        assert done["revisions"] == REVISIONS and done["written"] == REVISIONS * 2 + 4, done
        assert done["unchanged"] == 0 and done["stale"] == [], done
        return folder

    return case.once("acme's audit", make)


def copied(case: Case) -> Path:
    """The record in a folder of the test's own."""
    return Path(shutil.copytree(recorded(case), case.folder.path / "record"))


def rows(path: Path) -> List[Dict[str, str]]:
    """A CSV as Python reads it."""
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_one_command_makes_the_whole_record_of_the_example(case: Case) -> None:
    folder = recorded(case)
    order = case.agent("graph", str(ACME / "alembic.ini"), "--json").expect(0).json()["order"]
    names = {f"{number:03}_{revision}" for number, revision in enumerate(order, 1)}
    wanted = {name + end for name in names for end in (".csv", ".md")} | OF_THE_WHOLE
    assert {path.name for path in folder.iterdir()} == wanted
    inventory = (folder / "INVENTORY.md").read_text()
    missing = lacks(inventory, [f"](" + name + ".md)" for name in names] + ["| migrations | 125 |"])
    assert not missing, missing
    assert not lacks(inventory, RULES_IN_THE_EXAMPLE), lacks(inventory, RULES_IN_THE_EXAMPLE)


def test_each_csv_has_the_columns_and_each_summary_the_facts(case: Case) -> None:
    for path in sorted(recorded(case).glob("[0-9]*.csv")):
        with path.open(newline="", encoding="utf-8") as lines:
            table = list(csv.reader(lines))
        assert table[0] == COLUMNS and all(len(row) == len(COLUMNS) for row in table), path
        assert [row[0] for row in table[1:]] == [str(n) for n in range(1, len(table))], path
        for row in table[1:]:
            assert row[1] == path.stem.split("_")[1] and row[2] not in ("unparsed", "other"), row
            assert {row[9], row[10], row[11]} <= {"yes", "no", "maybe"} and int(row[12]) > 1, row
        summary = path.with_suffix(".md").read_text()
        assert not lacks(summary, ["| file |", "| date | 20", "| parents |", "| children |",
                                   "| heaviest lock |", "| rewrites a table |", "| loses data |",
                                   "| can be undone |"]), path


def test_what_the_record_says_is_what_the_migrations_do(case: Case) -> None:
    folder = recorded(case)

    def of(slug: str) -> List[Dict[str, str]]:
        file = next((ACME / "alembic" / "versions").glob(f"*_{'?' * 12}_{slug}.py"))
        return rows(next(folder.glob(f"*_{file.name.split('_')[1]}.csv")))

    rename = of("last_four")[0]
    assert (rename["operation"], rename["object"], rename["column"]) == (
        "rename_column", "payment_methods", "last4") and "renaming-column" in rename["detail"]
    longer = of("longer_integration_kinds")[0]
    assert longer["rewrites_table"] == "no" and "rules" not in longer["detail"], longer
    percent = of("tax_percent")[0]
    assert percent["rewrites_table"] == "yes" and "changing-column-type" in percent["detail"], percent
    gone = of("drop_rate_limit_hits")[0]
    assert (gone["destructive"], gone["reversible"], gone["lock"]) == ("yes", "no", "ACCESS EXCLUSIVE")
    label = of("paused_subscriptions")[0]
    assert label["operation"] == "add_enum_value" and label["reversible"] == "yes"
    assert of("merge_subscriptions_and_tasks") == []
    assert [row["lock"] for row in of("teams")[:1]] == [""]


def test_the_author_is_in_the_summary(case: Case) -> None:
    texts = [path.read_text() for path in recorded(case).glob("[0-9]*.md")]
    assert sum("| author | Jonas Weber" in text for text in texts) == 19


def test_the_second_time_nothing_is_written_and_check_is_content(case: Case) -> None:
    folder = copied(case)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = audit(case, "--out", str(folder), "--json").expect(0).json()
    assert again["written"] == 0 and again["unchanged"] == len(before), again
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert "0 files differ" in audit(case, "--out", str(folder), "--check").expect(0).stdout


def test_check_shows_what_drifted_and_changes_nothing(case: Case) -> None:
    folder = copied(case)
    changed, missing = sorted(folder.glob("0*.md"))[2], sorted(folder.glob("0*.csv"))[4]
    text = changed.read_text()
    changed.write_text(text.replace("| can be undone |", "| can be undone? |"))
    missing.unlink()
    stranger = folder / "126_0123456789ab.csv"
    stranger.write_text("seq\n")
    (folder / "notes.md").write_text("somebody's own")
    shown = audit(case, "--out", str(folder), "--check").expect(1).stdout
    assert not lacks(shown, [f"--- {changed}\n+++ {changed}\n@@ ", "\n-| can be undone? |",
                             f"--- /dev/null\n+++ {missing}\n@@ -0,0 +1,",
                             f"{stranger}: belongs to no migration", "3 files differ"]), shown
    patch = case.folder.write("drift.patch", shown)
    told = audit(case, "--out", str(folder), "--check", "--json").expect(1).json()
    assert told["stale"] == sorted([changed.name, missing.name]) + [stranger.name], told
    assert not told["ok"] and told["written"] == 0 and "can be undone?" in changed.read_text()
    annotated = audit(case, "--out", str(folder), "--check", "--format", "github").expect(1).stdout
    assert len(re.findall(r"^::error file=.*title=agent audit::", annotated, re.MULTILINE)) == 3
    if shutil.which("patch"):
        subprocess.run(["patch", "-p0", "-d", "/", "-i", str(patch)], check=True, capture_output=True)
        assert changed.read_text() == text and missing.exists()
    written = audit(case, "--out", str(folder), "--json").expect(0)
    assert written.json()["stale"] == [stranger.name] and "was left" in written.stderr
    assert stranger.exists() and (folder / "notes.md").read_text() == "somebody's own"


def test_the_bytes_are_the_same_from_another_place_and_in_another_locale(case: Case) -> None:
    place = Path(shutil.copytree(ACME, case.folder.path / "else where",
                                 ignore=shutil.ignore_patterns("__pycache__")))
    out = case.folder.path / "elsewhere"
    case.agent("audit", "--out", str(out), cwd=place, env={"LANG": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"}
               ).expect(0)
    for path in recorded(case).iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes(), path.name
    assert not any(str(place).encode() in path.read_bytes() for path in out.iterdir())


# ---- other projects ---------------------------------------------------------------------------------


def of_project(project: Project, *args: str) -> Result:
    """`agent audit` of a small project, whose contract is written with `settings`."""
    return project.case.agent("audit", "--out", "record", *args, cwd=project.path)


def test_a_migration_that_asks_the_database_is_an_error_that_shows_its_output(case: Case) -> None:
    project = Project(case)
    project.database_contract()
    text = (project.path / "migrations/versions/b2.py").read_text()
    project.folder.write("migrations/versions/b2.py", text.replace(
        "def upgrade():", "def upgrade():\n    op.get_bind().execute('SELECT 1').fetchall()"))
    failed = of_project(project, "--json").expect(6)
    error = failed.json()["error"]
    assert error["kind"] == "command" and "database.offline: 'alembic' exited with 1" in error["message"]
    assert "AttributeError" in error["message"] and "is_offline_mode" in error["hint"], error
    assert "Traceback" in failed.stderr, failed
    assert not (project.path / "record").exists()


def test_what_cannot_be_known_offline_is_said(case: Case) -> None:
    project = Project(case)
    project.database_contract()
    text = (project.path / "migrations/versions/b2.py").read_text()
    project.folder.write("migrations/versions/b2.py", text.replace(
        "def upgrade():\n", "def upgrade():\n    from alembic import context\n"
        "    if not context.is_offline_mode():\n        op.get_bind().execute('x')\n"))
    of_project(project).expect(0)
    summary = (project.path / "record/002_b2.md").read_text()
    assert not lacks(summary, ["## Not known offline", "`op.get_bind()`", "runs offline"]), summary
    assert "| that are not all known offline | 1 |" in (project.path / "record/INVENTORY.md").read_text()


def test_the_contracts_own_command_is_asked_and_gets_an_address_that_leads_nowhere(case: Case) -> None:
    project = Project(case)
    script = project.script("sql.py", """\
import os
print("-- Running upgrade  -> a1\\n\\nCREATE TABLE orgs ();\\n")
print("-- Running upgrade a1 -> b2\\n\\nCREATE SCHEMA " + os.environ["DATABASE_URL"].split("@")[1]
      .split("/")[0].replace(".", "_") + ";\\n")
""")
    project.database_contract(offline=script)
    of_project(project).expect(0)
    assert "create_schema,schema,,offline_invalid" in (project.path / "record/002_b2.csv").read_text()


def test_sql_of_another_chain_is_refused(case: Case) -> None:
    project = Project(case)
    project.database_contract(offline=project.script("sql.py", 'print("-- Running upgrade  -> a1")\n'))
    error = of_project(project, "--json").expect(6).json()["error"]
    assert "no part for revision 'b2'" in error["message"], error


def test_a_broken_graph_is_an_error_before_anything_is_run(case: Case) -> None:
    project = Project(case)
    project.revision("c3", "nowhere", "lost", "SELECT 1")
    project.database_contract(offline=["false"])
    error = of_project(project, "--json").expect(2).json()["error"]
    assert "'nowhere'" in error["message"], error


def test_calls_that_are_wrong(case: Case) -> None:
    project = Project(case)
    project.database_contract()
    assert "--out is missing" in case.agent("audit", cwd=project.path).expect(2).stderr
    (project.path / "record").write_text("a file")
    assert "record" in of_project(project).expect(2).stderr
    project.database_contract(stamp={"heads": ["alembic", "heads"]})
    assert "names no migration files" in of_project(project).expect(2).stderr
