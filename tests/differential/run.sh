#!/usr/bin/env bash
# Compares Cairn with a Rekor v1 server: run.sh REKOR_URL [CAIRN_URL]. Without CAIRN_URL it starts
# its own, of the binary CAIRN or of this checkout. Fixtures are made anew, for both must not know
# them; their tools come from tests/fixtures/install.sh. Nothing leaves this machine but to REKOR_URL.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
WORK=$(mktemp -d)
SERVER_PID=

finish() {
    if [[ -n $SERVER_PID ]]; then
        kill "$SERVER_PID" 2>/dev/null || true
        wait "$SERVER_PID" 2>/dev/null || true
    fi
    rm -rf "$WORK"
}
trap finish EXIT

# start: sets CAIRN_URL.
start() {
    local binary=${CAIRN:-}
    if [[ -z $binary ]]; then
        (cd "$here/../.." && cargo build --release --locked --bin cairn)
        binary=${CARGO_TARGET_DIR:-$here/../../target}/release/cairn
    fi
    "$binary" serve --data-dir "$WORK/data" --listen 127.0.0.1:0 --metrics-listen off \
        --log-level error >"$WORK/cairn.log" 2>&1 &
    SERVER_PID=$!
    local deadline=$((SECONDS + 30))
    until CAIRN_URL=$(sed -n 's/^ *API  *//p' "$WORK/cairn.log") && [[ -n $CAIRN_URL ]]; do
        if ((SECONDS > deadline)) || ! kill -0 "$SERVER_PID" 2>/dev/null; then
            cat "$WORK/cairn.log" >&2
            return 1
        fi
        sleep 0.1
    done
}

if (($# < 1)); then
    echo "SKIPPED: no Rekor v1 server to compare with was named (usage: $0 REKOR_URL [CAIRN_URL])"
    exit 0
fi
CAIRN_URL=${2:-}
[[ -n $CAIRN_URL ]] || start
"$here/../fixtures/install.sh"
"$here/../fixtures/make.sh" "$WORK/fixtures"
python3 "$here/compare.py" "$WORK/fixtures" "$1" "$CAIRN_URL"
