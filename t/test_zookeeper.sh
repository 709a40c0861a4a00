#!/bin/sh
# The ZooKeeper store against a real server: the conformance kit, linked in and plain while it also runs
# loaded and with every option, then what only ZooKeeper has.  77, loudly, where no server is installed.
set -u
top_srcdir=${top_srcdir:-$(dirname "$0")/..}
top_builddir=${top_builddir:-.}
export top_srcdir top_builddir

if [ -z "${ZK_HOSTS:-}" ]; then
    ZK_JAVA_FLAGS="-XX:TieredStopAtLevel=1 ${ZK_JAVA_FLAGS:-}" \
        exec "$top_srcdir/t/zookeeper.sh" "$0"
fi

status=0
"$top_builddir/t/conform_static" zookeeper "hosts=$ZK_HOSTS" session_timeout=2s &
plain=$!
"$top_builddir/t/conform_shared" zookeeper "hosts=$ZK_HOSTS" session_timeout=2s \
    "chroot=/chroot/of the test" acl=creator auth=user:password || status=1
wait "$plain" || status=1
"$top_builddir/t/test_zookeeper" || status=1
exit $status
