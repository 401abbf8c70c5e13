# Sourced by scripts/test and scripts/demo. Sets ROOT, the checkout; makes .venv there, with the packages of
# constraints.txt, as far as they are missing. Repeating it costs a fraction of a second. The tests call install_swarp,
# too.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
PYTHON=$VENV/bin/python

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Whether a Python is one that tensorflow and keras have wheels for, and can make environments.
is_python_we_can_use() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if is_python_we_can_use "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    local base
    if is_python_we_can_use "$PYTHON" && "$PYTHON" -m pip --version >/dev/null 2>&1; then
        return
    fi
    base=$(find_python) || fail \
        "No Python 3.11, 3.12 or 3.13 with venv on the PATH (python3 there: $(python3 --version 2>/dev/null || echo none))." \
        "Install one and run this again; Debian and Ubuntu: sudo apt-get install python3-venv"
    echo "Making $VENV with $("$base" --version)."
    "$base" -m venv --clear "$VENV" # --clear, because what is there may be half made or of another Python
}

# What decides what is installed; the path too, because the commands in .venv/bin name it.
installed_from() {
    printf '%s\n' "$ROOT" "$("$PYTHON" --version)"
    cat "$ROOT"/setup.py "$ROOT"/pyproject.toml "$ROOT"/constraints.txt
}

install_package() {
    local stamp=$VENV/installed_from
    if installed_from | cmp -s - "$stamp"; then
        return
    fi
    echo "Installing the packages of constraints.txt (about 1 GB the first time)."
    "$PYTHON" -m pip install -qq --upgrade pip
    "$PYTHON" -m pip install -qq -c "$ROOT/constraints.txt" -e "$ROOT[dev]"
    installed_from >"$stamp" # last: with it the installation is complete
}

has_swarp() {
    command -v SWarp >/dev/null || command -v swarp >/dev/null
}

install_swarp() {
    local as_root=env
    if has_swarp; then
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        as_root="sudo -n"
    fi
    if command -v apt-get >/dev/null && $as_root true 2>/dev/null; then
        echo "Installing SWarp: apt-get update && apt-get install -y swarp"
        $as_root apt-get -qq update &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y swarp >/dev/null || true
    fi
    if ! has_swarp; then
        printf '%s\n' \
            "SWarp is not installed, so the tests that compare with it are skipped. Install it with one of" \
            "  sudo apt-get install swarp                          (Debian, Ubuntu)" \
            "  conda install -c conda-forge astromatic-swarp" \
            "or from source: https://www.astromatic.net/software/swarp" >&2
    fi
}

make_venv
install_package
