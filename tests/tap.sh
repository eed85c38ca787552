# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# TAP for the shell tests (tests/style/*.sh and tests/scenario/*.test), to be sourced:
#
#     . "$top_srcdir/tests/tap.sh"
#     ok "the words of a passed test"             not_ok "..."  counts a failure
#     is "$got" "$expected" "what is compared"    check "what must succeed" command argument...
#     skip "why" "what"                           diag "a line for the log"
#     bail "why nothing more makes sense"         finish      (last line: plan and exit status)
#
# No plan up front: finish prints how many tests there were. A script that ends before finish has no plan, and
# the TAP driver reports that as an error, so nothing that stops half way can pass. The exit status tells of failed tests
# only when no harness reads the TAP: to the driver a status other than 0 is an error beside those.

: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${top_builddir:=$PWD}"
tap_count=0
tap_failed=0

ok() {
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s\n' "$tap_count" "$*"
}

not_ok() {
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    printf 'not ok %d - %s\n' "$tap_count" "$*"
}

skip() {
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$2" "$1"
}

# Several lines are allowed; each is marked, so that none is taken for a result.
diag() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

bail() {
    printf 'Bail out! %s\n' "$*"
    exit 1
}

is() {
    if [ "$1" = "$2" ]; then
        ok "$3"
    else
        not_ok "$3"
        diag "got:      $1"
        diag "expected: $2"
    fi
}

check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        ok "$name"
    else
        not_ok "$name"
        diag "failed: $*"
        diag "$output"
    fi
}

finish() {
    printf '1..%d\n' "$tap_count"
    [ "$tap_count" -gt 0 ] && { [ "$tap_failed" -eq 0 ] || [ -n "${tap_harness-}" ]; }
    exit
}
