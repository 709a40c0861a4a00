#!/usr/bin/env bash
# tables.sh [STORE [TIMES [SEED [PARTITIONS]]]] -- tables with real processes: the default ones of an
# empty cluster, the life of one under load (created, renamed, dropped, recalled), and a leader that is
# killed amid create, drop and recall TIMES times: the next one finishes it, and a table is whole or
# absent.  STORE is sqlite (the default) or zookeeper.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
store=${1:-sqlite}
if [ "$store" = zookeeper ] && [ -z "${ZK_HOSTS:-}" ]; then
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" "$@"
fi
times=${2:-6}
seed=${3:-1}
partitions=${4:-64}
RANDOM=$seed
patience=90
lease=8 grace=9 # a leader's death does not end leases
. "$top_srcdir/t/lib.sh"
long
. "$top_srcdir/t/cluster.sh"
store_for "$store"
meta_options=(--set meta_server.lb_interval=1s)
[ "$store" = sqlite ] || meta_options+=(--set store.session_timeout=1s --set store.deadline=1s)
replicas_on() { ls -d "$dir/replica$1/replica/reps/$2".*.pegasus | wc -l; }
status_of() { shell ls -a 2>/dev/null | awk -v name="$1" '$3 == name { print $2 }' | tail -n 1; }

cluster 2 3
for i in 1 2 3; do replicad "$i"; done
bridled 1
wait_for 20 serves 1
bridled 2

# -- The default tables ----------------------------------------------------------------------------

soon 'stat' healthy stat 4 3
soon 'temp' healthy temp 8 3
says 0 '^1 +AVAILABLE +stat ' ls
says 0 '^2 +AVAILABLE +temp ' ls

# -- The life of a table ---------------------------------------------------------------------------

says 0 'is ready now: \(16/16\)' create users -p 16 -e replica.slow_query_threshold=100 -w 90
says 0 '^3 +AVAILABLE +users +pegasus +16 +3 ' ls
says 1 'ERR_APP_EXIST' create users -p 16 -f
says 1 'ERR_INVALID_PARAMETERS' create users -p 8
says 0 'replica.slow_query_threshold +: +100' get_app_envs -a users
says 0 '' set_app_envs -a users rocksdb.usage_scenario bulk_load
says 0 'rocksdb.usage_scenario +: +bulk_load' get_app_envs -a users
says 0 '' del_app_envs -a users replica.slow_query_threshold
use_load() { # SECONDS
    "$top_builddir/t/load" --meta "$metas" --table "$1" --track "$dir/track" --seconds 1 --inflight 4 \
        --keys 1000 --quiet >"$dir/load.log" 2>&1 || { cat "$dir/load.log"; die 'the load failed'; }
    pass
}
use_load users
says 0 '' rename users people
must 'the old name is gone' eval '! shell app users'
use_load people
highest() { told 3 | awk '{ if ($5 > most) most = $5 } END { print most + 0 }'; }
before=$(highest)
must 'there are decrees' test "$before" -gt 0

says 0 '' drop people
says 0 '^3 +DROPPED +people ' ls -a
must 'clients see it gone' eval "$top_builddir/t/ask_thft 127.0.0.1:$((meta_base + $(leader))) people | grep -q '^ERR_OBJECT_NOT_FOUND'"
inactive() { told 3 >"$dir/told" && [ -s "$dir/told" ] && ! grep -qE 'PS_(PRIMARY|SECONDARY)' "$dir/told"; }
soon 'nobody serves it' inactive
for i in 1 2 3; do must 'its replicas stay on disk' test "$(replicas_on "$i" 3)" -eq 16; done

says 0 'is ready now: \(16/16\)' recall 3 -w 90
says 0 '^3 +AVAILABLE +people ' ls
soon 'it agrees' agreed people 3
use_load people # --track: no decree goes back
must 'it goes on where it was' test "$(highest)" -gt "$before"
says 0 'rocksdb.usage_scenario +: +bulk_load' get_app_envs -a people

# -- Killed amid it --------------------------------------------------------------------------------

# ask_and_kill COMMAND...: the leader dies at a random moment of it, and starts again.
ask_and_kill() {
    local victim asked delay=$((RANDOM % took))
    victim=$(leader)
    shell "$@" >"$dir/asked" 2>&1 &
    asked=$!
    pause "$((delay / 1000)).$(printf '%03d' $((delay % 1000)))"
    stop "meta$victim" KILL
    kill "$asked" 2>/dev/null || true
    wait "$asked" 2>/dev/null || true
    bridled "$victim"
    leads() { [ -n "$(leader)" ]; }
    wait_for 30 leads
    for i in 1 2; do wait_for 30 stands "$i"; done
}
settled() {
    shell ls -a >/dev/null 2>&1 || return 1
    case $(status_of "$1") in '' | AVAILABLE | DROPPED) ;; *) return 1 ;; esac
}
all_there() { [ "$(configs "$1" | wc -l)" -eq "$partitions" ]; }

# What was begun is over soon: whole, or absent.
look() {
    wait_for 60 settled "$1"
    case $(status_of "$1") in
        AVAILABLE) all_there "$1" || die "round $round: a part of $1 is there"; done_count=$((done_count + 1)) ;;
        DROPPED) dropped_count=$((dropped_count + 1)) ;;
        *) absent_count=$((absent_count + 1)) ;;
    esac
    pass
}
# How long one takes undisturbed, so that kills fall inside it.
began=$(now_ms)
says 1 'ERR_TIMEOUT' create measure -p "$partitions" -w 0
took=$((($(now_ms) - began) * 2 + 50))
says 0 '' drop measure

done_count=0 dropped_count=0 absent_count=0
for round in $(seq "$times"); do
    name=table_$round
    ask_and_kill create "$name" -p "$partitions" -w 1
    look "$name"
    says 0 'is ready now' create "$name" -p "$partitions" -w 120
    id=$(shell ls 2>/dev/null | awk -v name="$name" '$3 == name { print $1 }')
    soon 'whole' healthy "$name" "$partitions" 3
    configs "$name" >"$dir/before"
    ask_and_kill drop "$name"
    look "$name"
    says 0 '' drop "$name"
    says 0 "^$id +DROPPED +$name " ls -a
    ask_and_kill recall "$id" -w 1
    look "$name"
    [ "$(status_of "$name")" = AVAILABLE ] || says 0 'is ready now' recall "$id" -w 120
    soon 'whole' healthy "$name" "$partitions" 3
    soon 'agreed' agreed "$name" "$id"
    configs "$name" | awk '{ print $1, $2 }' >"$dir/after"
    must 'no ballot went down' awk 'FILENAME == ARGV[1] { ballot[$1] = $2; next } $2 < ballot[$1] { exit 1 }' \
        "$dir/before" "$dir/after"
    says 0 '' drop "$name"
done
for i in 1 2 3; do
    eval "kill -0 \$pid_replica$i" 2>/dev/null || { cat "$dir/replica$i.log"; die "replica server $i ended"; }
done
for i in 2 1; do
    stop "meta$i"
    [ "$gone" -eq 0 ] || die "meta server $i: SIGTERM: status $gone"
done
echo "tables on $store, seed $seed, $partitions partitions: $((times * 3)) leaders killed within $took ms of a create, drop or recall; afterwards the table was available $done_count times, dropped $dropped_count, absent $absent_count, never in part"
echo "$passed passed, 0 failed"
