#!/usr/bin/env bash
# fleet.sh -- bridled serves a cluster of many replica servers, each of which is answered right; and
# the program that says so notices when one is not.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
shape="--nodes 60 --tables 7 --partitions 700"
quick="--seconds 1 --beacon-ms 300 --sync-ms 600"
meta_port=$(free_ports 1)

# fleet ARGUMENT...: what it says is in $dir/out, its exit status in $got.
fleet() {
    got=0
    # shellcheck disable=SC2086
    "$top_builddir/t/fleet" --meta "127.0.0.1:$meta_port" $shape $quick "$@" >"$dir/out" 2>&1 || got=$?
    if [ "$got" -eq 2 ]; then
        cat "$dir/out"
        echo "SKIPPED: somebody listens on the simulated servers' port" >&2
        exit 77
    fi
}

expect() {
    [ "$got" -eq "$1" ] && grep -qE -- "$2" "$dir/out" \
        || { cat "$dir/out"; die "status $got, not $1 with $2"; }
}

for version in 2.5 2.6; do
    # shellcheck disable=SC2086
    "$top_builddir/t/synthetic_store" --store sqlite --file "$dir/$version.db" --root /fleet $shape \
        --seed 1 --version $version
    cat >"$dir/conf.yaml" <<END
meta_server: {listen: "127.0.0.1:$meta_port", cluster_root: /fleet, pegasus_version: $version}
replication: {cluster_name: fleet}
store: {plugin: sqlite, file: "$dir/$version.db"}
transport: {plugin: rdsn}
policy: {plugin: pegasus}
END
    start bridled "$top_builddir/bridled" -c "$dir/conf.yaml"
    wait_for 30 meta_up
    # shellcheck disable=SC2154
    fleet --seed 1 --version $version --meta-pid "$pid_bridled"
    expect 0 '^wrong +0$'
    expect 0 '^meta +cores: [0-9.]+ of one'
    grep -qE '^beacons +[1-9][0-9]* sent' "$dir/out" || die 'no beacons'
    grep -qE '^syncs +[1-9][0-9]* sent' "$dir/out" || die 'no syncs'
    # Servers that hold other replicas than the metadata say are not told that all is well.
    fleet --seed 2 --version $version
    expect 1 '^WRONG: 127\.1\.0\.[0-9]+:[0-9]+: sync: ERR_OBJECT_NOT_FOUND$'
    stop bridled
    [ "$gone" -eq 0 ] || die "bridled ended with $gone"
done

# Nobody is there.
fleet --seed 1
expect 1 '^WRONG: 127\.1\.0\.1:[0-9]+: its connection is lost: '
echo "fleet.sh: passed"
