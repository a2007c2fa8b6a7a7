# What deploy/demo and tests/run need before they can build. Sourced, never run.

# Ends with a sentence unless cargo is there; rustup's own place is looked at, because a fresh shell may not know it yet.
need_rust() {
    [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] && PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    command -v cargo >/dev/null && return
    echo "No Rust toolchain: install one from https://rustup.rs (1.95 or later)." >&2
    exit 1
}

# Makes sure that Debian packages are installed: installs them as root, says how otherwise.
need_packages() {
    local package missing=()
    command -v dpkg-query >/dev/null || {
        echo "Not a Debian system: make sure that you have what Debian calls $*." >&2
        return 0
    }
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    if [ "$(id -u)" -ne 0 ]; then
        echo "Please install:  sudo apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
    echo "Installing ${missing[*]}" >&2
    {
        apt-get -q -o DPkg::Lock::Timeout=120 update
        DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "${missing[@]}"
    } >&2
}

# Where cargo puts what it builds.
target_directory() {
    cargo metadata --no-deps --format-version 1 --manifest-path "$1/Cargo.toml" | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'
}
