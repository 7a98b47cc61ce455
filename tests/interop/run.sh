#!/usr/bin/env bash
# Drives a Cairn of our own with released clients, and checks what they say.
# Prints a line a step; ends with the counts. Needs $CAIRN (the binary) and install-clients.sh.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cairn=${CAIRN:-$here/../../target/release/cairn}
clients="${CAIRN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn}/clients"
work=$(mktemp -d "${TMPDIR:-/tmp}/cairn-interop.XXXXXX")
children=()

clean_up() {
    for pid in "${children[@]}"; do
        stop_process "$pid"
    done
    rm -rf "$work"
}

# shellcheck source=tests/interop/lib.sh
source "$here/lib.sh"
trap clean_up EXIT

# The clients keep state (TUF metadata, tree heads) in the home folder: give them an empty one.
export HOME="$work/home" COSIGN_PASSWORD=""
mkdir "$HOME"
# Settings of the person who runs this are no part of the suite.
unset "${!CAIRN_@}" "${!REKOR_@}" "${!SIGSTORE_@}"
cd "$work"

# Another process may take the port between our look and the server's: then try the next.
for _ in 1 2 3; do
    port=$(free_port)
    log_url="http://127.0.0.1:$port"
    start_background server.txt \
        "$cairn" serve --data-dir data --listen "127.0.0.1:$port" --metrics-listen off
    server=$started
    wait_for "$log_url/ping" "$server" && break
done
wait_for "$log_url/ping" "$server" || {
    echo "the server does not start:" >&2
    cat server.txt >&2
    exit 1
}
curl -fsS -o log.pub "$log_url/api/v1/log/publicKey"
expect "a fresh log serves the public key that it has written down" "" cmp log.pub data/v1.pub

registry_port=$(free_port)
start_background registry.txt "$clients/registry" -port "$registry_port"
wait_for "http://127.0.0.1:$registry_port/v2/" "$started"

# shellcheck source=tests/interop/rekor-cli.sh
source "$here/rekor-cli.sh"
# shellcheck source=tests/interop/cosign.sh
source "$here/cosign.sh"

run_rekor_cli
run_cosign 2
run_cosign 3
run_new_bundles
expect "rekor-cli: loginfo: today's tree extends the one seen first" \
    "Verification Successful" rekor loginfo

stop_process "$server"
run_offline
expect "cairn fsck: what is stored is whole" "" "$cairn" fsck --data-dir data

if [[ $failed != 0 ]]; then
    echo "# the server said:"
    tail -n 50 server.txt | sed 's/^/#   /'
fi
echo "1..$((passed + failed))"
echo "interop: $passed passed, $failed failed"
[[ $failed == 0 ]]
