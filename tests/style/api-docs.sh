#!/bin/bash
# SPDX-License-Identifier: MIT
# The library's documentation and its exports: man/hilera-threads.3 names what the threading headers declare and nothing
# else, and libhilera.so exports what the headers mark as HL_API and nothing else.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

export LC_ALL=C
library=$top_builddir/libhilera.so
[ -e "$library" ] || bail "the library is not built: $library"

# The functions that a header declares with HL_API, one a line.
declared_functions() {
    tr '\n' ' ' <"$1" | grep -oE 'HL_API [^;(]*\bhl_[a-z0-9_]+\(' | grep -oE 'hl_[a-z0-9_]+\($' | tr -d '(' | sort
}

# And its macros that are called like functions, those for the header's own use (an underscore at the end) left out.
declared_macros() {
    grep -oE '^#define (hl_[a-z0-9_]+|HL_LOCK_SCOPE)\(' "$1" | sed 's/^#define //; s/($//' | sort
}

# The headers of the threading library; the client's page is another.
threading_headers() {
    (cd "$1" && printf '%s\n' include/hilera/{deque,event,lock,queue,thread,timer,version}.h)
}

# What the page's synopsis shows.
page_functions() {
    awk '/^\.SH / { inside = $0 == ".SH SYNOPSIS"; next } inside' "$1/man/hilera-threads.3" |
        grep -oE '\b(hl_[a-z0-9_]+|HL_LOCK_SCOPE)\(' | tr -d '(' | sort
}

page_faults() {
    (
        cd "$1" || exit
        threading_headers . | while read -r header; do
            declared_functions "$header"
            declared_macros "$header"
        done | sort >"$style_temp/declared"
        page_functions . >"$style_temp/page"
        comm -23 "$style_temp/declared" "$style_temp/page" | sed 's|$|: declared, not in man/hilera-threads.3|'
        comm -13 "$style_temp/declared" "$style_temp/page" | sed 's|$|: in man/hilera-threads.3, not declared (or there twice)|'
        # The text may use types and shortened names, but no whole name that doesn't exist.
        grep -oE '\b(hl|HL)_[A-Za-z0-9_]*[A-Za-z0-9]\b' man/hilera-threads.3 | sort -u | while read -r name; do
            grep -qrw -- "$name" include/hilera || echo "$name: in man/hilera-threads.3, in no header"
        done
    )
}

# $1: the tree with the headers, $2: the names that the library exports.
export_faults() {
    (
        cd "$2" || exit
        for header in include/hilera/*.h; do
            declared_functions "$header"
        done | sort >"$style_temp/declared"
        sort "$1" >"$style_temp/exported"
        comm -23 "$style_temp/declared" "$style_temp/exported" | sed 's|$|: marked HL_API, not exported|'
        comm -13 "$style_temp/declared" "$style_temp/exported" | sed 's|$|: exported, not in a header|'
    )
}

nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' >"$style_temp/exports"
[ -s "$style_temp/exports" ] || bail "nm finds no exports in $library"

style_clean "the man page names what the headers declare" page_faults
style_clean "the library exports what the headers declare" export_faults "$style_temp/exports"

style_copy
mkdir -p "$style_root/man"
cp "$top_srcdir/man/hilera-threads.3" "$style_root/man/"
chmod u+w "$style_root/man/hilera-threads.3"
echo 'HL_API int hl_event_planted(hl_event *event,' >>"$style_root/include/hilera/event.h"
echo '                            int more);' >>"$style_root/include/hilera/event.h"
style_planted "reported: an undocumented function" "^hl_event_planted: declared, not in" page_faults
style_planted "reported: a function that is not exported" "^hl_event_planted: marked HL_API" export_faults \
    "$style_temp/exports"
echo hl_secret >>"$style_temp/exports"
style_planted "reported: an export that no header declares" "^hl_secret: exported, not" export_faults \
    "$style_temp/exports"
sed -i 's/^\.B hl_thread \*hl_thread_main(void);$/&\n.B int hl_thread_stop(void);/; s/^A flag\.$/& See hl_event_wait_all./' \
    "$style_root/man/hilera-threads.3"
style_planted "reported: a documented function that isn't there" "^hl_thread_stop: in man.*not declared" page_faults
style_planted "reported: a name in the text that isn't there" "^hl_event_wait_all: .*in no header" page_faults

finish
