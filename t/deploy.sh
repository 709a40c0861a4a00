#!/usr/bin/env bash
# deploy.sh -- one set of files, two deployments: another store by one overridden key; a forbidden
# plugin; refusals that name file, line and column; --check.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
conf=$dir/bridled.yaml
meta_port=$(free_ports 2)
cat >"$conf" <<EOF
meta_server:
  listen: 127.0.0.1:$meta_port
  cluster_root: /pegasus/c1
  recover_from_replica_server: true
replication:
  cluster_name: c1
store:
  plugin: sqlite
  file: $dir/meta.db
transport: {plugin: rdsn}
policy: {plugin: pegasus}
stores:
  rehearsal: {plugin: memory}
plugins:
  zookeeper: {enabled: false}
EOF

# check STATUS PATTERN ARGUMENT...: bridled --check.
check() {
    local want=$1 pattern=$2 got=0; shift 2
    "$top_builddir/bridled" --check -c "$conf" "$@" >"$dir/out" 2>&1 || got=$?
    [ "$got" -eq "$want" ] || { cat "$dir/out"; die "bridled --check $*: status $got, not $want"; }
    grep -qE -- "$pattern" "$dir/out" || { cat "$dir/out"; die "bridled --check $*: no $pattern"; }
    passed=$((passed + 1))
}

check 0 'store: sqlite'
check 0 'stores.rehearsal: memory'
check 0 'store: memory' --set store.plugin=memory
check 78 'zookeeper.*(enabled|forbid)' --set store.plugin=zookeeper --set store.hosts=127.0.0.1:1
check 78 'nosuch' --set store.plugin=nosuch
check 78 'plugin' --set 'store.plugin=../../etc/passwd'
check 78 'did you mean' --set meta_server.cluster_rot=/x
sed -i 's/  file: /  fiel: /' "$conf"
check 78 "bridled.yaml:9:3: .*fiel.*did you mean .*file"
sed -i 's/  fiel: /  file: /' "$conf"

# The same file serves two deployments, each with its own store.
for plugin in sqlite memory; do
    start meta "$top_builddir/bridled" -c "$conf" --set store.plugin=$plugin
    wait_for 20 meta_up
    grep -q "store: $plugin" "$dir/meta.log" || die "$plugin is not the store"
    stop meta
    [ "$gone" -eq 0 ] || die "status $gone"
    passed=$((passed + 1))
done
[ -s "$dir/meta.db" ] || die 'no database'

# An address that somebody has is no fault of the configuration: status 1, and a supervisor may try
# again.
start meta "$top_builddir/bridled" -c "$conf" --set store.plugin=memory
wait_for 20 meta_up
gone=0; "$top_builddir/bridled" -c "$conf" --set store.plugin=memory >"$dir/out" 2>&1 || gone=$?
[ "$gone" -eq 1 ] || die "an address in use: status $gone"
grep -q 'cannot listen on' "$dir/out" || die 'an address in use: not a word'
stop meta
passed=$((passed + 1))

# A store that cannot be reached yet: SIGTERM is a clean stop there too.
start meta "$top_builddir/bridled" -c "$conf" --set store.plugin=zookeeper \
    --set store.hosts=127.0.0.1:1 --set plugins.zookeeper.enabled=true
wait_for 20 grep -q 'policy: pegasus' "$dir/meta.log"
stop meta
[ "$gone" -eq 0 ] || die "SIGTERM while the store connects: status $gone"
grep -q 'level=error' "$dir/meta.log" && die 'SIGTERM while the store connects is an error'
passed=$((passed + 1))

# A script that is ended from outside has not passed.
gone=0; top_srcdir=$top_srcdir top_builddir=$top_builddir bash -c \
    '. "$top_srcdir/t/lib.sh"; true; kill -TERM $$; exit 0' >/dev/null || gone=$?
[ "$gone" -eq 143 ] || die "a script that got SIGTERM: status $gone"
passed=$((passed + 1))

# A list of partitions that makes no sense is no empty list.
for list in abc 0,x 7 -1 0, ''; do
    gone=0
    "$top_builddir/replicad" --create 1:t:2:3 --data "$dir/none" --partitions "$list" 2>"$dir/out" || gone=$?
    [ "$gone" -eq 2 ] || die "--partitions '$list': status $gone"
    grep -q -- '--partitions' "$dir/out" || die "--partitions '$list': not a word"
done
passed=$((passed + 1))

# Wrong usage, help, version.
"$top_builddir/bridled" --help | grep -q 'example:' || die 'no help'
"$top_builddir/bridled" --version | grep -q '^bridled ' || die 'no version'
gone=0; "$top_builddir/bridled" --nonsense 2>/dev/null || gone=$?
[ "$gone" -eq 2 ] || die "wrong usage: status $gone"
gone=0; "$top_builddir/bridled" -c "$dir/none.yaml" 2>"$dir/out" || gone=$?
[ "$gone" -eq 78 ] || die "no configuration: status $gone"
passed=$((passed + 4))
echo "$passed passed, 0 failed"
