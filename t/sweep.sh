#!/usr/bin/env bash
# sweep.sh STORE ROUNDS SEED -- a meta server killed (SIGKILL) at a random moment of a recovery, again
# and again: a reader sees nothing or everything, and asking again finishes it.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
store=${1:-sqlite}
rounds=${2:-20}
RANDOM=${3:-1}
seed=${3:-1}
partitions=1024
store_for "$store"
meta_port=$(free_ports 5)
replica_port=$meta_port
nodes=$dir/nodes
for i in 1 2 3; do
    "$top_builddir/replicad" $data_option --create "1:big:$partitions:3" --data "$dir/replica$i" --ballot 5 \
        --created 1700000000
    start_replica "$i"
    echo "127.0.0.1:$((replica_port + i))" >>"$nodes"
done

declare -A seen=([empty]=0 [half]=0 [whole]=0)
whole() { shell app big -d 2>/dev/null | grep -c '1/3' || true; }
server() { start_meta --set meta_server.cluster_root="$root" --set meta_server.lock_root="$root" \
    --set meta_server.recover_from_replica_server="$1"; }

# What a reader finds after the kill: nothing (it serves no table or is told to recover), a locked
# tree (status 78), or everything.
look() {
    server false
    local tables
    while :; do
        if ! kill -0 "$pid_meta" 2>/dev/null; then
            gone=0; wait "$pid_meta" || gone=$?
            [ "$gone" -eq 78 ] || die "round $round: a reader ended with status $gone"
            state=half
            return
        fi
        tables=$(shell ls 2>&1) || true
        case $tables in *total_app_count*) break ;; esac
        pause 0.05
    done
    case $tables in
        *' big '*) state=whole; [ "$(whole)" -eq $partitions ] || die "round $round: a part of the table is visible" ;;
        *) state=empty ;;
    esac
    stop meta
}

# How long a whole one takes, once the store is warm: kills fall anywhere inside it.
now_ms() { echo $(($(date +%s%N) / 1000000)); }
took=1000000
for warm in 1 2 3 4; do
    root=/sweep/$$/warm$warm
    server true
    wait_for 60 meta_up
    began=$(now_ms)
    shell recover -f "$nodes" >"$dir/first" 2>&1 || { cat "$dir/first"; die 'a whole recovery failed'; }
    lasted=$(($(now_ms) - began))
    [ "$lasted" -ge "$took" ] || took=$lasted
    stop meta
done

for round in $(seq "$rounds"); do
    root=/sweep/$$/$round
    server true
    wait_for 60 meta_up
    shell recover -f "$nodes" >"$dir/first" 2>&1 &
    asked=$!
    delay=$((RANDOM % took))
    pause "$((delay / 1000)).$(printf '%03d' $((delay % 1000)))"
    stop meta KILL
    kill "$asked" 2>/dev/null || true
    wait "$asked" 2>/dev/null || true
    look
    [ -z "${VERBOSE:-}" ] || echo "round $round: killed after $delay ms: $state"
    seen[$state]=$((seen[$state] + 1))
    if [ "$state" != whole ]; then
        server true
        wait_for 60 meta_up
        shell recover -f "$nodes" >"$dir/second" 2>&1 || { cat "$dir/second"; die "round $round (killed after $delay ms, then $state): it was not finished"; }
        [ "$(whole)" -eq $partitions ] || die "round $round: partitions are missing"
        stop meta
    fi
done
echo "sweep of $store, seed $seed: $rounds kills within $took ms; a reader saw nothing ${seen[empty]} times, a locked tree ${seen[half]}, everything ${seen[whole]}; all finished"
echo "$rounds passed, 0 failed"
