#!/bin/sh
# storm_etcd.sh -- storm.sh on a real etcd: a recovery, then leaders killed.
: "${top_srcdir:=.}"
exec "$top_srcdir/t/storm.sh" etcd 2
