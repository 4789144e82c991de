#!/bin/sh
# examples/hooks/upstash.sh: a credential of Upstash Redis, rotated by agent (strategy `hook`).
#
# Wants curl and jq. Two modes, by `config`:
#
#   user, rest_url       a password of an ACL user (preferred: a user may have several, and both work until
#                        `retire`). It is a token of ACL GENTOKEN: the password over TCP and the bearer
#                        token over REST alike.
#   database_id          the database's own password: a hard cut. The former stops when it is reset, and
#                        the REST tokens change with it. For databases whose clients are `default`.
#
# From the documentation (upstash.com/docs: redis/commands/server/acl-setuser and acl-gentoken,
# redis/features/restapi, devops/developer-api/redis/reset_password and get_database), not more:
#   POST REST_URL ["ACL", "GENTOKEN", user] -> {"result": token}; it changes nothing
#   POST REST_URL ["ACL", "SETUSER", user, "on", ">token"], later "<token" -> {"result": "OK"}
#   400 {"error": …} for a command that failed, 401 for a token that is not known
#   POST https://api.upstash.com/v2/redis/reset-password/ID, Basic EMAIL:KEY -> {password, rest_token, …}
#   GET  https://api.upstash.com/v2/redis/database/ID -> the same object
# Never tried for real: all of it. This script has only talked to a local server that behaves as those
# pages say. Not said there, and taken as given: that "<token" takes out what ">token" put in; that a
# SETUSER is in force at the next request; that a reset cuts at once.
#
# How it is safe: `create` for an ACL user changes nothing, so that a token which is lost costs nothing, and
# SETUSER with one token twice is the same as once. A reset can't be staged: where a reply was lost
# (`attempt` over 1) the database's password is read first, and taken when it is the former one no more.
#
# `config` also: field (the value's name in the store: by default the one that there is, else `token`, or
# with database_id `password`), rest_token_field (with database_id: where the REST token is stored, if it
# is), rules (more rules of SETUSER, a list), test_command (default ["PING"]), admin_file or admin_env
# (default UPSTASH_ADMIN): with `user` the REST token of somebody who may use ACL, with database_id
# EMAIL:KEY of the developer API.
#
# Secrets are in variables of this shell and go through pipes: jq gets them on stdin, curl in the
# configuration that it reads from stdin. printf is the shell's own, no program.
set -eu
umask 077
unset CDPATH ENV
LC_ALL=C # a range of characters is one of ASCII
readonly API='https://api.upstash.com'
readonly CONNECT_SECONDS=10 REQUEST_SECONDS=20 PATIENCE_SECONDS=5 PATIENCE_TIMES=3
readonly BODY_MAX_BYTES=1048576
readonly DONE=0 FAILED=1 DONE_BEFORE=10 LATER=20 NO_SUCH_STEP=78
# A server of this machine, for tests: what is secret goes nowhere else in the clear.
readonly LOOPBACK='http://(127[.]0[.]0[.]1|localhost):[0-9]+'
readonly NEW_LINE='
'

# ---- the end ------------------------------------------------------------------------------------

# finish CODE MESSAGE: one JSON object, without a secret in it.
finish() {
    jq -nc --arg message "$2" '{message: $message}'
    exit "$1"
}

for program in jq curl; do
    command -v "$program" >/dev/null && continue
    printf '{"message":"upstash.sh: %s is needed"}\n' "$program"
    exit "$FAILED"
done

# ---- what agent says ----------------------------------------------------------------------------

input=$(cat)

# Everything in one go, a line each; what is not as it should be is an empty line. Secrets stay JSON texts:
# they go into jq's stdin, and are visible ASCII, for they become headers, in which curl's configuration
# and JSON have the same two escapes.
settings=$(printf '%s' "$input" | jq -er --arg loopback "$LOOPBACK" '
    def line(pattern): if type == "string" and test("\\A(" + pattern + ")\\z") then . else "" end;
    def name: line("[A-Za-z0-9_.-]+");
    def secret(field): if type == "object" and (.[field] | line("[!-~]+")) != ""
                       then .[field] | tojson else "" end;
    select(.version == 1) | (.config // {}) as $c |
    ((if (.current // {}) == {} then .pending else .current end) // {} | keys) as $there |
    ($c.field // (if $there | length == 1 then $there[0]
                  elif $c.database_id then "password" else "token" end)) as $field |
    (.step | name), (.attempt // 1 | floor), ($c.database_id // "" | name), ($c.user // "" | name),
    ($field | name), ($c.rest_token_field // "" | name),
    ($c.api // "" | line($loopback)), ($c.api != null),
    ($c.rest_url // "" | line("https://[A-Za-z0-9.-]+|" + $loopback)),
    ($c.admin_file // "" | line("[^\n]+")), ($c.admin_env // "UPSTASH_ADMIN" | line("[A-Z_][A-Z0-9_]*")),
    (.current | secret($field)), (.pending | secret($field)),
    (.current | secret($c.rest_token_field // "")), (.pending | secret($c.rest_token_field // "")),
    ($c.test_command // ["PING"] | tojson | tojson)' 2>/dev/null) ||
    finish "$FAILED" 'the input is not one JSON object of version 1'
next() { line=${settings%%"$NEW_LINE"*} settings=${settings#*"$NEW_LINE"}; }
next; step=$line
next; attempt=$line
next; database=$line
next; user=$line
next; field=$line
next; rest_field=$line
next; api=$line
next; has_api=$line
next; rest=$line
next; admin_file=$line
next; admin_env=$line
next; current=$line
next; pending=$line
next; current_rest=$line
next; pending_rest=$line
test_command=$settings
[ -n "$step" ] || finish "$FAILED" 'the input has no step'
[ -n "$field" ] || finish "$FAILED" 'config.field is no name'
[ "$has_api" = false ] || [ -n "$api" ] ||
    finish "$FAILED" 'config.api is for tests, and is the loopback: http://127.0.0.1:PORT'
api=${api:-$API}
if [ -z "$database" ]; then
    [ -n "$user" ] || finish "$FAILED" 'config has no user, and no database_id'
    [ "$user" != default ] || finish "$FAILED" 'the user default does not change: use database_id'
    [ -n "$rest" ] || finish "$FAILED" 'config.rest_url is not https://NAME.upstash.io'
fi

# Sets admin, a JSON text.
find_admin() {
    if [ -n "$admin_file" ]; then
        found=$(head -n 1 -- "$admin_file" 2>/dev/null) ||
            finish "$FAILED" "admin_file '$admin_file' can't be read"
    else
        eval "found=\${$admin_env-}"
    fi
    case $found in
    '' | *[!!-~]* | *[\\\"]*) finish "$FAILED" "there is no admin's credential (admin_file, admin_env)" ;;
    esac
    admin="\"$found\""
}

# ---- talking to Upstash -------------------------------------------------------------------------

work=$(mktemp -d) || finish "$FAILED" 'no temporary folder could be made'
trap 'rm -rf -- "$work"' EXIT # it has headers of answers alone
trap 'exit 1' HUP INT TERM

# send WHAT URL AUTH [BODY]: sets status and reply. AUTH is a line of curl's configuration; with BODY, a
# JSON text inside of a JSON string (no escape is left in it that curl would read in another way), it is a
# POST. Ends with "later" where there is no answer, or none for good.
send() {
    configuration="url = \"$2\"$NEW_LINE$3"
    [ $# -lt 4 ] || configuration="$configuration${NEW_LINE}header = \"Content-Type: application/json\"
data-binary = $4"
    times=0
    while :; do
        reply=$(printf '%s\n' "$configuration" |
            curl --disable --config - --silent --show-error --proto '=https,http' \
                --connect-timeout "$CONNECT_SECONDS" --max-time "$REQUEST_SECONDS" \
                --max-filesize "$BODY_MAX_BYTES" --dump-header "$work/head" \
                --write-out '\n%{http_code}') ||
            finish "$LATER" "$1: no answer (curl $?); whether it was done is looked at the next time"
        status=${reply##*"$NEW_LINE"} reply=${reply%"$NEW_LINE"*}
        [ "$status" = 429 ] || break
        wait_s=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9]\{1,6\}\).*/\1/p' "$work/head" | tail -n 1)
        wait_s=${wait_s:-1} times=$((times + 1))
        if [ "$times" -gt "$PATIENCE_TIMES" ] || [ "$wait_s" -gt "$PATIENCE_SECONDS" ]; then
            finish "$LATER" "$1: too many requests; again in $wait_s s"
        fi
        sleep "$wait_s"
    done
    case $status in 5*) finish "$LATER" "$1: Upstash answered $status" ;; esac
}

# redis WHAT TOKEN COMMAND: a Redis command, a list as `send` wants it, with a bearer token, a JSON text.
redis() { send "$1" "$rest" "header = \"Authorization: Bearer ${2#\"}" "$3"; }

# Redis quotes what it does not like, tokens too: of its words only the first one, the kind, is said.
unexpected() {
    kind=$(printf '%s' "$reply" | jq -r '.error | strings | split(" ")[0]' 2>/dev/null) || kind=
    finish "$FAILED" "$1: Upstash answered $status ${kind:-without a word}"
}

# works TOKEN: whether it is accepted for the test's command; sets status.
works() {
    redis 'use it' "$1" "$test_command"
    case $status in
    200) return 0 ;;
    401) return 1 ;;
    *) unexpected 'use it' ;;
    esac
}

# ---- an ACL user's password ---------------------------------------------------------------------

# setuser WHAT RULE TOKEN: RULE is > or <. Sets status.
setuser() {
    redis "$1" "$admin" "$(printf '%s\n%s' "$input" "$3" | jq -rs --arg rule "$2" '
        ["ACL", "SETUSER", .[0].config.user, "on"] +
        (if $rule == ">" then .[0].config.rules // [] else [] end) + [$rule + .[1]] | tojson | tojson')"
}

# take_out TOKEN WHOSE: it works no more, and is seen to.
take_out() {
    works "$1" || finish "$DONE_BEFORE" "the $2 token was refused already"
    setuser "take the $2 token out" '<' "$1"
    [ "$status" = 200 ] || [ "$status" = 400 ] || unexpected "take the $2 token out"
    ! works "$1" || finish "$FAILED" "the $2 token still works: it is no password of '$user', or Upstash \
did nothing (a token of the user default ends with a reset of the database's password)"
    finish "$DONE" "the $2 token is refused now"
}

user_create() {
    redis 'ACL GENTOKEN' "$admin" "\"[\\\"ACL\\\",\\\"GENTOKEN\\\",\\\"$user\\\"]\""
    [ "$status" = 200 ] || unexpected 'ACL GENTOKEN'
    printf '%s' "$reply" | jq -ec --arg field "$field" --arg user "$user" \
        'select(.result | strings) | {secret: {($field): .result}, message: "a token for \($user)"}' ||
        unexpected 'ACL GENTOKEN'
}

user_set() {
    setuser "give '$user' the new token" '>' "$pending"
    [ "$status" = 200 ] || unexpected "give '$user' the new token"
    finish "$DONE" "'$user' has the new token beside the former one"
}

user_retire() {
    if [ -z "$current" ] || [ "$current" = "$pending" ]; then
        finish "$DONE_BEFORE" 'there is no former token'
    fi
    [ -n "$pending" ] || finish "$FAILED" "there is no new '$field': the former one was left"
    works "$pending" || finish "$FAILED" 'the new token is refused: the former one was left'
    take_out "$current" former
}

user_rollback() {
    [ -n "$pending" ] || finish "$DONE_BEFORE" 'there was no new token yet'
    [ -z "$current" ] || works "$current" ||
        finish "$FAILED" 'the former token is refused: the new one was left'
    take_out "$pending" new
}

# ---- the database's password: a hard cut --------------------------------------------------------

# Sets reply to the database's object.
read_database() {
    send 'read the database' "$api/v2/redis/database/$database" "user = $admin"
    [ "$status" = 200 ] || unexpected 'read the database'
}

# has VALUE MEMBER: whether the database's MEMBER is VALUE, a JSON text.
has() { printf '%s\n%s' "$reply" "$1" | jq -se --arg member "$2" '.[0][$member] == .[1]' >/dev/null; }

database_create() {
    said='the database has a new password: the former one works no more'
    [ "$attempt" -le 1 ] || read_database
    if [ "$attempt" -le 1 ] || { [ -n "$current" ] && has "$current" password; }; then
        send 'reset the password' "$api/v2/redis/reset-password/$database" "user = $admin" '"{}"'
        [ "$status" = 200 ] || unexpected 'reset the password'
    else
        said='the password had been reset already, and the reply was lost: it was read'
    fi
    printf '%s' "$reply" |
        jq -ec --arg field "$field" --arg rest_field "$rest_field" --arg message "$said" '
            select((.password | strings) and (.rest_token | strings)) |
            {secret: ({($field): .password} +
                      (if $rest_field == "" then {} else {($rest_field): .rest_token} end)),
             message: $message}' || unexpected 'reset the password'
}

database_test() {
    read_database
    has "$pending" password || finish "$FAILED" 'the database has another password than the new one'
    token=$(printf '%s' "$reply" | jq -ec '.rest_token | strings') || unexpected 'read the database'
    if [ -n "$rest_field" ] && [ "$pending_rest" != "$token" ]; then
        finish "$FAILED" 'the database has another REST token than the new one'
    fi
    [ -n "$rest" ] || rest=$(printf '%s' "$reply" |
        jq -er '.endpoint | select(test("\\A[A-Za-z0-9.-]+\\z")) | "https://" + .') ||
        unexpected 'read the database'
    works "$token" || finish "$FAILED" 'Upstash refuses the new REST token'
    finish "$DONE" 'the database has the new password, and its REST token works'
}

database_retire() {
    read_database
    [ -z "$current" ] || ! has "$current" password ||
        finish "$FAILED" 'the database still has the former password'
    if [ -n "$current_rest" ] && [ -n "$rest" ]; then
        ! works "$current_rest" || finish "$FAILED" 'the former REST token still works'
    fi
    finish "$DONE_BEFORE" 'the reset has ended the former password'
}

# ---- steps --------------------------------------------------------------------------------------

case $step in
set | test) [ -n "$pending" ] || finish "$FAILED" "there is no new '$field'" ;;
esac
case ${database:+database}:$step in
:create) find_admin && user_create ;;
:set) find_admin && user_set ;;
:test)
    works "$pending" || finish "$FAILED" 'Upstash refuses the new token'
    finish "$DONE" 'the new token works'
    ;;
:retire) find_admin && user_retire ;;
:rollback) find_admin && user_rollback ;;
database:create) find_admin && database_create ;;
database:test) find_admin && database_test ;;
database:retire) find_admin && database_retire ;;
database:rollback) finish "$NO_SUCH_STEP" 'a reset of the database'"'"'s password can'"'"'t be undone' ;;
*) finish "$NO_SUCH_STEP" "there is nothing to do at '$step'" ;;
esac
