#!/bin/bash
# SPDX-License-Identifier: MIT
# Layers: a folder includes only what its row in layers.tab allows, private headers (_priv.h) stay at
# home, and from another folder only its face is included (net/net.h; of base, any header). The table of folders in
# doc/architecture.md has a row for each folder that there is, and for no other; so has layers.tab.

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

layer_faults() {
    {
        style_files src "$1"
        style_files include "$1"
    } | grep -E '\.(c|h|def)$' | (cd "$1" &&
        xargs awk -v table="$top_srcdir/tests/style/layers.tab" -f "$top_srcdir/tests/style/layers.awk")
}

# What is in $1 and not in $2 (both: one name a line), each with the sentence $3 behind it.
folders_missing() {
    LC_ALL=C comm -23 <(LC_ALL=C sort -u <<<"$1") <(LC_ALL=C sort -u <<<"$2") | sed "/^\$/d; s|\$|: $3|"
}

# Rows of the table are those between its head and the next empty line; they begin with a path in back quotes.
folder_faults() {
    local page=doc/architecture.md there rows layers
    there=$({
        style_files src "$1"
        style_files include "$1"
    } | sed -n 's|^\([^/]*/[^/]*\)/.*|\1|p')
    # shellcheck disable=SC2016 # back quotes of the page
    rows=$(sed -n '/^| folder |/,/^$/s/^| `\([^`]*\)` |.*/\1/p' "$1/$page")
    layers=$(sed -n 's/^\([a-z0-9_]*\) *:.*/\1/p' "$top_srcdir/tests/style/layers.tab" |
        sed '/^\(libc\|faces\|opaque\)$/d; s|^|src/|; s|^src/hilera$|include/hilera|')
    folders_missing "$there" "$rows" "a folder without a row in the table of $page"
    folders_missing "$rows" "$there" "a row in the table of $page, and no such folder"
    folders_missing "$layers" "$there" "a row in layers.tab, and no such folder"
    sort <<<"$rows" | uniq -d | sed "s|\$|: two rows in the table of $page|"
}

opaque_faults() {
    style_files src "$1" | grep -E '\.(c|h|def)$' | (cd "$1" &&
        xargs awk -v table="$top_srcdir/tests/style/layers.tab" -f "$top_srcdir/tests/style/opaque.awk") | LC_ALL=C sort
}

style_clean "folders include only what layers.tab allows" layer_faults
style_clean "nobody comes to see an opaque folder through others" opaque_faults
style_clean "the table of folders has those that there are" folder_faults

# Plants one line in a file of an otherwise good tree; the fault must be reported for that line.
style_copy
plant() {
    local name=$1 pattern=$2 path=$3
    shift 3
    style_plant "$path" "$@"
    style_planted "reported: $name" "^$path:1: .*$pattern" layer_faults
    rm "$style_root/$path"
}
plant "a low folder includes a high one" "base may not include thr" src/base/x.c '#include "thr/thr.h"'
plant "a neighbour that is not in the row" "net may not include broker" src/net/x.c '#include "broker/broker.h"'
plant "a library in a folder without it" "thr may not include <event2/event.h>" \
    src/thr/x.c '#include <event2/event.h>'
plant "cJSON outside of its folders" "broker may not include <cjson/cJSON.h>" \
    src/broker/x.c '#  include <cjson/cJSON.h>'
plant "cJSON in the wrong file of base" "base may not include <cjson/cJSON.h>" \
    src/base/x.c '#include <cjson/cJSON.h>'
plant "libconfuse outside of config" "front may not include <confuse.h>" src/front/x.c '#include <confuse.h>'
plant "a command line outside of the programs" "broker may not include <argp.h>" src/broker/x.h '#include <argp.h>'
plant "a private header of another folder" "private to thr" src/net/x.c '#include "thr/lock_priv.h"'
plant "a private header of base" "private to base" src/net/x.c '#include "base/x_priv.h"'
plant "a header that is not the face" "not the face of job" src/broker/x.c '#include "job/codec.h"'
plant "an include without folder" "with its folder" src/base/x.c '#include "buf.h"'
plant "an include by macro" "not by a macro" src/base/x.c '#include CONFIG_FILE'
plant "threads where the row lacks them" "job may not include <hilera/lock.h>" \
    src/job/x.c '#include <hilera/lock.h>'
plant "our header in an installed one" "not installed" include/hilera/x.h '#include "base/buf.h"'
plant "a library in an installed header" "hilera may not include <cjson" \
    include/hilera/x.h '#include <cjson/cJSON.h>'
plant "a folder that has no face in the table" "in no folder" src/net/x.c '#include "misc/misc.h"'
plant "a folder without a row" "no row in layers.tab" src/misc/x.c '#include <stdio.h>'

style_plant src/broker/x.h '#include "store/store.h"'
style_plant src/front/x.c '#include "broker/x.h"'
style_planted "reported: an opaque folder seen through a header" \
    '^src/front/x.c:1: front comes to see "store/store.h" through broker/x.h' opaque_faults
rm "$style_root/src/broker/x.h" "$style_root/src/front/x.c"

style_plant src/front/x.c '#include "api/api.h"' '#include "base/buf.h"' '#include <event2/http.h>' \
    '#include "front/y_priv.h"' '#include "config.h"' '#include <sys/socket.h>'
is "$(layer_faults "$style_root" | grep src/front/x.c)" "" "not reported: what the row allows"

# The table of folders.
page=$style_root/doc/architecture.md
table_plant() {
    local name=$1 pattern=$2
    shift 2
    sed -i "$@" "$page"
    style_planted "reported: $name" "$pattern" folder_faults
    cp "$top_srcdir/doc/architecture.md" "$page"
}
style_copy
table_plant "a row that is missing" "^src/net: a folder without a row" '/^| .src\/net. /d'
table_plant "a table that is missing" "^src/base: a folder without a row" '/^| folder |/d'
table_plant "a row of a folder that isn't there" "^src/gone: a row in the table.*no such folder" \
    's/^| .src\/net. .*/&\n| \x60src\/gone\x60 | what was |/'
table_plant "two rows of one folder" "^src/net: two rows" 's/^| .src\/net. .*/&\n&/'
style_plant src/fresh/x.c '#include <stdio.h>'
style_planted "reported: a new folder" "^src/fresh: a folder without a row" folder_faults
rm -r "$style_root/src/fresh" "$style_root/src/house"
style_planted "reported: a row in layers.tab of a folder that went" "^src/house: a row in layers.tab" folder_faults

finish
