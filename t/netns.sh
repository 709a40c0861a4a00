#!/usr/bin/env bash
# netns.sh [SEED] -- a recovery over a bad network, in a network namespace of its own: packets between
# the meta server and the replica servers are lost (10, 20 and 30 %), and the meta server is cut off from
# ZooKeeper in the midst of the writing, for less and for more than its session lasts.  What is planned
# is written, to the byte, or the recovery is refused with the names of who is silent, and then nothing
# is visible.
#
# Needs a namespace (root, or unprivileged user namespaces) and something that drops packets: tc's netem
# (iproute2), else nft (nftables).  Where one is missing its cases are skipped, counted and named, and
# the script fails, unless they are listed in SKIP_LISTED ("loss partition").
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
PATH=$PATH:/usr/sbin:/sbin
seed=${1:-1}
skipped=0 unlisted=0

# skip CASE WHY
skip() {
    skipped=$((skipped + 1))
    echo "SKIPPED: $1 of netns.sh: $2"
    case " ${SKIP_LISTED:-} " in *" $1 "*) ;; *) unlisted=$((unlisted + 1)) ;; esac
}

skip_all() {
    skip loss "$1"
    skip partition "$1"
    echo "0 passed, 0 failed, $skipped skipped, of which $unlisted are not listed in SKIP_LISTED"
    [ "$unlisted" -eq 0 ] && exit 77 || exit 1
}

if [ -z "${NETNS_INSIDE:-}" ]; then
    for way in "unshare -n" "unshare -rn"; do
        if $way ip link set lo up 2>/dev/null; then
            NETNS_INSIDE=1 exec $way "${BASH_SOURCE[0]}" "$seed"
        fi
    done
    skip_all 'no network namespace can be made here (unshare -n, ip: root or user namespaces, iproute2)'
fi
ip link set lo mtu 1500 gso_max_segs 1 up # small packets: more of them

# -- Dropping packets -----------------------------------------------------------------------------

nft_works() { nft add table ip bad && nft add chain ip bad out '{ type filter hook output priority 0; }'; }
netem_works() { tc qdisc add dev lo root netem loss 1% && tc qdisc del dev lo root; }
dropper=
if nft_works 2>/dev/null; then
    dropper=nft
elif netem_works 2>/dev/null; then
    dropper=netem
fi
[ -n "$dropper" ] || skip_all 'neither nft nor netem works here (nftables, iproute2, a kernel with them)'

# drop PERCENT PORTS: of the packets to and from these ports ("1-2") of 127.0.0.1, with nft; of all
# packets with netem.
drop() {
    local match
    if [ "$dropper" = netem ]; then
        tc qdisc replace dev lo root netem loss "$1%"
        return
    fi
    for match in "ip saddr 127.0.0.1 tcp sport $2" "ip daddr 127.0.0.1 tcp dport $2"; do
        [ "$1" -eq 100 ] || match="$match numgen random mod 100 < $1"
        # shellcheck disable=SC2086
        nft add rule ip bad out $match counter drop
    done
}

heal() {
    if [ "$dropper" = nft ]; then nft flush chain ip bad out; else tc qdisc del dev lo root 2>/dev/null || true; fi
}
dropped() {
    if [ "$dropper" = netem ]; then
        tc -s qdisc show dev lo | sed -n 's/.*dropped \([0-9]*\).*/\1/p' | head -n 1
    else
        nft list chain ip bad out | sed -n 's/.*counter packets \([0-9]*\).*/\1/p' | awk '{ n += $1 } END { print n + 0 }'
    fi
}

# -- The cluster ----------------------------------------------------------------------------------

export ZK_JAVA_FLAGS="-XX:TieredStopAtLevel=1 ${ZK_JAVA_FLAGS:-}"
if [ -z "${ZK_HOSTS:-}" ] && "$top_srcdir/t/zookeeper.sh" --have; then
    export ZK_CONFIG=clientPortAddress=0.0.0.0 # we ask it at an address of our own, past the cut
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" "$seed"
fi
. "$top_srcdir/t/lib.sh"
RANDOM=$seed
meta_port=$(free_ports 5)
replica_port=$meta_port
nodes=$dir/nodes
for i in 1 2 3; do
    make_replicas "$i" 1:users:256:3 "$(seq -s , 0 255)" "$((4 + i))" 99
    start_replica "$i"
    echo "127.0.0.1:$((replica_port + i))" >>"$nodes"
done

# in_store KIND ROOT: what that store is, for all commands.
in_store() {
    root=$2
    store_for "$1"
    conf="-c $top_srcdir/conf/onebox.yaml $store_sets --set meta_server.cluster_root=$root"
}

# meta_on [ARGUMENT...]: in recovery mode, and nothing moves on once it serves.
meta_on() {
    # shellcheck disable=SC2086
    start meta env ${meta_env:-} "$top_builddir/bridled" $conf $lease_sets \
        --set "meta_server.listen=127.0.0.1:$meta_port" --set "meta_server.lock_root=$root" \
        --set meta_server.meta_function_level_on_start=freezed --set log.level=debug \
        --set meta_server.recover_from_replica_server=true "$@"
    wait_for 60 meta_up
}

planned() {
    ask 0 survey -f "$nodes" -o "$dir/s.json"
    # shellcheck disable=SC2086
    ask 0 plan "$dir/s.json" $conf -o "$dir/p.json"
}

verified() {
    # shellcheck disable=SC2086
    ask 0 verify "$dir/p.json" $conf --exact
    expect verify '^store: .* 0 moved on since, 0 differ, 0 missing, 0 not planned$' "$dir/out"
}

# Nothing is visible: there is nothing, or it is ours and half written.
unseen() {
    # shellcheck disable=SC2086
    shell diagnose $conf >"$dir/out" 2>&1 || true
    expect 'nothing is visible' '^verdict: (empty|half-written by us)' "$dir/out"
}

# recovered NAME: asked for until it is, four times at most while packets are lost and then once more
# when none are; each refusal names who is silent, and nothing is visible then.
recovered() {
    local try
    for try in 1 2 3 4 5; do
        if [ "$try" -eq 5 ]; then lost=$((lost + $(dropped))); heal; fi
        asked=$((asked + 1))
        if shell recover -f "$nodes" >"$dir/out" 2>&1; then return 0; fi
        expect "$1: a refusal" "^ERROR: collect app and replica info from node\\(127.0.0.1:[0-9]+\\) failed with err\\(ERR_[A-Z_]+\\)" "$dir/out"
        unseen
        refused=$((refused + 1))
    done
    die "$1: refused though no packet was lost"
}

# -- Loss -----------------------------------------------------------------------------------------

asked=0 refused=0 lost=0
for percent in 10 20 30; do
    rm -f "$dir"/meta.db*
    in_store sqlite "/loss/$percent"
    planned
    meta_on
    drop "$percent" "$((replica_port + 1))-$((replica_port + 3))"
    recovered "loss of $percent %"
    lost=$((lost + $(dropped)))
    heal
    stop meta
    verified
done
[ "$lost" -gt 0 ] || die 'no packet was lost'

# -- A partition ----------------------------------------------------------------------------------

stands_still() { [ "$(awk '{ print $3 }' "/proc/$pid_meta/stat")" = T ]; }

noticed() { grep -q 'connection lost' "$dir/meta.log"; }
# The server has no session any more; it is asked at another address.
expired() {
    (exec 3<>"/dev/tcp/127.0.0.2/${ZK_HOSTS##*:}" && printf cons >&3 && timeout 5 cat <&3) >"$dir/cons"
    grep -q . "$dir/cons" && ! grep -q 'sid=0x' "$dir/cons"
}

# cut_off NAME SESSION COMMAND: in the midst of the writing, until COMMAND succeeds.
cut_off() {
    local pid
    in_store zookeeper "/cut/$1"
    planned
    meta_env="LD_PRELOAD=$top_builddir/t/.libs/kill_at.so KILL_STOPS=1 KILL_AT=writing"
    meta_on --set "store.session_timeout=$2"
    shell recover -f "$nodes" >"$dir/first" 2>&1 &
    pid=$!
    wait_for 60 stands_still
    drop 100 "${ZK_HOSTS##*:}"
    kill -CONT "$pid_meta"
    wait_for 60 "$3"
    heal
    wait "$pid" || wait_for 60 again
    stop meta
    verified
}
again() { shell recover -f "$nodes" >"$dir/out" 2>&1 || grep -q ERR_SERVICE_ALREADY_RUNNING "$dir/out"; }

if [ "$dropper" != nft ]; then
    skip partition 'without nft nobody can be cut off alone'
elif [ -z "${ZK_HOSTS:-}" ]; then
    skip partition 'no ZooKeeper here'
else
    cut_off short 30s noticed
    cut_off long 1s expired
    expect 'the long cut' 'lock .*is lost' "$dir/meta.log"
fi
echo "netns: with $dropper, $lost packets lost; 3 recoveries over lossy networks asked for $asked times, $refused times refused"
echo "$passed passed, 0 failed, $skipped skipped, of which $unlisted are not listed in SKIP_LISTED"
[ "$unlisted" -eq 0 ]
