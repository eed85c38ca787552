# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# Terminals that tmux keeps, to be sourced after daemon.sh:
#
#     screen_needed WHAT                  skips all of the test, when the machine has no tmux
#     screen_open COLUMNS ROWS COMMAND    a terminal in which sh runs the command; it takes the place of the one before
#     screen_press KEY...                 presses keys, by tmux's names
#     screen_type TEXT                    types a text
#     screen_close                        ends it
#
# What a terminal is told to show is in the file or fifo $screen_raw, from the command's first byte on.

# daemon.sh sets the directory.
# shellcheck disable=SC2154
screen_raw=$scenario_dir/screen
screen_count=0
screen=()

screen_needed() {
    command -v tmux >/dev/null && return
    skip "no tmux on this machine: packaging/deps.sh test installs it" "$1"
    finish
}

screen_close() {
    [ ${#screen[@]} -eq 0 ] || "${screen[@]}" kill-server 2>/dev/null # it may have gone by itself
    screen=()
}

# Each on a socket of its own: one that is on its way out takes its successor's client with it. The command begins once
# all that it shows is being recorded.
screen_open() {
    screen_close
    screen_count=$((screen_count + 1))
    [ -p "$screen_raw" ] || : >"$screen_raw" # there from now on, for who waits for what comes into it
    screen=(tmux -S "$scenario_dir/tmux-$screen_count" -f /dev/null)
    "${screen[@]}" new-session -d -x "$1" -y "$2" "read -r go; $3" || bail "tmux opens no terminal"
    "${screen[@]}" pipe-pane "exec cat >>$screen_raw"
    screen_press Enter
}

screen_press() {
    "${screen[@]}" send-keys "$@"
}

screen_type() {
    "${screen[@]}" send-keys -l "$1"
}

trap 'screen_close; scenario_end' EXIT
