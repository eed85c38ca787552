#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what hilera needs: packaging/deps.sh GROUP... (see deps.tab for the groups and the reasons).
#
# Says nothing and does nothing when all of it is there. Otherwise names what is missing and why, and on Debian
# installs it with apt-get: as root directly, else through sudo. With --missing it only lists the packages.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    echo "usage: packaging/deps.sh [--missing] GROUP...    (groups: build test clients form lint bench)" >&2
    exit 64
}

# Is it there? The third column of the table says how to see.
present() {
    case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null ;;
    pc:*) command -v pkg-config >/dev/null && pkg-config --exists "${1#pc:}" ;;
    file:*) compgen -G "${1#file:}" >/dev/null ;;
    *)
        echo "deps.tab: unknown probe $1" >&2
        exit 70
        ;;
    esac
}

only_list=no
if [ "${1-}" = --missing ]; then
    only_list=yes
    shift
fi
[ $# -gt 0 ] || usage

packages=()
reasons=()
for wanted in "$@"; do
    known=no
    while read -r group package probe reason; do
        [ "$group" = "$wanted" ] || continue
        known=yes
        present "$probe" && continue
        packages+=("$package")
        reasons+=("$(printf '  %-18s %s' "$package" "$reason")")
    done < <(grep -E '^[a-z]' deps.tab)
    [ $known = yes ] || usage
done

[ ${#packages[@]} -gt 0 ] || exit 0
if [ $only_list = yes ]; then
    printf '%s\n' "${packages[@]}"
    exit 0
fi

echo "Missing on this machine:"
printf '%s\n' "${reasons[@]}"
if ! command -v apt-get >/dev/null; then
    echo "This is no Debian: please install what these Debian packages hold, then run this again." >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Installing needs root, and there is no sudo. As root: apt-get install ${packages[*]}" >&2
        exit 1
    fi
    echo "Installing them with apt-get needs root; sudo may ask for your password."
    as_root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# What apt-get tells of its progress, as one line that is written over; where that can't be, as a line every tenth.
show_progress() {
    awk -F: -v terminal="$([ -t 1 ] && echo 1 || echo 0)" -v log_file="$log" '
        /^(dlstatus|pmstatus):/ {
            what = $1 == "dlstatus" ? "fetched" : "installed"
            tenth = int($3 / 10)
            if (terminal)
                printf "\r  %3d%% %s\033[K", $3, what
            else if (what tenth != last)
                printf "  %3d%% %s\n", $3, what
            last = what tenth
            fflush()
            next
        }
        { print >>log_file }
        END { if (terminal && last != "") printf "\r\033[K" }'
}

apt() {
    : >"$log"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o APT::Status-Fd=1 "$@" 2>&1 | show_progress
}
# The lists of packages may be absent or old: then the first try fails, and one update is worth it.
echo "Installing ..."
if ! apt install --no-install-recommends -y "${packages[@]}" &&
    ! { apt update && apt install --no-install-recommends -y "${packages[@]}"; }; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install: ${packages[*]}" >&2
    exit 1
fi
