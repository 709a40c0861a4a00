#!/usr/bin/env bash
# amend_kill.sh [STORE [PARTITIONS [STRIDE]]] -- bridle apply of an amendment killed (SIGKILL) before and
# after each change that it makes in the store, one after the other: a reader sees what was there before,
# nothing, or everything, and asking again finishes it.
#
# STORE is sqlite (the default) or zookeeper; PARTITIONS (4200) make more than one batch from 4095 on.
# STRIDE (1): only every so many changes, for a short run.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
store=${1:-sqlite}
partitions=${2:-4200}
stride=${3:-1}
if [ "$store" = zookeeper ] && [ -z "${ZK_HOSTS:-}" ]; then
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" "$@"
fi
. "$top_srcdir/t/lib.sh"
store_for "$store"
[ "$store" != zookeeper ] || store_sets="$store_sets --set store.session_timeout=1s"
preload=$top_builddir/t/.libs/kill_store.so

# The first server holds one partition, the second, which returns, all of them.
meta_port=$(free_ports 3)
replica_port=$meta_port
make_replicas 1 "1:big:$partitions:2" 0 5
make_replicas 2 "1:big:$partitions:2" "$(seq -s, 0 $((partitions - 1)))" 5
start_replica 1
for i in 1 2; do echo "127.0.0.1:$((replica_port + i))" >>"$dir/nodes"; done
shell survey -f "$dir/nodes" -o "$dir/s.json" 2>/dev/null
start_replica 2

# now COMMAND...: with the configuration at $root; its output in $dir/out.
now() {
    # shellcheck disable=SC2086
    "$top_builddir/bridle" "$@" -c "$top_srcdir/conf/onebox.yaml" $store_sets \
        --set "meta_server.cluster_root=$root" --set "meta_server.lock_root=/locks/$$" >"$dir/out" 2>&1
}
good() { now "$@" || { cat "$dir/out"; die "bridle $* at $root: status $?"; }; }
hash_of() { sed -n 's/^"hash":"\([0-9a-f]*\)".*/\1/p' "$1"; }

# dump FILE: what stands at the root, without the journal.
dump() {
    # shellcheck disable=SC2086
    "$top_builddir/t/store_dump" ${store_sets//--set /} | grep "^$root" | grep -v "^$root/bridle/journal" >"$1"
}

# killed WHEN NTH: 0 where it died of that, 1 where it was done before.
killed() {
    local got=0
    local hash; hash=$(hash_of "$dir/a.json")
    (export KILL_STORE="$1" KILL_NTH="$2" LD_PRELOAD="$preload"; now apply "$dir/a.json" --plan-hash "$hash") 2>/dev/null || got=$?
    [ "$got" -ne 137 ] || return 0
    [ "$got" -eq 0 ] || { cat "$dir/out"; die "bridle apply, to be killed $1 change $2, ended with status $got"; }
    return 1
}

# What a reader sees: what was there before, half (locked), everything.
see() {
    local got=0
    now diagnose || got=$?
    case $got in
        0)
            seen=everything
            dump "$dir/seen"
            if cmp -s "$dir/before" "$dir/seen"; then seen=before; else good verify "$dir/a.json" --exact; fi ;;
        12)
            seen=half
            grep -q 'bridle apply AMENDMENT' "$dir/out" || { cat "$dir/out"; die "$1: diagnose names no amendment"; } ;;
        *) cat "$dir/out"; die "$1: diagnose says $got" ;;
    esac
}

declare -A count=([before]=0 [half]=0 [everything]=0)
kills=0

# one WHEN NTH: sets done where so many changes are not made.
one() {
    root=/kill/$$/$1/$2
    good plan "$dir/s.json" -b -l -o "$dir/p.json"
    wait_for 30 now apply "$dir/p.json" --offline --plan-hash "$(hash_of "$dir/p.json")"
    good amend "$dir/p.json" -l "127.0.0.1:$((replica_port + 2))" -o "$dir/a.json"
    grep -q "^changes   $((partitions - 1)) partitions that were lost" "$dir/out" || { cat "$dir/out"; die 'amend'; }
    dump "$dir/before"
    if ! killed "$1" "$2"; then
        done=1
        return
    fi
    see "killed $1 change $2"
    count[$seen]=$((count[$seen] + 1))
    kills=$((kills + 1))
    [ -z "${VERBOSE:-}" ] || echo "killed $1 change $2: a reader sees $seen"
    wait_for 60 now apply "$dir/a.json" --plan-hash "$(hash_of "$dir/a.json")"
    good verify "$dir/a.json" --exact
    see "finished after it was killed $1 change $2"
    [ "$seen" = everything ] || die "killed $1 change $2: finished, but a reader sees $seen"
}

for when in before after; do
    done=
    for ((nth = 1; ; nth += stride)); do
        one "$when" "$nth"
        [ -z "$done" ] || break
    done
    [ "$nth" -gt 2 ] || die "an amendment makes only $nth changes: nothing was killed"
done
echo "amend_kill of $store, $partitions partitions: $kills kills; a reader saw what was before ${count[before]} times, a locked tree ${count[half]}, everything ${count[everything]}; all finished"
echo "$kills passed, 0 failed"
