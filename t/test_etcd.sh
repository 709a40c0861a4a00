#!/bin/sh
# The etcd store against real servers, side by side: the conformance kit, linked in and plain, loaded and
# with every option, and what only etcd has.  77, loudly, where no server is installed.
set -u
top_srcdir=${top_srcdir:-$(dirname "$0")/..}
top_builddir=${top_builddir:-.}
export top_srcdir top_builddir

case ${1:-} in
plain) exec "$top_builddir/t/conform_static" etcd "hosts=$ETCD_HOSTS" session_timeout=2s request_timeout=3s ;;
kit)
    exec "$top_builddir/t/conform_shared" etcd "hosts=$ETCD_HOSTS" session_timeout=2s \
        "prefix=/of the test" request_timeout=3s
    ;;
own) exec "$top_builddir/t/test_etcd" ;;
proxy) exec "$top_builddir/t/test_etcd" proxy ;;
tls) ETCD_TLS=1 exec "$top_builddir/t/test_etcd" ;;
esac

"$top_srcdir/t/etcd.sh" --have || exit
status=0
"$top_srcdir/t/etcd.sh" "$0" kit &
kit=$!
"$top_srcdir/t/etcd.sh" "$0" plain &
plain=$!
ETCD_TLS=1 "$top_srcdir/t/etcd.sh" "$0" tls &
tls=$!
"$top_srcdir/t/etcd.sh" "$0" proxy &
proxy=$!
"$top_srcdir/t/etcd.sh" "$0" own || status=1
wait "$kit" || status=1
wait "$plain" || status=1
wait "$proxy" || status=1
wait "$tls" || [ $? -eq 77 ] || status=1
exit $status
