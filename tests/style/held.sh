#!/bin/bash
# SPDX-License-Identifier: MIT
# Who has the broker's lock (src/ledger/held.h), as clang follows it through all calls; and that it finds who hasn't.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

if ! command -v clang >/dev/null; then
    skip "there is no clang" "who calls what with the broker's lock"
    finish
    exit
fi

held_faults() {
    (
        cd "$1" || exit
        for folder in ledger store broker; do style_files "src/$folder" .; done | grep '\.c$' |
            xargs clang -fsyntax-only -std=gnu17 -D_GNU_SOURCE -DHAVE_CONFIG_H -I"$top_builddir" -Iinclude -Isrc \
                -Wthread-safety 2>&1 | sed -nE 's/^([^ :]+:[0-9]+):[0-9]+: (warning|error): /\1: /p' | LC_ALL=C sort -u
    )
}

style_clean "who needs the broker's lock is called with it" held_faults

style_copy
top_builddir=$(cd "$top_builddir" && pwd)
plant() {
    local name=$1 line=$2 what=$3
    shift 3
    style_plant src/broker/x.c '// SPDX-License-Identifier: MIT' '// What is wrong.' '#include "broker/state_priv.h"' "$@"
    style_planted "reported: $name" "^src/broker/x\\.c:$line: $what" held_faults
}
plant "a call without the lock" 7 "calling function 'store_told_all' requires" \
    'void x(struct broker *broker);' 'void x(struct broker *broker)' '{' '    store_told_all(&broker->ledger);' '}'
plant "a path that keeps it" 9 "mutex 'broker_domain' is (not held on every path|still held)" \
    'int x(struct broker *broker, int y);' 'int x(struct broker *broker, int y)' '{' '    broker_lock(broker);' \
    '    if (y) broker_unlock(broker);' '    return y;' '}'
plant "a lock that is taken twice" 8 "acquiring lock 'broker_domain' that is already held" \
    'void x(struct broker *broker);' 'void x(struct broker *broker)' '{' '    broker_lock(broker);' \
    '    broker_lock(broker);' '    broker_unlock(broker);' '}'
plant "a call that gives it away" 8 "calling function 'store_told_all' requires" \
    'HELD void x(struct broker *broker);' 'HELD void x(struct broker *broker)' '{' '    broker_unlock(broker);' \
    '    store_told_all(&broker->ledger);' '    broker_lock(broker);' '}'

finish
