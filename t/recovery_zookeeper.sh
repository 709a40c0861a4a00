#!/bin/sh
# recovery_zookeeper.sh -- recovery.sh on a real ZooKeeper.
: "${top_srcdir:=.}"
exec "$top_srcdir/t/zookeeper.sh" "$top_srcdir/t/recovery.sh" zookeeper
