#!/usr/bin/env bash
# bench.sh -- bridle-bench against a onebox: what was written is read again, after every server was
# restarted, and after all were killed.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
long
. "$top_srcdir/t/onebox_lib.sh"
number=3000

box 0 '^Cluster becomes healthy\.$' start_onebox -m 1 -s sqlite -w
box 0 "^fillseq_pegasus : .* micros/op .* ops/sec; .* MB/s$" \
    bench --app_name temp -t fillseq_pegasus -n $number --threads 8
box 1 '^Set returned an error: ERR_APP_NOT_EXIST' bench --app_name nosuch -t fillseq_pegasus -n 1
box 2 'see bridle-bench --help' bench --nonsense
box 0 '"ops_per_second"' bench -n 100 -t fillrandom_pegasus,deleterandom_pegasus --json
all="\\($number of $number as written\\) \\($number of $number found\\)$"
whole() { box 0 "$all" bench --app_name temp -t readrandom_pegasus -n $number --threads 8 --timeout 5000 --verify; }
box 0 "\\(500 of 500 found\\)$" bench -n 500 --threads 4 --verify # fill, read and delete
box 0 '\(0 of 500 found\)$' bench -n 500 -t readrandom_pegasus --keys random
whole

# Every server, one after the other; then all at once.
for i in 1 2 3; do
    box 0 "^INFO: replica@$i started$" restart_onebox_instance -r $i
    healthy() { "$top_srcdir/run.sh" shell ls -d | grep -qE '^2 +temp +8 +8 '; }
    wait_for 60 healthy
done
whole
box 0 '' stop_onebox
box 0 '^Cluster becomes healthy\.$' start_onebox -w
whole

# Killed, all at once: what was acknowledged is there.
for i in 1 2 3; do kill -KILL "$(cat "$box/replica$i/pid")"; done
box 0 '' start_onebox_instance -r 1 -r 2 -r 3
whole
echo "$passed passed, 0 failed"
