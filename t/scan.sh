#!/usr/bin/env bash
# scan.sh -- a recovery from the disks of killed servers, with real processes: what the disks say is
# what the servers say once they run again, it makes the same plan, replayed elsewhere or merged with
# living servers' answers, and a cluster that was recovered while all servers were down serves its data.
set -euo pipefail
lease=2
data_option=
. "${top_srcdir:-.}/t/lib.sh"
store_for sqlite

meta_port=$(free_ports 4)
replica_port=$meta_port
root=/pegasus/scan$$
nodes=$dir/nodes
dirs=
for i in 1 2 3; do
    echo "127.0.0.1:$((replica_port + i))" >>"$nodes"
    mkdir -p "$dir/replica$i/replica/reps"
    dirs="$dirs${dirs:+, }127.0.0.1:$((replica_port + i))=$dir/replica$i"
done
healthy() { [ "$(shell ls -d | grep -cE '^[12] +(stat|temp) +([48]) +\2 ')" = 2 ]; }

start_root "$root" false
for i in 1 2 3; do start_replica "$i"; done
wait_for 60 healthy
bench() { "$top_builddir/bridle-bench" --meta "127.0.0.1:$meta_port" --app_name temp --timeout 5000 "$@"; }
bench -t fillseq_pegasus -n 2000 --threads 8 >"$dir/out" 2>&1 || { cat "$dir/out"; die 'bridle-bench'; }
start load "$top_builddir/bridle-bench" --meta "127.0.0.1:$meta_port" -t fillrandom_pegasus -n 10000000 --threads 32
lines() { [ "$(find "$dir"/replica* -path '*/plog/*' -size +64k | wc -l)" -gt 8 ]; }
wait_for 20 lines
for i in 1 2 3; do stop "replica$i" KILL; done
stop meta KILL
stop load KILL

# What the disks say; nothing of them changes, and a directory that cannot be written to is enough.
state() { find "$dir"/replica? -printf '%p %i %s %T@ %C@ %m\n' | sort; }
state >"$dir/before"
conf="-c $top_srcdir/conf/onebox.yaml $store_sets --set meta_server.cluster_root=$root"
scan="--set transport.plugin=scan"
# shellcheck disable=SC2086
ask 0 survey $conf $scan --set "transport.dirs=[$dirs]" -o "$dir/disks.json"
expect survey '^3 of 3 servers answered, 36 replicas$' "$dir/out"
never survey 'is left out' "$dir/out"
state >"$dir/after"
cmp "$dir/before" "$dir/after" || die 'the scan changed something'
passed=$((passed + 1))

plan() { # NAME SURVEY...: its hash in $hash
    # shellcheck disable=SC2086
    ask 0 plan "${@:2}" $conf -o "$dir/$1.plan"
    hash=$(sed -n 's/^"hash":"\([0-9a-f]*\)".*/\1/p' "$dir/$1.plan")
}
plan disks "$dir/disks.json"
scanned=$hash

# Replayed elsewhere.
# shellcheck disable=SC2086
ask 0 survey $conf --set transport.plugin=replay --set "transport.file=$dir/disks.json" -o "$dir/again.json"
plan again "$dir/again.json"
[ "$hash" = "$scanned" ] || die 'replay: another plan'
passed=$((passed + 1))

# The servers themselves, started again without a meta server; and two of them with the disk of the third.
rows() { sed -n 's/^\(\[[0-9,]*\),"pegasus".*/\1/p' "$1" | awk -F, -v OFS=, '{ print $1, $2, $4, $5, $6 }'; }
for i in 1 2 3; do start_replica "$i"; done
ask 0 survey -f "$nodes" -o "$dir/live.json"
expect survey '^3 of 3 servers answered, 36 replicas$' "$dir/out"
rows "$dir/disks.json" | sort >"$dir/disks.rows"
rows "$dir/live.json" | sort >"$dir/live.rows"
[ "$(wc -l <"$dir/disks.rows")" = 36 ] || die "no rows"
diff "$dir/disks.rows" "$dir/live.rows" >"$dir/out" || { cat "$dir/out"; die 'the servers say something else'; }
plan live "$dir/live.json"
[ "$hash" = "$scanned" ] || die 'the servers make another plan'
passed=$((passed + 2))
stop replica3 KILL
ask 0 survey -f "$nodes" -o "$dir/two.json"
# shellcheck disable=SC2086
ask 0 survey $conf $scan --set "transport.dirs=[127.0.0.1:$((replica_port + 3))=$dir/replica3]" -o "$dir/third.json"
ask 0 survey --merge "$dir/two.json" "$dir/third.json" -o "$dir/merged.json"
expect survey '^3 of 3 servers answered, 36 replicas$' "$dir/out"
plan merged "$dir/merged.json"
[ "$hash" = "$scanned" ] || die 'merged: another plan'
passed=$((passed + 1))
stop replica1 KILL
stop replica2 KILL

# A disk whose server nobody names.
# shellcheck disable=SC2086
ask 0 survey $conf $scan --set "transport.dirs=[$dir/replica1]" -o "$dir/nameless.json"
# shellcheck disable=SC2086
ask 1 plan "$dir/nameless.json" $conf
expect plan '^ERROR: whose disk .*/replica1 is, is not known' "$dir/out"

# Recovered while all servers are down, then they come back.
start_root "$root/2" true $scan --set "transport.dirs=[$dirs]"
wait_for 20 meta_up
ask 0 recover -f "$nodes"
expect recover '^Recover result: ERR_OK$' "$dir/out"
for i in 1 2 3; do start_replica "$i"; done
stop meta
start_root "$root/2" false
wait_for 60 healthy
bench -t readrandom_pegasus -n 2000 --threads 8 --verify >"$dir/out" 2>&1 || { cat "$dir/out"; die 'the data are not there'; }
echo "$passed passed, 0 failed"
