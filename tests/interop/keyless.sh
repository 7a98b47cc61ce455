# shellcheck shell=bash
# Keyless signing in a world of its own: an issuer of tokens, Fulcio, a CT log's promises, a timestamp
# authority, and a Cairn with both logs. Four clients sign into each log and verify each other.

ALICE=alice@example.com
KEYLESS_PIDS=()
KEYLESS_CAIRN_PID=

# keyless_start NAME URL COMMAND...: a server in the background, until it answers at URL.
keyless_start() {
    local name=$1 url=$2
    shift 2
    "$@" >"$WORK/keyless/$name.log" 2>&1 &
    KEYLESS_PIDS+=($!)
    await "$START_SECONDS_MAX" get "$url" >/dev/null || {
        echo "$name does not answer at $url:" >&2
        tail -n 20 "$WORK/keyless/$name.log" >&2
        exit 1
    }
}

# Fulcio listens twice: HTTP for most clients, gRPC over TLS for sigstore-java.
keyless_fulcio() {
    local oidc ct grpc port
    oidc=$(free_port)
    ct=$(free_port)
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out keyless/oidc.key
    openssl ecparam -name prime256v1 -genkey -noout -out keyless/ct.key
    openssl pkey -in keyless/ct.key -pubout -out keyless/ct.pub
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=fulcio \
        -addext subjectAltName=IP:127.0.0.1 -keyout keyless/tls.key -out keyless/tls.crt 2>/dev/null
    ISSUER_URL=http://127.0.0.1:$oidc
    keyless_start oidc "$ISSUER_URL/keys" python3 "$here/keyless/oidc.py" serve "$oidc" keyless/oidc.key
    keyless_start ct "http://127.0.0.1:$ct" python3 "$here/keyless/ct.py" "$ct" keyless/ct.key
    cat >keyless/fulcio.yaml <<YAML
oidc-issuers:
  $ISSUER_URL: {issuer-url: "$ISSUER_URL", client-id: sigstore, type: email}
YAML
    port=$(free_port)
    grpc=$(free_port)
    FULCIO_URL=http://127.0.0.1:$port
    FULCIO_GRPC_URL=https://127.0.0.1:$grpc
    keyless_start fulcio "$FULCIO_URL/healthz" "$FULCIO" serve --ca ephemeralca \
        --host 127.0.0.1 --port "$port" --grpc-host 127.0.0.1 --grpc-port "$grpc" --metrics-port 0 \
        --grpc-tls-certificate keyless/tls.crt --grpc-tls-key keyless/tls.key \
        --legacy-unix-domain-socket "$WORK/keyless/fulcio.sock" --config-path keyless/fulcio.yaml \
        --ct-log-url "http://127.0.0.1:$ct" --ct-log-public-key-path keyless/ct.pub
    get "$FULCIO_URL/api/v2/trustBundle" >keyless/bundle.json
    value keyless/bundle.json "'\\n'.join(d['chains'][0]['certificates'])" >keyless/fulcio.pem
    passes "cosign v3: trusted-root create with Fulcio and a CT log" '' \
        "$COSIGN_V3" trusted-root create --out keyless/cosign.json \
        --fulcio="url=$FULCIO_URL,certificate-chain=keyless/fulcio.pem" \
        --ctfe="url=http://127.0.0.1:$ct,public-key=keyless/ct.pub,start-time=$START_TIME"
    # sigstore-python insists on a name that cosign leaves out.
    change_json keyless/cosign.json keyless/others.json \
        "d['certificateAuthorities'][0]['subject']['commonName'] = 'fulcio'"
}

# Two logs of ours, and a trusted root and signing configs of all of it. `stranger` is a root of the
# same world but for the log keys: those of the suite's other Cairn.
keyless_prepare() {
    mkdir keyless
    keyless_fulcio
    local port log tsa=("$TSA_SERVER" serve --host 127.0.0.1 --timestamp-signer memory --disable-ntp-monitoring)
    port=$(free_port)
    local tsa_url=http://127.0.0.1:$port/api/v1/timestamp
    keyless_start tsa "$tsa_url/certchain" "${tsa[@]}" --port "$port"
    get "$tsa_url/certchain" >keyless/tsa.pem
    port=$(free_port)
    KEYLESS_URL=http://127.0.0.1:$port
    keyless_start cairn "$KEYLESS_URL/checkpoint" "$CAIRN" serve --data-dir keyless/data \
        --hostname 127.0.0.1 --listen "127.0.0.1:$port" --metrics-listen off --log-format json
    KEYLESS_CAIRN_PID=${KEYLESS_PIDS[-1]}
    "$CAIRN" trusted-root --data-dir keyless/data --url "$KEYLESS_URL" --merge keyless/others.json \
        --tsa-url "$tsa_url" --tsa-chain keyless/tsa.pem >keyless/world.root.json
    "$CAIRN" trusted-root --data-dir data-v2 --url "$KEYLESS_URL" --merge keyless/others.json \
        --tsa-url "$tsa_url" --tsa-chain keyless/tsa.pem >keyless/stranger.root.json
    json "cairn: trusted-root --merge keeps Fulcio and the CT log" \
        "[len(d[k]) for k in ('tlogs', 'certificateAuthorities', 'ctlogs', 'timestampAuthorities')]
         == [2, 1, 1, 1]" cat keyless/world.root.json
    for log in v1 v2; do
        "$CAIRN" signing-config --data-dir keyless/data --url "$KEYLESS_URL" --log "$log" \
            --oidc-url "$ISSUER_URL" --tsa-url "$tsa_url" --fulcio-url "$FULCIO_URL" \
            >"keyless/$log.config.json"
        change_json "keyless/$log.config.json" "keyless/$log.grpc.config.json" \
            "d['caUrls'][0]['url'] = '$FULCIO_GRPC_URL'"
    done
    python_trust world v1
    python_trust world v2
    python_trust stranger v2
    keyless_clients
}

# python_trust ROOT LOG: a ClientTrustConfig, which is how sigstore-python takes both files.
python_trust() {
    python3 - "keyless/$1.root.json" "keyless/$2.config.json" >"keyless/$1.$2.trust.json" <<'PYTHON'
import json, sys

root, config = (json.load(open(path)) for path in sys.argv[1:])
print(json.dumps({"mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
                  "trustedRoot": root, "signingConfig": config}))
PYTHON
}

# Which of them are there, and the command of each.
keyless_clients() {
    local jars
    KEYLESS_CLIENTS=(cosign)
    if [[ -x $SIGSTORE_PYTHON_BIN ]]; then
        KEYLESS_CLIENTS+=(python)
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
    keytool -importcert -noprompt -alias fulcio -file keyless/tls.crt -keystore keyless/trust.p12 \
        -storetype PKCS12 -storepass interop 2>/dev/null
    # Java does not look at the proxies in the environment.
    JAVA=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m -cp "$jars:keyless/classes"
        -Djavax.net.ssl.trustStore=keyless/trust.p12 -Djavax.net.ssl.trustStorePassword=interop
        -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9 -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9
        Keyless)
}

# signer CLIENT LOG BUNDLE ARTIFACT: sets SIGN to the command.
signer() {
    local token
    python3 "$here/keyless/oidc.py" token "${ISSUER_URL##*:}" keyless/oidc.key "$ALICE" >keyless/token
    token=$(cat keyless/token)
    case $1 in
        cosign) SIGN=("$COSIGN_V3" sign-blob --yes --identity-token keyless/token
            --signing-config "keyless/$2.config.json" --trusted-root keyless/world.root.json
            --bundle "$3" "$4") ;;
        python) SIGN=("$SIGSTORE_PYTHON_BIN" --trust-config "keyless/world.$2.trust.json" sign
            --identity-token "$token" --bundle "$3" "$4") ;;
        js) SIGN=("${JS[@]}" sign "keyless/$2.config.json" keyless/token "$3" "$4") ;;
        java) SIGN=("${JAVA[@]}" sign keyless/world.root.json "keyless/$2.grpc.config.json"
            keyless/token "$3" "$4") ;;
    esac
}

# verifier CLIENT ROOT BUNDLE ARTIFACT EMAIL ISSUER: sets VERIFY to the command.
verifier() {
    local root=keyless/$2.root.json bundle=$3 artifact=$4 email=$5 issuer=$6
    case $1 in
        cosign) VERIFY=("$COSIGN_V3" verify-blob --trusted-root "$root" --bundle "$bundle"
            --certificate-identity "$email" --certificate-oidc-issuer "$issuer" "$artifact") ;;
        python) VERIFY=("$SIGSTORE_PYTHON_BIN" --trust-config "keyless/$2.v2.trust.json" verify identity
            --offline --bundle "$bundle" --cert-identity "$email" --cert-oidc-issuer "$issuer"
            "$artifact") ;;
        js) VERIFY=("${JS[@]}" verify "$root" "$bundle" "$artifact" "$email" "$issuer") ;;
        java) VERIFY=("${JAVA[@]}" verify "$root" "$bundle" "$artifact" "$email" "$issuer") ;;
    esac
}

keyless_size() {
    get "$KEYLESS_URL/api/v1/log" >keyless/log.json
    echo "$(value keyless/log.json 'd["treeSize"]') $(get "$KEYLESS_URL/checkpoint" | sed -n 2p)"
}
