#!/usr/bin/env bash
# Installs the released clients that the interop suite drives, each at a pinned version.
# Go checks every module against its checksum database. The cache is outside the clone; a
# client that is already there at the pinned version is left alone.
set -euo pipefail

cache="${CAIRN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn}/clients"
mkdir -p "$cache"
export CGO_ENABLED=0

# install_client NAME PACKAGE VERSION: the command of PACKAGE at VERSION becomes $cache/NAME.
install_client() {
    local name=$1 package=$2 version=$3
    local stamp="$cache/$name.version"
    if [[ -x $cache/$name && -f $stamp && $(<"$stamp") == "$package@$version" ]]; then
        return
    fi
    echo "installing $name ($package@$version); the first time takes minutes" >&2
    local folder
    folder=$(mktemp -d "$cache/install.XXXXXX")
    GOBIN="$folder" go install "$package@$version"
    mv "$folder/$(basename "$package")" "$cache/$name"
    rmdir "$folder"
    echo "$package@$version" >"$stamp"
}

if ! command -v go >/dev/null; then
    echo "the clients are written in Go: install Go 1.26 or later from https://go.dev/dl" >&2
    exit 1
fi

install_client cosign-v3 github.com/sigstore/cosign/v3/cmd/cosign v3.1.3
install_client cosign-v2 github.com/sigstore/cosign/v2/cmd/cosign v2.6.5
install_client rekor-cli github.com/sigstore/rekor/cmd/rekor-cli v1.5.4
install_client crane github.com/google/go-containerregistry/cmd/crane v0.22.1
install_client registry github.com/google/go-containerregistry/cmd/registry v0.22.1
