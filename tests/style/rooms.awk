# SPDX-License-Identifier: MIT
# The size of private headers: reads the table named by -v table=, then the sources of src, and prints each header that
# has more lines or more includers than it may, as "path:line: why". Limits come in by -v. Run by rooms.sh from the top of
# a tree.

function fault(path, line, why) {
    printf "%s:%d: %s\n", path, line, why
}

# A ceiling of the table is good only where it is above the limit.
function judge(header, what, count, limit, owed,    ceiling) {
    ceiling = owed ~ /^[0-9]+$/ ? owed + 0 : limit
    if (count > ceiling)
        fault(header, 1, count " " what ": more than " ceiling)
    else if (ceiling != limit && count <= limit)
        fault(table, row[header], "src/" name[header] " has only " count " " what ": take its number away")
}

BEGIN {
    while ((getline text < table) > 0) {
        number++
        if (text ~ /^[ \t]*(#|$)/ || text ~ /^no circles[ \t]*:/)
            continue
        if (split(text, field, /[ \t]*:[ \t]*/) < 3 || split(field[2], owed, " ") != 2 || field[3] == "") {
            fault(table, number, "not \"header : lines includers : why\"")
            continue
        }
        header = "src/" field[1]
        name[header] = field[1]
        row[header] = number
        owed_lines[header] = owed[1]
        owed_includers[header] = owed[2]
        if (owed[1] == "-" && owed[2] == "-")
            fault(table, number, "a row that owes nothing")
    }
    if (number == 0)
        fault(table, 1, "no rows")
}

FNR == 1 && FILENAME ~ /_priv\.h$/ {
    private[FILENAME] = 1
}

{
    lines[FILENAME] = FNR
}

/^[ \t]*#[ \t]*include[ \t]*"[^"]+_priv\.h"/ {
    split($0, quoted, "\"")
    if (!((FILENAME, quoted[2]) in seen))
        includers["src/" quoted[2]]++
    seen[FILENAME, quoted[2]] = 1
}

END {
    for (header in private) {
        judge(header, "lines", lines[header], max_lines, owed_lines[header])
        judge(header, "includers", includers[header] + 0, max_includers, owed_includers[header])
    }
    for (header in row)
        if (!(header in private))
            fault(table, row[header], "there is no " header)
}
