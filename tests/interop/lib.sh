# Sourced by the flows: steps that check exit codes and output, and processes that end with us.
# shellcheck shell=bash

passed=0
failed=0

# expect NAME PATTERN COMMAND...: the command succeeds and prints a line that matches PATTERN.
# Its output stays in $output.
expect() {
    judge success "$@"
}

# refuse NAME PATTERN COMMAND...: the command fails, and says why.
refuse() {
    judge failure "$@"
}

judge() {
    local wanted=$1 name=$2 pattern=$3 outcome=success
    shift 3
    output=$("$@" 2>&1 </dev/null) || outcome=failure
    if [[ $outcome == "$wanted" ]] && grep -qE -- "$pattern" <<<"$output"; then
        passed=$((passed + 1))
        echo "ok $((passed + failed)) - $name"
    else
        failed=$((failed + 1))
        echo "not ok $((passed + failed)) - $name"
        echo "# wanted $wanted and /$pattern/, got $outcome of: $*"
        echo "#   ${output//$'\n'/$'\n'#   }"
    fi
}

# free_port: a port of the loopback address on which nothing listens now.
free_port() {
    local port
    while port=$((20000 + RANDOM % 20000)); do
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

# start_background FILE COMMAND...: runs it with its output in FILE; its process ID is in $started.
start_background() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 &
    started=$!
    children+=("$started")
}

# stop_process PID: ends one process that we started, and waits for it.
stop_process() {
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# wait_for URL PID: until the URL answers; gives up when the process has ended, or after 30 s.
wait_for() {
    for _ in $(seq 300); do
        curl -fsS -o /dev/null "$1" 2>/dev/null && return
        kill -0 "$2" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
