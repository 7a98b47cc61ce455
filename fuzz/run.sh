#!/usr/bin/env bash
# Fuzzes each target for some seconds: fuzz/run.sh [SECONDS]. Needs cargo-fuzz; the pinned stable
# compiler is told to take the sanitizer flags that are otherwise for nightly alone.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-10}
export RUSTC_BOOTSTRAP=1
mapfile -t targets < <(cargo fuzz list)
((${#targets[@]} > 0)) || { echo "no fuzz targets" >&2; exit 1; }
for target in "${targets[@]}"; do
    echo "-- $target"
    cargo fuzz run "$target" -- -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=2048 \
        -print_final_stats=1 2>&1 | grep -E 'ERROR|SUMMARY|panicked|stat::number_of_executed_units' \
        || { echo "fuzz: $target failed" >&2; exit 1; }
done
echo "fuzz: ${#targets[@]} targets passed, $seconds s each"
