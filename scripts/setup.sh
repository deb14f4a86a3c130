#!/bin/sh
# Makes .venv: what requirements.lock lists, by hash, and this checkout on top.
#
# Needs a Python that can make environments and nothing else; uses uv where it is there. When the last run still
# holds it changes nothing and says nothing. PYTHON=/path/to/python chooses the interpreter.
# Exit code 3: something has to be installed on the machine first, and the message says what.
set -eu

cd "$(dirname "$0")/.."
root=$(pwd -P)
venv=$root/.venv
stamp=$venv/.setup-done
oldest="(3, 11)"

# Two lines. The first holds what only a new environment can mend: the place (scripts in an environment carry
# absolute paths), the interpreter, the lock. The second holds what registering this checkout again can mend.
fingerprint() {
    "$venv/bin/python" -I - "$root" 2>/dev/null <<'PYTHON'
import hashlib, pathlib, sys

root = pathlib.Path(sys.argv[1])
digest = lambda name: hashlib.sha256((root / name).read_bytes()).hexdigest()
print(root, sys.version.split()[0], sys.base_prefix, digest("requirements.lock"), digest("scripts/setup.sh"))
print(digest("pyproject.toml"))
PYTHON
}

is_done() {
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ]
}

if is_done; then
    exit 0
fi

# Running a candidate is the only proof: a version manager's shim exists for versions that are not installed.
# Prints the interpreter's own path. Fails with 4 where only the parts that make environments are missing.
probe() {
    "$1" -I - "$venv" "$oldest" 2>/dev/null <<'PYTHON'
import ast, importlib.util, sys

if sys.version_info < ast.literal_eval(sys.argv[2]) or sys.implementation.name != "cpython":
    sys.exit(3)
ours = sys.prefix == sys.argv[1]  # activated in the caller's shell, and perhaps about to be replaced
print(sys._base_executable if ours else sys.executable)
sys.exit(0 if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv") else 4)
PYTHON
}

uv=$(command -v uv || true)
case $uv in "$venv"/*) uv= ;; esac
if [ -n "$uv" ] && ! "$uv" --version >/dev/null 2>&1; then
    uv=
fi

python=
incomplete=
if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3.13 python3.12 python3.11 python3 python
fi
for candidate in "$@"; do
    status=0
    found=$(probe "$candidate") || status=$?
    if [ "$status" -eq 0 ] || { [ "$status" -eq 4 ] && [ -n "$uv" ]; }; then
        python=$found
        break
    elif [ "$status" -eq 4 ]; then
        incomplete=${incomplete:-$found}
    fi
done

if [ -z "$python" ] && [ -n "$incomplete" ]; then
    package=$("$incomplete" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    cat >&2 <<MESSAGE
$incomplete cannot make virtual environments: its modules venv and ensurepip are not installed.
  Debian, Ubuntu:  apt-get install $package
  elsewhere:       install the package that brings Python's ensurepip, or uv
MESSAGE
    exit 3
elif [ -z "$python" ]; then
    cat >&2 <<MESSAGE
mailport needs CPython 3.11 or newer. None of these is one: $*
  Debian, Ubuntu:  apt-get install python3 python3-venv
  Fedora:          dnf install python3.13
  macOS:           brew install python@3.13
If there is one that is not on the PATH, name it: make PYTHON=/path/to/python
MESSAGE
    exit 3
fi

# Two runs at once would tear each other's environment down. The second waits here and then finds nothing to do.
# The kernel drops the lock with this process, however it ends.
if [ "${MAILPORT_SETUP_LOCKED:-}" != "$root" ]; then
    mkdir -p .make
    MAILPORT_SETUP_LOCKED=$root exec "$python" -I -c '
import fcntl, os, sys
try:
    lock = os.open(".make/setup.lock", os.O_RDWR | os.O_CREAT, 0o644)
except OSError as error:
    sys.exit(f"This checkout cannot be set up by the user running now: {error}. Use a checkout of your own.")
fcntl.flock(lock, fcntl.LOCK_EX)
os.set_inheritable(lock, True)
os.execv("/bin/sh", ["sh", "scripts/setup.sh"])
'
fi
unset MAILPORT_SETUP_LOCKED

install_with_uv() {
    "$uv" venv --quiet --python "$python" "$venv" &&
        "$uv" pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes -r requirements.lock
}

# pip brings the lock's own uv first, which does the rest in a quarter of pip's time; where uv has no way to the
# packages (proxies, mirrors and certificates are often set for pip alone), pip goes on by itself.
install_with_pip() {
    "$python" -I -m venv "$venv" || return
    mkdir -p .make
    sed -n '/^uv==/,/[^\\]$/p' requirements.lock >.make/uv.lock
    pip_install .make/uv.lock && UV_HTTP_TIMEOUT=15 "$venv/bin/uv" pip install --quiet --compile-bytecode \
        --python "$venv/bin/python" --require-hashes -r requirements.lock 2>.make/uv.log && return
    pip_install requirements.lock
}

# --no-deps: the lock is complete, and resolving it again takes pip ten seconds.
# PIP_USER: an environment refuses the per-user installs that some pip settings ask for everywhere.
pip_install() {
    PIP_USER=0 "$venv/bin/python" -I -m pip install --quiet --quiet --disable-pip-version-check --no-deps \
        --require-hashes -r "$1"
}

old=$(head -n 1 "$stamp" 2>/dev/null || true)
rm -f "$stamp" # whatever interrupts what follows, the next run starts afresh

if [ -z "$old" ] || [ "$old" != "$(fingerprint | head -n 1)" ]; then
    echo "Setting up .venv with $python${uv:+ and uv}; the first time takes a minute." >&2
    rm -rf "$venv"
    if [ -n "$uv" ] && ! install_with_uv; then
        # Proxies, mirrors and certificates are often set for pip alone, and uv does not read pip's settings.
        echo "uv could not install (above); trying pip, which has settings of its own." >&2
        rm -rf "$venv"
        uv=
    fi
    [ -n "$uv" ] || install_with_pip
fi

# The lock brought uv and the build backend, so with no isolated build nothing is asked of a network or a cache.
"$venv/bin/uv" pip install --quiet --offline --no-cache --python "$venv/bin/python" \
    --no-deps --no-build-isolation -e .

fingerprint >"$stamp.new"
mv "$stamp.new" "$stamp"
