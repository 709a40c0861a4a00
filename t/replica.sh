#!/usr/bin/env bash
# replica.sh [ROUNDS] [SEED] -- replica servers under load: members are taken out and learn again,
# several at once, primaries change, servers hang and die.  Nobody aborts, no acknowledged decree is
# lost, and in the end the members of every group agree.
set -euo pipefail
lease=2 # what waits for leases is most of the time this takes
. "${top_srcdir:-.}/t/lib.sh"
long
. "$top_srcdir/t/hot_lib.sh"
rounds=${1:-6}
RANDOM=${2:-$$}
store_for sqlite
meta_port=$(free_ports 6)
replica_port=$meta_port
partitions=8
servers=(1 2 3 4)

port_of() { echo "127.0.0.1:$((replica_port + $1))"; }
pick() { echo "${servers[RANDOM % ${#servers[@]}]}"; }

# agree: the members of each group say the same prepared decree and ballot, and its primary has
# committed all of it; a secondary hears of a commit with what comes next, so it may be one behind.
# What was acknowledged ($dir/track) is in it.
agree() {
    local i
    settled "temp:$partitions" -- "${servers[@]}" || return 1
    for i in "${servers[@]}"; do
        shell remote_command -l "$(port_of "$i")" replica.info
    done | grep -oE '1\.[0-9]+ PS_(PRIMARY|SECONDARY) [0-9]+ [0-9]+ [0-9]+' >"$dir/said"
    awk -v partitions=$partitions '
        FILENAME ~ /track$/ { if ($1 == "partition") acknowledged[$2] = $3; next }
        {
            sub(/.*\./, "", $1); members[$1]++
            behind = $5 - $4
            if (behind < 0 || behind > ($2 == "PS_SECONDARY")) bad = 1
            if (!($1 in prepared)) { prepared[$1] = $5; ballot[$1] = $3 }
            if (prepared[$1] != $5 || ballot[$1] != $3) bad = 1
            if ($2 == "PS_PRIMARY" && $4 < acknowledged[$1]) { bad = 1
                print "partition " $1 " lost " acknowledged[$1] ", has " $4 }
        }
        END { for (i = 0; i < partitions; i++) if (members[i] != 3) bad = 1; exit bad }' \
        "$dir/track" "$dir/said"
}

# -- What happens to them --------------------------------------------------------------------------

# Secondaries of every group are taken out, of some both: they learn at the same time.
take_out() {
    local index primary one two
    groups temp >"$dir/groups"
    while read -r index _ primary one two; do
        [ -n "$one" ] || continue
        shell propose -g "1.$index" -p DOWNGRADE_TO_INACTIVE -t "$primary" -n "$one" || true
        [ $((RANDOM % 2)) -eq 0 ] || [ -z "$two" ] ||
            shell propose -g "1.$index" -p REMOVE -t "$primary" -n "$two" || true
    done <"$dir/groups" >/dev/null 2>&1
}

# Primaries become secondaries, and others take over.
move() {
    local index primary
    groups temp >"$dir/groups"
    while read -r index _ primary _; do
        shell propose -g "1.$index" -p DOWNGRADE_TO_SECONDARY -t "$primary" -n "$primary" || true
    done <"$dir/groups" >/dev/null 2>&1
}

# A server hangs for so long that it loses what it has.
hang() {
    local i pid
    i=$(pick)
    eval "pid=\$pid_replica$i"
    kill -STOP "$pid"
    wait_for 30 without "$(port_of "$i")" temp
    kill -CONT "$pid"
}

# A server is killed, missed, and comes back.
die_and_return() {
    local i
    i=$(pick)
    stop "replica$i" KILL
    wait_for 30 without "$(port_of "$i")" temp
    start_replica "$i"
}

# A server hangs for less than its lease.
stumble() {
    local pid
    eval "pid=\$pid_replica$(pick)"
    kill -STOP "$pid"
    read -r -t "1.$((RANDOM % 10))" <> <(:) || true # the moment is what varies
    kill -CONT "$pid"
}

# -- The rounds ------------------------------------------------------------------------------------

table_on "1:temp:$partitions:3" 1 2 3
for i in "${servers[@]}"; do start_replica "$i"; done
cold_start "/replica/$$" 1 2 3 4
wait_for 60 settled "temp:$partitions" -- "${servers[@]}"
start load "$top_builddir/t/load" --meta "127.0.0.1:$meta_port" --table temp --inflight 16 --keys 2000 \
    --read-percent 20 --until-file "$dir/stop" --track "$dir/track" --json "$dir/load.json"
wait_for 20 grep -q ' ok ' "$dir/load.log"
for round in $(seq "$rounds"); do
    case $((round % 6)) in
        2) hang ;;
        4) die_and_return ;;
        5) stumble ;;
        0) move ;;
        *) take_out ;;
    esac
    [ $((round % 3)) -ne 0 ] || take_out
    lives "${servers[@]}"
    wait_for 60 settled "temp:$partitions" -- "${servers[@]}"
done
: >"$dir/stop"
gone=0
eval "wait \$pid_load" || gone=$?
[ "$gone" -eq 0 ] || { cat "$dir/load.json"; die "the load found decrees that went back: status $gone"; }
tail -n 1 "$dir/load.log"
wait_for 30 agree
lives "${servers[@]}"
echo "$rounds rounds, $passed passed, 0 failed"
