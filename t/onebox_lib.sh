# onebox_lib.sh -- sourced after lib.sh by the scripts that start oneboxes: run.sh with a directory and
# ports of its own, so that it meets no user's onebox, and with short leases.  The checkout is made to
# look as if it stood in a folder called /pegasus/onebox.

first=$(free_ports 16)
export BRIDLE_BUILD=$top_builddir BRIDLE_ONEBOX_DIR=$dir/pegasus/onebox/onebox BRIDLE_ZK_DIR=$dir/zk
export BRIDLE_META_PORT_BASE=$((first - 1)) BRIDLE_REPLICA_PORT_BASE=$((first + 5))
export BRIDLE_ZK_PORT=$((first + 15))
export BRIDLE_BRIDLED_OPTIONS=$lease_sets
export BRIDLE_REPLICAD_OPTIONS=$lease_options
box=$BRIDLE_ONEBOX_DIR
config=$box/meta1/config.yaml

# The variables are set once more: a script may die while one is another for a command.
onebox_cleanup() {
    status=$?
    set +e
    export BRIDLE_ZK_DIR=$dir/zk BRIDLE_ONEBOX_PATIENCE=60
    for log in "$box"/*/log; do [ ! -f "$log" ] || cp "$log" "$dir/$(basename "$(dirname "$log")").log"; done
    for BRIDLE_ONEBOX_DIR in "$dir/other" "$box"; do
        for pid in $("$top_srcdir/run.sh" list_onebox | sed -n 's/.* running  pid \([0-9]*\) .*/\1/p'); do
            kill -CONT "$pid"
        done
        "$top_srcdir/run.sh" clear_onebox >/dev/null 2>&1
    done
    (exit "$status")
    cleanup
}
trap onebox_cleanup EXIT

# box STATUS PATTERN ARGUMENT...: run.sh's exit status, and a line of what it says.
box() {
    local want=$1 pattern=$2 got=0; shift 2
    "$top_srcdir/run.sh" "$@" >"$dir/out" 2>&1 </dev/null || got=$?
    [ "$got" -eq "$want" ] || { cat "$dir/out"; die "run.sh $*: exit status $got, expected $want"; }
    [ -z "$pattern" ] || expect "run.sh $*" "$pattern" "$dir/out"
    passed=$((passed + 1))
}

# recovery_mode: what an operator does to recover into a fresh root.
recovery_mode() {
    sed -i 's@/pegasus/onebox@/pegasus/onebox_recovery@' "$config"
    sed -i 's@recover_from_replica_server: false@recover_from_replica_server: true@' "$config"
}

# recovery_nodes COUNT: $dir/nodes, the replica servers' addresses.
recovery_nodes() {
    local i
    for i in $(seq "$1"); do echo "127.0.0.1:$((BRIDLE_REPLICA_PORT_BASE + i))"; done >"$dir/nodes"
}
