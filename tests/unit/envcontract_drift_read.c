/* tests/unit/envcontract_drift_read.c: which names each reader takes from a text, and which not.
 *
 * What a text gives is written as "A B=given ?2": read names bare, others with their use, sorted;
 * ?N says how many names are computed, !WHAT what else is not known. */
#include "tests/unit/envcontract_load.h"

#include "base/buf.h"
#include "envcontract/drift_read.h"

enum { SHOWN_MAX_BYTES = 64 * 1024 };

#define CONTRACT                                                                                 \
    "{'contract': 1, 'vars': {'DATABASE_URL': {}, 'db_name': {}, 'APP_PORT': {}, 'SMTP__HOST': " \
    "{},"                                                                                        \
    " 'SMTP__PORT': {}, 'PROXY_URL': {}, 'BUILD_REF': {}}}"

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct drift_name *)a)->text, ((const struct drift_name *)b)->text);
}

/* The last thing that is done with the table: it is sorted for it. */
static void show(struct drift *d, struct buf *out)
{
    static const char *const words[DRIFT_USES] = {"", "=given", "=workflow", "=assigned"};

    qsort(d->names, d->name_count, sizeof *d->names, compare_names);
    for (size_t i = 0; i < d->name_count; i++) {
        const struct drift_name *name = &d->names[i];
        for (size_t use = 0; use < DRIFT_USES; use++)
            if (name->counts[use] > 0)
                buf_addf(out, "%s%s%s", out->len > 0 ? " " : "", name->text, words[use]);
    }
    if (d->computed > 0)
        buf_addf(out, "%s?%zu", out->len > 0 ? " " : "", d->computed);
    if (d->unseen)
        buf_addf(out, "%s!%s", out->len > 0 ? " " : "", d->unseen);
}

struct sample {
    const char *text, *names;
};

static void check(drift_reader *reader, const char *path, const struct sample *samples,
                  size_t count)
{
    struct loaded l = load_text(CONTRACT);

    for (size_t i = 0; i < count; i++) {
        AUTO_DRIFT d = {0};
        AUTO_BUF names = BUF_INIT(SHOWN_MAX_BYTES);
        assert_int_equal(drift_begin(&d, l.contract, &l.findings, &l.err), 0);
        drift_read_text(&d, reader, path, samples[i].text, strlen(samples[i].text));
        show(&d, &names);
        if (strcmp(buf_text(&names), samples[i].names) != 0)
            fail_msg("%s\n  gives    '%s'\n  expected '%s'", samples[i].text, buf_text(&names),
                     samples[i].names);
    }
    unload(&l);
}

#define CHECK(reader, path, samples) check(reader, path, samples, ARRAY_LEN(samples))

/* ---- Python --------------------------------------------------------------------------------- */

static void python_reads_by_every_name_of_the_environment(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"import os\nos.environ['A']\nos.environ.get(\"B\", 'x')\nos.getenv('C')\n", "A B C"},
        {"\xef\xbb\xbfimport os\nos.environ['A']\n", "A"},
        {"import os, sys\nx = os.environ.pop('A') or os.environ.setdefault('B', '1')\n", "A B"},
        {"import sys, os as o\no.environ['A']; o.getenv('B')\n", "A B"},
        {"import os.path\nos.environ['A']\n", "A"},
        {"from os import environ\nenviron['A']\n", "A"},
        {"from os import environ as e, getenv as g\ne['A'], g('B')\n", "A B"},
        {"from os import (\n    environ as e,  # the environment\n    getenv,\n)\ne['A'], "
         "getenv('B')\n",
         "A B"},
        {"import os\nenv = os.environ\nenv['A']\nenv.get('B')\n", "A B"},
        {"import os\nif 'A' in os.environ or \"B\" not in os.environ: pass\n", "A B"},
        {"import os\nos.getenv(key='A')\nos.getenv(\n    'B',\n)\n", "A B"},
        {"import os\nos.environb[b'A']\nos.environ[r'B']\n", "A B"},
        {"import os\ndef f():\n    return (os\n        .environ['A'])\n", "A"},
        {"import os\nenv: Mapping[str, str] = os.environ\nenv['A']\nelse: e = os.environ\ne['B']\n",
         "A B"},
        {"import os\nget = os.environ.get\nask = os.getenv\nget('A'), ask('B')\n", "A B"},
        {"import os\nasync def f(x=(1, 2), env: Dict[str, str] = os.environ, *, e=os.environ):\n"
         "    return env['A'], e.get('B'), x['C']\n",
         "A B"},
        {"import os\nrun(x, env=os.environ)\nenv['A']\ny == os.environ\n", ""},
        {"import os\nx = f\"{os.environ['A']:>{w}} {{os.environ['X']}} {os.getenv('B')!r}\"\n",
         "A B"},
    };

    CHECK(drift_read_python, "a.py", samples);
}

static void python_text_is_not_code(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"import os\n# os.environ['A']\n", ""},
        {"import os\n'''os.environ['A']\nos.getenv(\"B\")'''\n", ""},
        {"import os\n\"\"\"A \\\"\"\" os.environ['X'] \"\"\"\nos.getenv('A')\n", "A"},
        {"import os\nx = \"os.environ['A']\"\ny = 'it\\'s os.getenv(\"B\")'\n", ""},
        {"import os\nx = 'never closed os.environ[\nos.getenv('A')\n", "A"},
        {"import os\nrf'''{os.getenv('A')} os.getenv('X')'''\nos.getenv('B')\n", "A B"},
        {"os.environ['A']\nos.getenv('B')\n", ""},
        {"import os\nself.os.environ['A']\nrequest.environ['B']\n", ""},
        {"import os\nos.environ['A'] = '1'\ndel os.environ['B']\nos.environ['C'] == 1\n", "C"},
        {"import os\nsubprocess.run(x, env=os.environ)\ndict(os.environ)\n", ""},
    };

    CHECK(drift_read_python, "a.py", samples);
}

static void python_does_not_guess_computed_names(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"import os\nos.environ[name]\nos.getenv(f'APP_{x}')\nos.environ.get('A' + b)\n", "?3"},
        {"import os\nos.environ['A' 'B']\nos.environ[x['B']]\n", "?2"},
        {"import os\nos.getenv()\n", ""},
    };

    CHECK(drift_read_python, "a.py", samples);
}

static void settings_classes_name_their_fields(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"class S(BaseSettings):\n    \"\"\"Doc: x\"\"\"\n    database_url: str\n    port: int = "
         "8000\n"
         "    _private: int = 1\n    constant: ClassVar[int] = 1\n    plain = 1\n"
         "    def f(self):\n        local: int = 1\n\nother: int = 1\n",
         "DATABASE_URL PORT"},
        {"class S(pydantic_settings.BaseSettings):\n    model_config = SettingsConfigDict(\n"
         "        env_prefix='APP_', extra='ignore')\n    port: int\n",
         "APP_PORT"},
        {"class S(BaseSettings):\n  port: int\n  class Config:\n    env_prefix = 'app_'\n",
         "APP_PORT"},
        {"class S(BaseSettings):\n  model_config = {'env_prefix': 'APP_', 'case_sensitive': "
         "True}\n  port: "
         "int\n",
         "APP_port"},
        {"class S(BaseSettings, env_prefix='APP_'):\n  port: int\n", "APP_PORT"},
        {"class Base(BaseSettings):\n  model_config = SettingsConfigDict(env_prefix='APP_')\n"
         "class S(Base):\n  port: int\nclass T(Other):\n  x: int\n",
         "APP_PORT"},
        {"class S(BaseSettings):\n  a: str = Field(..., alias='DATABASE_URL')\n"
         "  b: str = Field(validation_alias=AliasChoices('B_OLD', 'app_port'), gt=1)\n"
         "  c: str = Field(env=['C_ONE', 'C_TWO'])\n  d: str = Field(alias=name)\n",
         "APP_PORT C_ONE DATABASE_URL ?1"},
        {"class S(BaseSettings):\n  model_config = SettingsConfigDict(env_nested_delimiter='__')\n"
         "  smtp: Smtp\n  db_name: str\n",
         "SMTP__HOST SMTP__PORT db_name"},
        {"class S(BaseSettings): pass\nclass T:\n  x: int\n", ""},
        {"from pydantic_settings import (\n  BaseSettings as Base,\n)\nclass S(Base, "
         "env_prefix='P_'):\n"
         "  a: int\nclass T(S):\n  b: int\nclass U(Other):\n  c: int\n",
         "P_A P_B"},
        {"class S(BaseSettings):\n  a: str = Field(validation_alias=AliasPath('LIST', 0))\n"
         "  Db_Name: str\n",
         "LIST db_name"},
        {"class Part(BaseSettings):\n  x: int\nclass S(BaseSettings):\n  part: Part = Part()\n"
         "  mail: Optional[config.MailSettings] = None\n  app_port: Part\n  settings: str\n",
         "APP_PORT SETTINGS X"},
        {"def f():\n    class S(BaseSettings):\n        x: Dict[\n  str, int]\n    y: int\n", "X"},
    };

    CHECK(drift_read_python, "a.py", samples);
}

/* ---- JavaScript ----------------------------------------------------------------------------- */

static void script_reads_by_every_name_of_the_environment(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"process.env.A; process.env['B']; process.env[`C`]; process?.env?.D; process.env!.E;",
         "A B C D E"},
        {"const {A, B: b, C = 'x', 'D': d, ...rest} = process.env;", "A B C D"},
        {"const {\n  A, // one\n  B = {x: 1},\n} = process.env as Env", "A B"},
        {"const {VITE_A, MODE} = import.meta.env", "VITE_A"},
        {"import.meta.env.VITE_A; import.meta.env.MODE; import.meta.env.PROD", "VITE_A"},
        {"const env = process.env;\nenv.A; env['B']; x.env.C", "A B"},
        {"import { env as e } from 'node:process'\ne.A", "A"},
        {"import process, { env } from 'process'\nprocess.env.A", "A"},
        {"Deno.env.get('A'); Bun.env.B", "A B"},
        {"if ('A' in process.env) {}", "A"},
        {"`x ${process.env.A} ${`y ${process.env.B}`} z`; process.env.C", "A B C"},
        {"<p title=\"x\">Don't {process.env.A}</p>; process.env.B", "A B"},
        {"x = a / process.env.A / 2; y = /process.env.X'/g.test(z); process.env.B", "A B"},
        {"process.env.A ||= 'x'; process.env.B === 1", "A B"},
        {"x = (process.env as any).A; (<Record<string, T>>process.env)['B']; return (process.env "
         "as "
         "{C: (x: y) => z}).C; (process.env).D",
         "A B C D"},
        {"const { env: e, argv } = process; e.A; const { pid, env } = process; env.B", "A B"},
        {"const { env: { A, B: { b } = {} } } = process\nA.x", "A B"},
        {"class A { env = process.env; f() { return this.env.A } g() { this.e = process.env; "
         "this.e.B; "
         "x.e.C } }",
         "A B"},
        {"process.env.hasOwnProperty('A'); process.env.toString(); process.env.B.trim()", "A B"},
    };

    CHECK(drift_read_script, "a.ts", samples);
}

static void script_text_is_not_code(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"#!/usr/bin/env node process.env.A\n// process.env.B\n/* process.env.C\n */", ""},
        {"'process.env.A'; \"process.env.B\"; `process.env.C`; 'it\\'s process.env.D'", ""},
        {"return /[/]process.env.A'/", ""},
        {"process.env.A = '1'; delete process.env.B; process.env['C'] = 1", ""},
        {"process.environment.A; env.B; my.process", ""},
        {"parse(process.env).A; parse(process.env as any).B; x = process; y = process\nenv.C", ""},
        {"process.env[name]; process.env['A' + b]; const {[k]: v} = process.env", "?3"},
    };

    CHECK(drift_read_script, "a.ts", samples);
}

/* ---- shell ---------------------------------------------------------------------------------- */

static void shell_reads_what_it_does_not_set(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"echo $A ${B} \"${C:-x}\" ${D:?missing} ${#E} ${F%%/*}\n", "A B C D E F"},
        {"X=1\necho $X\nfor I in a b; do echo $I; done\nread -r L M <f; echo $L $M\n", ""},
        {"PORT=${PORT:-8000}\necho $PORT\n", "PORT"},
        {"A=\"$A more\"; echo $A; B=$(echo $B); C=`echo $C`\n", "A B C"},
        {": \"${A:=1}\"; echo $A\n", "A"},
        {"[ -z \"$A\" ] && A=1; [[ -n ${B} ]] || B=2; if test -z $C; then C=3; fi; [ $D = 1 ]; "
         "D=1\n",
         "A B C"},
        {"f() { local X=1; echo $X $Y; }\nY=2\n", ""},
        {"export A B=1; echo $A $B\n", "A"},
        {"IFS=: read -r A B; while read -r C; do echo $A $B $C; done\n", ""},
        {"while getopts ab: FLAG; do echo $FLAG $OPTARG_X; done; printf -v OUT x; echo $OUT\n",
         "OPTARG_X"},
        {"for ((I = 0; I < 3; I++)); do echo $I; done; ((N++)); echo $N\n", ""},
        {"LIST=(a $A \"$B\"); echo ${LIST[@]} $((X + $Y))\n", "A B Y"},
        {"env FOO=1 echo $FOO; docker run -e BAR=1 $BAR\n", "BAR"},
        {"case $A in a|b) X=1 ;; *) echo $X ;; esac\n", "A"},
        {"echo $local $db_name ${other_thing}\n", "db_name"},
        {"echo ${A:-${B:-$C}} \"${D:-\"$E\"}\" ${!F}\n", "A B C D E F ?1"},
        {"(cd $A && X=1 && echo $X); [ -z \"$B\" ] || exit $?\n", "A B"},
        {"printenv -0 A B; if [[ ! -v C ]]; then [ -v D ] && test -v E; fi; [[ F = v ]]\n",
         "A B C D E"},
        {"let N=1 M+=1; echo $N $M\n", ""},
    };

    CHECK(drift_read_shell, "a.sh", samples);
}

static void shell_text_is_not_code(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"# $A\necho '$B' \\$C $'\\'$D' # $E\necho a#$F $1 $@ $$ $? $#\n", "F"},
        {"cat <<'EOF'\n$A\nEOF\ncat <<\\EOF\n$B\nEOF\necho $C\n", "C"},
        {"cat <<EOF >$O\n$A ${B:-x} \\$C it's\nEOF\necho '$X' $D\n", "A B D O"},
        {"cat <<-EOF; cat <<TWO\n\t$A\n\tEOF\n$B\nTWO\necho $C\n", "A B C"},
        {"x=$(cat <<EOF\n$A )\nEOF\n)\necho $B\n", "A B"},
        {"cat <<<$A; echo $((1 << 2)) $B\n", "A B"},
        {"awk '{print $X}' \"'$A'\"\n", "A"},
        {"echo ${A:-'$X'} \"${B:-it's}\" $C\n", "A B C"},
    };

    CHECK(drift_read_shell, "a.sh", samples);
}

/* ---- YAML ----------------------------------------------------------------------------------- */

static void compose_gives_and_interpolates(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"services:\n  api:\n    image: x:${TAG:-1} # $NOT\n    environment:\n      A: 1\n      "
         "B:\n"
         "      \"C\": ${D}$$E\n    ports: []\n  db:\n    environment:\n    - F=1\n    - G\n    - "
         "\"H=$I\"\n"
         "    labels:\n      X: 1\n",
         "A=given B=given C=given D F=given G=given H=given I TAG"},
        {"services:\n  a:\n    environment: {A: 1, B: x}\n  b:\n    environment: [C=1, D]\n",
         "A=given B=given C=given D=given"},
        {"services:\n  a:\n    environment: *common\n", "!what a YAML anchor brings"},
        {"services:\n  a:\n    environment:\n      <<: *common\n      A: 1\n",
         "A=given !what a YAML anchor brings"},
        {"services:\n  a:\n    environment:\n      A: |\n        B: 1\n        ${C}\n      D: 1\n",
         "A=given C D=given"},
        {"services:\n  a:\n    secrets: [s]\nsecrets:\n  s:\n    environment: A\nconfigs:\n  c:\n"
         "    environment: \"B\"\n  d:\n    environment: ${C}\n",
         "A B C ?1"},
        {"services:\n  a: {image: x, environment: {A: 1}}\n", "!an environment within a flow"},
        {"name: x\nenvironment:\n  A: 1\n", ""},
    };

    CHECK(drift_read_yaml, "compose.yaml", samples);
}

static void kubernetes_gives_by_name(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: api\n    env:\n    - name: A\n"
         "      valueFrom:\n        secretKeyRef:\n          name: not-this\n          key: X\n"
         "    - value: \"1\"\n      name: \"B\"\n    - {name: C, value: x}\n    envFrom:\n"
         "    - configMapRef:\n        name: Y\n    command: [x]\n  - env:\n    - name: D\n      "
         "value: |\n"
         "        name: Z\n    name: api\n",
         "A=given B=given C=given D=given !envFrom"},
        {"kind: Pod\napiVersion: v1\nspec:\n  env: [{name: A, value: 1}, {value: 2, name: B}]\n",
         "A=given B=given"},
        {"apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {env: prod, 'environment': x, myenv: "
         "{}}\n",
         ""},
        {"apiVersion: v1\nkind: Pod\nspec: {containers: [{env: [{name: A, value: x}]}]}\n",
         "!an environment within a flow"},
        {"apiVersion: v1\nkind: Pod\nspec:\n  env:\n    - name: {{ .Values.x }}\n", "?1"},
        {"{{- if .Values.on }}\napiVersion: v1\nkind: Pod\nspec:\n  env:\n    {{- if .a }}\n    - "
         "name: A\n"
         "{{- else }}\n      value: x\n    {{- range $k, $v := .Values.env }}\n    - name: {{ $k "
         "}}\n"
         "      value: {{ $v }}\n{{- end }}\n    - name: B\n    {{- toYaml .Values.env | nindent 4 "
         "}}\n"
         "  args: |\n    x\n{{ end }}\n    env:\n    - name: C\n  {{ include \"x\" . }}\n",
         "A=given B=given ?2"},
    };

    CHECK(drift_read_yaml, "pod.yml", samples);
}

static void workflows_give_to_their_steps(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"name: x\non: push\nenv:\n  A: 1\njobs:\n  t:\n    env: {B: 1}\n    steps:\n      - run: "
         "|\n"
         "          env:\n            X: 1\n        env:\n          C: ${{ env.D }}\n        "
         "with:\n          E: 1\n",
         "A=workflow B=workflow C=workflow"},
    };

    CHECK(drift_read_yaml, ".github/workflows/x.yml", samples);
}

static void other_yaml_is_not_looked_into(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"env:\n  A: 1\nenvironment:\n  B: ${C}\n", ""},
        {"\"on", ""},
        {"", ""},
    };

    CHECK(drift_read_yaml, "values.yaml", samples);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void dockerfiles_give_by_env(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"# ENV X=1\nFROM a\nENV A=1 B=\"x y\" \\\n  # a comment\n    C='z w'\nENV D one "
         "two=3\nenv E=1\n"
         "ARG BUILD_REF=1\nARG OTHER\nRUN echo $F\nCMD serve --port ${G:-1} $H\n",
         "A=given B=given BUILD_REF=given C=given D=given E=given G H"},
        {"RUN <<EOF\nENV X=1\nEOF\nENV A=1\nENTRYPOINT [\"x\", \"$Y\"]\n", "A=given"},
    };

    CHECK(drift_read_dockerfile, "Dockerfile", samples);
}

static void env_files_set_names(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"# X=1\nA=1\nexport B='x\nC=2'\n D = \"x\\\"\nE=1\"\nF\nG=\n",
         "A=assigned B=assigned D=assigned G=assigned"},
        {"A='never closed\nB=1\n", "A=assigned B=assigned"},
    };

    CHECK(drift_read_dotenv, ".env", samples);
}

/* ---- places --------------------------------------------------------------------------------- */

static void a_place_is_the_first_one_of_what_says_most(void **state)
{
    (void)state;
    struct loaded l = load_text(CONTRACT);
    AUTO_DRIFT d = {0};
    assert_int_equal(drift_begin(&d, l.contract, &l.findings, &l.err), 0);
    const char *env = "\nFOO=1\n",
               *code = "import os\n\nx = os.getenv('FOO')\ny = os.getenv('FOO')\n";
    drift_read_text(&d, drift_read_dotenv, ".env", env, strlen(env));
    drift_read_text(&d, drift_read_python, "a.py", code, strlen(code));
    const struct drift_name *name = drift_find(&d, "FOO", 3);
    assert_non_null(name);
    assert_string_equal(name->file, "a.py");
    assert_int_equal(name->line, 3);
    assert_int_equal(name->column, 16);
    assert_int_equal(name->counts[DRIFT_READ], 2);
    assert_int_equal(name->counts[DRIFT_ASSIGNED], 1);
    unload(&l);
}

static void files_are_known_by_name_or_first_line(void **state)
{
    (void)state;
    assert_ptr_equal(drift_reader_by_name("main.py"), drift_read_python);
    assert_ptr_equal(drift_reader_by_name("a.tsx"), drift_read_script);
    assert_ptr_equal(drift_reader_by_name("Dockerfile.dev"), drift_read_dockerfile);
    assert_ptr_equal(drift_reader_by_name(".env.example"), drift_read_dotenv);
    assert_ptr_equal(drift_reader_by_name("prod.env"), drift_read_dotenv);
    assert_null(drift_reader_by_name("README.md"));
    assert_ptr_equal(drift_reader_by_text("#!/bin/sh\n$A", 12), drift_read_shell);
    assert_ptr_equal(drift_reader_by_text("#!/usr/bin/env python3", 22), drift_read_python);
    assert_null(drift_reader_by_text("no script", 9));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python_reads_by_every_name_of_the_environment),
        cmocka_unit_test(python_text_is_not_code),
        cmocka_unit_test(python_does_not_guess_computed_names),
        cmocka_unit_test(settings_classes_name_their_fields),
        cmocka_unit_test(script_reads_by_every_name_of_the_environment),
        cmocka_unit_test(script_text_is_not_code),
        cmocka_unit_test(shell_reads_what_it_does_not_set),
        cmocka_unit_test(shell_text_is_not_code),
        cmocka_unit_test(compose_gives_and_interpolates),
        cmocka_unit_test(kubernetes_gives_by_name),
        cmocka_unit_test(workflows_give_to_their_steps),
        cmocka_unit_test(other_yaml_is_not_looked_into),
        cmocka_unit_test(dockerfiles_give_by_env),
        cmocka_unit_test(env_files_set_names),
        cmocka_unit_test(a_place_is_the_first_one_of_what_says_most),
        cmocka_unit_test(files_are_known_by_name_or_first_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
