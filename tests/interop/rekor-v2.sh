# shellcheck shell=bash
# Rekor v2 against a second Cairn, whose log is named like its address: cosign 3 with a timestamp
# authority, grpcurl, Tessera's fsck, and two witnesses.

V2_PID=
TSA_PID=
W1_PID=
W2_PID=

v2_answers() {
    get "$V2_URL/checkpoint" >/dev/null
}

# start_v2 FLAG...: starts it on its port; the second start goes on with the first's data.
start_v2() {
    "$CAIRN" serve --data-dir "$WORK/data-v2" --hostname 127.0.0.1 --listen "127.0.0.1:$V2_PORT" \
        --metrics-listen off --log-format json "$@" >>"$WORK/cairn.log" 2>&1 &
    V2_PID=$!
    await "$START_SECONDS_MAX" v2_answers || {
        tail -n 20 "$WORK/cairn.log" >&2
        exit 1
    }
}

v2_prepare() {
    V2_PORT=$(free_port)
    V2_URL=http://127.0.0.1:$V2_PORT
    start_v2
    local port
    port=$(free_port)
    TSA_URL=http://127.0.0.1:$port/api/v1/timestamp
    "$TSA_SERVER" serve --host 127.0.0.1 --port "$port" --timestamp-signer memory \
        --disable-ntp-monitoring >"$WORK/tsa.log" 2>&1 &
    TSA_PID=$!
    await "$START_SECONDS_MAX" get "$TSA_URL/certchain" >tsa.pem || {
        echo "the timestamp authority does not start:" >&2
        cat "$WORK/tsa.log" >&2
        exit 1
    }
    get "$TSA_URL/certchain" >tsa.pem
    "$CAIRN" trusted-root --data-dir data-v2 --url "$V2_URL" --tsa-url "$TSA_URL" \
        --tsa-chain tsa.pem >v2log.root.json
    "$CAIRN" signing-config --data-dir data-v2 --url "$V2_URL" --tsa-url "$TSA_URL" \
        --log v2 >v2log.config.json
    cat >fetch.py <<'PYTHON'
import sys, urllib.request

sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=10).read())
PYTHON
    GRPC=("$GRPCURL" -plaintext -max-time 20)
    json "cairn: /trusted_root.json has both logs" \
        "[log['logId'] for log in d['tlogs']] == [log['logId'] for log in json.load(open('v2log.root.json'))['tlogs']]
         and len(d['tlogs']) == 2" python3 fetch.py "$V2_URL/trusted_root.json"
    json "cairn: /signing_config.json names the v2 log first" \
        "[log['majorApiVersion'] for log in d['rekorTlogUrls']] == [2, 1]" \
        python3 fetch.py "$V2_URL/signing_config.json"
    json "cosign v3: trusted-root create reads what Cairn printed and adds to it" \
        "len(d['tlogs']) == 1" "$COSIGN_V3" trusted-root create \
        --rekor="url=$V2_URL,public-key=data-v2/v2.pub,start-time=$START_TIME,origin=127.0.0.1"
}

v2_size() {
    get "$V2_URL/checkpoint" | sed -n 2p
}

V2_SIGN=(--signing-config v2log.config.json --trusted-root v2log.root.json)

v2_cosign() {
    local before
    before=$(v2_size)
    passes "cosign v3: sign-blob into the v2 log" '' \
        "$COSIGN_V3" sign-blob --yes --key v3.key "${V2_SIGN[@]}" --bundle v2log.bundle blob
    equal "cosign v3: that is one entry" "$(v2_size)" "$((before + 1))"
    json "cosign v3: the bundle holds a hashedrekord 0.0.2 without a time" \
        "[(e['kindVersion'], e.get('integratedTime', '0'), 'inclusionPromise' in e)
          for e in d['verificationMaterial']['tlogEntries']]
         == [({'kind': 'hashedrekord', 'version': '0.0.2'}, '0', False)]" cat v2log.bundle
    passes "cosign v3: verify-blob by the printed trusted root" 'Verified OK' \
        "$COSIGN_V3" verify-blob --key v3.pub --bundle v2log.bundle --trusted-root v2log.root.json blob
    refuses "cosign v3: verify-blob, another blob" 'could not verify|invalid signature|mismatch' \
        "$COSIGN_V3" verify-blob --key v3.pub --bundle v2log.bundle \
        --trusted-root v2log.root.json blob.tampered
    tamper v2log.bundle v2log.spoilt "
p = d['verificationMaterial']['tlogEntries'][0]['inclusionProof']
p['checkpoint']['envelope'] = p['checkpoint']['envelope'].replace('127.0.0.1\n', '127.0.0.2\n', 1)"
    refuses "cosign v3: verify-blob, another origin" 'checkpoint|origin|log' \
        "$COSIGN_V3" verify-blob --key v3.pub --bundle v2log.spoilt --trusted-root v2log.root.json blob
    tamper v2log.bundle v2log.spoilt "
c = d['verificationMaterial']['tlogEntries'][0]['inclusionProof']['checkpoint']
head, signature = c['envelope'].rstrip('\\n').rsplit(' ', 1)
c['envelope'] = head + ' ' + flip(signature) + '\\n'"
    refuses "cosign v3: verify-blob, another signature of the log" 'checkpoint|signature|log' \
        "$COSIGN_V3" verify-blob --key v3.pub --bundle v2log.spoilt --trusted-root v2log.root.json blob
    passes "cosign v2: verify-blob of the v2 entry" 'Verified OK' \
        "$COSIGN_V2" verify-blob --key v3.pub --bundle v2log.bundle --new-bundle-format \
        --use-signed-timestamps --trusted-root v2log.root.json blob
    v2_sigstore_js
    push_image v3 v2log
    passes "cosign v3: sign an image into the v2 log" '' \
        "$COSIGN_V3" sign --yes --allow-http-registry --key v3.key "${V2_SIGN[@]}" "$IMAGE"
    passes "cosign v3: attest into the v2 log" '' "$COSIGN_V3" attest --yes --allow-http-registry \
        --key v3.key "${V2_SIGN[@]}" --type slsaprovenance --predicate predicate.json "$IMAGE"
    passes "cosign v3: verify that image" 'The cosign claims were validated' "$COSIGN_V3" verify \
        --allow-http-registry --key v3.pub --trusted-root v2log.root.json "$IMAGE"
    passes "cosign v3: verify-attestation of that image" 'The cosign claims were validated' \
        "$COSIGN_V3" verify-attestation --allow-http-registry --key v3.pub \
        --trusted-root v2log.root.json --type slsaprovenance "$IMAGE"
    equal "cosign v3: blob, image and attestation are three entries" "$(v2_size)" "$((before + 3))"
}

v2_sigstore_js() {
    if [[ ! -d $NODE_MODULES ]]; then
        echo "skipped: sigstore-js verifies cosign's bundles (npm was missing at the installation)"
        return
    fi
    local verify=(env "NODE_PATH=$NODE_MODULES" node "$here/js/verify.js" v2log.root.json)
    passes "sigstore-js: verifies cosign's bundle by the printed trusted root" 'verified by sigstore-js' \
        "${verify[@]}" v3.pub v2log.bundle blob
    refuses "sigstore-js: another blob" 'VerificationError|signature' \
        "${verify[@]}" v3.pub v2log.bundle blob.tampered
    refuses "sigstore-js: another signature of the log" 'VerificationError|TLOG|checkpoint' \
        "${verify[@]}" v3.pub v2log.spoilt blob
}

# v2_request FILE: a request for a new entry, made by openssl.
v2_request() {
    openssl rand 32 >v2.artifact
    openssl ecparam -name prime256v1 -genkey -noout -out v2.request.key 2>/dev/null
    openssl dgst -sha256 -sign v2.request.key -out v2.sig v2.artifact
    python3 - "$1" <<PYTHON
import base64, hashlib, json, subprocess, sys

b64 = lambda raw: base64.b64encode(raw).decode()
key = subprocess.run(["openssl", "pkey", "-in", "v2.request.key", "-pubout", "-outform", "DER"],
                     capture_output=True, check=True).stdout
json.dump({"hashedRekordRequestV002": {
    "digest": b64(hashlib.sha256(open("v2.artifact", "rb").read()).digest()),
    "signature": {"content": b64(open("v2.sig", "rb").read()), "verifier": {
        "publicKey": {"rawBytes": b64(key)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}}},
    open(sys.argv[1], "w"))
PYTHON
}

v2_grpc() {
    local at=127.0.0.1:$V2_PORT index
    passes "grpcurl: reflection lists the services" 'dev.sigstore.rekor.v2.Rekor' "${GRPC[@]}" "$at" list
    passes "grpcurl: and the log's own" 'rpc AppendStream' "${GRPC[@]}" "$at" describe cairn.log.v1.Log
    json "grpcurl: health of each service" "d == {'status': 'SERVING'}" \
        "${GRPC[@]}" -d '{"service":"dev.sigstore.rekor.v2.Rekor"}' "$at" grpc.health.v1.Health/Check
    refuses "grpcurl: health of a service that there is not" 'NotFound' \
        "${GRPC[@]}" -d '{"service":"x"}' "$at" grpc.health.v1.Health/Check
    v2_request v2.request.json
    index=$(v2_size)
    json "grpcurl: CreateEntry" "d['logIndex'] == '$index' and d['kindVersion']['version'] == '0.0.2'
        and d['inclusionProof']['treeSize'] == '$((index + 1))'" \
        "${GRPC[@]}" -d "$(cat v2.request.json)" "$at" dev.sigstore.rekor.v2.Rekor/CreateEntry
    refuses "grpcurl: the same again is known" "AlreadyExists" \
        "${GRPC[@]}" -d "$(cat v2.request.json)" "$at" dev.sigstore.rekor.v2.Rekor/CreateEntry
    equal "rest: the same again is 409, and where it is" "$(python3 - "$V2_URL" <<'PYTHON'
import sys, urllib.error, urllib.request as u

request = u.Request(sys.argv[1] + "/api/v2/log/entries", open("v2.request.json", "rb").read())
try:
    u.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    print(error.code, error.headers["X-Log-Index"])
PYTHON
    )" "409 $index"
    python3 fetch.py "$V2_URL/checkpoint" >checkpoint
    json "grpcurl: GetCheckpoint is the one over HTTP" \
        "base64.b64decode(d['data']).decode() == open('checkpoint').read()" \
        "${GRPC[@]}" "$at" dev.sigstore.rekor.v2.Rekor/GetCheckpoint
    json "grpcurl: an inclusion proof at an earlier size" "d['treeSize'] == '2'" \
        "${GRPC[@]}" -d '{"log":"v2","tree_index":1,"tree_size":2}' "$at" cairn.log.v1.Log/GetInclusionProof
    refuses "grpcurl: no proof beyond the log" 'NotFound' \
        "${GRPC[@]}" -d '{"log":"v2","tree_index":1000000}' "$at" cairn.log.v1.Log/GetInclusionProof
}

# A reader that knows only C2SP tlog-tiles rebuilds each tree.
v2_tiles() {
    local name
    get "$V2_URL/logs" >logs.json
    for name in v1 v2; do
        value logs.json "[l['vkey'] for l in d['logs'] if l['name'] == '$name'][0]" >"$name.vkey"
        passes "tessera fsck: the $name log by its tiles" "Successfully fsck'd log" \
            "$TESSERA_FSCK" -ui=false -qps 100000 -public_key "$name.vkey" \
            -origin "$(value logs.json "[l['origin'] for l in d['logs'] if l['name'] == '$name'][0]")" \
            -storage_url "$(value logs.json "[l['url'] for l in d['logs'] if l['name'] == '$name'][0]")/"
    done
}

# start_witness N: on its port; the second start goes on with the first's memory.
start_witness() {
    local port=W$1_PORT
    "$CAIRN" witness --data-dir "$WORK/witness-$1" --listen "127.0.0.1:${!port}" \
        --name "w$1.example" --log "$(cat v2.vkey)" \
        --log "$(cat v1.vkey) $(value logs.json "[l['origin'] for l in d['logs'] if l['name'] == 'v1'][0]")" \
        >"$WORK/witness-$1.out" 2>>"$WORK/witness.log" &
    printf -v "W$1_PID" %s $!
    await "$START_SECONDS_MAX" grep -qs "for logs" "$WORK/witness-$1.out"
}

cosignatures() {
    get "$V2_URL/checkpoint" | grep -c 'w[12].example'
}

v2_witnesses() {
    W1_PORT=$(free_port)
    start_witness 1
    W2_PORT=$(free_port)
    start_witness 2
    {
        sed -n 's/^.*for logs *//p' "$WORK"/witness-[12].out
        echo 'group both all w1.example w2.example'
        echo 'quorum both'
    } >witnesses.policy
    stop "$V2_PID" || true
    start_v2 --witness-policy witnesses.policy --witness-mode wait
    equal "witnesses: both cosign what was there before" "$(cosignatures)" 2
    v2_request v2.request.json
    json "witnesses: an entry's checkpoint carries both" \
        "d['inclusionProof']['checkpoint']['envelope'].count('.example ') == 2" \
        "${GRPC[@]}" -d "$(cat v2.request.json)" "127.0.0.1:$V2_PORT" dev.sigstore.rekor.v2.Rekor/CreateEntry
    json "witnesses: a v1 tree head has one signature" "d['signedTreeHead'].count('\u2014 ') == 1" \
        python3 fetch.py "$V2_URL/api/v1/log"
    kill -KILL "$W2_PID"
    wait "$W2_PID" 2>/dev/null || true
    local before
    before=$(v2_size)
    v2_request v2.request.json
    refuses "witnesses: without the second one no answer" 'DeadlineExceeded' "$GRPCURL" -plaintext \
        -max-time 3 -d "$(cat v2.request.json)" "127.0.0.1:$V2_PORT" \
        dev.sigstore.rekor.v2.Rekor/CreateEntry
    equal "witnesses: and nothing is published" "$(v2_size)" "$before"
    start_witness 2
    refuses "witnesses: with it the entry is there" "AlreadyExists" \
        "${GRPC[@]}" -d "$(cat v2.request.json)" "127.0.0.1:$V2_PORT" dev.sigstore.rekor.v2.Rekor/CreateEntry
    equal "witnesses: published with both" "$(cosignatures)" 2
}

rekor_v2() {
    v2_prepare
    v2_cosign
    v2_grpc
    v2_tiles
    v2_witnesses
    v2_tiles
    local code=0
    stop "$V2_PID" || code=$?
    V2_PID=
    equal "cairn: the v2 server ends on SIGTERM with exit code 0" "code $code" "code 0"
    passes "cairn: fsck finds both logs whole" '' "$CAIRN" fsck --data-dir data-v2
}

v2_clean_up() {
    local pid
    for pid in $V2_PID $TSA_PID $W1_PID $W2_PID; do
        stop "$pid" || true
    done
}
