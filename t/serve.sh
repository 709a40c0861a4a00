#!/usr/bin/env bash
# serve.sh [STORE [SCENARIO...]] -- bridled, three to four replica servers and a load: what becomes of
# servers that die, come back, or stay away, of what an operator sets and proposes, and who is answered.
# STORE is sqlite (the default) or zookeeper; without a SCENARIO (a scene_* below) all are played.
set -euo pipefail
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=${BRIDLE_BUILD:-$top_srcdir/build}}"
export top_srcdir top_builddir
store=${1:-sqlite}
shift || true
if [ "$store" = zookeeper ] && [ -z "${ZK_HOSTS:-}" ]; then
    exec "$top_srcdir/t/zookeeper.sh" "${BASH_SOURCE[0]}" zookeeper "$@"
fi
lease=2 grace=3
. "$top_srcdir/t/lib.sh"
long
. "$top_srcdir/t/cluster.sh"
store_for "$store"
partitions=24

server() { echo "127.0.0.1:$((replica_base + $1))"; }
log_has() { grep -qE -- "$2" "$dir/$1.log"; }

# again ARGUMENT...: the meta server, restarted with these.
again() {
    stop meta1
    [ "$gone" -eq 0 ] || die "SIGTERM: status $gone"
    bridled 1 --set meta_server.node_live_percentage_threshold_for_update=0 \
        --set meta_server.lb_interval=1s --set meta_server.stable_rs_min_running=0s "$@"
    wait_for 20 serves 1
}

# Partitions with a primary elsewhere than on server N; with no server N in the group; with none.
led_without() { [ "$(configs temp | awk -v it="$(server "$1")" '$3 != "-" && $3 != it' | wc -l)" -eq $partitions ]; }
without() { absent 0 "$(server "$1")"; }

# absent COLUMN ADDRESS...: every partition is listed, and these stand nowhere (COLUMN 0), lead none (3).
absent() {
    local column=$1 address; shift
    configs temp >"$dir/now" || return 1
    [ "$(wc -l <"$dir/now")" -eq $partitions ] || return 1
    for address; do
        awk -v column="$column" -v it="$address" 'index($column, it) { found = 1 } END { exit found }' \
            "$dir/now" || return 1
    done
}
leaderless() { configs temp | awk '$3 == "-"' | wc -l; }
whole() { healthy temp $partitions 3 && agreed temp 1; }
none_led() { [ "$(leaderless)" -eq $partitions ]; }

# Of three servers each leads a third: what the level lively is for.
even() {
    [ "$(configs temp | awk '{ led[$3]++ } END { for (i in led) if (led[i] == '$((partitions / 3))') even++
        print even + 0 }')" -eq 3 ] && whole
}
spread() {
    says 0 'control meta level ok' set_meta_level lively
    soon 'spread evenly' even
    says 0 'the old level is fl_lively' set_meta_level steady
}

# -- Servers that die ------------------------------------------------------------------------------

# Its partitions are served by others after the grace period; when it is back, it is cured.
scene_death() {
    local since
    again
    soon 'healthy' whole
    start load "$top_builddir/t/load" --meta "$metas" --table temp --track "$dir/track" \
        --until-file "$dir/enough" --inflight 4 --keys 1000 --quiet
    for victim in 2 3; do
        since=$(now_ms)
        stop "replica$victim" KILL
        soon 'served again' led_without "$victim"
        echo "death: served again after $(($(now_ms) - since)) ms (grace $grace s)"
        soon 'it leaves the groups' without "$victim"
        replicad "$victim"
        soon 'cured' whole
    done
    touch "$dir/enough"
    gone=0; wait "$pid_load" || gone=$?
    cat "$dir/load.log"
    [ "$gone" -eq 0 ] || die "the load ended with status $gone"
    rm "$dir/enough"
    pass
}

# Away for longer than replica_assign_delay: a fourth server takes its place, and keeps it.
scene_replacement() {
    again --set meta_server.replica_assign_delay=1s
    soon 'healthy' whole
    replicad 4
    stop replica3 KILL
    soon 'it leaves the groups' without 3
    soon 'the fourth takes its place' whole
    must 'the fourth is a member' eval "configs temp | grep -qF $(server 4)"
    must 'the third is none' without 3
    replicad 3
    known() { shell nodes 2>/dev/null | grep -qE "^$(server 3) +ALIVE"; }
    soon 'it is back' known
    must 'it gets nothing back' without 3
    must 'nothing is deleted' test "$(ls -d "$dir"/replica3/replica/reps/1.*.pegasus* | wc -l)" -ge $partitions
    # From here on three servers, among them the fourth.
    stop replica3
    soon 'whole without it' whole
}

# -- Everything restarts ---------------------------------------------------------------------------

scene_restarts() {
    local members i since
    again
    soon 'healthy' whole
    members=$(running)
    for i in $members; do
        stop "replica$i" KILL
        replicad "$i"
        soon "whole after $i" whole
    done
    # At once: who was a secondary last leads.
    since=$(now_ms)
    for i in $members; do stop "replica$i" KILL; done
    soon 'all are seen dead' none_led
    for i in $members; do replicad "$i"; done
    soon 'all is back' whole
    echo "restarts: all killed at once, whole again after $(($(now_ms) - since)) ms"
    # One after the other: the last one alone holds everything, so that it is waited for.
    for i in $members; do
        last=$i
        stop "replica$i" KILL
        soon "without $i" eval "without $i || none_led"
    done
    soon 'all are seen dead' none_led
    for i in $members; do [ "$i" = "$last" ] || replicad "$i"; done
    diagnosed() { shell ddd_diagnose >"$dir/ddd" 2>&1 && grep -qF "$(server "$last")" "$dir/ddd"; }
    soon 'partitions wait' diagnosed
    soon 'the reason is told' eval "shell ddd_diagnose | grep -q 'reason.*$(server "$last")'"
    must 'nobody else leads' none_led
    replicad "$last"
    soon 'all is back' whole
    says 0 '.' ddd_diagnose
}
running() {
    local i list=
    for i in 1 2 3 4; do
        eval "[ -n \"\${pid_replica$i:-}\" ] && kill -0 \$pid_replica$i 2>/dev/null" || continue
        list="$list${list:+ }$i"
    done
    echo "$list"
}

# Two of three servers die: nothing is assigned until they are back.
scene_freeze() {
    local members
    again --set meta_server.min_live_node_count_for_unfreeze=2
    soon 'healthy' whole
    spread
    members=$(running)
    set -- $members
    stop "replica$1" KILL
    stop "replica$2" KILL
    frozen() { log_has meta1 'function level freezed'; }
    soon 'frozen' frozen
    says 0 'meta_function_level +: freezed' cluster_info
    lost() { [ "$(leaderless)" -gt 0 ] && absent 3 "$(server "$a")" "$(server "$b")"; }
    a=$1 b=$2
    soon 'their partitions have no primary' lost
    replicad "$1"
    replicad "$2"
    soon 'unfrozen and whole' whole
    # In between, nobody became a primary.
    awk '/function level freezed/ { frozen = 1 }
        /function level steady/ { frozen = 0 }
        frozen && /(ASSIGN_PRIMARY|UPGRADE_TO_PRIMARY|ADD_SECONDARY|UPGRADE_TO_SECONDARY) of .* written/' \
        "$dir/meta1.log" >"$dir/assigned"
    must 'nothing was assigned' test ! -s "$dir/assigned"
}

# -- The operator ----------------------------------------------------------------------------------

scene_levels() {
    local members
    again
    soon 'healthy' whole
    spread
    says 0 'current meta level is fl_steady' get_meta_level
    says 0 'the old level is fl_steady' set_meta_level blind
    members=$(running)
    set -- $members
    configs temp >"$dir/before"
    dead_seen() { log_has meta1 "$(server "$1") is dead"; }
    stop "replica$1" KILL
    soon 'its death is seen' dead_seen "$1"
    configs temp >"$dir/after"
    must 'blind: nothing is written' cmp "$dir/before" "$dir/after"
    says 0 'current meta level is fl_blind' get_meta_level
    says 0 'the old level is fl_blind' set_meta_level freezed
    dropped() { absent 3 "$(server "$1")"; }
    soon 'freezed: its partitions have no primary' dropped "$1"
    must 'freezed: nobody took over' test "$(leaderless)" -gt 0
    says 0 'the old level is fl_freezed' set_meta_level lively
    soon 'lively: others lead' led_without "$1"
    replicad "$1"
    soon 'lively: whole' whole
    says 0 'the old level is fl_lively' set_meta_level steady
    says 2 '' set_meta_level sometimes
}

# takes_effect NAME CONDITION ARGUMENT...: a proposal that is repeated until the condition holds: a server
# that has not heard of the restarted leader yet ignores what it is told.
takes_effect() {
    local name=$1 condition=$2; shift 2
    repeated() { $condition || { shell propose "$@"; return 1; }; }
    says 0 '' propose "$@"
    soon "$name" repeated "$@"
}

# One partition, by hand.
scene_propose() {
    local primary secondary
    again
    soon 'healthy' whole
    read -r _ _ primary secondary <<<"$(configs temp | head -n 1)"
    secondary=${secondary%%,*}
    resigned() { log_has meta1 "1\.0: CT_DOWNGRADE_TO_SECONDARY of $primary written"; }
    takes_effect 'it leads no longer' resigned -g 1.0 -p DOWNGRADE_TO_SECONDARY -t "$primary" -n "$primary"
    soon 'whole' whole
    read -r _ ballot primary secondary <<<"$(configs temp | head -n 1)"
    secondary=${secondary%%,*}
    shrunk() { [ "$(configs temp | awk '$1 == 0 {print $2}')" -gt "$ballot" ]; }
    takes_effect 'a secondary left, and it was cured' shrunk -f -g 1.0 -p DOWNGRADE_TO_INACTIVE \
        -t "$primary" -n "$secondary"
    soon 'whole' whole
    read -r _ _ primary secondary <<<"$(configs temp | head -n 1)"
    says 1 'ERR_INVALID_PARAMETERS' propose -g 1.0 -p ADD_SECONDARY -t "$primary" -n "$primary"
    says 1 'ERR_APP_NOT_EXIST' propose -g 77.0 -p REMOVE -t "$primary" -n "$primary"
    local i list=
    for i in $(running); do list=$list${list:+,}$(server "$i"); done
    says 0 'replica.info' remote_command -l "$list" help
    says 0 'bridled' remote_command -l 127.0.0.1:$((meta_base + 1)) server-info
    says 0 'PS_PRIMARY' remote_command -l "$list" replica.info
}

# -- Who is answered -------------------------------------------------------------------------------

# Beacons as datagrams.
scene_udp() {
    local i members
    again
    soon 'healthy' whole
    members=$(running)
    replica_options=(--udp)
    for i in $members; do
        stop "replica$i" KILL
        replicad "$i"
    done
    soon 'whole with datagrams' whole
    replica_options=()
    configs temp >"$dir/before"
    set -- $members
    stop "replica$1" KILL
    soon 'a death is seen' led_without "$1"
    replicad "$1"
    soon 'cured' whole
}

# Who does not lead names the leader: to clients of other languages, and to servers' beacons.
scene_follower() {
    local members
    again
    soon 'healthy' whole
    bridled 2
    follows() { log_has meta2 "the leader is 127.0.0.1:$((meta_base + 1))"; }
    soon 'it follows' follows
    must 'the leader answers' eval "$top_builddir/t/ask_thft 127.0.0.1:$((meta_base + 1)) temp | grep -q '^ERR_OK $(configs temp | awk '{print $3}' | head -n 1) '"
    must 'the follower names the leader' eval "$top_builddir/t/ask_thft 127.0.0.1:$((meta_base + 2)) temp | grep -qx 'ERR_FORWARD_TO_OTHERS 127.0.0.1:$((meta_base + 1))'"
    must 'the leader says who is unknown' eval "$top_builddir/t/ask_thft 127.0.0.1:$((meta_base + 1)) nosuch | grep -q '^ERR_OBJECT_NOT_FOUND'"
    # A server that knows the follower only.
    members=$(running)
    set -- $members
    stop "replica$1" KILL
    local all=$metas
    metas=127.0.0.1:$((meta_base + 2))
    replicad "$1"
    metas=$all
    soon 'whole, though it knew the follower only' whole
    stop "replica$1" KILL
    replicad "$1" # what follows restarts the leader, which it would not find again
    soon 'whole' whole
    stop meta2
    [ "$gone" -eq 0 ] || die "SIGTERM: status $gone"
}

# Not on the list: never a member.
scene_white_list() {
    local members listed=
    again
    soon 'healthy' whole
    members=$(running)
    for i in $members; do listed=$listed${listed:+,}$(server "$i"); done
    again --set "meta_server.replica_white_list=[$listed]" --set log.level=debug
    local stranger
    for stranger in 1 2 3 4; do case " $members " in *" $stranger "*) ;; *) break ;; esac; done
    replicad "$stranger"
    turned_away() { log_has "replica$stranger" 'does not allow'; }
    soon 'it is told' turned_away
    soon 'whole' whole
    must 'it is no member' without "$stranger"
    stop "replica$stranger"
}

# It restarts again and again: after the third time it is not answered.
scene_unstable() {
    local members
    again
    soon 'healthy' whole
    again --set meta_server.stable_rs_min_running=10min \
        --set meta_server.max_succssive_unstable_restart=3 --set log.level=debug
    members=$(running)
    set -- $members
    for _ in 1 2 3; do
        soon 'it is known' log_has meta1 "replica server $(server "$1") is alive"
        soon 'whole' whole
        stop "replica$1" KILL
        replicad "$1"
    done
    refused() { log_has meta1 "beacon of $(server "$1") is not answered: it restarts too often"; }
    soon 'it is not answered' refused "$1"
    soon 'it leaves the groups' without "$1"
    soon 'others serve' led_without "$1"
    again
    soon 'another leader knows nothing of it' whole
}

# Servers that have names: another cluster, of 2.6.
scene_names() {
    local i
    for i in 1 2 3 4; do eval "[ -z \"\${pid_replica$i:-}\" ]" || stop "replica$i" KILL; done
    stop meta1
    rm -rf "$dir"/replica?
    root=$root/names
    store_for "$store"
    meta_options=(--set meta_server.pegasus_version=2.6 --set transport.pegasus_version=2.6
        --set "meta_server.listen=localhost:$((meta_base + 1))" --set 'meta_server.server_list=[]'
        --set meta_server.stable_rs_min_running=0s)
    metas=localhost:$((meta_base + 1))
    named() {
        start "replica$1" "$top_builddir/replicad" $data_option --listen "localhost:$((replica_base + $1))" \
            --data "$dir/replica$1" --meta "$metas" --lease "${lease}s" --beacon-interval 300ms \
            --check-interval 200ms --config-sync-interval 1s --group-check-interval 1s \
            --pegasus-version 2.6
        wait_for 20 grep -q 'serving' "$dir/replica$1.log"
    }
    shell() { "$top_builddir/bridle" --pegasus-version 2.6 --meta "$metas" "$@"; }
    : >"$dir/nodes"
    for i in 1 2 3; do
        "$top_builddir/replicad" $data_option --create "1:temp:$partitions:3" --data "$dir/replica$i" --ballot 5 \
            --created 1700000000
        named "$i"
        echo "localhost:$((replica_base + i))" >>"$dir/nodes"
    done
    bridled 1 --set meta_server.recover_from_replica_server=true
    soon 'it waits' grep -q 'recovery mode' "$dir/meta1.log"
    says 0 'ERR_OK' recover -f "$dir/nodes"
    stop meta1
    bridled 1
    soon 'it serves' serves 1
    soon 'whole' healthy temp $partitions 3
    says 0 'localhost' app temp -d
    stop replica2 KILL
    gone_from() { absent 0 "localhost:$((replica_base + 2))"; }
    soon 'it leaves' gone_from
    named 2
    soon 'cured' healthy temp $partitions 3
}

cluster 2 4
recover_table 1 temp $partitions
bridled 1
wait_for 20 serves 1
[ $# -gt 0 ] || set -- death replacement restarts freeze levels propose udp follower white_list unstable names
for scene in "$@"; do
    began=$SECONDS
    "scene_$scene"
    [ -z "${VERBOSE:-}" ] || echo "$scene: $((SECONDS - began)) s"
done
for i in $(running); do
    stop "replica$i"
    [ "$gone" -eq 0 ] || die "replica server $i: SIGTERM: status $gone"
done
stop meta1
[ "$gone" -eq 0 ] || die "SIGTERM: status $gone"
echo "$passed passed, 0 failed"
