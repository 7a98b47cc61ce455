# shellcheck shell=bash
# The world of keyless.sh, all of it on loopback: who issues tokens and certificates, who promises
# what, and the Cairn under test; and the files that tell a client about them.

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

# Two logs of ours, and the trusted root and signing configs of all of it. `stranger` is a root of the
# same world but for the logs: those of the suite's other Cairn. The timestamp authority is that of
# rekor-v2.sh: its metrics have one port that cannot be changed, so there is room for one.
keyless_prepare() {
    mkdir keyless
    keyless_fulcio
    local port
    port=$(free_port)
    KEYLESS_URL=http://127.0.0.1:$port
    keyless_start cairn "$KEYLESS_URL/checkpoint" "$CAIRN" serve --data-dir keyless/data \
        --hostname 127.0.0.1 --listen "127.0.0.1:$port" --metrics-listen off --log-format json
    KEYLESS_CAIRN_PID=${KEYLESS_PIDS[-1]}
    unset 'KEYLESS_PIDS[-1]'
    "$CAIRN" trusted-root --data-dir keyless/data --url "$KEYLESS_URL" --merge keyless/others.json \
        --tsa-url "$TSA_URL" --tsa-chain tsa.pem >keyless/world.root.json
    "$CAIRN" trusted-root --data-dir data-v2 --url "$KEYLESS_URL" --merge keyless/others.json \
        --tsa-url "$TSA_URL" --tsa-chain tsa.pem >keyless/stranger.root.json
    json "cairn: trusted-root --merge keeps Fulcio and the CT log" \
        "[len(d[k]) for k in ('tlogs', 'certificateAuthorities', 'ctlogs', 'timestampAuthorities')]
         == [2, 1, 1, 1]" cat keyless/world.root.json
    # Here v1 does without an authority: its own promise of time has to do.
    local config=("$CAIRN" signing-config --data-dir keyless/data --url "$KEYLESS_URL"
        --fulcio-url "$FULCIO_URL" --oidc-url "$ISSUER_URL")
    "${config[@]}" --log v1 >keyless/v1.config.json
    "${config[@]}" --log v2 --tsa-url "$TSA_URL" >keyless/v2.config.json
    keyless_variants
    keyless_clients
}

# What is made of those files for one client or another. `impostor` is the trusted root `world` with
# the right log IDs and the wrong keys.
keyless_variants() {
    local log root
    change_json keyless/world.root.json keyless/impostor.root.json "
for log, other in zip(d['tlogs'], json.load(open('keyless/stranger.root.json'))['tlogs']):
    log['publicKey']['rawBytes'] = other['publicKey']['rawBytes']"
    for log in v1 v2; do
        python_trust world "$log"
        change_json "keyless/$log.config.json" "keyless/$log.java.json" \
            "d['caUrls'][0]['url'] = '$FULCIO_GRPC_URL'"
    done
    for root in stranger impostor; do
        python_trust "$root" v2
    done
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

keyless_clean_up() {
    local pid
    for pid in $KEYLESS_CAIRN_PID "${KEYLESS_PIDS[@]}"; do
        stop "$pid" || true
    done
    KEYLESS_CAIRN_PID=
    KEYLESS_PIDS=()
}
