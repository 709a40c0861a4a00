#!/usr/bin/env bash
# walk_zookeeper.sh -- walk.sh on a real ZooKeeper.
exec "${top_srcdir:-.}/t/walk.sh" zookeeper
