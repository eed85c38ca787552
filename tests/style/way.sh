#!/bin/bash
# SPDX-License-Identifier: MIT
# The way of one job in doc/architecture.md: each file that it names is there, and has the functions that stand beside it.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

# Rows of the way: "  FILE  NAME, NAME  what happens", the parts apart by two blanks at least.
way_rows() {
    sed -n '/^## One job/,/^## The folders/p' "$1/doc/architecture.md" |
        sed -nE 's/^  ([a-z]+\/[a-z_]+\.[ch])  +([a-z_]+(, [a-z_]+)*)(  .*)?$/\1 \2/p'
}

way_faults() {
    way_rows "$1" | while read -r file names; do
        [ -f "$1/src/$file" ] || {
            echo "doc/architecture.md: no file src/$file"
            continue
        }
        for name in ${names//,/}; do
            grep -qE "(^|[^A-Za-z0-9_])$name\(" "$1/src/$file" || echo "doc/architecture.md: no $name in src/$file"
        done
    done
}

style_clean "files and functions of one job's way are there" way_faults
check "and there are as many as it takes" [ "$(way_rows "$top_srcdir" | wc -l)" -gt 30 ]

style_copy
sed -i 's/^  broker\/make\.c  /  broker\/made.c  /' "$style_root/doc/architecture.md"
style_planted "reported: a file that went" '^doc/architecture.md: no file src/broker/made.c' way_faults
sed -i 's/^\(  broker\/finish\.c  *\)finish_job/\1finish_jab/' "$style_root/doc/architecture.md"
style_planted "reported: a function that went" '^doc/architecture.md: no finish_jab in src/broker/finish.c' way_faults

finish
