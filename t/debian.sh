#!/usr/bin/env bash
# debian.sh -- the Debian packages, as far as seconds tell: what is installed is in one package each, the
# versions agree, the configuration is accepted, the unit is what systemd understands, and bridled tells
# it when it is ready.  t/deb.sh builds and installs them.
set -euo pipefail
. "${top_srcdir:-.}/t/lib.sh"
debian=$top_srcdir/debian

# -- Every installed file in one package, and nothing listed that is not there ---------------------
stage=$dir/stage
libdir=/usr/lib/$(uname -m)-linux-gnu
env -u MAKEFLAGS -u MFLAGS make -C "$top_builddir" -s install DESTDIR="$stage" prefix=/usr libdir="$libdir" \
    sysconfdir=/etc >"$dir/install.log" 2>&1 || die 'make install'
(cd "$stage" && find . ! -type d -printf '%P\n') | sort >"$dir/installed"
[ -s "$dir/installed" ] || die 'make install installs nothing'
for list in "$debian"/*.install; do
    while read -r source target; do
        case $source in
            debian/*) [ -f "$top_srcdir/$source" ] || die "$list: no $source"; continue ;;
        esac
        (cd "$stage" && for path in $source; do find "$path" ! -type d; done) \
            >"$dir/matched" 2>/dev/null || true
        [ -s "$dir/matched" ] || die "${list##*/}: nothing is installed that matches $source"
        cat "$dir/matched" >>"$dir/packaged"
        passed=$((passed + 1))
    done <"$list"
done
sort "$dir/packaged" | uniq -d >"$dir/twice"
[ ! -s "$dir/twice" ] || { cat "$dir/twice"; die 'in more than one line of debian/*.install'; }
sort -u "$dir/packaged" | comm -23 "$dir/installed" - >"$dir/missing"
[ ! -s "$dir/missing" ] || { cat "$dir/missing"; die 'in no package: name it in a debian/*.install'; }
passed=$((passed + 2))

# -- One version -----------------------------------------------------------------------------------
version=$(sed -n 's/^AC_INIT(\[bridle\], \[\(.*\)\])$/\1/p' "$top_srcdir/configure.ac")
packaged=$(sed -n '1s/^bridle (\(.*\)) .*/\1/p' "$debian/changelog")
[ -n "$version" ] && [ "$version" = "$packaged" ] \
    || die "configure.ac says $version, debian/changelog $packaged"
head -n 1 "$top_srcdir/NEWS" >"$dir/out"
expect 'NEWS' "^bridle ${version//./\\.}$" "$dir/out"

# -- The configuration, and the unit that uses it --------------------------------------------------
"$top_builddir/bridled" --check -c "$debian/bridled.yaml" >"$dir/out" 2>&1 \
    || { cat "$dir/out"; die 'bridled.yaml'; }
expect 'bridled.yaml' 'store: sqlite' "$dir/out"
unit=$debian/bridle.bridled.service
expect 'the unit' '^ExecStart=/usr/sbin/bridled -c /etc/bridle/bridled\.yaml$' "$unit"
expect 'the unit' '^RestartPreventExitStatus=2 78$' "$unit"
if command -v systemd-analyze >/dev/null; then
    mkdir "$dir/units"
    sed "s@/usr/sbin/bridled@$stage&@" "$unit" >"$dir/units/bridled.service"
    SYSTEMD_UNIT_PATH="$dir/units:" systemd-analyze verify --man=no "$dir/units/bridled.service" \
        >"$dir/out" 2>&1 || { cat "$dir/out"; die 'systemd does not understand the unit'; }
    never 'the unit' 'bridled\.service' "$dir/out"
    # Of 100; a unit without any hardening has 96.
    systemd-analyze security --offline=true --threshold=20 "$dir/units/bridled.service" >"$dir/out" 2>&1 \
        || { cat "$dir/out"; die 'the unit is exposed'; }
    passed=$((passed + 2))
else
    echo 'SKIPPED: the unit is not verified: no systemd-analyze (Debian: systemd)'
fi

# -- What a manager hears --------------------------------------------------------------------------
# Not before it listens; and once more when it stops.
if command -v python3 >/dev/null; then
    cat >"$dir/manager.py" <<'END'
import os, signal, socket, subprocess, sys

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.settimeout(60)
manager.bind("")  # abstract: the kernel's choice
name = "@" + manager.getsockname()[1:].decode()
meta = subprocess.Popen(sys.argv[2:], env=dict(os.environ, NOTIFY_SOCKET=name))
try:
    assert manager.recv(64) == b"READY=1"
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60).close()
    meta.send_signal(signal.SIGTERM)
    assert manager.recv(64) == b"STOPPING=1"
    assert meta.wait(60) == 0
finally:
    meta.kill()
END
    meta_port=$(free_ports 1)
    python3 -B "$dir/manager.py" "$meta_port" "$top_builddir/bridled" -c "$debian/bridled.yaml" \
        --set store.plugin=memory --set "meta_server.listen=127.0.0.1:$meta_port" >"$dir/manager.log" 2>&1 \
        || die 'the manager hears something else'
    passed=$((passed + 4))
else
    echo 'SKIPPED: what a service manager is told: no python3 (Debian: python3)'
fi
echo "$passed passed, 0 failed"
