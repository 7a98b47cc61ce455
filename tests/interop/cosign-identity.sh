# shellcheck shell=bash
# cosign with a certificate that names an identity, as a private CA issues it: the entry
# holds the certificate, its integrated time says that it was valid, its address is searchable.

ISSUER=https://issuer.example.com
IDENTITY=(--certificate-identity bob@example.com --certificate-oidc-issuer "$ISSUER" --insecure-ignore-sct)
OTHER_IDENTITY=(--certificate-identity eve@example.com "${IDENTITY[@]:2}")

# A CA and a code-signing certificate with Fulcio's two issuer extensions (the older one is bare text).
identity_prepare() {
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl req -x509 -new -key ca.key -subj /CN=interop-ca -days 30 -out ca.crt \
        -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign
    openssl ecparam -name prime256v1 -genkey -noout -out bob.key.pem
    openssl req -new -key bob.key.pem -subj / -out bob.csr
    cat >bob.ext <<EXT
subjectAltName=critical,email:bob@example.com
extendedKeyUsage=codeSigning
keyUsage=critical,digitalSignature
basicConstraints=critical,CA:FALSE
authorityKeyIdentifier=keyid
subjectKeyIdentifier=hash
1.3.6.1.4.1.57264.1.1=DER:$(printf %s "$ISSUER" | od -An -tx1 | tr -d ' \n')
1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:$ISSUER
EXT
    openssl x509 -req -in bob.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 5 \
        -extfile bob.ext -out bob.crt 2>/dev/null
    passes "cosign v3: trusted-root create with a CA" '' "$COSIGN_V3" trusted-root create \
        --rekor="url=$REKOR_URL,public-key=log.pub,start-time=$START_TIME" \
        --fulcio="url=https://ca.example.com,certificate-chain=ca.crt" --out ca.root.json
    passes "cosign v2: import-key-pair of the certificate's key" 'Public key written' \
        "$COSIGN_V2" import-key-pair --yes --key bob.key.pem --output-key-prefix bob
}

identity_sign() {
    cosign_flags v2
    push_image v2 identity
    # shellcheck disable=SC2153 # push_image sets IMAGE
    passes "cosign v2: sign with a certificate" 'tlog entry created with index' \
        "$COSIGN" sign --yes --allow-http-registry --key bob.key --certificate bob.crt \
        --certificate-chain ca.crt "${SIGN_LEGACY[@]}" "$IMAGE"
    passes "cosign v3: sign-blob with a certificate" 'Wrote bundle to file' \
        "$COSIGN_V3" sign-blob --yes --key bob.key --certificate bob.crt --certificate-chain ca.crt \
        --signing-config signing-config.json --trusted-root ca.root.json --bundle bob.bundle.json blob
    cli --format json search --email bob@example.com
    json "rekor-cli: search finds both by the certificate's address" "len(set(d['UUIDs'])) == 2" "${CLI[@]}"
    identity_verify online
}

# identity_verify TITLE FLAG...: the flags are for v2 alone; v3 never asks the log here.
identity_verify() {
    local title=$1 image
    shift
    image=$(cat v2.identity.image)
    cosign_flags v2
    local v2=("$COSIGN_V2" verify --allow-http-registry --ca-roots ca.crt "${VERIFY_LEGACY[@]}" "$@")
    json "cosign v2: verify by identity, $title" \
        "d[0]['critical']['image']['docker-manifest-digest'] == '${image##*@}' and d[0]['optional']['Bundle']" \
        "${v2[@]}" "${IDENTITY[@]}" "$image"
    refuses "cosign v2: verify by another identity, $title" 'none of the expected identities matched' \
        "${v2[@]}" "${OTHER_IDENTITY[@]}" "$image"
    local v3=("$COSIGN_V3" verify-blob --allow-certificate-chain --trusted-root ca.root.json --bundle bob.bundle.json)
    passes "cosign v3: verify-blob by identity, $title" 'Verified OK' "${v3[@]}" "${IDENTITY[@]}" blob
    refuses "cosign v3: verify-blob by another identity, $title" 'no matching CertificateIdentity found' \
        "${v3[@]}" "${OTHER_IDENTITY[@]}" blob
}
