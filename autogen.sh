#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes ./configure out of configure.ac and Makefile.am. Needed once after a clone, not with a release tarball.
# On Debian: apt-get install autoconf automake autoconf-archive pkg-config
set -eu
cd "$(dirname "$0")"
mkdir -p build-aux
awk -f tests/unit/tests.awk tests/unit/tests.tab >tests/unit/tests.am
exec autoreconf --force --install
