#!/usr/bin/env bash
# onebox.sh -- run.sh's onebox: started, stopped and cleared, its instances likewise, what it says where
# that cannot be, and the edits of a recovery.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
. "$top_srcdir/t/onebox_lib.sh"

pid() { cat "$box/$1/pid"; }

# Nothing is there yet.
box 0 '' stop_onebox
box 0 '' clear_onebox
box 0 '' list_onebox
[ ! -s "$dir/out" ] || die 'a onebox that is not there is listed'
box 1 '^ERROR: invalid meta_id$' start_onebox_instance -m 1
box 1 '^ERROR: invalid replica_id$' stop_onebox_instance -r 1

# What makes no sense, and help.
while read -r line; do
    IFS='|' read -r arguments pattern <<<"$line"
    # shellcheck disable=SC2086
    box 1 "^ERROR: $pattern" $arguments
done <<'END'
start_onebox -x|unknown option "-x"
start_onebox -c|unknown option "-c"
start_onebox -m|option "-m" has no value
start_onebox -m 0|meta_count is a number from 1 to 16
start_onebox -m 17|meta_count is a number
start_onebox --replica_count 65|replica_count is a number from 1 to 64
start_onebox -r 1x|replica_count is a number
start_onebox -p 0|partition_count is a number
start_onebox -a a/b|app_name is letters
start_onebox -s redis|store is zookeeper or sqlite
start_onebox_instance|no meta_id or replica_id set
start_onebox_instance -m 0|invalid meta_id
start_onebox_instance -r ../x|invalid replica_id
start_onebox_instance -m|option "-m" has no value
stop_onebox_instance -s 1|unknown option "-s"
restart_onebox_instance -s x|sleep is a number
stop_onebox now|unknown option "now"
clear_onebox -f|unknown option "-f"
END
for command in start_onebox stop_onebox list_onebox clear_onebox start_onebox_instance \
    stop_onebox_instance restart_onebox_instance start_zk stop_zk; do
    box 0 "^usage: ./run.sh $command" $command --help
done
[ ! -e "$box" ] || die 'a onebox was made'

# Up.
box 0 '^Cluster becomes healthy\.$' start_onebox -m 1 -r 3 -a users -p 4 -s sqlite -w
for name in meta@1 replica@1 replica@2 replica@3; do expect start "^INFO: $name started$" "$dir/out"; done
expect start '^Wait cluster to become healthy\.\.\.$' "$dir/out"
expect start '^INFO: released: there was nothing to lose' "$dir/out"
box 0 '^released by ' shell freeze_status
box 0 'users +4 +4 +0' shell ls -d
box 0 'zookeeper_root +: /pegasus/onebox/127.0.0.1' shell cluster_info
[ -d "$box/replica1/data/replica/reps/2.0.pegasus" ] || die 'no replica on disk'
box 1 '^ERROR: some onebox processes are running, start failed$' start_onebox
box 1 '^INFO: meta@1 already running$' start_onebox_instance -m 1
box 1 '^INFO: replica@2 already running$' start_onebox_instance --replica_id 2
box 0 "^replica@2 +running +pid $(pid replica2) +127.0.0.1:$((BRIDLE_REPLICA_PORT_BASE + 2)) " list_onebox
[ "$(grep -c running "$dir/out")" -eq 4 ] || die 'not all are listed'

# Somebody else's onebox is on our ports.
BRIDLE_ONEBOX_DIR=$dir/other box 1 '^ERROR: somebody else listens on 127.0.0.1:[0-9]*, where meta@1 would' \
    start_onebox -m 1 -r 1 -s sqlite
BRIDLE_ONEBOX_DIR=$dir/other box 0 '' clear_onebox
box 0 'users +4 +4 +0' shell ls -d

# Instances.
box 0 '^INFO: replica@2 stopped$' stop_onebox_instance -r 2
box 1 '^INFO: replica@2 is not running$' stop_onebox_instance -r 2
box 1 '^INFO: replica@2 is not running$' restart_onebox_instance -r 2
box 0 '^replica@2 +stopped$' list_onebox
box 0 '^INFO: replica@2 started$' start_onebox_instance -r 2
old=$(pid meta1)
box 0 '^INFO: meta@1 started$' restart_onebox_instance -m 1 -r 1 -s 0
expect restart '^INFO: replica@1 stopped$' "$dir/out"
[ "$(pid meta1)" != "$old" ] || die 'meta@1 is the old one'
[ -s "$box/meta1/log.old" ] || die 'its old log is gone'

# Killed; and its number is another process's by now.
start stranger sleep 600
kill -KILL "$(pid replica3)"
box 0 '^replica@3 +stopped$' list_onebox
echo "$pid_stranger" >"$box/replica3/pid"
box 1 '^INFO: replica@3 is not running$' stop_onebox_instance -r 3
alive stranger || die "a process that is none of a onebox's was ended"
stop stranger
box 0 '^INFO: replica@3 started$' start_onebox_instance -r 3

# One that does not end is told of.
kill -STOP "$(pid replica3)"
BRIDLE_ONEBOX_PATIENCE=1 box 1 "^ERROR: replica@3 does not end: process $(pid replica3) has had SIGTERM" \
    stop_onebox_instance -r 3
kill -CONT "$(pid replica3)"
gone() { "$top_srcdir/run.sh" list_onebox | grep -q '^replica@3 *stopped'; }
wait_for 20 gone
box 0 '^INFO: replica@3 started$' start_onebox_instance -r 3

# What a recovery changes is there once on each line, whatever the checkout is called.
[ "$(grep -c '/pegasus/onebox' "$config")" -eq 2 ] || die 'the root is not on two lines'
[ "$(grep -o '/pegasus/onebox' "$config" | wc -l)" -eq 2 ] || die 'the root is twice on a line'
[ "$(grep -c 'recover_from_replica_server: false' "$config")" -eq 1 ] || die 'the flag'
never config "$dir" "$config"
recovery_mode
expect sed '^  cluster_root: /pegasus/onebox_recovery/127.0.0.1$' "$config"
expect sed '^  lock_root: /pegasus/onebox_recovery/127.0.0.1$' "$config"
box 0 '^INFO: meta@1 stopped$' stop_onebox_instance -m 1
box 0 '^INFO: meta@1 started$' start_onebox_instance -m 1
box 1 '^list apps failed, error=ERR_UNDER_RECOVERY$' shell ls

# Stopped and started it is what it was, and waiting for its health says what is missing.
box 0 '^INFO: meta@1 stopped$' stop_onebox
box 0 '' stop_onebox
box 1 '^ERROR: this onebox has 1 meta servers, not 2' start_onebox -m 2
box 1 '^ERROR: this onebox has sqlite as its store, not zookeeper' start_onebox -s zookeeper
box 1 '^ERROR: this onebox has users as its first table, not temp' start_onebox -a temp
box 1 '^ERROR: the meta server is in recovery mode' start_onebox -w
recovery_nodes 3
box 0 '^Recover result: ERR_OK$' shell recover -f "$dir/nodes"
box 0 ' users ' shell ls
box 0 'zookeeper_root +: /pegasus/onebox_recovery/127.0.0.1' shell cluster_info
# The flag forgotten: it refuses, and that is said.
box 1 '^ERROR: meta@1 ended: .*recover_from_replica_server = true' restart_onebox_instance -m 1
sed -i 's@recover_from_replica_server: true@recover_from_replica_server: false@' "$config"
box 0 '^INFO: meta@1 started$' start_onebox_instance -m 1
box 0 ' users ' shell ls

# Away; and nothing else is ever removed.
box 0 '^INFO: replica@3 stopped$' clear_onebox
[ ! -e "$box" ] || die 'something is left'
mkdir -p "$box/precious"
box 1 '^ERROR: .* is no onebox, and is left alone$' clear_onebox
[ -d "$box/precious" ] || die 'what is no onebox was removed'
rm -r "$box"

# Several meta servers on one file; one replica server is enough for a table of one replica.
box 0 '^INFO: meta@2 started$' start_onebox -m 2 -r 1 -s sqlite -w
leader() {
    local port
    port=$("$top_srcdir/run.sh" shell cluster_info 2>/dev/null |
        sed -n 's/^primary_meta_server *: *127\.0\.0\.1:\([0-9]*\) *$/\1/p')
    [ -n "$port" ] && echo $((port - BRIDLE_META_PORT_BASE))
}
was=$(leader)
kill -KILL "$(pid "meta$was")"
another() { local is; is=$(leader) && [ "$is" != "$was" ]; }
wait_for 30 another
box 0 "^INFO: meta@$was started$" start_onebox_instance -m "$was"
box 0 ' temp ' shell ls
box 0 '' clear_onebox

# On ZooKeeper, which outlives stop_onebox and not clear_onebox.
if "$top_srcdir/t/zookeeper.sh" --have 2>"$dir/out"; then
    box 0 '^INFO: zookeeper is not running$' stop_zk
    box 0 "^INFO: zookeeper started on port $BRIDLE_ZK_PORT$" start_zk
    box 0 '^INFO: zookeeper already running$' start_zk
    BRIDLE_ZK_DIR=$dir/zk2 box 1 '^ERROR: somebody else listens on .*zookeeper would' start_zk
    box 0 '^Cluster becomes healthy\.$' start_onebox -m 1 -w # the default where it is there
    box 0 '^zookeeper +running ' list_onebox
    box 0 '' stop_onebox
    box 0 '^zookeeper +running ' list_onebox
    box 0 '^INFO: zookeeper stopped$' stop_zk
    box 0 '^Cluster becomes healthy\.$' start_onebox -w # what it had is there again
    expect start '^INFO: zookeeper started' "$dir/out"
    box 0 '^INFO: zookeeper stopped$' clear_onebox
    [ ! -e "$dir/zk/data" ] || die "ZooKeeper's data are left"
else
    cat "$dir/out"
fi
echo "$passed passed, 0 failed"
