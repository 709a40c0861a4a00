#!/usr/bin/env bash
# deb.sh -- the Debian packages as a user meets them: built from this tree's archive, held to lintian,
# installed into a fresh root of this machine's release, run there under systemd in namespaces of their
# own, upgraded, removed, purged.  Minutes; as root, on Debian, with its archive in reach.
#
# BRIDLE_DEB_MIRROR=URL  Debian's archive (default: the one that apt has)
# BRIDLE_DEB_ROOT=DIR    a fresh root (debootstrap --variant=minbase), which is copied
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
long

skip() { echo "SKIPPED: the Debian packages are not built and installed: $*" >&2; exit 77; }
step() { echo "-- $* ($SECONDS s)"; }

# -- What it needs ---------------------------------------------------------------------------------
spaces=(--mount --pid --uts --ipc --net --cgroup --fork --kill-child)
[ "$(id -u)" -eq 0 ] || skip 'needs root'
suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
grep -q '^ID=debian$' /etc/os-release || skip 'this is not Debian'
for tool in debootstrap dh dpkg-buildpackage lintian nsenter unshare; do
    command -v "$tool" >/dev/null || skip "needs $tool (./run.sh deb installs it)"
done
(cd "$top_srcdir" && dpkg-checkbuilddeps 2>"$dir/needs") || skip "$(cat "$dir/needs")"
unshare "${spaces[@]}" true 2>"$dir/needs" || skip "$(cat "$dir/needs")"
mirror=${BRIDLE_DEB_MIRROR:-$(apt-get indextargets 'Created-By: Packages' \
    --format '$(CODENAME) $(COMPONENT) $(ORIGIN) $(REPO_URI)' \
    | awk -v suite="$suite" '$1 == suite && $2 == "main" && $3 == "Debian" { print $4; exit }')}
[ -n "$mirror" ] || skip "apt knows no archive of $suite: run apt-get update, or set BRIDLE_DEB_MIRROR"

# On a disk: memory may be mounted without devices, and is better used.
work=$(mktemp -d "$top_builddir/deb.XXXXXX")
root=$work/root
deb_cleanup() {
    status=$?
    set +e
    [ -z "${pid_boot:-}" ] || stop boot KILL 2>/dev/null
    rm -rf "$work"
    (exit "$status")
    cleanup
}
trap deb_cleanup EXIT

# quiet NAME COMMAND...: its output only where it fails.
quiet() { local name=$1; shift; "$@" >"$dir/$name.log" 2>&1 </dev/null || die "$name: $*"; }

# -- Building --------------------------------------------------------------------------------------
step 'building'
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
quiet dist make -C "$top_builddir" dist-gzip
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' "$top_srcdir/debian/changelog")
tar -xf "$top_builddir/bridle-$version.tar.gz" -C "$work"
build() {
    cd "$work/bridle-$version"
    DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" dpkg-buildpackage -us -uc
}
quiet build build
names='bridle bridle-dev bridle-replicad bridle-store-etcd bridle-store-zookeeper'
for name in $names; do
    [ -f "$work/${name}_${version}_$(dpkg --print-architecture).deb" ] || die "$name was not built"
done
mkdir "$work/debs"
cp "$work"/*.deb "$work/debs"
rm "$work"/debs/*-dbgsym_*

step 'lintian'
lintian --allow-root --fail-on error,warning -I "$work"/*.changes >"$dir/lintian.log" 2>&1 || die 'lintian'
cat "$dir/lintian.log"
passed=$((passed + 1))

# -- A fresh root ----------------------------------------------------------------------------------
step "a root of $suite"
if [ -n "${BRIDLE_DEB_ROOT:-}" ]; then
    cp -a "$BRIDLE_DEB_ROOT" "$root"
elif ! debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$dir/debootstrap.log" 2>&1; then
    grep -qE 'Failed getting release|Couldn.t download' "$dir/debootstrap.log" || die 'debootstrap'
    skip "$(tail -n 1 "$dir/debootstrap.log")"
fi
mkdir "$root/debs"
cp "$work"/debs/*.deb "$top_srcdir/debian/tests/recovery" "$root/debs"

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
unset BRIDLE_BUILD_TREE BRIDLE_PLUGIN_PATH
in_root() {
    unshare --mount sh -c 'root=$1; shift; mount -t proc proc "$root/proc" && exec chroot "$root" "$@"' \
        - "$root" "$@"
}
step 'installing'
quiet update in_root apt-get -q update
quiet install in_root sh -c 'exec apt-get -qy install --no-install-recommends systemd /debs/*.deb'

# -- systemd in namespaces of its own, and unable to change this machine's kernel ------------------
step 'booting'
start boot unshare "${spaces[@]}" sh -ec '
    mount --bind "$1" "$1"
    cd "$1"
    mount -t proc proc proc
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro proc/sys
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup sys/fs/cgroup
    mount -t tmpfs tmpfs run
    mount -t tmpfs -o mode=755 tmpfs dev
    for node in null zero full random urandom tty; do
        : >dev/$node
        mount --bind /dev/$node dev/$node
    done
    ln -s pts/ptmx dev/ptmx
    mkdir -p outside
    pivot_root . outside
    umount -l /outside
    rmdir /outside
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv \
        --bounding-set=-sys_boot,-sys_module,-sys_rawio,-sys_time,-syslog /lib/systemd/systemd </dev/null' \
    - "$root"

inside() {
    local init
    read -r init _ <"/proc/$pid_boot/task/$pid_boot/children" || [ -n "$init" ] || return 1
    timeout -s KILL 300 nsenter -t "$init" -m -p -u -i -n -C -r -w -- \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}
booted() { case $(inside systemctl is-system-running) in running | degraded) ;; *) return 1 ;; esac; }
wait_for 120 booted

# says STATUS PATTERN COMMAND...: what a command inside says, and its exit status.
says() {
    local want=$1 pattern=$2 got=0; shift 2
    inside "$@" >"$dir/out" 2>&1 || got=$?
    [ "$got" -eq "$want" ] || { cat "$dir/out"; die "$*: exit status $got, not $want"; }
    expect "$*" "$pattern" "$dir/out"
}
unit() { inside systemctl show -P "$1" bridled; }
unit_is() { [ "$(unit "$1")" = "$2" ]; }

# -- As installed ----------------------------------------------------------------------------------
step 'as installed'
for program in bridle bridle-bench bridled replicad; do
    says 0 "^$program $version" "$program" --version
done
inside sh -c 'dpkg -L bridle bridle-replicad bridle-dev | grep -E "^/usr/s?bin/"' >"$dir/programs"
while read -r program; do
    ls "$root"/usr/share/man/man?/"$(basename "$program")".?.gz >/dev/null || die "no man page: $program"
    passed=$((passed + 1))
done <"$dir/programs"
says 0 'store: sqlite' bridled --check
says 1 '^disabled$' systemctl is-enabled bridled
says 3 '^inactive$' systemctl is-active bridled
says 0 '^ok$' sh -c 'systemd-analyze verify --man=no bridled.service && echo ok'
says 0 '^bridle bridle 750$' stat -c '%U %G %a' /var/lib/bridle
echo '#include <bridle/plugin.h>' >"$work/plugin.c"
quiet headers "${CC:-cc}" -std=c11 -Wall -Wextra -Werror -fsyntax-only -I"$root/usr/include" "$work/plugin.c"

step 'a cluster, its metadata lost and recovered'
says 0 '^1000 keys are there again$' /debs/recovery

# -- The service -----------------------------------------------------------------------------------
step 'the service'
conf=$root/etc/bridle/bridled.yaml
says 0 . systemctl enable --now bridled # returns once it listens
unit_is ActiveState active || die 'not active'
says 0 '^bridle$' stat -c %U "/proc/$(unit MainPID)"
empty() { [[ $(inside bridle ls 2>&1) == *'total_app_count  : 0'* ]]; }
wait_for 60 empty
says 0 '^bridle bridle 640$' stat -c '%U %G %a' /var/lib/bridle/meta.db
before=$(unit MainPID)
inside systemctl kill --signal=KILL bridled
restarted() { [ "$(unit MainPID)" -gt 0 ] && ! unit_is MainPID "$before" && unit_is ActiveState active; }
wait_for 60 restarted

# A recovery by the service; with the flag still on it does not start again, and is not tried again.
sed -i -e 's@/mycluster@/recovered@' -e 's@\(recover_from_replica_server:\) false@\1 true@' \
    -e 's@^meta_server:@&\n  stable_rs_min_running: 0s@' "$conf"
says 0 '^$' sh -c 'systemctl restart bridled && echo'
recovering() { [[ $(inside bridle ls 2>&1) == *ERR_UNDER_RECOVERY* ]]; }
wait_for 60 recovering
for i in 1 2 3; do
    says 0 '^$' sh -c "replicad --create 2:temp:4:3 --data /srv/$i && echo"
    says 0 . systemd-run --unit "replica$i" replicad --listen "127.0.0.1:3480$i" --data "/srv/$i"
    echo "127.0.0.1:3480$i" >>"$root/debs/nodes"
done
says 0 '^Recover result: ERR_OK$' bridle recover -f /debs/nodes
says 0 '^2 +AVAILABLE +temp ' bridle ls
says 0 '^$' sh -c 'systemctl restart bridled && echo'
wait_for 60 unit_is ActiveState failed
unit_is ExecMainStatus 78 || die "status $(unit ExecMainStatus), not 78"
sed -i 's@\(recover_from_replica_server:\) true@\1 false@' "$conf"
says 0 '^$' sh -c 'systemctl restart bridled && echo'
tables() { inside bridle ls | grep -q '^2 *AVAILABLE *temp '; }
wait_for 30 tables

# A store behind a library with threads of its own; it cannot be reached, and stopping is clean.
mkdir -p "$root/etc/systemd/system/bridled.service.d"
cat >"$root/etc/systemd/system/bridled.service.d/store.conf" <<END
[Service]
ExecStart=
ExecStart=/usr/sbin/bridled --set store.plugin=zookeeper --set store.hosts=127.0.0.1:1
END
says 0 '^$' sh -c 'systemctl daemon-reload && systemctl --no-block restart bridled && echo'
connects() { inside journalctl -u bridled -b | grep 'store: zookeeper' >/dev/null; }
wait_for 60 connects
says 0 '^$' sh -c 'systemctl stop bridled && echo'
unit_is Result success || die "stopped while the store connects: $(unit Result)"
rm -r "$root/etc/systemd/system/bridled.service.d"
says 0 '^$' sh -c 'systemctl daemon-reload && systemctl start bridled && echo'

# -- Without a plugin ------------------------------------------------------------------------------
step 'upgraded, removed, purged'
zookeeper=(bridled --check --set store.plugin=zookeeper --set store.hosts=127.0.0.1:1)
says 0 'store: zookeeper' "${zookeeper[@]}"
says 0 . dpkg --remove bridle-store-zookeeper
says 78 'no such plugin.*store_zookeeper\.so in /usr/lib/.*: install' "${zookeeper[@]}"

# -- An upgrade ------------------------------------------------------------------------------------
# repack SUFFIX LINE: a newer version of what was built, LINE added to its configuration.
repack() {
    local deb
    rm -rf "$root/debs/new"
    mkdir "$root/debs/new"
    for deb in "$work"/debs/*.deb; do
        rm -rf "$work/new"
        dpkg-deb -R "$deb" "$work/new"
        sed -i "s/$version/&$1/" "$work/new/DEBIAN/control"
        [ ! -d "$work/new/etc" ] || printf '%s' "$2" >>"$work/new/etc/bridle/bridled.yaml"
        dpkg-deb -b "$work/new" "$root/debs/new" >/dev/null
    done
}
cp "$conf" "$work/kept.yaml"
before=$(unit MainPID)
repack +1 ''
says 0 . sh -c 'dpkg --install /debs/new/*.deb'
cmp "$conf" "$work/kept.yaml" || die 'an upgrade changed a changed configuration'
[ ! -e "$conf.dpkg-dist" ] || die 'a configuration that the package did not change'
repack +2 '# new in this version'
says 0 . sh -c 'dpkg --install --force-confold /debs/new/*.deb'
cmp "$conf" "$work/kept.yaml" || die 'an upgrade changed a configuration that both changed'
[ -e "$conf.dpkg-dist" ] || die "the package's own configuration is nowhere"
unit_is MainPID "$before" || die 'an upgrade restarted bridled'
passed=$((passed + 5))

# -- Removal and purge -----------------------------------------------------------------------------
# shellcheck disable=SC2086
says 0 . dpkg --remove $names
wait_for 60 unit_is MainPID 0
cmp "$conf" "$work/kept.yaml" || die 'a removal took the configuration'
# shellcheck disable=SC2086
says 0 'bridle: /var/lib/bridle may hold the metadata of a cluster and stays' dpkg --purge $names
[ -s "$root/var/lib/bridle/meta.db" ] || die 'a purge took the metadata'
says 0 . sh -c 'rm -r /var/lib/bridle && dpkg --install /debs/*.deb'
# shellcheck disable=SC2086
says 0 . dpkg --purge $names
never 'a purge without metadata' 'stays' "$dir/out"
rm -r "$root/debs"
find "$root" \( -name '*bridle*' -o -name '*replicad*' \) ! -path '*/proc/*' >"$dir/left"
[ ! -s "$dir/left" ] || { cat "$dir/left"; die 'a purge leaves files'; }
passed=$((passed + 3))
step 'done'
echo "$passed passed, 0 failed"
