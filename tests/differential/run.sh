#!/usr/bin/env bash
# Compares Cairn with a real Rekor v1, case by case. Usage: run.sh REKOR_URL [CAIRN_URL [PATTERN]]
# Without CAIRN_URL (or with an empty one) it starts a log of its own: $CAIRN, by default the
# release build of this clone. Both logs get some thousand entries: never name one that is in use.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
START_SECONDS_MAX=20
CAIRN_PID=

die() {
    echo "differential: $*" >&2
    exit 2
}

clean_up() {
    if [[ -n $CAIRN_PID ]]; then
        kill "$CAIRN_PID" 2>/dev/null || true
        wait "$CAIRN_PID" || true
    fi
    rm -rf "$WORK"
}

answers() {
    curl --silent --fail --noproxy '*' -o /dev/null "$1/api/v1/log"
}

# Starts a log with an empty folder on a port of its own choice, and sets CAIRN_URL.
start_cairn() {
    local cairn=${CAIRN:-${CARGO_TARGET_DIR:-$here/../../target}/release/cairn} port
    [[ -x $cairn ]] || die "no cairn at $cairn: run \`cargo build --release\` or set CAIRN"
    port=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
    CAIRN_URL=http://127.0.0.1:$port
    "$cairn" serve --data-dir "$WORK/data" --listen "127.0.0.1:$port" --metrics-listen off \
        >"$WORK/cairn.log" 2>&1 &
    CAIRN_PID=$!
    local deadline=$((SECONDS + START_SECONDS_MAX))
    until answers "$CAIRN_URL"; do
        if ((SECONDS >= deadline)) || ! kill -0 "$CAIRN_PID" 2>/dev/null; then
            tail -n 20 "$WORK/cairn.log" >&2
            die "cairn does not answer on $CAIRN_URL"
        fi
        sleep 0.1
    done
}

main() {
    local rekor=${1:-}
    CAIRN_URL=${2:-}
    if [[ -z $rekor ]]; then
        echo "differential: skipped: no Rekor v1 given (run.sh REKOR_URL [CAIRN_URL [PATTERN]])"
        exit 0
    fi
    answers "$rekor" || die "no Rekor v1 answers on $rekor"
    WORK=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    "$here/../fixtures/make.sh" "$WORK/fixtures"
    [[ -n $CAIRN_URL ]] || start_cairn
    answers "$CAIRN_URL" || die "no Cairn answers on $CAIRN_URL"
    python3 -B "$here" "$rekor" "$CAIRN_URL" "$WORK/fixtures" "${3:-*}"
}

main "$@"
