#!/bin/bash
# A real etcd server, from Debian's package, on free loopback ports with its own data directory; the
# service that the package may have started is another one.
#
#   t/etcd.sh COMMAND [ARG...]   start a server, run the command with ETCD_HOSTS (127.0.0.1:port),
#                                ETCD_HOME (its directory; the server's process id is in
#                                ETCD_HOME/pid) and ETCD_SCRIPT (this file) set, stop the server
#   t/etcd.sh --start HOME       start the server of that directory again and wait until it serves:
#                                for tests that killed it
#   t/etcd.sh --post HOME PATH JSON [TOKEN]
#                                a request of the gateway's, and its answer on stdout
#   t/etcd.sh --have             0 where there is a server to start
#
# ETCD_FLAGS adds to the server's flags; ETCD_SYNC=1: it syncs to the disk, as a real one does;
# ETCD_TLS=1: it speaks TLS, is named localhost, and wants to see a certificate; ETCD_HOME then has ca.pem,
# client.pem and client.key, and some that are wrong.  Exit status is the command's; 77, loudly, where there
# is no server.  The server goes when this script goes, even by SIGKILL.
set -u
. "$(dirname "$(realpath "$0")")/server_lib.sh"

# A heartbeat of 10 ms: the least lease is then one second, and an election takes a moment.
flags=(--name bridle --heartbeat-interval 10 --election-timeout 100 --log-level error)
[ -n "${ETCD_SYNC:-}" ] || flags+=(--unsafe-no-fsync)

# signed NAME SUBJECT EXTENSION... : a certificate and its key, signed by the authority.
signed() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
        -keyout "$1.key" -out "$1.csr" &&
        printf '%s\n' "${@:3}" >"$1.ext" &&
        openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
            -extfile "$1.ext" -out "$1.pem"
}

# In directory $1: an authority, the server's certificate and a client's, and another authority.  The
# server's gateway is a client of the server, with the server's certificate.
certificates() (
    cd "$1" || exit
    for name in ca other; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" \
            -keyout $name.key -out $name.pem || exit
    done
    signed server localhost subjectAltName=DNS:localhost extendedKeyUsage=serverAuth,clientAuth &&
        signed client bridle extendedKeyUsage=clientAuth &&
        openssl pkey -in client.key -aes128 -passout pass:secret -out locked.key
) >"$1/certificates.log" 2>&1

# What a request is answered; nothing where nobody serves.
ask() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1" &&
        printf 'GET /health HTTP/1.0\r\n\r\n' >&3 && timeout 5 cat <&3) 2>/dev/null
}

serves() { ask "$1" | grep -q '"health":"true"'; }

# Start the server of directory $1; 1: a port of its is taken, or it died.
launch() {
    local home=$1 port peer server scheme=http health tls=()
    read -r port peer <"$home/ports"
    health=$port
    if [ -e "$home/ca.pem" ]; then
        health=$((port + 2)) scheme=https
        tls=(--cert-file "$home/server.pem" --key-file "$home/server.key" --client-cert-auth
            --trusted-ca-file "$home/ca.pem" --listen-metrics-urls "http://127.0.0.1:$health")
    fi
    # In a session of its own: who kills a test's process group does not mean the server.
    # shellcheck disable=SC2086
    env -u ETCD_HOSTS -u ETCD_HOME -u ETCD_SCRIPT -u ETCD_FLAGS -u ETCD_SYNC -u ETCD_TLS \
        setsid etcd "${flags[@]}" --data-dir "$home/data" \
        --listen-client-urls "$scheme://127.0.0.1:$port" "${tls[@]}" \
        --advertise-client-urls "$scheme://127.0.0.1:$port" \
        --listen-peer-urls "http://127.0.0.1:$peer" \
        --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
        --initial-cluster "bridle=http://127.0.0.1:$peer" ${ETCD_FLAGS:-} \
        >>"$home/log" 2>&1 </dev/null 9>&- &
    server=$!
    disown # its end is no news
    echo "$server" >"$home/pid"
    until serves "$health"; do
        kill -0 "$server" 2>/dev/null || return 1
        read -r -t 0.02 <>"$home/never" || : # a pause: the state asked for is outside
    done
}

# Its ports may be free only a moment after it was killed.
if [ "${1:-}" = --start ]; then
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        : >"$2/log"
        launch "$2" && exit
        grep -q 'address already in use' "$2/log" || break
        read -r -t 0.1 <>"$2/never" || :
    done
    cat "$2/log" >&2
    exit 1
fi

if [ "${1:-}" = --post ]; then
    read -r port _ <"$2/ports"
    exec 3<>"/dev/tcp/127.0.0.1/$port" || exit
    printf 'POST %s HTTP/1.0\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s' \
        "$3" "${5:+Authorization: $5$'\r\n'}" "${#4}" "$4" >&3
    sed '1,/^\r$/d' <&3
    exit
fi

command -v etcd >/dev/null || {
    echo "SKIPPED: no etcd (Debian: etcd-server)" >&2
    exit 77
}
[ "${1:-}" != --have ] || exit 0
command=
home=$(mktemp -d "${TMPDIR:-/tmp}/bridle-etcd.XXXXXX") || exit
trap 'finish "$home"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
mkfifo "$home/never" "$home/alive" || exit
watch "$home"

if [ -n "${ETCD_TLS:-}" ]; then
    command -v openssl >/dev/null || {
        echo "SKIPPED: no openssl to make certificates with" >&2
        exit 77
    }
    certificates "$home" || {
        cat "$home/certificates.log" >&2
        exit 1
    }
fi

# Below the kernel's range for outgoing connections; one that is taken all the same is found out by trying.
for _ in 1 2 3 4 5 6 7 8; do
    claim_port
    echo "$port $((port + 1))" >"$home/ports"
    : >"$home/log"
    if launch "$home"; then
        # In the background, so that a signal to us is not kept waiting.
        ETCD_HOSTS=127.0.0.1:$port ETCD_HOME=$home ETCD_SCRIPT=$(realpath "$0") "$@" <&0 9>&- &
        command=$!
        wait "$command"
        status=$?
        command=
        exit "$status"
    fi
    grep -q 'address already in use' "$home/log" || break
    rm -rf "$home/data"
done
echo "the server does not start:" >&2
cat "$home/log" >&2
exit 1
