#!/usr/bin/env bash
# Runs released sigstore clients against `cairn serve`. Usage: run.sh [path-to-cairn]
# (or $CAIRN; by default the release build of this clone).
# It starts its own log and registry on free loopback ports, keeps everything in one
# temporary folder, and ends only what it started. KEEP=1 keeps the folder of a failed run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/interop/clients.sh
source "$here/clients.sh"
# shellcheck source=tests/interop/lib.sh
source "$here/lib.sh"
# shellcheck source=tests/interop/cosign.sh
source "$here/cosign.sh"
# shellcheck source=tests/interop/cosign-identity.sh
source "$here/cosign-identity.sh"
# shellcheck source=tests/interop/rekor-cli.sh
source "$here/rekor-cli.sh"
# shellcheck source=tests/interop/auditors.sh
source "$here/auditors.sh"
# shellcheck source=tests/interop/rekor-v2.sh
source "$here/rekor-v2.sh"
# shellcheck source=tests/interop/objects.sh
source "$here/objects.sh"
# shellcheck source=tests/interop/replica.sh
source "$here/replica.sh"
# shellcheck source=tests/interop/keyless.sh
source "$here/keyless.sh"
# shellcheck source=tests/interop/kinds.sh
source "$here/kinds.sh"

die() {
    echo "interop: $*" >&2
    exit 2
}

find_tools() {
    local line command version tool
    for tool in python3 openssl curl timeout ssh-agent ssh-keygen; do
        command -v "$tool" >/dev/null || die "$tool is missing: install it"
    done
    [[ -x $CAIRN ]] || die "no cairn at $CAIRN: run \`cargo build --release\` or name the binary"
    for line in "${CLIENTS[@]}"; do
        read -r command version _ <<<"$line"
        [[ -x $(client_path "$command" "$version") ]] ||
            die "$command $version is not installed: run $here/install-clients.sh"
    done
    COSIGN_V2=$(client_path cosign v2.6.5)
    COSIGN_V3=$(client_path cosign v3.1.3)
    REKOR_CLI=$(client_path rekor-cli v1.5.4)
    CRANE=$(client_path crane v0.22.1)
    REGISTRY_SERVER=$(client_path registry v0.22.1)
    GRPCURL=$(client_path grpcurl v1.9.4)
    OMNIWITNESS=$(client_path omniwitness v0.0.0-20260720115447-2e1c6971d19e)
    LITEWITNESS=$(client_path litewitness v0.9.0)
    AUDITOR=$(auditor_path)
    [[ -x $AUDITOR ]] || die "the auditor is not installed: run $here/install-clients.sh"
    TSA_SERVER=$(client_path timestamp-server v2.1.3)
    TESSERA_FSCK=$(client_path fsck v1.0.4)
    VERSITYGW=$(client_path versitygw v1.8.0)
    FULCIO=$(client_path fulcio v1.8.8)
    NODE_MODULES=$(js_path)/node_modules
    SIGSTORE_PYTHON_BIN=$(python_path)/bin/sigstore
    JAVA_JARS=$(java_path)
}

# The clients see nothing of the user's settings and reach nothing but loopback:
# every other address goes to a proxy that is not there.
isolate() {
    local name
    while IFS= read -r name; do
        unset "$name"
    done < <(compgen -e | grep -E '^(CAIRN_|AWS_|COSIGN|REKOR|SIGSTORE|TUF|DOCKER|REGISTRY|PORT$)' || true)
    export HOME=$WORK/home DOCKER_CONFIG=$WORK/home/docker TUF_ROOT=$WORK/home/tuf
    export XDG_CACHE_HOME=$WORK/home/cache XDG_CONFIG_HOME=$WORK/home/config
    export TMPDIR=$WORK/tmp COSIGN_PASSWORD='' LC_ALL=C
    export HTTP_PROXY=$CLOSED_URL HTTPS_PROXY=$CLOSED_URL NO_PROXY=127.0.0.1
    export http_proxy=$CLOSED_URL https_proxy=$CLOSED_URL no_proxy=127.0.0.1
    mkdir -p "$HOME" "$DOCKER_CONFIG" "$TUF_ROOT" "$TMPDIR"
    cd "$WORK"
}

# cosign takes the log's key from the environment, so that it needs no TUF repository.
start_servers() {
    CAIRN_ADDRESS=127.0.0.1:$(free_port)
    REKOR_URL=http://$CAIRN_ADDRESS
    start_cairn
    start_registry
    cp "$WORK/data/v1.pub" log.pub
    export SIGSTORE_REKOR_PUBLIC_KEY=$WORK/log.pub
}

with_the_log_running() {
    rekor_cli_prepare
    cosign_prepare
    rekor_cli_empty_log
    local version
    for version in v2 v3; do
        cosign_sign "$version"
        cosign_online "$version"
        cosign_image "$version"
        cosign_duplicate "$version"
    done
    identity_prepare
    identity_sign
    rekor_cli_first_loginfo
    rekor_cli_upload
    rekor_cli_read
    rekor_cli_verify
    rekor_cli_search
    replica
    rekor_cli_loginfo_after_growth
}

without_the_log() {
    local version
    for version in v2 v3; do
        cosign_offline "$version"
        cosign_offline_tampered "$version"
        cosign_offline_image "$version"
    done
    identity_verify offline --offline
}

after_a_restart() {
    rekor_cli_after_restart
    cosign_online v2
    cosign_online v3
}

stop_and_check() {
    local verdict=ok code=0
    stop_cairn || code=$?
    tail -n 5 cairn.log >all
    ((code == 0)) || verdict="exit code $code, expected 0"
    report "$verdict" "cairn: ends on SIGTERM with exit code 0" kill -TERM cairn
}

server_log_is_clean() {
    local verdict=ok
    grep -E '"status":"?5[0-9][0-9]|"level":"ERROR"|panicked' cairn.log >all || true
    [[ ! -s all ]] || verdict="the log of the server holds errors"
    report "$verdict" "cairn: no answer was a server error" grep 5xx cairn.log
}

no_client_went_out() {
    local verdict=ok
    cp outbound all
    [[ ! -s all ]] || verdict="a client tried to reach more than loopback"
    report "$verdict" "clients: none tried to reach more than loopback" grep "$BEYOND_LOOPBACK" outbound
}

main() {
    CAIRN=${1:-${CAIRN:-${CARGO_TARGET_DIR:-$here/../../target}/release/cairn}}
    CAIRN=$(realpath -m "$CAIRN")
    find_tools
    WORK=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    kinds_prepare
    isolate
    start_servers
    with_the_log_running
    stop_and_check
    without_the_log
    start_cairn
    after_a_restart
    auditors
    rekor_v2
    objects
    keyless
    kinds
    stop_and_check
    passes "cairn: fsck finds the log whole" '' "$CAIRN" fsck --data-dir data
    server_log_is_clean
    no_client_went_out
    FINISHED=yes
    echo "interop: $PASSED passed, $FAILED failed"
    ((FAILED == 0))
}

main "$@"
