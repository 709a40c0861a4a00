#!/bin/sh
# apply_zookeeper.sh -- apply.sh on a real ZooKeeper.
: "${top_srcdir:=.}"
exec "$top_srcdir/t/zookeeper.sh" "$top_srcdir/t/apply.sh" zookeeper
