# hot_lib.sh -- sourced after lib.sh by what recovers clusters that go on serving: a cluster, what it
# says of itself, and strict load.

# list FILE N...: the replica servers of those numbers, one a line.
list() {
    local i file=$1; shift
    for i in "$@"; do echo "127.0.0.1:$((replica_port + i))"; done >"$file"
}

# table_on ID:NAME:PARTITIONS:REPLICAS N...: replicas of every partition on each of those servers.
table_on() {
    local i table=$1 count; shift
    count=$(cut -d: -f3 <<<"$table")
    for i in "$@"; do make_replicas "$i" "$table" "$(seq -s, 0 $((count - 1)))" 7 100; done
}

# serves TABLE PARTITIONS: each has a primary and all its secondaries.
serves() { shell ls -d 2>/dev/null | grep -qE " $1 +$2 +$2 "; }

# groups TABLE: ballot, primary and secondaries of each partition, the secondaries sorted: their
# order is the primary's affair.
groups() {
    shell app "$1" -d | sed -nE 's/^([0-9]+) +([0-9]+) +[0-9]+\/[0-9]+ +([^ ]+) +\[([^]]*)\].*/\1 \2 \3 \4/p' |
        while read -r index ballot primary rest; do
            echo "$index $ballot $primary $(tr ',' '\n' <<<"$rest" | sort | tr '\n' ' ')"
        done
}

# roles N...: what those replica servers hold, as they say it: "gpid status ballot", sorted.
roles() {
    local i
    for i in "$@"; do
        shell remote_command -l "127.0.0.1:$((replica_port + i))" replica.info
    done | grep -oE '[0-9]+\.[0-9]+ PS_[A-Z_]+ [0-9]+' | sort
}

# settled TABLE:PARTITIONS... -- N...: the meta server says that everything serves, and the replica
# servers say so too: a learner that the meta server counts already may not know it yet, or fail.
settled() {
    local count=0
    while [ "$1" != -- ]; do
        serves "${1%:*}" "${1#*:}" || return 1
        count=$((count + ${1#*:})); shift
    done
    shift
    roles "$@" >"$dir/roles"
    [ "$(grep -c ' PS_PRIMARY ' "$dir/roles")" -eq "$count" ] &&
        [ "$(grep -c ' PS_SECONDARY ' "$dir/roles")" -eq $((2 * count)) ]
}

# without NODE TABLE: every group has a primary, and none has that node.
without() {
    groups "$2" >"$dir/now"
    [ -s "$dir/now" ] && ! grep -q "$1" "$dir/now" && ! grep -qE '^[0-9]+ [0-9]+ - ' "$dir/now"
}

# known N...: the meta server has their beacons.
known() {
    local i
    for i in "$@"; do
        grep -q "replica server 127.0.0.1:$((replica_port + i)) is alive" "$dir/meta.log" || return 1
    done
}

# lives N...: those replica servers still run; one that aborted has said why.
lives() {
    local i
    for i in "$@"; do
        alive "replica$i" || { grep 'aborts here' "$dir/replica$i.log"; die "replica server $i died"; }
        never "replica server $i" 'aborts here' "$dir/replica$i.log"
    done
}

# strict TABLE: load on it of which no operation may fail, until `strict_ended TABLE`.
strict() {
    rm -f "$dir/stop_$1"
    start "load_$1" "$top_builddir/t/load" --meta "127.0.0.1:$meta_port" --table "$1" --inflight 16 \
        --keys 5000 --read-percent 50 --until-file "$dir/stop_$1" --strict --json "$dir/load_$1.json"
    wait_for 20 grep -q ' ok ' "$dir/load_$1.log"
}

strict_ended() {
    : >"$dir/stop_$1"
    gone=0
    eval "wait \$pid_load_$1" || gone=$?
    [ "$gone" -eq 0 ] || { cat "$dir/load_$1.json"; die "strict load on $1: status $gone"; }
    expect "load on $1" '"failed": 0,' "$dir/load_$1.json"
    tail -n 1 "$dir/load_$1.log"
}

# cold_start ROOT N...: the meta server recovers servers of which none serves yet.
cold_start() {
    local root=$1; shift
    start_root "$root" true
    wait_for 20 meta_up
    wait_for 20 known "$@"
    list "$dir/nodes" "$@"
    ask 0 recover -f "$dir/nodes"
}

# lost ROOT N... [-- ARGUMENT...]: the metadata are gone, and the next meta server has only heard of
# those replica servers.
lost() {
    local root=$1 servers=(); shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do servers+=("$1"); shift; done
    [ $# -eq 0 ] || shift
    stop meta KILL
    start_root "$root" true "$@"
    wait_for 20 meta_up
    [ "${#servers[@]}" -eq 0 ] || wait_for 20 known "${servers[@]}"
}
