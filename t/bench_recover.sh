#!/usr/bin/env bash
# bench_recover.sh [PARTITIONS] -- how long a recovery takes with real processes and the leases and
# intervals of production: of three servers that do not serve, until they all do; and of the same
# servers under load, until the meta server serves again, and what their clients noticed.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
. "$top_srcdir/t/hot_lib.sh"
partitions=${1:-64}
lease_options=
lease_sets=
store_for sqlite
meta_port=$(free_ports 4)
replica_port=$meta_port

now_ms() { echo $(($(date +%s%N) / 1000000)); }
# after: milliseconds since $began.
after() { echo $(($(now_ms) - began)); }
# led: every partition has a primary, which says so itself.
led() { [ "$(roles 1 2 3 | grep -c ' PS_PRIMARY ')" -eq "$partitions" ]; }
number() { sed -nE "s/^ *\"$1\": ([0-9.]+),.*/\\1/p" "$dir/load_temp.json"; }

table_on "1:temp:$partitions:3" 1 2 3
for i in 1 2 3; do start_replica "$i"; done
start_root /bench/a true
wait_for 20 meta_up
wait_for 20 known 1 2 3
list "$dir/nodes" 1 2 3
began=$(now_ms)
shell recover -f "$dir/nodes" >"$dir/out" || { cat "$dir/out"; die 'it was not recovered'; }
answered=$(after)
wait_for 120 led
led=$(after)
wait_for 120 settled "temp:$partitions" -- 1 2 3
echo "recover $partitions partitions: answer after $answered ms, all primaries after $led ms, healthy after $(after) ms (Apache Pegasus 2.5.0: 20 to 40 s)"

strict temp
stop meta KILL
began=$(now_ms)
start_root /bench/b true
wait_for 20 meta_up
up=$(after)
shell recover -f "$dir/nodes" >"$dir/out" || { cat "$dir/out"; die 'it was not recovered under load'; }
served=$(after)
hot=$(sed -nE 's/.*msg="([0-9]+ of [0-9]+) partitions stay hot.*/\1/p' "$dir/meta.log" | tail -n 1)
strict_ended temp >/dev/null
echo "recover $partitions partitions under load: $hot stay hot; the meta server away for $up ms, it serves after $served ms; $(number ok) operations, $(number failed) failed, the longest took $(number longest_operation) s"
