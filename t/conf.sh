#!/usr/bin/env bash
# conf.sh -- every shipped configuration is accepted by bridled with its plugins and their options,
# before and after the two edits of an operator who recovers; and bridle's own arguments.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
passed=0

for file in bridled etcd onebox replay scan sim zookeeper; do
    conf=$top_srcdir/conf/$file.yaml
    "$top_builddir/bridled" --check -c "$conf" >"$dir/out" 2>&1 || { cat "$dir/out"; die "$file.yaml"; }
    root=$(sed -n 's/^  cluster_root: //p' "$conf")
    sed -e "s@$root@${root}_recovery@" -e 's@\(recover_from_replica_server\): false@\1: true@' \
        "$conf" >"$dir/$file.yaml"
    "$top_builddir/bridled" --check -c "$dir/$file.yaml" >"$dir/out" 2>&1 \
        || { cat "$dir/out"; die "$file.yaml after the edits"; }
    passed=$((passed + 2))
done

# expect STATUS PATTERN ARGUMENT...: bridle's exit status, and a line of what it says.
expect() {
    local want=$1 pattern=$2 got=0; shift 2
    "$top_builddir/bridle" "$@" >"$dir/out" 2>&1 </dev/null || got=$?
    [ "$got" -eq "$want" ] || { cat "$dir/out"; die "bridle $*: status $got, not $want"; }
    [ -z "$pattern" ] || grep -qE -- "$pattern" "$dir/out" \
        || { cat "$dir/out"; die "bridle $*: no $pattern"; }
    passed=$((passed + 1))
}

dead=127.0.0.1:$(free_ports 1)
expect 0 '^bridle [0-9]' --version
expect 0 'recover .*e\.g\. recover -f' --help
expect 2 'wrong usage; see bridle --help' --nonsense
expect 2 'wrong usage; see bridle --help' --pegasus-version 2.4 ls
expect 2 'is not host:port' --meta nonsense ls
expect 2 "invalid subcommand 'nonsense'" --meta "$dead" nonsense
expect 2 '^USAGE: ' --meta "$dead" ls -Z
expect 1 '^list apps failed, error=ERR_NETWORK_FAILURE$' --meta "$dead" ls
expect 1 '^list apps failed, error=ERR_NETWORK_FAILURE$' --cluster "$dead" --pegasus-version 2.6 ls -a
expect 0 '' --meta "$dead"

# Several commands from a pipe, without a banner or a prompt.
got=0
printf 'help exit\nls\nexit\nhelp quit\n' | "$top_builddir/bridle" -m "$dead" >"$dir/out" 2>/dev/null || got=$?
[ "$got" -eq 1 ] || die "from a pipe: status $got"
[ "$(head -n 1 "$dir/out")" = 'exit: leave the shell' ] || die 'from a pipe: no help'
[ "$(tail -n 1 "$dir/out")" = 'list apps failed, error=ERR_NETWORK_FAILURE' ] || die 'from a pipe: exit'
passed=$((passed + 3))

# Nobody takes the output.
got=0
"$top_builddir/bridle" help >/dev/full 2>/dev/null || got=$?
[ "$got" -eq 1 ] || die "full: status $got"
passed=$((passed + 1))
echo "$passed passed, 0 failed"
