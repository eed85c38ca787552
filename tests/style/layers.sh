#!/bin/bash
# SPDX-License-Identifier: MIT
# Layers: a folder includes only what its row in layers.tab allows, private headers (_priv.h) stay at
# home, and from another folder only its face is included (net/net.h; of base, any header).

# shellcheck source=tests/style/style.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/style/style.sh"

layer_faults() {
    {
        style_files src "$1"
        style_files include "$1"
    } | grep -E '\.(c|h|def)$' | (cd "$1" &&
        xargs awk -v table="$top_srcdir/tests/style/layers.tab" -f "$top_srcdir/tests/style/layers.awk")
}

style_clean "folders include only what layers.tab allows" layer_faults

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

style_plant src/front/x.c '#include "api/api.h"' '#include "base/buf.h"' '#include <event2/http.h>' \
    '#include "front/y_priv.h"' '#include "config.h"' '#include <sys/socket.h>'
is "$(layer_faults "$style_root" | grep src/front/x.c)" "" "not reported: what the row allows"

finish
