# shellcheck shell=bash
# The clients of keyless.sh: which of them are there, and the command with which each signs,
# attests and verifies.

SLSA_V1=https://slsa.dev/provenance/v1

# Which of them are there, and the command of each.
keyless_clients() {
    local jars
    KEYLESS_CLIENTS=(cosign)
    if [[ -x $SIGSTORE_PYTHON_BIN ]]; then
        KEYLESS_CLIENTS+=(python)
        PYTHON=(env COLUMNS=500 "$SIGSTORE_PYTHON_BIN") # it breaks the lines of its errors
    else
        echo "skipped: sigstore-python (Python 3.10 with venv was missing at the installation)"
    fi
    if [[ -d $NODE_MODULES ]]; then
        KEYLESS_CLIENTS+=(js)
        JS=(env "NODE_PATH=$NODE_MODULES" node "$here/keyless/keyless.js")
    else
        echo "skipped: sigstore-js (npm was missing at the installation)"
    fi
    if [[ ! -d $JAVA_JARS ]]; then
        echo "skipped: sigstore-java (a JDK or Maven was missing at the installation)"
        return
    fi
    KEYLESS_CLIENTS+=(java)
    jars=$(sed "s|^[0-9a-f]* *|$JAVA_JARS/|" "$here/keyless/jars.sha256" | paste -sd:)
    passes "sigstore-java: the driver compiles" '' \
        javac -encoding UTF-8 -cp "$jars" -d keyless/classes "$here/keyless/Keyless.java"
    call keytool -importcert -noprompt -alias fulcio -file keyless/tls.crt -storepass interop \
        -storetype PKCS12 -keystore keyless/trust.p12 || die "keytool: $(cat "$WORK/all")"
    # Java does not look at the proxies in the environment.
    JAVA=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m -cp "$jars:keyless/classes"
        -Djavax.net.ssl.trustStore=keyless/trust.p12 -Djavax.net.ssl.trustStorePassword=interop
        -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9
        Keyless)
}

# A token of its own for each use, in a file.
keyless_token() {
    python3 "$here/keyless/oidc.py" token "${ISSUER_URL##*:}" keyless/oidc.key "$ALICE" >keyless/token
}

# signer CLIENT LOG BUNDLE ARTIFACT: sets SIGN to the command.
signer() {
    keyless_token
    case $1 in
        cosign) SIGN=("$COSIGN_V3" sign-blob --yes --identity-token keyless/token
            --signing-config "keyless/$2.config.json" --trusted-root keyless/world.root.json
            --bundle "$3" "$4") ;;
        python) SIGN=("${PYTHON[@]}" --trust-config "keyless/world.$2.trust.json" sign
            --identity-token "$(cat keyless/token)" --bundle "$3" "$4") ;;
        js) SIGN=("${JS[@]}" sign "keyless/$2.config.json" keyless/token "$3" "$4") ;;
        java) SIGN=("${JAVA[@]}" sign keyless/world.root.json "keyless/$2.java.json"
            keyless/token "$3" "$4") ;;
    esac
}

# verifier CLIENT ROOT BUNDLE ARTIFACT EMAIL ISSUER: sets VERIFY to the command.
verifier() {
    local root=keyless/$2.root.json bundle=$3 artifact=$4 email=$5 issuer=$6
    case $1 in
        cosign) VERIFY=("$COSIGN_V3" verify-blob --trusted-root "$root" --bundle "$bundle"
            --certificate-identity "$email" --certificate-oidc-issuer "$issuer" "$artifact") ;;
        python) VERIFY=("${PYTHON[@]}" --trust-config "keyless/$2.v2.trust.json" verify identity
            --offline --bundle "$bundle" --cert-identity "$email" --cert-oidc-issuer "$issuer"
            "$artifact") ;;
        js) VERIFY=("${JS[@]}" verify "$root" "$bundle" "$artifact" "$email" "$issuer") ;;
        java) VERIFY=("${JAVA[@]}" verify "$root" "$bundle" "$artifact" "$email" "$issuer") ;;
    esac
}

# attester CLIENT LOG BUNDLE: sets SIGN to the command that puts a statement about `blob` into an
# envelope and signs that.
attester() {
    keyless_token
    case $1 in
        cosign) SIGN=("$COSIGN_V3" attest-blob --yes --identity-token keyless/token
            --signing-config "keyless/$2.config.json" --trusted-root keyless/world.root.json
            --type "$SLSA_V1" --predicate keyless/predicate.json --bundle "$3" blob) ;;
        python) SIGN=("${PYTHON[@]}" --trust-config "keyless/world.$2.trust.json" attest
            --identity-token "$(cat keyless/token)" --predicate-type "$SLSA_V1"
            --predicate keyless/predicate.json --bundle "$3" blob) ;;
        js) SIGN=("${JS[@]}" sign "keyless/$2.config.json" keyless/token "$3" keyless/statement.json
            application/vnd.in-toto+json) ;;
        java) SIGN=("${JAVA[@]}" attest keyless/world.root.json "keyless/$2.java.json"
            keyless/token "$3" keyless/statement.json) ;;
    esac
}

# attested CLIENT BUNDLE ARTIFACT EMAIL: sets VERIFY to the command.
attested() {
    if [[ $1 != cosign ]]; then
        verifier "$1" world "$2" "$3" "$4" "$ISSUER_URL"
        return
    fi
    VERIFY=("$COSIGN_V3" verify-blob-attestation --trusted-root keyless/world.root.json --bundle "$2"
        --certificate-identity "$4" --certificate-oidc-issuer "$ISSUER_URL" --type "$SLSA_V1" "$3")
}
