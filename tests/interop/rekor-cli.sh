# rekor-cli against the log: upload, look up, search, verify, follow. Sourced by run.sh.
# shellcheck shell=bash disable=SC2154

rekor() {
    "$clients/rekor-cli" --rekor_server "$log_url" "$@"
}

entry_id() {
    grep -oE '[0-9a-f]{80}' <<<"$output" | head -n 1
}

run_rekor_cli() {
    make_artifacts
    upload_each_kind
    look_up
    search_index
    follow_the_log
}

make_artifacts() {
    openssl ecparam -genkey -name prime256v1 -noout -out signer.key
    openssl pkey -in signer.key -pubout -out signer.pub
    openssl req -x509 -key signer.key -subj /CN=interop -days 2 \
        -addext "subjectAltName=email:dev@example.com" -out signer.pem
    for name in one two three; do
        echo "artifact $name" >"$name.txt"
        openssl dgst -sha256 -sign signer.key -out "$name.sig" "$name.txt"
    done
    sha=$(sha256sum one.txt | cut -d' ' -f1)

    # A DSSE envelope over an in-toto statement; the signature covers its pre-authentication encoding.
    local type=application/vnd.in-toto+json
    printf '{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://example.com/p",%s}' \
        '"subject":[{"name":"one","digest":{"sha256":"'"$sha"'"}}],"predicate":{}' >statement.json
    {
        printf 'DSSEv1 %d %s %d ' "${#type}" "$type" "$(wc -c <statement.json)"
        cat statement.json
    } >encoding
    openssl dgst -sha256 -sign signer.key -out encoding.sig encoding
    printf '{"payloadType":"%s","payload":"%s","signatures":[{"sig":"%s"}]}' \
        "$type" "$(base64 -w0 statement.json)" "$(base64 -w0 encoding.sig)" >envelope.json
} >/dev/null 2>&1

upload_each_kind() {
    local key=(--public-key signer.pub)
    one=(--artifact one.txt --signature one.sig "${key[@]}")
    two=(--type rekord --artifact two.txt --signature two.sig "${key[@]}")
    three=(--artifact three.txt --signature three.sig --public-key signer.pem)
    envelope=(--artifact envelope.json "${key[@]}")

    expect "rekor-cli: upload hashedrekord" "Created entry at index 0, .*$log_url/api/v1/log/entries/" \
        rekor upload "${one[@]}"
    one_id=$(entry_id)
    expect "rekor-cli: upload it again: it is there already" \
        "Entry already exists; available at: .*/api/v1/log/entries/$one_id" rekor upload "${one[@]}"
    expect "rekor-cli: loginfo of a first entry" "Active Tree Size: +1$" rekor loginfo
    expect "rekor-cli: upload rekord" "Created entry at index 1," rekor upload "${two[@]}"
    expect "rekor-cli: upload intoto 0.0.2" "index 2," rekor upload --type intoto "${envelope[@]}"
    intoto_id=$(entry_id)
    expect "rekor-cli: upload intoto 0.0.1" "index 3," \
        rekor upload --type intoto:0.0.1 "${envelope[@]}"
    expect "rekor-cli: upload dsse" "index 4," rekor upload --type dsse "${envelope[@]}"
    expect "rekor-cli: upload with a certificate" "index 5," rekor upload "${three[@]}"
    certificate_id=$(entry_id)
    # A body that rekor-cli cannot have checked before: the signature is of another artifact.
    sed -e "s|@HASH@|$(sha256sum two.txt | cut -d' ' -f1)|" -e "s|@SIG@|$(base64 -w0 one.sig)|" \
        -e "s|@KEY@|$(base64 -w0 signer.pub)|" >forged.json <<'JSON'
{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":
"@HASH@"}},"signature":{"content":"@SIG@","publicKey":{"content":"@KEY@"}}}}
JSON
    expect "a forged entry is refused" '^400$' curl -sS -o refusal.json -w '%{http_code}' \
        -H 'Content-Type: application/json' --data @forged.json "$log_url/api/v1/log/entries"
    expect "and the refusal says why" '"code":400.*invalid signature' cat refusal.json
}

look_up() {
    expect "rekor-cli: get by index" "\"value\": \"$sha\"" rekor get --log-index 0
    expect "rekor-cli: get by entry ID" "UUID: $one_id" rekor get --uuid "$one_id"
    expect "rekor-cli: get by leaf hash" "UUID: $one_id" rekor get --uuid "${one_id:16}"
    expect "rekor-cli: get with the attestation" "Attestation: .*in-toto.io/Statement" \
        rekor get --uuid "$intoto_id"
    expect "rekor-cli: get as a transparency log entry" '"inclusionPromise":' \
        rekor --format tle get --log-index 0
    refuse "rekor-cli: get what is not there" "404" rekor get --log-index 99999

    local whole="Expected Root Hash: [0-9a-f]{64}"
    expect "rekor-cli: verify by artifact" "$whole" rekor verify "${one[@]}"
    expect "rekor-cli: verify rekord" "$whole" rekor verify "${two[@]}"
    # rekor-cli 1.5.4 sends intoto 0.0.2 wrapped in another object, which no server takes.
    expect "rekor-cli: verify intoto 0.0.1" "$whole" rekor verify --type intoto:0.0.1 "${envelope[@]}"
    expect "rekor-cli: verify dsse" "$whole" rekor verify --type dsse "${envelope[@]}"
    expect "rekor-cli: verify with a certificate" "$whole" rekor verify "${three[@]}"
    expect "rekor-cli: verify by entry ID" "$whole" rekor verify --uuid "$one_id"
    expect "rekor-cli: verify by index" "Entry Index in Current Tree: 5" rekor verify --log-index 5
    refuse "rekor-cli: verify what was never logged" "entry in log cannot be located" \
        rekor verify --artifact three.txt --signature three.sig --public-key signer.pub
}

search_index() {
    expect "rekor-cli: search by digest" "$one_id" rekor search --sha "$sha"
    expect "rekor-cli: search by artifact" "$intoto_id" rekor search --artifact one.txt
    local by_key=(rekor search --pki-format x509 --public-key signer.pub)
    expect "rekor-cli: search by public key" "$one_id" "${by_key[@]}"
    expect "rekor-cli: search by public key finds envelopes" "$intoto_id" "${by_key[@]}"
    expect "rekor-cli: search by e-mail, whatever its case" "$certificate_id" \
        rekor search --email DEV@example.com
    expect "rekor-cli: search by both" "$certificate_id" \
        rekor search --email dev@example.com --artifact three.txt --operator and
    refuse "rekor-cli: search by both finds no entry that has but one" "no matching entries" \
        rekor search --email dev@example.com --artifact one.txt --operator and
    refuse "rekor-cli: search for nobody" "no matching entries" rekor search --email a@b.example
}

follow_the_log() {
    expect "rekor-cli: loginfo proves consistency with the tree seen before" \
        "Active Tree Size: +6$" rekor loginfo
    expect "rekor-cli: it had a tree to compare with" "^Verification Successful!" \
        head -n 1 <(printf '%s\n' "$output")
    expect "rekor-cli: logproof" "Hashes: \[[0-9a-f]{64}" rekor logproof --last-size 6
    expect "rekor-cli: logproof between two sizes" "Hashes: \[[0-9a-f]{64}" \
        rekor logproof --first-size 3 --last-size 6
    refuse "rekor-cli: logproof beyond the tree" "400.*requested\(99\)" \
        rekor logproof --last-size 99
}
