"""What the measured commands are given: contracts, schemas, revisions, peers' settings."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Sequence, Tuple

COLUMNS = 10
REVISIONS = 125        # of the chain that makes the tables: a hundred, and then their foreign keys
COPY_FILE_BYTES = 50 * 1024 * 1024
COPY_TABLES = 20


def write(path: Path, text: str) -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# ---- output ---------------------------------------------------------------------------------------

def redact_contract(folder: Path) -> Tuple[str, Dict[str, str]]:
    """Ten secrets of the environment, and that environment."""
    env = {f"SECRET_{i}": f"{_pattern(i * 7919)}-{i * 104729:08}-of-the-bench" for i in range(10)}
    env = {name: "".join(c for c in value if c.isalnum() or c == "-") for name, value in env.items()}
    names = {name: {"type": "string", "secret": True, "source": "env"} for name in env}
    return str(write(folder / "redact.json", _contract(names))), env


def log_file(folder: Path, length: int) -> Path:
    """LENGTH bytes of an application's log, no secret in them."""
    words = ("info", "request", "handled", "GET", "/api/v1/users", "status=200", "postgresql",
             "token", "session", "connected", "SECRET", "of-the-day")
    lines = [f"2026-11-25T18:20:05Z {words[i % 12]} {words[i * 7 % 12]} id={i * 7919 % 100003} "
             f"{words[i * 5 % 12]} duration_ms={i % 977}\n" for i in range(10000)]
    text = "".join(lines)
    return write(folder / "log", (text * (length // len(text) + 1))[:length])


# ---- contracts ----------------------------------------------------------------------------------

def checked_contract(folder: Path, count: int) -> Path:
    """COUNT variables of the environment, each with a pattern."""
    names = {f"BENCH_{i:05}": {"type": "string", "pattern": _pattern(i), "doc": "One of many."}
             for i in range(count)}
    return write(folder / f"check-{count}.json", _contract(names))


def settings_program(folder: Path, count: int) -> Path:
    """The same variables as a class of pydantic-settings, in a program that fails on a wrong one."""
    fields = "".join(f"    bench_{i:05}: Annotated[str, Field(pattern=r'^(?:{_pattern(i)})$')]\n"
                     for i in range(count))
    return write(folder / f"settings_{count}.py",
                 "from typing import Annotated\n\nfrom pydantic import Field\n"
                 "from pydantic_settings import BaseSettings\n\n\n"
                 f"class Settings(BaseSettings):\n{fields}\n\nSettings()\n")


def _pattern(number: int) -> str:
    """A pattern like no other one."""
    return f"[a-z]{{4,12}}-[0-9]+-(x|y{number}z)+"


def checked_environment(count: int) -> Dict[str, str]:
    """Values that match."""
    return {f"BENCH_{i:05}": f"value-{i}-xxy{i}z" for i in range(count)}


def plain_contract(folder: Path, count: int) -> Path:
    """COUNT variables with nothing but a type."""
    names = {f"V{i:06}": {"type": "int"} for i in range(count)}
    text = ",\n".join(f'"{name}":{json.dumps(value)}' for name, value in names.items())
    return write(folder / f"lint-{count}.json", f'{{"contract": 1, "vars": {{\n{text}\n}}}}\n')


def plain_env_file(folder: Path, count: int) -> Path:
    """Their values."""
    return write(folder / f"lint-{count}.env", "".join(f"V{i:06}={i}\n" for i in range(count)))


def fetch_contract(folder: Path, paths: Sequence[str], approle: bool = False) -> Path:
    """A variable from each KV path; with a token, or with ROLE_ID and SECRET_ID."""
    names = {secret_name(path): {"type": "string", "secret": True, "source": f"vault:{path}#value",
                                 "rotate": {"strategy": "none", "why": "made for a measurement"}}
             for path in paths}
    sections: Dict[str, object] = {"vault": {"auth": {"method": "approle", "role_id": "env:ROLE_ID",
                                   "secret_id": "env:SECRET_ID"}}} if approle else {}
    return write(folder / f"fetch-{len(paths)}.json", _contract(names, **sections))


def bootstrap_contract(folder: Path, schema: str, stamp: str = "alembic.ini") -> Path:
    """A database from one schema file, stamped with the head of the revisions beside it."""
    text = json.dumps({
        "contract": 1,
        "vars": {"DATABASE_URL": {
            "type": "postgres-url", "secret": True, "source": "env",
            "rotate": {"strategy": "none", "why": "made for a measurement"}}},
        "database": {"url": "DATABASE_URL", "create": {"sql": [schema]},
                     "stamp": {"alembic": stamp}, "expect": [table_name(0)]}}, indent=1)
    return write(folder / "contract.json", text)


def _contract(names: Dict[str, Dict[str, object]], **sections: object) -> str:
    return json.dumps({"contract": 1, **sections, "vars": names}, indent=1)


def secret_name(path: str) -> str:
    """The variable for a KV path."""
    return path.rpartition("/")[2].upper()


# ---- databases ----------------------------------------------------------------------------------

def table_name(number: int) -> str:
    """Of a table."""
    return f"table_{number:04}"


def parent_name(number: int) -> str:
    """The table that its foreign key names: an earlier one."""
    return table_name(max(number - 1, 0))


def schema_file(path: Path, tables: int) -> Path:
    """Tables of ten columns with a primary key, an index and a foreign key each, in the order and
    the statements of pg_dump: all tables, then all keys, all indexes, all foreign keys."""
    kinds = ["text NOT NULL", "integer", "timestamptz", "boolean DEFAULT false", "numeric(12,2)"]
    made, keys, indexes, foreign = [], [], [], []
    for number in range(tables):
        name = table_name(number)
        columns = ["id bigint NOT NULL", "parent_id bigint"]
        columns += [f"column_{i} {kinds[i % len(kinds)]}" for i in range(2, COLUMNS)]
        made.append(f"CREATE TABLE {name} (\n    " + ",\n    ".join(columns) + "\n);\n")
        keys.append(f"ALTER TABLE ONLY {name}\n    ADD CONSTRAINT {name}_pkey PRIMARY KEY (id);\n")
        indexes.append(f"CREATE INDEX ix_{name} ON {name} USING btree (column_2);\n")
        foreign.append(f"ALTER TABLE ONLY {name}\n    ADD CONSTRAINT fk_{name} FOREIGN KEY "
                       f"(parent_id) REFERENCES {parent_name(number)}(id);\n")
    return write(path, "\n".join(made + keys + indexes + foreign))


def dump_file(path: Path) -> Path:
    """As pg_dump writes it: tables, their data as COPY, keys. About COPY_FILE_BYTES."""
    line = "\t".join(["{}", "some text that is as long as texts are in tables of this kind", "42",
                      "2026-01-01 00:00:00+00", "t"]) + "\n"
    rows = COPY_FILE_BYTES // COPY_TABLES // (len(line) + 4)
    with open(path, "w", encoding="utf-8") as file:
        file.write("--\n-- PostgreSQL database dump\n--\n\n\\restrict bench\n\n"
                   "SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\n"
                   "SELECT pg_catalog.set_config('search_path', '', false);\n\n")
        for number in range(COPY_TABLES):
            name = f"public.{table_name(number)}"
            file.write(f"CREATE TABLE {name} (\n    id bigint NOT NULL,\n    words text,\n"
                       "    amount integer,\n    made timestamp with time zone,\n    flag boolean\n"
                       f");\n\nCOPY {name} (id, words, amount, made, flag) FROM stdin;\n")
            file.writelines(line.format(row) for row in range(rows))
            file.write(f"\\.\n\nALTER TABLE ONLY {name}\n"
                       f"    ADD CONSTRAINT {table_name(number)}_pkey PRIMARY KEY (id);\n\n")
        file.write("\\unrestrict bench\n")
    return path


# ---- Alembic ------------------------------------------------------------------------------------

ENV_PY = """import os
from alembic import context
from sqlalchemy import create_engine

url = os.environ.get("DATABASE_URL", "").replace("postgresql://", "postgresql+psycopg://", 1)
with create_engine(url).begin() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = '''"""Revision {number}.

Revision ID: {revision}
Revises: {parent}
"""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {parent!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
{body}

def downgrade() -> None:
    pass
'''


def alembic_project(folder: Path, revisions: int, tables: int = 0) -> Path:
    """A chain of revisions that makes the tables of `schema_file`; gives alembic.ini."""
    write(folder / "alembic" / "env.py", ENV_PY)
    parent = None
    making = revisions * 4 // 5
    for number in range(revisions):
        revision = f"{number * 2654435761 % 2**48:012x}"
        if number < making:
            body = "".join(map(_table_in_python, _share(tables, making, number)))
        else:
            body = "".join(map(_key_in_python, _share(tables, revisions - making, number - making)))
        write(folder / "alembic" / "versions" / f"{revision}_{number}.py",
              REVISION.format(number=number, revision=revision, parent=parent, body=body or "    pass\n"))
        parent = revision
    return write(folder / "alembic.ini", "[alembic]\nscript_location = %(here)s/alembic\n"
                                         "path_separator = os\n")


def _share(count: int, parts: int, part: int) -> range:
    """The numbers below COUNT that are those of one of PARTS equal parts."""
    return range(part * count // parts, (part + 1) * count // parts)


def _table_in_python(number: int) -> str:
    kinds = ["sa.Text(), nullable=False", "sa.Integer()", "sa.DateTime(timezone=True)",
             'sa.Boolean(), server_default="false"', "sa.Numeric(12, 2)"]
    name = table_name(number)
    lines = [f'    op.create_table(\n        "{name}",\n'
             '        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),\n'
             '        sa.Column("parent_id", sa.BigInteger()),\n']
    lines += [f'        sa.Column("column_{i}", {kinds[i % len(kinds)]}),\n'
              for i in range(2, COLUMNS)]
    return "".join(lines) + f'    )\n    op.create_index("ix_{name}", "{name}", ["column_2"])\n'


def _key_in_python(number: int) -> str:
    name = table_name(number)
    return (f'    op.create_foreign_key("fk_{name}", "{name}", "{parent_name(number)}", '
            '["parent_id"], ["id"])\n')


# ---- peers that fetch ---------------------------------------------------------------------------

def _template(path: str) -> str:
    mount, _, rest = path.partition("/")
    return f'{{{{ with secret "{mount}/data/{rest}" }}}}{{{{ .Data.data.value }}}}{{{{ end }}}}'


def bao_agent(folder: Path, address: str, ca_cert: str, token: str, paths: Sequence[str]) -> Path:
    """`bao agent` as a process supervisor: a template for each variable, then /bin/true."""
    write(folder / "token", token)
    templates = "".join(f"env_template {json.dumps(secret_name(path))} {{\n"
                        f"  contents = {json.dumps(_template(path))}\n"
                        "  error_on_missing_key = true\n}\n" for path in paths)
    return write(folder / f"bao-agent-{len(paths)}.hcl", f"""
vault {{
  address = "{address}"
  ca_cert = "{ca_cert}"
}}
auto_auth {{
  method "token_file" {{
    config = {{ token_file_path = "{folder / 'token'}" }}
  }}
}}
template_config {{ exit_on_retry_failure = true }}
{templates}
exec {{
  command = ["/bin/true"]
  restart_on_secret_changes = "never"
}}
""")


def consul_template(folder: Path, address: str, ca_cert: str, paths: Sequence[str]) -> Path:
    """consul-template: one template with all values, then /bin/true; the token is VAULT_TOKEN."""
    contents = "\n".join(f"{secret_name(path)}={_template(path)}" for path in paths)
    return write(folder / f"consul-template-{len(paths)}.hcl", f"""
vault {{
  address = "{address}"
  renew_token = false
  ssl {{ ca_cert = "{ca_cert}" }}
}}
template {{
  contents = {json.dumps(contents)}
  destination = "{folder / 'rendered'}"
}}
exec {{ command = ["/bin/true"] }}
""")


def envconsul(folder: Path, address: str, ca_cert: str, paths: Sequence[str]) -> Path:
    """envconsul: each secret's fields as variables; the token is VAULT_TOKEN."""
    secrets = "".join(f'secret {{\n  path = "{path}"\n  no_prefix = true\n}}\n' for path in paths)
    return write(folder / f"envconsul-{len(paths)}.hcl", f"""
vault {{
  address = "{address}"
  renew_token = false
  ssl {{ ca_cert = "{ca_cert}" }}
}}
{secrets}""")
