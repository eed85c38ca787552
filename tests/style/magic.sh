#!/bin/bash
# SPDX-License-Identifier: MIT
# Magic numbers (src/base/magic.h): every kind of heap object has one, first in its struct, with a value of its
# own, set when it is made, checked on entry, wiped when it goes.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

magic_faults() {
    style_files src "$1" | grep -E '\.[ch]$' | grep -vx src/base/magic.h | (
        cd "$1" || exit
        mapfile -t files
        awk -f "$top_srcdir/tests/style/magic.awk" "${files[@]}" "${files[@]}" | LC_ALL=C sort
    )
}

style_clean "heap objects have a magic that is set, checked and wiped" magic_faults

style_copy
rm -rf "$style_root/src"
good=(
    'struct thing {'
    '    unsigned magic;'
    '    int size;'
    '};'
    '#define THING_MAGIC 0x7419a001u'
    'struct thing *thing = calloc(1, sizeof(*thing));'
    'MAGIC_INIT(thing, THING_MAGIC);'
    'MAGIC_CHECK(thing, THING_MAGIC);'
    'MAGIC_WIPE(thing);'
)
# plant NAME PATTERN SED-SCRIPT: the good file, spoilt by the script.
plant() {
    style_plant src/base/x.c "${good[@]}"
    sed -i "$3" "$style_root/src/base/x.c"
    style_planted "reported: $1" "^src/base/x.c:$2" magic_faults
}
plant "a magic that is not first" "3: magic is not the first" '2,3{s/unsigned magic/int size/;t;s/int size/unsigned magic/}'
plant "an object without magic" "5: struct thing is allocated but has no magic" 2d
plant "a magic never set" "5: THING_MAGIC is never set" /MAGIC_INIT/d
plant "a magic never checked" "5: THING_MAGIC is never checked" /MAGIC_CHECK/d
plant "a magic never wiped" "5: nothing in this folder wipes" /MAGIC_WIPE/d
# shellcheck disable=SC2016 # sed's $, not the shell's
plant "two kinds with one value" "10: OTHER_MAGIC has the value of THING_MAGIC" \
    '$a #define OTHER_MAGIC 0x7419A001u'

style_plant src/base/x.c "${good[@]}"
style_plant src/base/y.c 'struct slot *slot = malloc(sizeof(*slot)); // no magic: never leaves this file'
is "$(magic_faults "$style_root")" "" "not reported: a good object, an exception with its reason"

finish
