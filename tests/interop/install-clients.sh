#!/usr/bin/env bash
# Installs the released clients of the interop suite, each in its pinned version.
# They go into a cache outside the clone; what is there already is left alone.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/interop/clients.sh
source "$here/clients.sh"

GO_MINOR_MIN=26

die() {
    echo "install-clients: $*" >&2
    exit 1
}

# The clients' modules name the Go release that they need; a download of another
# toolchain halfway through would hide that, so the local one is used or refused.
check_go() {
    command -v go >/dev/null ||
        die "go is missing: install Go 1.$GO_MINOR_MIN or newer (https://go.dev/dl) and put it on PATH"
    local version minor
    version=$(GOTOOLCHAIN=local go env GOVERSION)
    minor=${version#go1.}
    minor=${minor%%[!0-9]*}
    [[ $version == go1.* && -n $minor ]] || die "cannot read the Go version \`$version\`"
    ((minor >= GO_MINOR_MIN)) ||
        die "$version is too old: install Go 1.$GO_MINOR_MIN or newer (https://go.dev/dl)"
}

# installed FILE VERSION PACKAGE: is FILE that package in that version?
installed() {
    [[ -x $1 ]] || return 1
    go version -m "$1" 2>/dev/null | awk -v package="$3" -v version="$2" '
        $1 == "path" && $2 == package { path = 1 }
        $1 == "mod" && $3 == version { mod = 1 }
        END { exit !(path && mod) }'
}

# Builds beside the target and renames, so that an interrupted run leaves no half client.
install_client() {
    local command=$1 version=$2 package=$3 target staging
    target=$(client_path "$command" "$version")
    if installed "$target" "$version" "$package"; then
        echo "$command $version: in place, $target"
        return
    fi
    echo "$command $version: compiling $package (minutes, the first time)"
    mkdir -p "$(dirname "$target")"
    staging=$(mktemp -d "$(dirname "$target")/build.XXXXXX")
    if ! (cd "$staging" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='' GOBIN=$staging \
        go install "$package@$version"); then
        rm -rf "$staging"
        die "$command $version: does not compile; is the Go module proxy reachable (go env GOPROXY)?"
    fi
    mv "$staging/$command" "$target"
    rm -rf "$staging"
    installed "$target" "$version" "$package" || die "$target is not $package $version"
    echo "$command $version: installed, $target"
}

# Compiled from its folder, with the modules that its go.sum has, and no others.
install_auditor() {
    local target staging
    target=$(auditor_path)
    if [[ -x $target ]]; then
        echo "auditor: in place, $target"
        return
    fi
    echo "auditor: compiling $here/auditor (minutes, the first time)"
    mkdir -p "$(dirname "$target")"
    staging=$(mktemp -d "$(dirname "$target")/build.XXXXXX")
    if ! (cd "$here/auditor" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS='' GOWORK=off \
        go build -mod=readonly -trimpath -o "$staging/auditor" .); then
        rm -rf "$staging"
        die "auditor: does not compile; is the Go module proxy reachable (go env GOPROXY)?"
    fi
    mv "$staging/auditor" "$target"
    rm -rf "$staging"
    echo "auditor: installed, $target"
}

# The packages of sigstore-js, as the lock file has them. Without npm the checks that need them are
# left out, and say so.
install_js() {
    local target
    target=$(js_path)
    if ! command -v npm >/dev/null; then
        echo "sigstore-js: npm is missing, so it is left out"
        return
    fi
    if cmp -s "$here/js/package-lock.json" "$target/package-lock.json" && [[ -d $target/node_modules ]]; then
        echo "sigstore-js $SIGSTORE_JS: in place, $target"
        return
    fi
    mkdir -p "$target"
    cp "$here/js/package.json" "$here/js/package-lock.json" "$target"
    (cd "$target" && npm ci --silent --no-audit --no-fund --ignore-scripts) || die "sigstore-js: npm ci failed"
    echo "sigstore-js $SIGSTORE_JS: installed, $target"
}

# sigstore-python in an environment of its own. Built anew if what it was built from has changed;
# the list is put beside it last, so that an interrupted run counts for nothing.
install_python() {
    local target wanted=$here/keyless/requirements.txt
    target=$(python_path)
    if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        echo "sigstore-python: Python 3.10 with venv is missing, so it is left out"
        return
    fi
    if cmp -s "$wanted" "$target/requirements.txt" && "$target/bin/sigstore" --version >/dev/null 2>&1; then
        echo "sigstore-python $SIGSTORE_PYTHON: in place, $target"
        return
    fi
    rm -rf "$target"
    mkdir -p "$(dirname "$target")"
    python3 -m venv "$target" || die "sigstore-python: no environment in $target"
    # The list is whole, so nothing is resolved: older pips take a newer release for what is wanted
    # with an extra (`pydantic[email]`), and then miss its hash.
    "$target/bin/pip" --quiet --disable-pip-version-check install --no-deps --require-hashes \
        --only-binary :all: -r "$wanted" || die "sigstore-python: pip failed"
    "$target/bin/pip" --disable-pip-version-check check >/dev/null || die "sigstore-python: the list is not whole"
    cp "$wanted" "$target/requirements.txt"
    echo "sigstore-python $SIGSTORE_PYTHON: installed, $target"
}

# The jars of sigstore-java, by Maven, and each as jars.sha256 has it.
install_java() {
    local target
    target=$(java_path)
    if ! command -v mvn >/dev/null || ! command -v javac >/dev/null || ! command -v keytool >/dev/null; then
        echo "sigstore-java: a JDK or Maven is missing, so it is left out"
        return
    fi
    if (cd "$target" && sha256sum --quiet --check "$here/keyless/jars.sha256") >/dev/null 2>&1; then
        echo "sigstore-java $SIGSTORE_JAVA: in place, $target"
        return
    fi
    rm -rf "$target"
    mkdir -p "$target"
    mvn --batch-mode --quiet --file "$here/keyless/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$target" || die "sigstore-java: Maven failed"
    (cd "$target" && sha256sum --quiet --check "$here/keyless/jars.sha256") ||
        die "sigstore-java: the jars are not those of jars.sha256"
    echo "sigstore-java $SIGSTORE_JAVA: installed, $target"
}

main() {
    "$here/../fixtures/install.sh" || die "the tools of the fixtures are missing"
    check_go
    install_auditor
    install_js
    install_python
    install_java
    local line command version package
    for line in "${CLIENTS[@]}"; do
        read -r command version package <<<"$line"
        install_client "$command" "$version" "$package"
    done
}

main "$@"
