#!/usr/bin/env bash
# bench_scan.sh [REPLICAS [FILE_PARTITIONS]] -- transport_scan over so many replica directories (100000),
# as a server of Pegasus's has them (.app-info, .init-info, data/rdb/, a log), beside `find -name
# .app-info` over the same tree, both warm, the best of three; then transport_replay of a survey of so
# many partitions (1000000), three replicas each, with the memory that it takes, and transport_sim, which
# makes as many, beside it.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
replicas=${1:-100000}
partitions=${2:-1000000}

# The tree in memory where there is room, so that no disk is measured.
tree=$dir/tree
if [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)" -gt $((replicas * 24 + 1000000)) ] 2>/dev/null; then
    tree=$(mktemp -d /dev/shm/bridle_scan.XXXXXX)
    trap 'rm -rf "$tree"; cleanup' EXIT
fi
"$top_builddir/t/bench_scan" tree "$tree" "$replicas"

now_us() { echo $(($(date +%s%N) / 1000)); }
best() { # COMMAND...: microseconds of the fastest of three, after one to warm up
    local i start took least=
    "$@" >/dev/null 2>&1
    for i in 1 2 3; do
        start=$(now_us)
        "$@" >/dev/null 2>&1
        took=$(($(now_us) - start))
        if [ -z "$least" ] || [ "$took" -lt "$least" ]; then least=$took; fi
    done
    echo "$least"
}
look() { find "$tree" -name .app-info; }
scan() {
    "$top_builddir/bridle" survey -c "$top_srcdir/conf/onebox.yaml" --set recovery.node_deadline=10min \
        --set transport.plugin=scan --set transport.deadline=10min \
        --set "transport.dirs=[127.0.0.1:34801=$tree]" -o "$dir/survey.json"
}
found=$(look | wc -l)
found_us=$(best look)
scanned_us=$(best scan)
grep -c '^\[' "$dir/survey.json" | grep -qx "$replicas" || die "not all of $replicas replicas were scanned"
awk -v n="$found" -v find="$found_us" -v scan="$scanned_us" 'BEGIN {
    printf "%d replica directories: find -name .app-info %.3f s, bridle survey with transport_scan %.3f s", n, find / 1e6, scan / 1e6
    printf " (%.0f replicas/s), %.2f of find\n", n / scan * 1e6, scan / find }'

"$top_builddir/t/bench_scan" survey "$dir/large.json" "$partitions"
replay() {
    "$top_builddir/t/bench_scan" run "$top_builddir/bridle" survey \
        -c "$top_srcdir/conf/onebox.yaml" --set recovery.node_deadline=10min --set transport.plugin=replay \
        --set transport.deadline=10min --set "transport.file=$dir/large.json" -o "$dir/again.json"
}
start=$(now_us)
replay >"$dir/out" 2>&1 || { cat "$dir/out"; die 'replay'; }
took=$(($(now_us) - start))
grep -c '^\[' "$dir/again.json" | grep -qx $((partitions * 3)) || die 'not all replicas were replayed'
awk -v n="$partitions" -v us="$took" -v kib="$(sed -n 's/^peak \([0-9]*\) KiB$/\1/p' "$dir/out")" \
    -v size="$(stat -c %s "$dir/large.json")" 'BEGIN {
    printf "%d partitions replayed from a survey of %.0f MB: %.2f s, %.0f MB at most, the new survey included\n", n, size / 1e6, us / 1e6, kib / 1024 }'
"$top_builddir/t/bench_evidence" "$dir/large.json" "$partitions"
