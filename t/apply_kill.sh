#!/usr/bin/env bash
# apply_kill.sh [STORE [PARTITIONS [STRIDE]]] -- bridle apply and bridle undo killed (SIGKILL) before and after
# each change that they make in the store, one after the other: a reader sees nothing or everything,
# asking again finishes it, and what an undo leaves is what was there before.
#
# STORE is sqlite (the default) or zookeeper; PARTITIONS (8) make more than one batch from 4094 on.
# STRIDE (1): only every so many changes, for a short run.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
store=${1:-sqlite}
partitions=${2:-8}
stride=${3:-1}
if [ "$store" = zookeeper ] && [ -z "${ZK_HOSTS:-}" ]; then
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" "$@"
fi
. "$top_srcdir/t/lib.sh"
store_for "$store"
[ "$store" != zookeeper ] || store_sets="$store_sets --set store.session_timeout=1s"
preload=$top_builddir/t/.libs/kill_store.so

# In memory, where that can be: thousands of files that are synced one by one keep a slow disk from
# everybody else.
if [ -w /dev/shm ]; then
    memory=$(mktemp -d /dev/shm/bridle.XXXXXX)
    trap 'status=$?; set +e; rm -rf "$memory"; (exit "$status"); cleanup' EXIT
    for i in 1 2; do mkdir "$memory/$i" && ln -s "$memory/$i" "$dir/replica$i"; done
fi
meta_port=$(free_ports 3)
replica_port=$meta_port
for i in 1 2; do
    "$top_builddir/replicad" $data_option --create "1:big:$partitions:2" --data "$dir/replica$i" \
        --ballot 5 --created 1700000000
    start_replica "$i"
    echo "127.0.0.1:$((replica_port + i))" >>"$dir/nodes"
done
shell survey -f "$dir/nodes" -o "$dir/s.json" 2>/dev/null

# on ROOT: the settings of a configuration there.
on() {
    root=$1
    conf="-c $top_srcdir/conf/onebox.yaml $store_sets --set meta_server.cluster_root=$root --set meta_server.lock_root=/locks/$$"
}

# dump FILE: all of the store but the lock's directory and what ZooKeeper keeps itself.
dump() {
    # shellcheck disable=SC2086
    "$top_builddir/t/store_dump" ${store_sets//--set /} | grep -vE '^(/locks|/zookeeper)' >"$1" || [ ! -s "$1" ]
}

# Whoever was killed leaves the leader lock when its session ends.
again() { "$top_builddir/bridle" "$@" >"$dir/out" 2>&1; }

# killed COMMAND WHEN NTH: 0 where it died of that, 1 where it was done before.
killed() {
    local got=0
    # shellcheck disable=SC2086
    env LD_PRELOAD="$preload" KILL_STORE="$2" KILL_NTH="$3" "$top_builddir/bridle" "$1" "$dir/p.json" $conf \
        --plan-hash "$hash" >"$dir/out" 2>&1 &
    wait $! 2>/dev/null || got=$?
    [ "$got" -ne 137 ] || return 0
    [ "$got" -eq 0 ] || { cat "$dir/out"; die "bridle $1, to be killed $2 change $3, ended with status $got"; }
    return 1
}

# What a reader sees: nothing, half (locked), everything.
see() {
    local got=0
    # shellcheck disable=SC2086
    "$top_builddir/bridle" diagnose $conf >"$dir/out" 2>&1 || got=$?
    case $got in
        0) seen=everything ;;
        10) seen=nothing ;;
        12) seen=half ;;
        *) cat "$dir/out"; die "$1: diagnose says $got" ;;
    esac
}

declare -A count=([nothing]=0 [half]=0 [everything]=0)
kills=0

# one COMMAND WHEN NTH: false where so many changes are not made.
one() {
    on "/kill/$$/$1/$2/$3"
    # shellcheck disable=SC2086
    shell plan "$dir/s.json" $conf -o "$dir/p.json" >/dev/null
    hash=$(sed -n 's/^"hash":"\([0-9a-f]*\)".*/\1/p' "$dir/p.json")
    dump "$dir/before"
    # shellcheck disable=SC2086
    [ "$1" = apply ] || wait_for 30 again apply "$dir/p.json" $conf --plan-hash "$hash"
    if ! killed "$1" "$2" "$3"; then
        done=1
        # shellcheck disable=SC2086
        wait_for 60 again undo "$dir/p.json" $conf --plan-hash "$hash"
        return
    fi
    see "$1 killed $2 change $3"
    count[$seen]=$((count[$seen] + 1))
    kills=$((kills + 1))
    [ -z "${VERBOSE:-}" ] || echo "$1 killed $2 change $3: a reader sees $seen"
    # shellcheck disable=SC2086
    if [ "$1" = apply ]; then
        wait_for 60 again apply "$dir/p.json" $conf --plan-hash "$hash"
        again verify "$dir/p.json" $conf --exact || { cat "$dir/out"; die "apply killed $2 change $3: verify"; }
    fi
    # shellcheck disable=SC2086
    wait_for 60 again undo "$dir/p.json" $conf --plan-hash "$hash"
    dump "$dir/after"
    undone "$dir/before" "$dir/after" || die "$1 killed $2 change $3: something is left"
}

for command in apply undo; do
    for when in before after; do
        done=
        for ((nth = 1; ; nth += stride)); do
            one "$command" "$when" "$nth"
            [ -z "$done" ] || break
        done
        [ "$nth" -gt 4 ] || die "$command makes only $nth changes: nothing was killed"
    done
done
echo "apply_kill of $store, $partitions partitions: $kills kills; a reader saw nothing ${count[nothing]} times, a locked tree ${count[half]}, everything ${count[everything]}; all finished"
echo "$kills passed, 0 failed"
