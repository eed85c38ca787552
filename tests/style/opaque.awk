# SPDX-License-Identifier: MIT
# The check of opaque folders: reads the table named by -v table=, then all source files, follows their includes to the
# end, and prints each file that comes to see a header of an opaque folder which its folder may not include, as
# "path:1: why". Run by layers.sh from the top of a tree, with paths relative to it.

function trim(s) {
    gsub(/^[ \t]+|[ \t]+$/, "", s)
    return s
}

function has_word(words, word) {
    return words == "*" || index(" " words " ", " " word " ")
}

# Whether a file of that folder may know of the header.
function may_see(folder, header,    part) {
    split(header, part, "/")
    return part[1] == folder || !has_word(opaque, part[1]) || has_word(faces, header) || has_word(may[folder], part[1])
}

# All that the file includes, and that they do; the first way to each header is kept.
function follow(file, way,    i, n, list, header) {
    n = split(includes[file], list, " ")
    for (i = 1; i <= n; i++) {
        header = list[i]
        if (header in seen)
            continue
        seen[header] = 1
        if (!may_see(folder, header))
            printf "%s:1: %s comes to see \"%s\" %s\n", root, folder, header, way == "" ? "itself" : "through" way
        else
            follow("src/" header, way " " header)
    }
}

BEGIN {
    while ((getline row < table) > 0) {
        if (row ~ /^[ \t]*(#|$)/)
            continue
        split(row, field, ":")
        name = trim(field[1])
        if (name == "opaque")
            opaque = trim(field[2])
        else if (name == "faces")
            faces = trim(field[2])
        else
            may[name] = trim(field[2])
    }
    if (opaque == "") {
        print table ": no opaque folders"
        exit 1
    }
}

/^[ \t]*#[ \t]*include[ \t]*"[^"]+"/ {
    split($0, quoted, "\"")
    includes[FILENAME] = includes[FILENAME] " " quoted[2]
}

END {
    for (file in includes) {
        split(file, place, "/")
        if (place[1] != "src")
            continue
        folder = place[2]
        root = file
        delete seen
        follow(file, "")
    }
}
