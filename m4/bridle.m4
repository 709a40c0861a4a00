# bridle.m4 - build a plugin of bridled.                      -*- autoconf -*-
# serial 1
#
# BRIDLE_PLUGIN([MINIMUM-VERSION])
# --------------------------------
# Finds bridle with pkg-config.  Sets, for Makefile.am:
#   BRIDLE_CFLAGS     where the headers are, and that only the plugin's one symbol is seen
#   BRIDLE_LDFLAGS    one exported symbol, nothing undefined; write -module yourself: automake must
#                     see it
#   bridleplugindir   where the plugin goes
#   BRIDLE_CONFORM    the conformance kit, for `make check`
#   BRIDLE_ABI        the boundary's version, major.minor
AC_DEFUN([BRIDLE_PLUGIN], [
    AC_REQUIRE([PKG_PROG_PKG_CONFIG])
    PKG_CHECK_MODULES([BRIDLE], [bridle >= m4_default([$1], [0])])
    PKG_CHECK_VAR([bridleplugindir], [bridle], [plugindir])
    PKG_CHECK_VAR([BRIDLE_CONFORM], [bridle], [conform])
    PKG_CHECK_VAR([BRIDLE_ABI], [bridle], [abi])
    BRIDLE_CFLAGS="$BRIDLE_CFLAGS -fvisibility=hidden"
    AC_SUBST([BRIDLE_LDFLAGS],
        ["-avoid-version -shared -no-undefined -export-symbols-regex ^bridle_ -Wl,-z,defs"])
])
