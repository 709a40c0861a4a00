# server_lib.sh -- for t/zookeeper.sh and t/etcd.sh: a server goes with the script that started it.  Its
# directory has "pid", and "alive", a fifo.

# finish DIRECTORY: ends $command and the server.
finish() {
    trap - EXIT
    [ -z "$command" ] || kill -TERM "$command" 2>/dev/null
    kill -KILL "$(cat "$1/pid")" 2>/dev/null
    rm -rf "$1"
}

# In a session of its own: cleans up after a parent that could not.
watch() {
    setsid bash -c 'read -r -u 9; kill -KILL "$(cat "$0/pid")" 2>/dev/null; rm -rf "$0"' "$1" \
        >/dev/null 2>&1 </dev/null 9<"$1/alive" &
    exec 9>"$1/alive" # the watcher reads its end when we are gone
}
