# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the style tests share, to be sourced. Each of them is a function that reads a tree and prints
# one line for each fault ("path:line: what is wrong"), and two uses of it:
#
#     style_clean "what holds" faults                       the real tree has no fault
#     style_planted "what is reported" "pattern" faults     the copy, with something planted, has one
#
# The second is the test of the test: a check that can't fail is no check.

# shellcheck source=tests/tap.sh
. "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}/tests/tap.sh"

style_temp=$(mktemp -d)
trap 'rm -rf "$style_temp"' EXIT
style_root=$style_temp/tree

# The source files below folder $1 of the tree $2 (default: the real one), one a line, relative to
# the tree. Build products of an in-tree build have other names.
style_files() {
    (cd "${2:-$top_srcdir}" && [ -e "$1" ] && find "$1" -type f \
        \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.sh' -o -name '*.test' -o -name '*.tab' \) |
        LC_ALL=C sort)
}

# Every file people wrote, below the tree $1: what git knows of; without git, and in an unpacked tarball, everything but
# what autotools put there.
style_all_files() {
    (
        cd "$1" || exit
        if ! { [ -e .git ] && git -c safe.directory='*' ls-files --cached --others --exclude-standard 2>/dev/null; }; then
            find . \( -path './build*' -o -path './_*' -o -path ./autom4te.cache -o -path ./.git \) -prune -o -type f -print |
                sed 's|^\./||' |
                grep -vE '(^|/)(configure|aclocal\.m4|Makefile(\.in)?|config\.[^/]*|stamp-h1|tests/unit/tests\.am)~?$' |
                grep -vE '\.(o|a|so[.0-9]*|trs|log|Po)$|/\.deps/'
        fi | LC_ALL=C sort | while read -r file; do
            [ ! -f "$file" ] || echo "$file"
        done
    )
}

# A fresh copy of the sources at $style_root, to plant a fault in.
style_copy() {
    rm -rf "$style_root"
    mkdir -p "$style_root"
    {
        style_files src
        style_files include
        style_files tests
        echo Makefile.am
        echo doc/architecture.md
    } | (cd "$top_srcdir" && tar -cf - -T -) | tar -xf - -C "$style_root"
    chmod -R u+w "$style_root"
}

# Plants a file in the copy: its path, then its lines.
style_plant() {
    local path=$style_root/$1
    shift
    mkdir -p "$(dirname "$path")"
    printf '%s\n' "$@" >"$path"
}

style_clean() {
    local name=$1 faults
    shift
    faults=$("$@" "$top_srcdir")
    if [ -z "$faults" ]; then
        ok "$name"
    else
        not_ok "$name"
        diag "$faults"
    fi
}

style_planted() {
    local name=$1 pattern=$2 faults
    shift 2
    faults=$("$@" "$style_root")
    if grep -qE "$pattern" <<<"$faults"; then
        ok "$name"
    else
        not_ok "$name"
        diag "no fault matches: $pattern"
        diag "reported: ${faults:-nothing}"
    fi
}
