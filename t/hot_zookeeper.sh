#!/bin/sh
# hot_zookeeper.sh -- hot.sh on a real ZooKeeper.
: "${top_srcdir:=.}"
exec "$top_srcdir/t/zookeeper.sh" "$top_srcdir/t/hot.sh" zookeeper
