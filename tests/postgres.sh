# A PostgreSQL of the tests' own: in a directory that goes with it, on a free port of loopback. Sourced, never run.

# That many ports of loopback that nobody listens on.
free_ports() {
    python3 - "$1" <<'PYTHON'
import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(socket.getsockname()[1] for socket in held))
PYTHON
}

# Runs a command as somebody whom PostgreSQL accepts: it refuses root.
as_postgres_user() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# Directory with initdb and pg_ctl: Debian keeps them out of the path.
postgres_binaries() {
    local found
    found=$(find /usr/lib/postgresql -maxdepth 3 -name initdb -path '*/bin/*' 2>/dev/null | sort -V | tail -n 1)
    dirname "${found:-$(command -v initdb)}"
}

# Starts a server below the directory and sets TESSERA_TEST_POSTGRES_URL.
postgres_start() {
    local base=$1/postgres binaries port
    binaries=$(postgres_binaries)
    read -r port < <(free_ports 1)
    chmod 711 "$1"
    mkdir -p "$base"
    [ "$(id -u)" -ne 0 ] || chown postgres "$base"
    as_postgres_user "$binaries/initdb" --pgdata "$base/data" --auth trust --username tessera --encoding UTF8 \
        --locale C >"$1/initdb.log"
    as_postgres_user "$binaries/pg_ctl" --pgdata "$base/data" --log "$base/log" --wait --options \
        "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300" start >/dev/null
    TESSERA_TEST_POSTGRES_URL=postgres://tessera@127.0.0.1:$port/postgres
}

# Stops the server below the directory, if one runs there.
postgres_stop() {
    local base=$1/postgres
    [ -f "$base/data/postmaster.pid" ] || return 0
    as_postgres_user "$(postgres_binaries)/pg_ctl" --pgdata "$base/data" --mode immediate --wait stop >/dev/null
}
