# SPDX-License-Identifier: MIT
# The form of C files: prints "path:line: what is wrong". Limits come in by -v. Run by sources.sh from the top of a tree.
#
# A function is what stands between a "{" and a "}" that are each alone in the first column, as .clang-format sets them.

function fault(line, why) {
    printf "%s:%d: %s\n", path, line, why
}

function end_of_file() {
    if (path == "")
        return
    if (lines > max_lines)
        fault(lines, "more than " max_lines " lines: two concepts in one file")
    if (essay < 40)
        fault(2, "the file does not open with a comment that says what it is and why")
}

FNR == 1 {
    end_of_file()
    path = FILENAME
    lines = essay = 0
    in_essay = 1
    in_block = 0
    opened = 0
    if ($0 != "// SPDX-License-Identifier: MIT")
        fault(1, "the first line is not \"// SPDX-License-Identifier: MIT\"")
    next
}

{
    lines = FNR
    if (length($0) > max_width) # clang-format looks at code alone
        fault(FNR, "a line of " length($0) " columns: more than " max_width)
}

in_essay {
    if (in_block || /^\/\// || /^\/\*/) {
        essay += length($0)
        if (/^\/\*/)
            in_block = 1
        if (/\*\//)
            in_block = 0
    } else
        in_essay = 0
}

/^\{$/ {
    opened = FNR
}

/^\}/ && opened {
    if (FNR - opened - 1 > max_function)
        fault(opened, "a function of " FNR - opened - 1 " lines: more than " max_function)
    opened = 0
}

END {
    end_of_file()
}
