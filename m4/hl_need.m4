# hl_need.m4: libraries by pkg-config, with a message that names the Debian package.
#
# HL_NEED(PREFIX, MODULES, DEBIAN-PACKAGE)         stops configure when MODULES are missing.
# HL_WANT(PREFIX, MODULES, DEBIAN-PACKAGE, LOSS)   goes on without them and says what is lost.
# Both set PREFIX_CFLAGS and PREFIX_LIBS; HL_WANT sets hl_have_PREFIX to yes or no.

AC_DEFUN([HL_NEED], [
  PKG_CHECK_MODULES([$1], [$2], [],
    [AC_MSG_ERROR([$2 is missing. On Debian: apt-get install $3
pkg-config said: ${$1][_PKG_ERRORS}])])
])

AC_DEFUN([HL_WANT], [
  PKG_CHECK_MODULES([$1], [$2], [hl_have_$1=yes],
    [hl_have_$1=no
     AC_MSG_WARN([$2 is missing: $4. On Debian: apt-get install $3])])
])
