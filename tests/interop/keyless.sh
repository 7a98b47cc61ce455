# shellcheck shell=bash
# Keyless signing with four clients: each signs and attests into each log of a Cairn of its own, and
# then, with every server stopped, verifies what the others made, and refuses what is wrong.

# shellcheck source=tests/interop/keyless/world.sh
source "$here/keyless/world.sh"
# shellcheck source=tests/interop/keyless/clients.sh
source "$here/keyless/clients.sh"

keyless_size() {
    get "$KEYLESS_URL/api/v1/log" >keyless/log.json
    echo "$(value keyless/log.json 'd["treeSize"]') $(get "$KEYLESS_URL/checkpoint" | sed -n 2p)"
}

# What each says when it refuses; `refuses` counts no other reason.
declare -A REFUSAL=(
    [cosign another artifact]='could not verify message: invalid signature'
    [cosign another identity]='expected SAN value "eve@example.com", got "alice@example.com"'
    [cosign another issuer]='expected issuer value'
    [cosign other logs]='not enough verified log entries from transparency log: 0 < 1'
    [cosign our log ID, another key]='0 < 1|note has no verifiable signatures'
    [cosign a changed proof]='does not match expected root'
    [python another artifact]='message digest mismatch'
    [python another identity]="SANs do not match eve@example.com"
    [python another issuer]='OIDCIssuer does not match'
    [python other logs]='checkpoint: invalid signature: keyring'
    [python our log ID, another key]='checkpoint: invalid signature: keyring'
    [python a changed proof]='inclusion proof contains invalid root hash'
    [js another artifact]='SIGNATURE_ERROR'
    [js another identity]='UNTRUSTED_SIGNER_ERROR'
    [js another issuer]='expected issuer='
    [js other logs]='TLOG_INCLUSION_PRO(MISE|OF)_ERROR'
    [js our log ID, another key]='TLOG_INCLUSION_PRO(MISE|OF)_ERROR'
    [js a changed proof]='TLOG_INCLUSION_PROOF_ERROR'
    [java another artifact]='artifact digest does not match'
    [java another identity]='No provided certificate identities matched'
    [java another issuer]='No provided certificate identities matched'
    [java other logs]='does not match any provided transparency logs'
    [java our log ID, another key]='Entry SET was not valid|Checkpoint signature was invalid'
    [java a changed proof]='Inclusion proof verification failed'
)

keyless_sign() {
    local client log
    for log in v1 v2; do
        signer cosign "$log" "keyless/first.$log.json" blob
        passes "cosign: signs keyless, the first entry of $log" '' "${SIGN[@]}"
        for client in "${KEYLESS_CLIENTS[@]}"; do
            signer "$client" "$log" "keyless/$client.$log.json" blob
            passes "$client: signs keyless into $log" '' "${SIGN[@]}"
        done
    done
    local n=$((${#KEYLESS_CLIENTS[@]} + 1))
    equal "keyless: one entry each, in each log" "$(keyless_size)" "$n $n"
    json "rekor-cli: finds all of v1 by the address in the certificates" "len(set(d['UUIDs'])) == $n" \
        "$REKOR_CLI" --rekor_server "$KEYLESS_URL" --format json search --email "$ALICE"
    for client in "${KEYLESS_CLIENTS[@]}"; do
        json "$client: v1 promises a time, and no authority was asked" "
            [(e['kindVersion']['version'], int(e['integratedTime']) > 0, 'inclusionPromise' in e)
             for e in d['verificationMaterial']['tlogEntries']] == [('0.0.1', True, True)]
            and not d['verificationMaterial'].get('timestampVerificationData', {}).get('rfc3161Timestamps')" \
            cat "keyless/$client.v1.json"
        json "$client: v2 promises nothing, and an authority was asked" "
            [(e['kindVersion']['version'], int(e.get('integratedTime', 0)), e.get('inclusionPromise'))
             for e in d['verificationMaterial']['tlogEntries']] == [('0.0.2', 0, None)]
            and len(d['verificationMaterial']['timestampVerificationData']['rfc3161Timestamps']) == 1" \
            cat "keyless/$client.v2.json"
    done
}

# Each verifies the bundles of all.
keyless_verify() {
    local client other log
    for client in "${KEYLESS_CLIENTS[@]}"; do
        for log in v1 v2; do
            for other in "${KEYLESS_CLIENTS[@]}"; do
                verifier "$client" world "keyless/$other.$log.json" blob "$ALICE" "$ISSUER_URL"
                passes "$client: verifies what $other signed into $log" 'Verified OK|OK: blob|verified by' \
                    "${VERIFY[@]}"
            done
            verifier "$client" world "keyless/first.$log.json" blob "$ALICE" "$ISSUER_URL"
            if [[ $client == python ]]; then
                refuses "python: cannot read the first entry of $log, whose index cosign leaves out" \
                    'logIndex' "${VERIFY[@]}"
            else
                passes "$client: verifies the first entry of $log" 'Verified OK|verified by' "${VERIFY[@]}"
            fi
        done
    done
}

# refused CLIENT LOG REASON ARGUMENT...: those of verifier, and CLIENT refuses for REASON.
refused() {
    local client=$1 log=$2 reason=$3
    shift 3
    verifier "$client" "$@"
    refuses "$client: refuses its own from $log: $reason" "${REFUSAL["$client $reason"]}" "${VERIFY[@]}"
}

keyless_refuse() {
    local client log bundle
    for client in "${KEYLESS_CLIENTS[@]}"; do
        for log in v1 v2; do
            bundle=keyless/$client.$log.json
            refused "$client" "$log" "another artifact" world "$bundle" blob.tampered "$ALICE" "$ISSUER_URL"
            refused "$client" "$log" "another identity" world "$bundle" blob eve@example.com "$ISSUER_URL"
            refused "$client" "$log" "another issuer" world "$bundle" blob "$ALICE" "$ISSUER"
            refused "$client" "$log" "other logs" stranger "$bundle" blob "$ALICE" "$ISSUER_URL"
            refused "$client" "$log" "our log ID, another key" impostor "$bundle" blob "$ALICE" "$ISSUER_URL"
            tamper "$bundle" keyless/spoilt.json "
hashes = d['verificationMaterial']['tlogEntries'][0]['inclusionProof']['hashes']
hashes[0] = flip(hashes[0])"
            refused "$client" "$log" "a changed proof" world keyless/spoilt.json blob "$ALICE" "$ISSUER_URL"
        done
    done
}

# Who cannot verify whose attestation, and what it says. cosign writes statements of version 0.1. In
# v2, cosign and sigstore-python log an envelope as hashedrekord 0.0.2, the other two as dsse 0.0.2.
declare -A ATTESTATION_REFUSAL=(
    [python cosign v1]="malformed in-toto statement"
    [python cosign v2]="malformed in-toto statement"
    [python js v2]='Unsupported DSSE log entry type: dsse/0.0.2'
    [python java v2]='Unsupported DSSE log entry type: dsse/0.0.2'
    [cosign js v2]='only supported with --new-bundle-format'
    [cosign java v2]='only supported with --new-bundle-format'
    [js cosign v2]='digest mismatch'
    [js python v2]='digest mismatch'
    [java cosign v2]='Expecting type dsse:0.0.2, but found hashedrekord:0.0.2'
    [java python v2]='Expecting type dsse:0.0.2, but found hashedrekord:0.0.2'
)

# sigstore-java attests into v2 alone.
keyless_attest() {
    local client log
    cat >keyless/predicate.json <<'JSON'
{"buildDefinition": {"buildType": "https://build.example/t", "externalParameters": {}},
 "runDetails": {"builder": {"id": "https://builder.example"}}}
JSON
    python3 - "$SLSA_V1" >keyless/statement.json <<'PYTHON'
import hashlib, json, sys

digest = hashlib.sha256(open("blob", "rb").read()).hexdigest()
print(json.dumps({"_type": "https://in-toto.io/Statement/v1", "predicateType": sys.argv[1],
                  "subject": [{"name": "blob", "digest": {"sha256": digest}}],
                  "predicate": json.load(open("keyless/predicate.json"))}))
PYTHON
    for client in "${KEYLESS_CLIENTS[@]}"; do
        for log in v1 v2; do
            [[ $client.$log != java.v1 ]] || continue
            attester "$client" "$log" "keyless/$client.$log.attestation"
            passes "$client: attests keyless into $log" '' "${SIGN[@]}"
        done
    done
}

keyless_verify_attestations() {
    local client other log reason bundle
    for client in "${KEYLESS_CLIENTS[@]}"; do
        for other in "${KEYLESS_CLIENTS[@]}"; do
            for log in v1 v2; do
                bundle=keyless/$other.$log.attestation
                [[ -e $bundle ]] || continue
                reason=${ATTESTATION_REFUSAL["$client $other $log"]:-}
                attested "$client" "$bundle" blob "$ALICE"
                if [[ -n $reason ]]; then
                    refuses "$client: cannot verify what $other attested in $log" "$reason" "${VERIFY[@]}"
                    continue
                fi
                passes "$client: verifies what $other attested in $log" \
                    'Verified OK|OK: blob|verified by' "${VERIFY[@]}"
                attested "$client" "$bundle" blob eve@example.com
                refuses "$client: but by no other identity" "${REFUSAL["$client another identity"]}" "${VERIFY[@]}"
            done
        done
    done
}

# Everything ends here: what follows asks nobody.
keyless_stop() {
    local code=0
    stop "$KEYLESS_CAIRN_PID" || code=$?
    KEYLESS_CAIRN_PID=
    keyless_clean_up
    stop "$TSA_PID" || true
    TSA_PID=
    cat keyless/cairn.log >>cairn.log
    equal "cairn: the keyless server ends on SIGTERM with exit code 0" "code $code" "code 0"
    passes "cairn: fsck finds both logs whole" '' "$CAIRN" fsck --data-dir keyless/data
}

keyless() {
    keyless_prepare
    keyless_sign
    keyless_attest
    keyless_stop
    keyless_verify
    keyless_refuse
    keyless_verify_attestations
}
