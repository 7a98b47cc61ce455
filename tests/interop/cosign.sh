# cosign 2 and 3 against the log: blobs, images, attestations, bundles. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154

# cosign VERSION ARGUMENTS...
cosign() {
    "$clients/cosign-v$1" "${@:2}"
}

# push_image NAME: pushes a tiny image and gives its reference by digest.
push_image() {
    local repository="127.0.0.1:$registry_port/$1"
    echo "image $1" >content.txt
    tar -cf layer.tar content.txt
    "$clients/crane" append --new_layer layer.tar --base "" --new_tag "$repository:1" >/dev/null 2>&1
    echo "$repository@$("$clients/crane" digest "$repository:1")"
}

# run_cosign VERSION: what cosign 2 does, and what cosign 3 still can: SETs, and the log's URL on
# the command line.
run_cosign() {
    local v=$1 image
    local legacy=(--yes --key "key$v.key" --rekor-url "$log_url")
    [[ $v == 2 ]] || legacy+=(--use-signing-config=false --new-bundle-format=false)
    local public=(--key "key$v.pub" --rekor-url "$log_url")
    export SIGSTORE_REKOR_PUBLIC_KEY="$work/log.pub"
    echo "blob for cosign $v" >"blob$v.txt"
    echo "another blob" >tampered.txt
    echo '{"checked":true}' >predicate.json

    expect "cosign $v: generate-key-pair" "Public key written" \
        cosign "$v" generate-key-pair --output-key-prefix "key$v"
    expect "cosign $v: sign-blob" "Wrote bundle to file" cosign "$v" sign-blob "${legacy[@]}" \
        --bundle "legacy$v.json" --output-signature "blob$v.sig" "blob$v.txt"
    expect "cosign $v: the bundle holds a promise of the log" '"SignedEntryTimestamp":"' \
        cat "legacy$v.json"
    expect "cosign $v: verify-blob online, the entry is looked up" "Verified OK" \
        cosign "$v" verify-blob "${public[@]}" --signature "blob$v.sig" "blob$v.txt"
    expect "cosign $v: verify-blob by bundle" "Verified OK" \
        cosign "$v" verify-blob --key "key$v.pub" --bundle "legacy$v.json" "blob$v.txt"
    refuse "cosign $v: verify-blob of a tampered blob" "[Ee]rror" \
        cosign "$v" verify-blob --key "key$v.pub" --bundle "legacy$v.json" tampered.txt
    expect "cosign $v: sign-blob of the same blob again" "Wrote bundle to file" \
        cosign "$v" sign-blob "${legacy[@]}" --bundle again.json "blob$v.txt"

    image=$(push_image "cosign$v")
    local claims="Existence of the claims in the transparency log was verified"
    expect "cosign $v: sign an image" "Pushing signature to" cosign "$v" sign "${legacy[@]}" "$image"
    expect "cosign $v: verify an image" "$claims" cosign "$v" verify "${public[@]}" "$image"
    expect "cosign $v: attest an image" "predicate.json" \
        cosign "$v" attest "${legacy[@]}" --predicate predicate.json --type custom "$image"
    expect "cosign $v: verify-attestation" "$claims" \
        cosign "$v" verify-attestation "${public[@]}" --type custom "$image"
    refuse "cosign $v: verify an image that was never signed" "no signatures found|no matching" \
        cosign "$v" verify "${public[@]}" "$(push_image "unsigned$v")"
    unset SIGSTORE_REKOR_PUBLIC_KEY
}

# The format that both clients share: signing config and trusted root in, Sigstore bundle out.
run_new_bundles() {
    local since="start-time=2024-01-01T00:00:00Z" image
    expect "cosign 3: trusted-root create" "" cosign 3 trusted-root create \
        --rekor "url=$log_url,public-key=log.pub,$since" --out trusted_root.json
    expect "cosign 3: signing-config create" "" cosign 3 signing-config create \
        --rekor "url=$log_url,api-version=1,$since,operator=interop" --rekor-config ANY \
        --out signing_config.json
    trust=(--key key3.pub --trusted-root trusted_root.json)
    local sign=(--yes --key key3.key --signing-config signing_config.json
        --trusted-root trusted_root.json)

    expect "cosign 3: sign-blob as a Sigstore bundle" "Wrote bundle to file" \
        cosign 3 sign-blob "${sign[@]}" --bundle bundle3.json blob3.txt
    expect "cosign 3: the bundle holds promise and proof" \
        '"inclusionPromise".*"inclusionProof"|"inclusionProof".*"inclusionPromise"' cat bundle3.json
    expect "cosign 3: verify-blob of a Sigstore bundle" "Verified OK" \
        cosign 3 verify-blob "${trust[@]}" --bundle bundle3.json blob3.txt
    refuse "cosign 3: verify-blob of a tampered blob" "[Ee]rror" \
        cosign 3 verify-blob "${trust[@]}" --bundle bundle3.json tampered.txt
    expect "cosign 2: verify-blob of cosign 3's bundle" "Verified OK" \
        cosign 2 verify-blob --new-bundle-format "${trust[@]}" --bundle bundle3.json blob3.txt
    expect "cosign 2: sign-blob as a Sigstore bundle" "Wrote bundle to file" \
        cosign 2 sign-blob --yes --key key2.key --rekor-url "$log_url" --new-bundle-format \
        --bundle bundle2.json blob2.txt
    expect "cosign 3: verify-blob of cosign 2's bundle" "Verified OK" \
        cosign 3 verify-blob --key key2.pub --trusted-root trusted_root.json \
        --bundle bundle2.json blob2.txt

    image=$(push_image bundles)
    local claims="Existence of the claims in the transparency log was verified"
    expect "cosign 3: sign an image with a bundle" "Pushing signature to" \
        cosign 3 sign "${sign[@]}" "$image"
    expect "cosign 3: verify an image by its bundle" "$claims" cosign 3 verify "${trust[@]}" "$image"
    expect "cosign 3: attest an image with a bundle" "predicate.json" \
        cosign 3 attest "${sign[@]}" --predicate predicate.json --type custom "$image"
    expect "cosign 3: verify-attestation by its bundle" "$claims" \
        cosign 3 verify-attestation "${trust[@]}" --type custom "$image"
    # Moves the time to which the log has put its name.
    sed -E 's/("integratedTime":")1/\12/' bundle3.json >forged.json
    refuse "cosign 3: a bundle without a valid word of the log is worth nothing" "[Ee]rror" \
        cosign 3 verify-blob "${trust[@]}" --bundle forged.json blob3.txt
}

# The server is gone: bundles must do.
run_offline() {
    refuse "the log is gone" "refused|Failed|connect" curl -sS --max-time 5 "$log_url/ping"
    expect "cosign 3: verify-blob offline, Sigstore bundle" "Verified OK" \
        cosign 3 verify-blob "${trust[@]}" --bundle bundle3.json blob3.txt
    local v
    for v in 2 3; do
        SIGSTORE_REKOR_PUBLIC_KEY="$work/log.pub" \
            expect "cosign $v: verify-blob offline, SET" "Verified OK" cosign "$v" verify-blob \
            --key "key$v.pub" --bundle "legacy$v.json" --offline --rekor-url "$log_url" "blob$v.txt"
    done
}
