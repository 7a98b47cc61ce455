# shellcheck shell=bash
# cosign against the log: blobs, images and attestations, signed, verified and refused.
# Each function takes the major version, v2 or v3. "legacy" is cosign's own bundle with
# a SET alone; "bundle" is the sigstore bundle v0.3 with inclusion proof and checkpoint.

START_TIME=2024-01-01T00:00:00Z
SLSA=https://slsa.dev/provenance/v0.2

# The flags in which the two majors differ.
cosign_flags() {
    local version=$1
    if [[ $version == v2 ]]; then
        COSIGN=$COSIGN_V2
        SIGN_LEGACY=(--rekor-url "$REKOR_URL")
        VERIFY_LEGACY=(--rekor-url "$REKOR_URL")
        SIGN_BUNDLE=(--rekor-url "$REKOR_URL" --new-bundle-format)
        VERIFY_BUNDLE=(--new-bundle-format --trusted-root "v2.root.json")
    else
        COSIGN=$COSIGN_V3
        SIGN_LEGACY=(--use-signing-config=false --new-bundle-format=false --rekor-url "$REKOR_URL")
        VERIFY_LEGACY=(--new-bundle-format=false --rekor-url "$REKOR_URL")
        SIGN_BUNDLE=(--signing-config "signing-config.json" --trusted-root "v3.root.json")
        VERIFY_BUNDLE=(--trusted-root "v3.root.json")
    fi
}

# trusted_root VERSION PUBLIC-KEY FILE
trusted_root() {
    cosign_flags "$1"
    passes "cosign $1: trusted-root create, $3" '' \
        "$COSIGN" trusted-root create --rekor="url=$REKOR_URL,public-key=$2,start-time=$START_TIME" --out "$3"
    json "cosign $1: $3 holds the key" \
        "d['tlogs'][0]['baseUrl'] == '$REKOR_URL' and
         d['tlogs'][0]['publicKey']['rawBytes'] == '$(openssl pkey -pubin -in "$2" -outform DER | openssl base64 -A)'" \
        cat "$3"
}

cosign_prepare() {
    echo 'the quick brown fox' >blob
    echo 'the quick brown cow' >blob.tampered
    echo '{"builder":{"id":"https://builder.example"},"buildType":"t"}' >predicate.json
    cp ec.pub other.pub # a key of rekor_cli_prepare: signed nothing here
    local version
    for version in v2 v3; do
        cosign_flags "$version"
        passes "cosign $version: generate-key-pair" "Public key written to $version.pub" \
            "$COSIGN" generate-key-pair --output-key-prefix "$version"
        trusted_root "$version" log.pub "$version.root.json"
        trusted_root "$version" other.pub "$version.wrong-root.json"
    done
    passes "cosign v3: signing-config create" '' \
        "$COSIGN_V3" signing-config create --rekor-config=ANY --out signing-config.json \
        --rekor="url=$REKOR_URL,api-version=1,start-time=$START_TIME,operator=example.com"
    json "cosign v3: the signing config names the log" "d['rekorTlogUrls'][0]['url'] == '$REKOR_URL'" \
        cat signing-config.json
}

cosign_sign() {
    local v=$1 before
    cosign_flags "$v"
    before=$(tree_size)
    passes "cosign $v: sign-blob, legacy bundle" 'Wrote bundle to file' \
        "$COSIGN" sign-blob --yes --key "$v.key" "${SIGN_LEGACY[@]}" \
        --bundle "$v.legacy.json" --output-signature "$v.sig" blob
    json "cosign $v: the legacy bundle holds the entry" \
        "d['rekorBundle']['Payload']['logIndex'] == $before and d['rekorBundle']['SignedEntryTimestamp']" \
        cat "$v.legacy.json"
    passes "cosign $v: sign-blob, sigstore bundle" 'Wrote bundle to file' \
        "$COSIGN" sign-blob --yes --key "$v.key" "${SIGN_BUNDLE[@]}" --bundle "$v.bundle.json" blob
    json "cosign $v: the sigstore bundle holds promise, proof and checkpoint" \
        "[(e['logIndex'], e['inclusionProof']['treeSize'], e['kindVersion']['kind'],
           bool(e['inclusionPromise']['signedEntryTimestamp']), e['inclusionProof']['checkpoint']['envelope'][:9])
          for e in d['verificationMaterial']['tlogEntries']]
         == [('$((before + 1))', '$((before + 2))', 'hashedrekord', True, 'localhost')]" \
        cat "$v.bundle.json"
    passes "cosign $v: attest-blob, sigstore bundle" 'rote' \
        "$COSIGN" attest-blob --yes --key "$v.key" "${SIGN_BUNDLE[@]}" --type slsaprovenance \
        --predicate predicate.json --bundle "$v.attestation.json" blob
    equal "cosign $v: three signatures are three entries" "$(tree_size)" "$((before + 3))"
}

# Without a bundle cosign asks the log for an entry of the signature.
cosign_online() {
    local v=$1
    cosign_flags "$v"
    passes "cosign $v: verify-blob online" 'Verified OK' \
        "$COSIGN" verify-blob --key "$v.pub" --signature "$v.sig" "${VERIFY_LEGACY[@]}" blob
    refuses "cosign $v: verify-blob online, another blob" 'invalid signature|not found' \
        "$COSIGN" verify-blob --key "$v.pub" --signature "$v.sig" "${VERIFY_LEGACY[@]}" blob.tampered
    openssl dgst -sha256 -sign ec.key blob | openssl base64 -A >unlogged.sig
    refuses "cosign $v: verify-blob online, a signature that was never logged" \
        'signature not found in transparency log' \
        "$COSIGN" verify-blob --key ec.pub --signature unlogged.sig "${VERIFY_LEGACY[@]}" blob
}

# push_image VERSION NAME: a tiny image of its own; IMAGE is its reference by digest.
push_image() {
    mkdir -p "layer.$1.$2"
    echo "$1 $2" >"layer.$1.$2/content"
    tar -cf layer.tar -C "layer.$1.$2" content
    passes "cosign $1: crane pushes the image for $2" 'sha256:' \
        "$CRANE" append --insecure --oci-empty-base -f layer.tar -t "$REGISTRY/$1/$2:latest"
    IMAGE=$(tail -n 1 out)
    echo "$IMAGE" >"$1.$2.image"
}

cosign_image() {
    local v=$1
    cosign_flags "$v"
    push_image "$v" legacy
    sign_image "$v" legacy "${SIGN_LEGACY[@]}"
    verify_image "$v" legacy "${VERIFY_LEGACY[@]}"
    push_image "$v" bundle
    sign_image "$v" bundle "${SIGN_BUNDLE[@]}"
    verify_image "$v" bundle "${VERIFY_BUNDLE[@]}"
    push_image "$v" unsigned
    refuses "cosign $v: verify, an image without signature" 'no (matching )?signatures' \
        "$COSIGN" verify --allow-http-registry --key "$v.pub" "${VERIFY_LEGACY[@]}" "$IMAGE"
}

# sign_image VERSION FORMAT FLAG...
sign_image() {
    local v=$1 format=$2 before
    shift 2
    before=$(tree_size)
    passes "cosign $v: sign, $format image" '' \
        "$COSIGN" sign --yes --allow-http-registry --key "$v.key" "$@" "$IMAGE"
    passes "cosign $v: attest, $format image" 'Using payload from' \
        "$COSIGN" attest --yes --allow-http-registry --key "$v.key" "$@" \
        --type slsaprovenance --predicate predicate.json "$IMAGE"
    equal "cosign $v: the $format image has two entries" "$(tree_size)" "$((before + 2))"
    [[ $v == v2 && $format == legacy ]] || return 0
    passes "cosign $v: attest as intoto entry, $format image" 'tlog entry created with index' \
        "$COSIGN" attest --yes --allow-http-registry --key "$v.key" "$@" --rekor-entry-type intoto \
        --type vuln --predicate predicate.json "$IMAGE"
    passes "cosign $v: verify-attestation of the intoto entry" 'Existence of the claims in the transparency log was verified' \
        "$COSIGN" verify-attestation --allow-http-registry --key "$v.pub" "${VERIFY_LEGACY[@]}" --type vuln "$IMAGE"
}

# verify_image VERSION TITLE FLAG...: of $IMAGE.
verify_image() {
    local v=$1 title=$2 digest=${IMAGE##*@}
    shift 2
    local common=(--allow-http-registry "$@")
    json "cosign $v: verify, $title image" \
        "d and all(s['critical']['image']['docker-manifest-digest'] == '$digest' for s in d)" \
        "$COSIGN" verify --key "$v.pub" "${common[@]}" "$IMAGE"
    refuses "cosign $v: verify, $title image, another key" 'public key PEMs|log certificate does not match' \
        "$COSIGN" verify --key other.pub "${common[@]}" "$IMAGE"
    json "cosign $v: verify-attestation, $title image" \
        "json.loads(base64.b64decode(d['payload']))['predicateType'] == '$SLSA'" \
        "$COSIGN" verify-attestation --key "$v.pub" "${common[@]}" --type slsaprovenance "$IMAGE"
    refuses "cosign $v: verify-attestation, $title image, another predicate type" \
        "none of the attestations matched the predicate type: spdx, found: .*$SLSA" \
        "$COSIGN" verify-attestation --key "$v.pub" "${common[@]}" --type spdx "$IMAGE"
}

# Signatures of an RSA key do not vary, so signing twice proposes the same entry twice.
# cosign v2 follows Location; sigstore-go, inside v3, gives up on any 409 and says so.
cosign_duplicate() {
    local v=$1 size
    cosign_flags "$v"
    openssl genrsa -out "$v.rsa.pem" 2048 2>/dev/null
    passes "cosign $v: import-key-pair" 'Public key written' \
        "$COSIGN" import-key-pair --yes --key "$v.rsa.pem" --output-key-prefix "$v.rsa"
    local sign=("$COSIGN" sign-blob --yes --key "$v.rsa.key" "${SIGN_LEGACY[@]}")
    passes "cosign $v: sign-blob with RSA" 'Wrote bundle' "${sign[@]}" --bundle "$v.rsa.json" blob
    size=$(tree_size)
    if [[ $v == v2 ]]; then
        passes "cosign $v: sign-blob again gets the entry that is there" \
            "tlog entry created with index: $((size - 1))" "${sign[@]}" --bundle "$v.rsa.again.json" blob
        json "cosign $v: verify-blob of the second bundle" \
            "d['rekorBundle']['Payload'] == json.load(open('$v.rsa.json'))['rekorBundle']['Payload']" \
            cat "$v.rsa.again.json"
    else
        refuses "cosign $v: sign-blob again is told of the entry that is there" \
            'createLogEntryConflict .*already exists in the transparency log with UUID [0-9a-f]{80}' \
            "${sign[@]}" --bundle "$v.rsa.again.json" blob
    fi
    equal "cosign $v: the duplicate did not grow the log" "$(tree_size)" "$size"
    passes "cosign $v: verify-blob after the duplicate" 'Verified OK' \
        "$COSIGN" verify-blob --key "$v.rsa.pub" --bundle "$v.rsa.json" "${VERIFY_LEGACY[@]}" blob
}

# ---- with the log stopped ---------------------------------------------------

cosign_offline() {
    local v=$1
    cosign_flags "$v"
    local legacy=("$COSIGN" verify-blob --key "$v.pub" "${VERIFY_LEGACY[@]}")
    local bundle=("$COSIGN" verify-blob --key "$v.pub" "${VERIFY_BUNDLE[@]}")
    refuses "cosign $v: verify-blob online needs the log" 'connection refused' \
        "${legacy[@]}" --signature "$v.sig" blob
    passes "cosign $v: verify-blob offline by legacy bundle" 'Verified OK' \
        "${legacy[@]}" --offline --bundle "$v.legacy.json" blob
    passes "cosign $v: verify-blob offline by sigstore bundle" 'Verified OK' \
        "${bundle[@]}" --bundle "$v.bundle.json" blob
    local peer=v2
    [[ $v == v3 ]] || peer=v3
    passes "cosign $v: verify-blob offline by the sigstore bundle of cosign $peer" 'Verified OK' \
        "$COSIGN" verify-blob --key "$peer.pub" "${VERIFY_BUNDLE[@]}" --bundle "$peer.bundle.json" blob
    refuses "cosign $v: offline, legacy bundle, another blob" 'matching bundle to payload' \
        "${legacy[@]}" --offline --bundle "$v.legacy.json" blob.tampered
    refuses "cosign $v: offline, sigstore bundle, another blob" 'invalid signature' \
        "${bundle[@]}" --bundle "$v.bundle.json" blob.tampered
    refuses "cosign $v: offline, sigstore bundle, another key" 'does not match|invalid signature' \
        "$COSIGN" verify-blob --key other.pub "${VERIFY_BUNDLE[@]}" --bundle "$v.bundle.json" blob
    refuses "cosign $v: offline, legacy bundle, another log's key" 'rekor log public key not found' \
        env SIGSTORE_REKOR_PUBLIC_KEY=other.pub "${legacy[@]}" --offline --bundle "$v.legacy.json" blob
    refuses "cosign $v: offline, sigstore bundle, another log's key" 'not enough verified log entries' \
        "${bundle[@]}" --trusted-root "$v.wrong-root.json" --bundle "$v.bundle.json" blob
    local attestation=("$COSIGN" verify-blob-attestation --key "$v.pub" "${VERIFY_BUNDLE[@]}")
    passes "cosign $v: verify-blob-attestation offline" 'Verified OK' \
        "${attestation[@]}" --type slsaprovenance --bundle "$v.attestation.json" blob
    refuses "cosign $v: verify-blob-attestation, another type" 'invalid predicate type, expected spdx' \
        "${attestation[@]}" --type spdx --bundle "$v.attestation.json" blob
    tamper "$v.attestation.json" tampered.json "e = d['dsseEnvelope']
e['payload'] = recode(e['payload'], 'provenance/v0.2', 'provenance/v0.9')"
    refuses "cosign $v: verify-blob-attestation, a predicate type changed in the envelope" \
        'could not verify envelope|does not match envelope payload hash' \
        "${attestation[@]}" --type "${SLSA%2}9" --bundle tampered.json blob
}

# refuses_legacy / refuses_bundle VERSION TITLE PATTERN STATEMENTS: one changed bundle each.
refuses_legacy() {
    tamper "$1.legacy.json" tampered.json "r = d['rekorBundle']"$'\n'"$4"
    refuses "cosign $1: offline, legacy bundle, $2" "$3" \
        "$COSIGN" verify-blob --key "$1.pub" "${VERIFY_LEGACY[@]}" --offline --bundle tampered.json blob
}

refuses_bundle() {
    tamper "$1.bundle.json" tampered.json \
        "e = d['verificationMaterial']['tlogEntries'][0]; p = e['inclusionProof']"$'\n'"$4"
    refuses "cosign $1: offline, sigstore bundle, $2" "$3" \
        "$COSIGN" verify-blob --key "$1.pub" "${VERIFY_BUNDLE[@]}" --bundle tampered.json blob
}

cosign_offline_tampered() {
    local v=$1
    cosign_flags "$v"
    refuses_legacy "$v" 'SET changed' 'unable to verify SET' \
        "r['SignedEntryTimestamp'] = flip(r['SignedEntryTimestamp'])"
    refuses_legacy "$v" 'integrated time changed' 'unable to verify SET' \
        "r['Payload']['integratedTime'] += 1"
    refuses_bundle "$v" 'SET changed' 'not enough verified log entries' \
        "e['inclusionPromise']['signedEntryTimestamp'] = flip(e['inclusionPromise']['signedEntryTimestamp'])"
    refuses_bundle "$v" 'integrated time changed' 'not enough verified log entries' \
        "e['integratedTime'] = str(int(e['integratedTime']) + 1)"
    refuses_bundle "$v" 'inclusion proof changed' 'does not match expected root' \
        "p['hashes'][0] = flip(p['hashes'][0])"
    refuses_bundle "$v" 'checkpoint changed' 'checkpoint did not verify' \
        "text, signature = p['checkpoint']['envelope'].rstrip().rsplit(' ', 1)
p['checkpoint']['envelope'] = text + ' ' + flip(signature) + '\n'"
}

cosign_offline_image() {
    local v=$1
    cosign_flags "$v"
    read -r IMAGE <"$v.legacy.image"
    verify_image "$v" "legacy, offline," "${VERIFY_LEGACY[@]}" --offline
    read -r IMAGE <"$v.bundle.image"
    verify_image "$v" "bundle, offline," "${VERIFY_BUNDLE[@]}"
}
