# lib.sh -- sourced by the scripts that run real processes: ports, starting, waiting on state, cleaning.
# Needs $top_srcdir and $top_builddir; everything lives in $dir, which is removed at the end (KEEP=DIR: its logs are copied there before).

: "${top_srcdir:=.}" "${top_builddir:=build}"
top_srcdir=$(cd "$top_srcdir" && pwd)
top_builddir=$(cd "$top_builddir" && pwd)
export BRIDLE_BUILD_TREE=1 BRIDLE_PLUGIN_PATH="$top_builddir/plugin/.libs"
mkdir -p "$top_builddir/t/tmp"
dir=$(mktemp -d "$top_builddir/t/tmp/XXXXXX")
mkfifo "$dir/never"
pids=' ' # of what runs, with blanks around each

cleanup() {
    status=$?
    trap - EXIT INT TERM
    set +e
    for pid in $pids; do kill -CONT "$pid" 2>/dev/null; kill -KILL "$pid" 2>/dev/null; done
    wait 2>/dev/null
    if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
        echo "-- failed with status $status; the logs:"
        tail -n 40 "$dir"/*.log 2>/dev/null
    fi
    [ -z "${KEEP:-}" ] || cp "$dir"/*.log "$KEEP"
    for port in "$top_builddir"/t/tmp/port.*; do
        [ "$(readlink "$port")" != $$ ] || rm -f "$port"
    done
    rm -rf "$dir"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT # never the status of the last command, which may be 0
trap 'exit 143' TERM

# long: this script takes long, and a brief run (BRIDLE_BRIEF=1) leaves it out, loudly.
long() {
    [ -n "${BRIDLE_BRIEF:-}" ] || return 0
    echo "SKIPPED: ${0##*/} takes long, and this run is brief (BRIDLE_BRIEF)"
    exit 77
}

die() { echo "FAILED: $*" >&2; exit 1; }

# free_ports N: the first of N (at most 16) adjacent ports of 127.0.0.1 on which nobody listens; below
# those of t/zookeeper.sh and t/etcd.sh (from 28000 on) and those that the kernel gives to outgoing
# connections (from 32768 on), which a look for listeners does not see.  They are this script's until it
# ends: others of this build look elsewhere.
free_ports() {
    local try port ok mine
    for try in $(seq 100); do
        port=$((20000 + 16 * ((RANDOM * 7 + $$ + try * 131) % 500)))
        mine=$top_builddir/t/tmp/port.$port
        if [ -L "$mine" ] && ! kill -0 "$(readlink "$mine")" 2>/dev/null; then rm -f "$mine"; fi
        ln -sT $$ "$mine" 2>/dev/null || continue
        ok=1
        for i in $(seq 0 $(($1 - 1))); do
            if (exec 3<>"/dev/tcp/127.0.0.1/$((port + i))") 2>/dev/null; then ok=; fi
        done
        [ -n "$ok" ] && { echo "$port"; return 0; }
    done
    die 'no free ports'
}

# pause SECONDS: only between two looks at something that is outside.
pause() { read -r -t "$1" <>"$dir/never" || true; }

# wait_for SECONDS COMMAND...: until it succeeds; polls, because what it waits for is a state.
wait_for() {
    local end=$(($(date +%s) + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || die "waited in vain for: $*"
        pause 0.05
    done
}

# Replica servers keep no data, unless a script sets this to nothing.
data_option=${data_option---without-data}

# start NAME COMMAND...: in the background, its output in $dir/NAME.log (of the last start; earlier
# ones are in NAME.log.old), its pid in pid_NAME.
start() {
    local name=$1; shift
    [ ! -f "$dir/$name.log" ] || cat "$dir/$name.log" >>"$dir/$name.log.old"
    : >"$dir/$name.log"
    "$@" >"$dir/$name.log" 2>&1 &
    eval "pid_$name=$!"
    pids="$pids$! "
}

# stop NAME [SIGNAL]: and wait until it is gone; its exit status in $gone.
stop() {
    local pid
    eval "pid=\$pid_$1"
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    gone=0
    wait "$pid" 2>/dev/null || gone=$?
    pids=${pids/ $pid / } # the number may be another process's soon
}

shell() { "$top_builddir/bridle" --meta "127.0.0.1:$meta_port" "$@"; }

# A meta server that answers is up, whatever it answers.
meta_up() {
    local said
    said=$(shell ls 2>&1) || true
    case $said in *ERR_UNDER_RECOVERY* | *total_app_count*) ;; *) return 1 ;; esac
}

# Short leases and intervals, so that what waits for them is tested in seconds; both sides must agree.
lease=${lease:-4}
lease_options="--lease ${lease}s --beacon-interval 500ms --check-interval 200ms"
lease_options="$lease_options --config-sync-interval 1s --group-check-interval 1s"
lease_sets="--set replication.fd_lease_seconds=$lease --set replication.fd_grace_seconds=$((lease + 1))"

# start_meta [ARGUMENT...]: with $meta_port, $store_sets.
start_meta() { start_meta_as meta "$meta_port" "$@"; }

# start_meta_as NAME PORT [ARGUMENT...]
start_meta_as() {
    # shellcheck disable=SC2086
    start "$1" "$top_builddir/bridled" -c "$top_srcdir/conf/onebox.yaml" \
        --set "meta_server.listen=127.0.0.1:$2" $store_sets $lease_sets "${@:3}"
}

# start_root ROOT FLAG [ARGUMENT...]: a meta server on that root.
start_root() {
    start_meta --set "meta_server.cluster_root=$1" --set "meta_server.lock_root=$1" \
        --set "meta_server.recover_from_replica_server=$2" "${@:3}"
}

# make_replicas NODE TABLE PARTITIONS [BALLOT [DECREE]]: on node's disk.
make_replicas() {
    "$top_builddir/replicad" $data_option --create "$2" --data "$dir/replica$1" --partitions "$3" \
        --ballot "${4:-1}" --decree "${5:-0}" --created 1700000000
}

# start_replica N [OPTION...]: on port $replica_port + N; waits until it serves.
start_replica() {
    # shellcheck disable=SC2086
    start "replica$1" "$top_builddir/replicad" $data_option --listen "127.0.0.1:$((replica_port + $1))" \
        --data "$dir/replica$1" --meta "127.0.0.1:$meta_port" $lease_options "${@:2}"
    wait_for 10 grep -q 'serving' "$dir/replica$1.log"
}

# alive NAME: 0 while that process runs.
alive() { local pid; eval "pid=\$pid_$1"; kill -0 "$pid" 2>/dev/null; }

# -- Assertions; each that holds is counted in $passed --------------------------------------------

passed=0

# expect NAME PATTERN FILE: a line of the file matches the extended pattern.
expect() {
    grep -qE -- "$2" "$3" || { echo "-- $3:"; cat "$3"; die "$1: no line matches: $2"; }
    passed=$((passed + 1))
}

# never NAME PATTERN FILE: none does.
never() {
    if grep -qE -- "$2" "$3"; then cat "$3"; die "$1: a line matches: $2"; fi
    passed=$((passed + 1))
}

# ask STATUS COMMAND...: bridle's output in $dir/out, its exit status as expected.
ask() {
    local want=$1 got=0; shift
    shell "$@" >"$dir/out" 2>&1 || got=$?
    [ "$got" -eq "$want" ] || { cat "$dir/out"; die "bridle $*: exit status $got, expected $want"; }
    passed=$((passed + 1))
}

# without_audit BEFORE AFTER: AFTER (of t/store_dump) without what the record of deeds keeps: its entries,
# and the nodes above them that were not there BEFORE.
without_audit() {
    awk -v before="$1" 'FILENAME == before { was[$0] = 1; next }
        { line[++n] = $0; path[n] = $1 }
        $1 ~ /\/bridle\/audit-/ { p = $1; while (sub(/\/[^\/]*$/, "", p) && p != "") above[p] = 1 }
        END { for (i = 1; i <= n; i++)
            if (path[i] !~ /\/bridle\/audit-/ && (was[line[i]] || !above[path[i]])) print line[i] }' \
        "$1" "$2"
}

# undone BEFORE AFTER: the same but for that?
undone() {
    without_audit "$1" "$2" >"$2.less"
    grep -v '/bridle/audit-' "$1" >"$1.less" || [ ! -s "$1.less" ]
    diff "$1.less" "$2.less" >"$2.diff" || { cut -c1-200 "$2.diff"; return 1; }
}

# store_for KIND: sets store_sets for sqlite, memory, zookeeper (then ZK_HOSTS must be set), or etcd
# (ETCD_HOSTS).
store_for() {
    case $1 in
        sqlite) store_sets="--set store.plugin=sqlite --set store.file=$dir/meta.db" ;;
        memory) store_sets="--set store.plugin=memory" ;;
        zookeeper) store_sets="--set store.plugin=zookeeper --set store.hosts=$ZK_HOSTS" ;;
        etcd) store_sets="--set store.plugin=etcd --set store.hosts=$ETCD_HOSTS" ;;
        *) die "store is sqlite, memory, zookeeper or etcd, not $1" ;;
    esac
}
