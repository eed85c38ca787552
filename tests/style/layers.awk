# SPDX-License-Identifier: MIT
# The layer check: reads the table named by -v table=, then source files, and prints each include that the table
# does not allow as "path:line: why". Run by layers.sh from the top of a tree, with paths relative to it.

function trim(s) {
    gsub(/^[ \t]+|[ \t]+$/, "", s)
    return s
}

function fault(why) {
    printf "%s:%d: %s\n", FILENAME, FNR, why
}

# A glob of the table, where only "*" is special.
function matches(name, pattern) {
    gsub(/\./, "\\.", pattern)
    gsub(/\*/, ".*", pattern)
    return name ~ ("^" pattern "$")
}

function any_matches(name, patterns,    i, n, list, part) {
    n = split(patterns, list, " ")
    for (i = 1; i <= n; i++) {
        split(list[i] "@", part, "@")
        if ((part[2] == "" || part[2] == file) && matches(name, part[1]))
            return 1
    }
    return 0
}

function has_word(words, word) {
    return words == "*" || index(" " words " ", " " word " ")
}

# include "name"
function project(name,    part) {
    split(name, part, "/")
    if (name !~ /\//) {
        if (name != "config.h")
            fault("include \"" name "\" with its folder: \"folder/" name "\"")
    } else if (folder == "hilera")
        fault("an installed header includes \"" name "\", which is not installed")
    else if (part[1] == folder)
        return
    else if (!(part[1] in may))
        fault("\"" name "\" is in no folder of layers.tab")
    else if (!has_word(may[folder], part[1]))
        fault(folder " may not include " part[1] " (\"" name "\")")
    else if (name ~ /_priv\.h$/)
        fault("\"" name "\" is private to " part[1])
    else if (part[1] != "base" && name != part[1] "/" part[1] ".h" && !has_word(faces, name))
        fault("\"" name "\" is not the face of " part[1] ", which is \"" part[1] "/" part[1] ".h\"")
}

# include <name>
function outside(name) {
    if (name ~ /^hilera\//) {
        if (folder != "hilera" && !has_word(may[folder], "hilera"))
            fault(folder " may not include <" name ">")
    } else if (!any_matches(name, libc) && !any_matches(name, foreign[folder]))
        fault(folder " may not include <" name ">")
}

BEGIN {
    while ((getline row < table) > 0) {
        while (row ~ /\\$/) {
            sub(/\\$/, "", row)
            getline more < table
            row = row more
        }
        if (row ~ /^[ \t]*(#|$)/)
            continue
        split(row, field, ":")
        name = trim(field[1])
        if (name == "libc")
            libc = trim(field[2])
        else if (name == "faces")
            faces = trim(field[2])
        else if (name == "opaque")
            continue
        else {
            may[name] = trim(field[2])
            foreign[name] = trim(field[3])
        }
    }
    if (libc == "") {
        print table ": no rows"
        exit 1
    }
}

FNR == 1 {
    split(FILENAME, place, "/")
    folder = place[1] == "include" ? "hilera" : place[2]
    file = FILENAME
    sub(/.*\//, "", file)
    sub(/\.[^.]*$/, "", file)
    if (!(folder in may))
        fault("the folder " folder " has no row in layers.tab")
}

/^[ \t]*#[ \t]*include/ {
    text = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", text)
    if (text ~ /^"[^"]+"/) {
        split(text, quoted, "\"")
        project(quoted[2])
    } else if (text ~ /^<[^>]+>/) {
        sub(/^</, "", text)
        sub(/>.*/, "", text)
        outside(text)
    } else
        fault("include a file by its name, not by a macro")
}
