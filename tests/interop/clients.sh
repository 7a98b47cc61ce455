# shellcheck shell=bash
# The released clients that the suite runs, and where they are kept.
# Sourced by install-clients.sh and run.sh.

# One line per client: command, version, package.
# shellcheck disable=SC2034 # the scripts that source this file use it
CLIENTS=(
    "cosign v3.1.3 github.com/sigstore/cosign/v3/cmd/cosign"
    "cosign v2.6.5 github.com/sigstore/cosign/v2/cmd/cosign"
    "rekor-cli v1.5.4 github.com/sigstore/rekor/cmd/rekor-cli"
    "crane v0.22.1 github.com/google/go-containerregistry/cmd/crane"
    "registry v0.22.1 github.com/google/go-containerregistry/cmd/registry"
    "grpcurl v1.9.4 github.com/fullstorydev/grpcurl/cmd/grpcurl"
    "omniwitness v0.0.0-20260720115447-2e1c6971d19e github.com/transparency-dev/witness/cmd/omniwitness"
    "litewitness v0.9.0 filippo.io/torchwood/cmd/litewitness"
    "timestamp-server v2.1.3 github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server"
    "fsck v1.0.4 github.com/transparency-dev/tessera/cmd/fsck"
    "versitygw v1.8.0 github.com/versity/versitygw/cmd/versitygw"
    "fulcio v1.8.8 github.com/sigstore/fulcio"
)

# The auditor is a small program over released libraries, which auditor/go.mod and go.sum pin; its folder is
# named after its source.
auditor_path() {
    local cache=${CAIRN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn} source
    source=$(cat "${BASH_SOURCE[0]%/*}"/auditor/{go.mod,go.sum,*.go} | openssl dgst -sha256 -r)
    echo "$cache/clients/auditor-${source:0:12}/auditor"
}

# client_path COMMAND VERSION: where that client is, or would be, installed.
client_path() {
    local cache=${CAIRN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn}
    echo "$cache/clients/$1-$2/$1"
}

# Of sigstore-js the signer and the verifier; tests/interop/js/package-lock.json pins all of it.
SIGSTORE_JS=sign-4.1.1-verify-3.1.1
# tests/interop/keyless/requirements.txt, and pom.xml with jars.sha256, pin what these two need.
SIGSTORE_PYTHON=4.5.1
SIGSTORE_JAVA=2.0.0

# client_folder NAME: where the packages of a client in another language are, or would be.
client_folder() {
    local cache=${CAIRN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn}
    echo "$cache/clients/$1"
}

js_path() {
    client_folder "sigstore-js-$SIGSTORE_JS"
}

python_path() {
    client_folder "sigstore-python-$SIGSTORE_PYTHON"
}

java_path() {
    client_folder "sigstore-java-$SIGSTORE_JAVA"
}
