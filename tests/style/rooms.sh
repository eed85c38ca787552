#!/bin/bash
# SPDX-License-Identifier: MIT
# Rooms: a folder can be held in the head. Private headers (_priv.h) are small and have few readers, and in the folders that
# rooms.tab lists the files call each other in no circle: if a.c calls what b.c defines, b.c calls nothing of a.c, not
# through others either. Who calls whom is read from the objects of the build, so a static inline function counts for the
# file that includes it, and data counts as well.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

max_lines=250
max_includers=10

# Only what is in src counts: a unit test that looks into a folder is no reader of its own code.
header_faults() {
    style_files src "$1" | grep -E '\.(c|h|def)$' | (cd "$1" &&
        xargs awk -v table=tests/style/rooms.tab -v max_lines=$max_lines -v max_includers=$max_includers \
            -f "$top_srcdir/tests/style/rooms.awk" | LC_ALL=C sort)
}

# The newest object of source $1 in the build folder $2: automake puts the name of the archive or program before it.
object_of() {
    local folder=$2/${1%/*} name=${1##*/} object newest=
    for object in "$folder/${name%.c}.o" "$folder"/*-"${name%.c}.o"; do
        [ -f "$object" ] && [[ -z $newest || $object -nt $newest ]] && newest=$object
    done
    printf %s "$newest"
}

# Reads "source object" lines; prints "caller callee symbol" for each use of what another of them defines, and "source" for
# an object that defines nothing readable: link-time optimization leaves such.
calls() {
    local source object symbols
    while read -r source object; do
        if symbols=$("${NM:-nm}" -P "$object" 2>/dev/null) &&
            awk '$2 ~ /^[A-TV-Z]$/ && $1 !~ /^__gnu_lto/ { found = 1 } END { exit !found }' <<<"$symbols"; then
            awk -v source="$source" '{ print source, $1, $2 }' <<<"$symbols"
        else
            echo "$source"
        fi
    done | awk '
        NF == 1 { print; next }
        $3 == "U" { uses[$1, $2] = 1; next }
        $3 ~ /^[A-Z]$/ { home[$2] = $1 }
        END {
            for (use in uses) {
                split(use, part, SUBSEP)
                if (part[2] in home && home[part[2]] != part[1])
                    print part[1], home[part[2]], part[2]
            }
        }' | LC_ALL=C sort
}

# The circles in a list of calls on the input: files that reach each other. Every call between them is a line.
circles() {
    awk '
        function reach(from, to,    i) {
            for (i in to_of)
                if (!((from, i) in reaches) && (to, i) in calls) {
                    reaches[from, i] = 1
                    reach(from, i)
                }
        }
        { calls[$1, $2] = calls[$1, $2] " " $3; from_of[$1]; to_of[$2] }
        END {
            for (file in from_of)
                reach(file, file)
            for (call in calls) {
                split(call, part, SUBSEP)
                if ((part[2], part[1]) in reaches) {
                    sub(/.*\//, "", part[2])
                    print part[1] ":1: in a circle, by" calls[call] " of " part[2]
                }
            }
        }' | LC_ALL=C sort
}

# One folder $1 of the tree $2, built in $3.
folder_faults() {
    local source object objects='' edges
    while read -r source; do
        object=$(object_of "$source" "$3")
        if [ -z "$object" ]; then
            echo "$source:1: has no object in the build folder $3: make it first"
        elif [ "$2/$source" -nt "$object" ]; then
            echo "$source:1: is newer than its object in the build folder $3: make it first"
        else
            objects+="$source $object"$'\n'
        fi
    done < <(style_files "src/$1" "$2" | grep '\.c$')
    edges=$(printf %s "$objects" | calls)
    awk 'NF == 1 { print $1 ":1: nm finds nothing in its object: circles are found in a build without -flto" }' <<<"$edges"
    awk 'NF == 3' <<<"$edges" | circles
}

# built: the build folder of the tree.
circle_faults() {
    local folder folders
    folders=$(sed -n 's/^no circles *: *//p' "$1/tests/style/rooms.tab")
    [ -n "$folders" ] || echo "tests/style/rooms.tab:1: no folder that is free of circles"
    for folder in $folders; do
        if [ -d "$1/src/$folder" ]; then
            folder_faults "$folder" "$1" "$built"
        else
            echo "tests/style/rooms.tab:1: there is no src/$folder"
        fi
    done
}

built=$(cd "$top_builddir" && pwd)
style_clean "private headers: at most $max_lines lines, and $max_includers files that include it" header_faults
if command -v "${NM:-nm}" >/dev/null; then
    style_clean "no circles of files in the folders of rooms.tab" circle_faults
else
    skip "there is no nm" "circles of files"
    finish
    exit
fi

style_copy
rm -rf "$style_root/src"
table=tests/style/rooms.tab
mapfile -t many < <(yes 'int many;' | head -n 250)

# plant_header NAME PATTERN ROW INCLUDERS LINE...: a header of these lines, with so many includers and that row.
plant_header() {
    local name=$1 pattern=$2 row=$3 includers=$4 i
    shift 4
    rm -rf "$style_root/src"
    style_plant $table 'no circles : x' "$row"
    style_plant src/x/x_priv.h "$@"
    for ((i = 0; i < includers; i++)); do
        style_plant "src/x/$i.c" '#  include "x/x_priv.h"' '#include "x/x_priv.h"'
    done
    if [ -n "$pattern" ]; then
        style_planted "reported: $name" "$pattern" header_faults
    else
        is "$(header_faults "$style_root")" "" "not reported: $name"
    fi
}
plant_header "a long private header" '^src/x/x_priv.h:1: 251 lines: more than 250' '' 1 "${many[@]}" ''
plant_header "one that many include" '^src/x/x_priv.h:1: 11 includers: more than 10' '' 11 ''
plant_header "one that grew beyond its row" '^src/x/x_priv.h:1: 252 lines: more than 251' 'x/x_priv.h : 251 - : why' 1 \
    "${many[@]}" '' ''
plant_header "a row that isn't needed any more" "^$table:2: src/x/x_priv.h has only 10 includers" \
    'x/x_priv.h : - 12 : why' 10 ''
plant_header "a row without header" "^$table:2: there is no src/x/y_priv.h" 'x/y_priv.h : 300 - : why' 1 ''
plant_header "a row without reason" "^$table:2: not \"header" 'x/x_priv.h : 300 20 :' 1 ''
plant_header "a row that owes nothing" "^$table:2: a row that owes nothing" 'x/x_priv.h : - - : why' 1 ''
plant_header "a header within the numbers" '' '' 10 "${many[@]}"
plant_header "one within its row" '' 'x/x_priv.h : 300 12 : why' 11 "${many[@]}" ''

# plant_circle NAME PATTERN: what is in src/x of the copy, compiled beside its sources.
built=$style_root
compile() {
    local source
    for source in "$style_root"/src/x/*.c; do
        # shellcheck disable=SC2086 # CC may be more than a word
        ${CC:-cc} -w -O2 -I"$style_root/src" "$@" -c -o "${source%.c}.o" "$source" || bail "$source doesn't compile"
    done
}
plant_circle() {
    if [ -n "$2" ]; then
        style_planted "reported: $1" "$2" circle_faults
    else
        is "$(circle_faults "$style_root")" "" "not reported: $1"
    fi
}
rm -rf "$style_root/src"
style_plant $table 'no circles : x'
style_plant src/x/x.h 'int a(int), b(int), c(int);' 'extern int seen;' \
    'static inline int above(int x) { return a(x) + seen; }'
style_plant src/x/a.c '#include "x/x.h"' 'int seen;' 'int a(int x) { return b(x) + 1; }'
style_plant src/x/b.c '#include "x/x.h"' 'int b(int x) { return c(x) + 1; }'
style_plant src/x/c.c '#include "x/x.h"' 'int c(int x) { return x; }'
compile
plant_circle "arrows that go down" ''
style_plant src/x/c.c '#include "x/x.h"' 'int c(int x) { return x ? a(x) : 0; }'
plant_circle "a source that is newer than its object" '^src/x/c.c:1: is newer'
compile
plant_circle "a circle of three" '^src/x/a.c:1: in a circle, by b of b.c'
plant_circle "what closes it" '^src/x/c.c:1: in a circle, by a of a.c'
style_plant src/x/c.c '#include "x/x.h"' 'int c(int x) { return above(x); }'
compile
plant_circle "a circle through an inline function and data" '^src/x/c.c:1: in a circle, by a seen of a.c'
compile -flto
plant_circle "objects that nm can't read" '^src/x/a.c:1: (nm finds nothing|in a circle)'
: >"$style_root/src/x/b.o"
plant_circle "an object that is none" '^src/x/b.c:1: nm finds nothing'
rm "$style_root/src/x/b.o"
plant_circle "a source without object" '^src/x/b.c:1: has no object'
style_plant $table 'no circles : x y'
plant_circle "a folder that isn't there" "^$table:1: there is no src/y"
style_plant $table ''
plant_circle "a table without folders" "^$table:1: no folder"

finish
