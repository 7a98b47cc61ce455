#!/usr/bin/env bash
# A raw log that grows to 10 M leaves (or the sizes that are given): what an append, a proof and a
# start cost on the way. Writes docs/performance/growth.csv. Six minutes, 2 GB of disk.
# CAIRN and LOADTEST name the programs; GROWTH_DIR where the log lies while it grows.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${CAIRN:?}" "${LOADTEST:?}"
dir=$(mktemp -d "${GROWTH_DIR:-$(dirname "$CAIRN")}/growth.XXXXXX")
csv=docs/performance/growth.csv
sizes=("$@")
[[ $# -gt 0 ]] || sizes=(10000 100000 1000000 2000000 4000000 6000000 8000000 10000000)
pid=
stop() {
    if [[ -n $pid ]] && kill "-$1" "$pid" 2>/dev/null; then
        wait "$pid" 2>/dev/null || true
    fi
    pid=
}
trap 'stop TERM; rm -rf "$dir"' EXIT

cat >"$dir/cairn.toml" <<'TOML'
[logs.bulk]
api = "raw"
hostname = "bulk.localhost"
TOML

# start: the server, and the milliseconds until the first append is answered, in $took.
start() {
    local began
    began=$(date +%s%N)
    "$CAIRN" serve --config "$dir/cairn.toml" --data-dir "$dir/data" --listen 127.0.0.1:0 \
        --metrics-listen off --log-level error >"$dir/out" &
    pid=$!
    until grep -q 'END PUBLIC' "$dir/out"; do sleep 0.005; done
    url=$(grep -oE 'http://[0-9.:]+' "$dir/out" | head -1)
    append 1 -c 1 --window 1 >/dev/null
    took=$((($(date +%s%N) - began) / 1000000))
}

# append COUNT …: appends leaves of 512 bytes; the report as JSON.
append() {
    "$LOADTEST" append --output json --warm-up 0 --check-every 1000000 --duration 300s \
        --server-pid "$pid" --count "$@" "$url"
}

bytes() {
    du -s --apparent-size --block-size=1 "$dir/data" | cut -f1
}

field() { # of the only run of a report on standard input
    python3 -c 'import json,sys; r=json.load(sys.stdin)["runs"][0]; print(eval(sys.argv[1]))' "$1"
}

echo size,append_us,appends_per_s,append_p99_ms,proof_us,rss_mib,bytes,bytes_later,start_ms,start_killed_ms >"$csv"
start
size=1
for next in "${sizes[@]}"; do
    while ((size < next)); do
        count=$((next - size < 2000000 ? next - size : 2000000))
        report=$(append "$count" -c 4 --window 4096)
        size=$((size + count))
    done
    at_once=$(bytes)
    sleep 5
    later=$(bytes)
    proofs=$("$LOADTEST" prove --output json -c 8 -n 20000 --server-pid "$pid" "$url")
    stop KILL
    start
    killed=$took
    stop TERM
    start
    size=$((size + 2))
    # shellcheck disable=SC2016
    row=$(field '"%.2f,%.0f,%.1f" % (r["server_cpu_ms_per_entry"]*1e3, r["entries_per_second"],
        r["latency"]["p99_ms"])' <<<"$report")
    proof=$(field '"%.1f" % (r["server_cpu_ms_per_entry"]*1e3)' <<<"$proofs")
    rss=$(field 'r["server_processes"][0]["rss_bytes"] >> 20' <<<"$report")
    echo "$next,$row,$proof,$rss,$at_once,$later,$took,$killed" | tee -a "$csv"
done
