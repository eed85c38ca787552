# SPDX-License-Identifier: MIT
# Magic numbers: prints "path:line: what is wrong". Run by magic.sh from the top of a tree. The files are given twice:
# the first reading collects structs, constants and their uses, the second looks at allocations.
#
# Types are found by their names in the same file ("struct pool *pool" tells what sizeof(*pool) is), which is enough for
# code that calls things by their names, and an allocation whose type stays unknown is passed over.

function fault(line, why) {
    printf "%s:%d: %s\n", FILENAME, line, why
}

function folder_of(path) {
    sub(/\/[^\/]*$/, "", path)
    return path
}

FNR == 1 {
    reading[FILENAME]++
    folder = folder_of(FILENAME)
    struct = ""
    delete type_of
    previous = ""
}

# ---- first reading ----

reading[FILENAME] == 1 && /^(typedef )?struct [a-z_0-9]+ \{/ {
    struct = $0
    sub(/^(typedef )?struct /, "", struct)
    sub(/ .*/, "", struct)
    members = 0
}

reading[FILENAME] == 1 && struct != "" && /;/ {
    members++
    if (/^[ \t]*unsigned magic;/) {
        has_magic[struct] = 1
        if (members > 1)
            fault(FNR, "magic is not the first member of struct " struct)
    }
}

reading[FILENAME] == 1 && /^\}/ {
    struct = ""
}

reading[FILENAME] == 1 && /^#[ \t]*define [A-Z_0-9]+_MAGIC[ \t]/ {
    constant = $2
    value = tolower($3)
    if (value in owner)
        fault(FNR, constant " has the value of " owner[value])
    owner[value] = constant
    place[constant] = FILENAME
    line_of[constant] = FNR
}

reading[FILENAME] == 1 {
    text = $0
    while (match(text, /MAGIC_(INIT|CHECK|TAKE)\([^;]*[A-Z_0-9]+_MAGIC\)/)) {
        use = substr(text, RSTART, RLENGTH)
        constant = use
        sub(/\)$/, "", constant)
        sub(/.*[^A-Z_0-9]/, "", constant)
        if (use ~ /^MAGIC_INIT/)
            set[constant] = 1
        else
            checked[constant] = 1
        text = substr(text, RSTART + RLENGTH)
    }
    if (/MAGIC_WIPE\(/)
        wiped[folder] = 1
}

# ---- second reading ----

reading[FILENAME] == 2 {
    text = $0
    while (match(text, /(struct [a-z_0-9]+|hl_[a-z_0-9]+) \*+[a-z_0-9]+/)) {
        declared = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        type = declared
        sub(/^struct /, "", type)
        sub(/ .*/, "", type)
        sub(/.*\*/, "", declared)
        type_of[declared] = type
    }
    if (/(malloc|calloc)\((1, )?sizeof\((struct [a-z_0-9]+|\*[a-z_0-9]+)\)\)/) {
        type = $0
        sub(/.*sizeof\(/, "", type)
        sub(/\).*/, "", type)
        if (type ~ /^\*/)
            type = type_of[substr(type, 2)]
        else
            sub(/^struct /, "", type)
        if (type != "" && !(type in has_magic) && ($0 previous) !~ /no magic: /)
            fault(FNR, "struct " type " is allocated but has no magic (or, beside it, a comment \"no magic: why\")")
    }
    previous = $0
}

END {
    for (constant in place) {
        FILENAME = place[constant]
        if (!(constant in set))
            fault(line_of[constant], constant " is never set with MAGIC_INIT")
        if (!(constant in checked))
            fault(line_of[constant], constant " is never checked with MAGIC_CHECK or MAGIC_TAKE")
        if (!(folder_of(place[constant]) in wiped))
            fault(line_of[constant], "nothing in this folder wipes a magic with MAGIC_WIPE")
    }
}
