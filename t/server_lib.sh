# server_lib.sh -- for t/zookeeper.sh and t/etcd.sh: a server goes with the script that started it.  Its
# directory has "pid", and "alive", a fifo.

# claim_port: $port and the three after it are this script's, of all on this machine, and nobody listens
# there.  A server that found its port taken would go, but the one that has it would answer in its place.
claim=
claim_port() {
    local i
    for _ in {1..100}; do
        port=$((28000 + 4 * (RANDOM % 1000))) # t/lib.sh takes those below
        [ -z "$claim" ] || rm -f "$claim"
        claim=${TMPDIR:-/tmp}/bridle-port.$port
        if [ -L "$claim" ] && ! kill -0 "$(readlink "$claim")" 2>/dev/null; then rm -f "$claim"; fi
        ln -sT $$ "$claim" 2>/dev/null || { claim=; continue; }
        for i in 0 1 2 3; do
            if (exec 3<>"/dev/tcp/127.0.0.1/$((port + i))") 2>/dev/null; then continue 2; fi
        done
        return 0
    done
    echo 'no free port' >&2
    exit 1
}

# finish DIRECTORY: ends $command and the server.
finish() {
    trap - EXIT
    [ -z "$command" ] || kill -TERM "$command" 2>/dev/null
    kill -KILL "$(cat "$1/pid")" 2>/dev/null
    rm -rf "$1" ${claim:+"$claim"}
}

# In a session of its own: cleans up after a parent that could not.
watch() {
    setsid bash -c 'read -r -u 9; kill -KILL "$(cat "$0/pid")" 2>/dev/null; rm -rf "$0"' "$1" \
        >/dev/null 2>&1 </dev/null 9<"$1/alive" &
    exec 9>"$1/alive" # the watcher reads its end when we are gone
}
