#!/usr/bin/env bash
# failover.sh [TIMES] [SEED] -- three meta servers on a real ZooKeeper, three replica servers, a load:
# the leader is killed or paused, ZooKeeper killed or paused, again and again.  Another one leads, no
# configuration is lost or taken back, no partition ever has two primaries at one ballot.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
[ -n "${ZK_HOSTS:-}" ] || exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" "$@"
. "$top_srcdir/t/lib.sh"
long
. "$top_srcdir/t/cluster.sh"
times=${1:-5}
seed=${2:-1}
RANDOM=$seed
partitions=24
session=2000 # milliseconds, of the leader lock
store_for zookeeper
meta_options=(--set "store.session_timeout=${session}ms" --set store.deadline=1s)
cluster 3 3

declare -A took_most=() took_sum=() took_count=()

# How often meta server N began to serve, by its own words.
serving_lines() { grep -c 'serving [0-9]* tables' "$dir/meta$1.log" || true; }

# remember_serving: how often each meta server began to serve, in began_N.
remember_serving() {
    for i in 1 2 3; do eval "began_$i=$(serving_lines "$i")"; done
}

# another_serves VICTIM: one of the others began to serve since then; it is in $next.
another_serves() {
    local i before
    for i in 1 2 3; do
        [ "$i" != "$1" ] || continue
        eval "before=\$began_$i"
        [ "$(serving_lines "$i")" -le "$before" ] || { next=$i; return 0; }
    done
    return 1
}

others() { # of meta server N, as --meta takes them
    local i list=
    for i in 1 2 3; do [ "$i" = "$1" ] || list=$list${list:+,}127.0.0.1:$((meta_base + i)); done
    echo "$list"
}

# wait_another KIND VICTIM SINCE: until another one leads and the shell finds it; counts how long.
wait_another() {
    local took
    wait_for 30 another_serves "$2"
    took=$(($(now_ms) - $3))
    took_most[$1]=$((took > ${took_most[$1]:-0} ? took : ${took_most[$1]:-0}))
    took_sum[$1]=$((${took_sum[$1]:-0} + took))
    took_count[$1]=$((${took_count[$1]:-0} + 1))
    found() { [ "$(leader "$(others "$2")")" = "$1" ]; }
    wait_for 20 found "$next" "$2"
    (metas=$(others "$2"); configs temp) >"$dir/after"
    compare "$1"
}

compare() {
    taken_back "$dir/before" "$dir/after" >"$dir/wrong"
    [ ! -s "$dir/wrong" ] || { cat "$dir/wrong"; die "round $round ($1): configurations were taken back"; }
}

settled() { healthy temp $partitions 3 && agreed temp 1; }

# All is well again: every meta server stands, the groups are whole, and nothing was taken back.
settle() {
    for i in 1 2 3; do wait_for 30 stands "$i"; done
    leads() { [ -n "$(leader)" ]; }
    wait_for 30 leads
    wait_for 60 settled
    configs temp >"$dir/after"
    compare "$1, settled"
    [ -z "$(two_primaries)" ] || { two_primaries; die "round $round ($1): two primaries"; }
    for i in 1 2 3; do
        eval "kill -0 \$pid_replica$i" 2>/dev/null ||
            { cat "$dir/replica$i.log"; die "round $round ($1): replica server $i ended"; }
        eval "kill -0 \$pid_meta$i" 2>/dev/null ||
            { cat "$dir/meta$i.log"; die "round $round ($1): meta server $i ended"; }
    done
}

zookeeper_pid() { cat "$ZK_HOME/pid"; }

round_kill() {
    local since
    since=$(now_ms)
    stop "meta$victim" KILL
    wait_another kill "$victim" "$since"
    bridled "$victim"
}

# Longer than its session and than the grace period: when it goes on it believes every server dead and
# wants to write so, which the fence of its lost lock forbids.
round_pause() {
    local pid since lost
    eval "pid=\$pid_meta$victim"
    lost=$(grep -c 'stops leading' "$dir/meta$victim.log" || true)
    since=$(now_ms)
    kill -STOP "$pid"
    wait_another pause "$victim" "$since"
    longer() { [ $(($(now_ms) - since)) -gt $((grace * 1000 + 500)) ]; }
    wait_for 30 longer
    kill -CONT "$pid"
    stepped_down() { [ "$(grep -c 'stops leading' "$dir/meta$victim.log")" -gt "$lost" ]; }
    wait_for 20 stepped_down
    stands_by() { tail -n 3 "$dir/meta$victim.log" | grep -q 'the leader is 127\|serving'; }
    wait_for 20 stands_by
}

# The leader is killed while it cares for what a dead replica server left.
round_guardian() {
    local who=$((1 + RANDOM % 3)) since dead
    dead="127.0.0.1:$((replica_base + who)) is dead"
    seen=$(grep -c "$dead" "$dir/meta$victim.log" || true)
    stop "replica$who" KILL
    sees() { [ "$(grep -c "$dead" "$dir/meta$victim.log")" -gt "$seen" ]; }
    wait_for 30 sees
    pause "0.0$((RANDOM % 10))"
    since=$(now_ms)
    stop "meta$victim" KILL
    wait_another guardian "$victim" "$since"
    bridled "$victim"
    replicad "$who"
}

round_zookeeper_kill() {
    kill -KILL "$(zookeeper_pid)"
    gone_now() { ! kill -0 "$(zookeeper_pid)"; }
    wait_for 10 gone_now
    pause "0.$((RANDOM % 10))"
    "$ZK_SCRIPT" --start "$ZK_HOME" 9>&- || die 'ZooKeeper does not start again'
}

# Longer than the sessions, while a replica server dies and comes back: nothing can be written.
round_zookeeper_pause() {
    local who=$((1 + RANDOM % 3)) since=$(now_ms) ms=$((session + RANDOM % session * 2))
    kill -STOP "$(zookeeper_pid)"
    stop "replica$who" KILL
    longer() { [ $(($(now_ms) - since)) -gt "$ms" ]; }
    wait_for 30 longer
    kill -CONT "$(zookeeper_pid)"
    replicad "$who"
}

kinds=(kill pause guardian zookeeper_kill zookeeper_pause)
round=0
: >"$dir/before"
: >"$dir/samples"
recover_table 1 temp $partitions
for i in 1 2 3; do bridled "$i"; done
settle start
start load "$top_builddir/t/load" --meta "$metas" --table temp --track "$dir/track" \
    --until-file "$dir/enough" --inflight 4 --keys 2000 --json "$dir/load.json" --quiet
sample 1 &
sampler=$!
pids="$pids$sampler "

declare -A rounds=()
for round in $(seq "$times"); do
    kind=${kinds[$(((round - 1) % ${#kinds[@]}))]}
    # Beyond the first of each kind: mostly kills.
    [ "$round" -le ${#kinds[@]} ] || [ $((RANDOM % 2)) -eq 0 ] || kind=kill
    victim=$(leader)
    [ -n "$victim" ] || die "round $round: nobody leads"
    configs temp >"$dir/before"
    remember_serving
    "round_$kind"
    settle "$kind"
    rounds[$kind]=$((${rounds[$kind]:-0} + 1))
    [ -z "${VERBOSE:-}" ] || echo "round $round: $kind of $victim, $(leader) leads (${SECONDS} s)"
done

touch "$dir/enough"
gone=0; wait "$pid_load" || gone=$?
wait "$sampler" || true
cat "$dir/load.log"
[ "$gone" -eq 0 ] || die "the load ended with status $gone"
[ -z "$(two_primaries)" ] || { two_primaries; die 'two primaries'; }

# What is in the store is what the last leader served: a process without a past reads it.  The replica
# servers are stopped meanwhile, for less than their grace, so that nothing changes after the look.
nothing_waits() { [ "$(shell remote_command -t meta-server bridle.store | grep -c '"0 updates wait for the store"')" -eq 1 ]; }
for i in 1 2 3; do eval "kill -STOP \$pid_replica$i"; done
wait_for 20 nothing_waits
configs temp >"$dir/before"
for i in 1 2 3; do stop "meta$i"; [ "$gone" -eq 0 ] || die "SIGTERM: status $gone"; done
for i in 1 2 3; do eval "kill -CONT \$pid_replica$i"; stop "replica$i"; [ "$gone" -eq 0 ] || die "SIGTERM: status $gone"; done
cp "$dir/meta1.log" "$dir/last1.log" # which starts anew
bridled 1 --set meta_server.meta_function_level_on_start=blind
wait_for 20 serves 1
configs temp >"$dir/after"
diff "$dir/before" "$dir/after" || die 'the store holds something else than the last leader served'

figures=
for kind in "${kinds[@]}"; do
    [ -n "${rounds[$kind]:-}" ] || continue
    figures="$figures${figures:+; }${rounds[$kind]} $kind"
    [ -z "${took_count[$kind]:-}" ] ||
        figures="$figures (another led after $((took_sum[$kind] / took_count[$kind])) ms, at most ${took_most[$kind]})"
done
echo "failover, seed $seed, sessions of $session ms: $figures; $(wc -l <"$dir/samples") samples of who is primary"
echo "$times passed, 0 failed"
