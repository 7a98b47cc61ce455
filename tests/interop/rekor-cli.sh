# shellcheck shell=bash
# rekor-cli against the log: upload, get, verify, search, loginfo and logproof.
# The entries of rekor_cli_upload are kept as ID_<name> (80 digits) and INDEX_<name>.

declare -A ID INDEX

# cli ARGUMENT...: the words of a call, for passes, refuses and json.
cli() {
    CLI=("$REKOR_CLI" --rekor_server "$REKOR_URL" --retry 1 "$@")
}

# An EC key, a certificate for it with an e-mail address, an artifact with its signature,
# and an in-toto statement in a DSSE envelope.
rekor_cli_prepare() {
    openssl ecparam -name prime256v1 -genkey -noout -out ec.key
    openssl ec -in ec.key -pubout -out ec.pub 2>/dev/null
    openssl req -x509 -new -key ec.key -subj /CN=interop -days 30 -out ec.crt \
        -addext 'subjectAltName=email:Alice@Example.com,URI:https://ci.example.com/Build'
    echo 'released by Alice' >artifact
    echo 'released by Mallory' >artifact.tampered
    openssl dgst -sha256 -sign ec.key -out artifact.sig artifact
    SHA=$(openssl dgst -sha256 -r artifact | cut -d ' ' -f 1)
    printf '{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"artifact",%s},"predicate":{}}' \
        "\"digest\":{\"sha256\":\"$SHA\"}}],\"predicateType\":\"https://example.com/p\"" |
        sed 's/},"predicate":{}}$/,"predicate":{}}/' >statement.json
    dsse statement.json application/vnd.in-toto+json >envelope.json
}

# dsse PAYLOAD TYPE: prints an envelope over the file, signed with ec.key.
dsse() {
    local signature
    signature=$({
        printf 'DSSEv1 %d %s %d ' "${#2}" "$2" "$(wc -c <"$1")"
        cat "$1"
    } | openssl dgst -sha256 -sign ec.key | openssl base64 -A)
    printf '{"payloadType":"%s","payload":"%s","signatures":[{"sig":"%s"}]}\n' \
        "$2" "$(openssl base64 -A -in "$1")" "$signature"
}

rekor_cli_empty_log() {
    cli loginfo
    passes "rekor-cli: loginfo of an empty log stores no state" 'do not persist state for empty logs' "${CLI[@]}"
    cli search --sha "$SHA"
    refuses "rekor-cli: search finds nothing in an empty log" 'no matching entries found' "${CLI[@]}"
    cli get --log-index 0
    refuses "rekor-cli: get of an index that is not there" '404' "${CLI[@]}"
}

# ---- writing ----------------------------------------------------------------

# upload NAME FLAG...: twice; the first creates the entry, the second reports the same one.
upload() {
    local name=$1 location
    shift
    INDEX[$name]=$(tree_size)
    cli upload "$@"
    passes "rekor-cli: upload $name" \
        "Created entry at index ${INDEX[$name]}, available at: $REKOR_URL/api/v1/log/entries/[0-9a-f]{80}\$" \
        "${CLI[@]}"
    location=$(grep -oE '[0-9a-f]{80}' out || true)
    ID[$name]=$location
    passes "rekor-cli: upload $name again" \
        "^Entry already exists; available at: $REKOR_URL/api/v1/log/entries/${location:-none}\$" "${CLI[@]}"
    equal "rekor-cli: $name is one entry" "$(tree_size)" "$((INDEX[$name] + 1))"
}

rekor_cli_upload() {
    upload hashedrekord --artifact-hash "$SHA" --signature artifact.sig --public-key ec.pub
    upload rekord --type rekord --artifact artifact --signature artifact.sig --public-key ec.crt
    upload intoto-0.0.2 --type intoto --artifact envelope.json --public-key ec.pub
    upload intoto-0.0.1 --type intoto:0.0.1 --artifact envelope.json --public-key ec.pub
    upload dsse --type dsse --artifact envelope.json --public-key ec.pub
    local size
    size=$(tree_size)
    cli upload --type rekord --artifact artifact.tampered --signature artifact.sig --public-key ec.pub
    refuses "rekor-cli: upload refuses the signature of another artifact" 'invalid signature' "${CLI[@]}"
    cli upload --artifact-hash "${SHA//[0-7]/8}" --signature artifact.sig --public-key ec.pub
    refuses "rekor-cli: upload refuses the signature of another hash" 'invalid signature' "${CLI[@]}"
    sed 's/"payload":"./"payload":"f/' envelope.json >envelope.tampered.json
    cli upload --type dsse --artifact envelope.tampered.json --public-key ec.pub
    refuses "rekor-cli: upload refuses a changed envelope" 'could not verify envelope' "${CLI[@]}"
    equal "rekor-cli: refused uploads left no entry" "$(tree_size)" "$size"
}

# ---- reading ----------------------------------------------------------------

# get_three_ways NAME EXPRESSION: by index, by UUID and by entry ID.
get_three_ways() {
    local name=$1 id=${ID[$1]} index=${INDEX[$1]} log_id way flag
    log_id=$(openssl pkey -pubin -in log.pub -outform DER | openssl dgst -sha256 -r | cut -d ' ' -f 1)
    for way in index UUID "entry ID"; do
        case $way in
        index) flag="--log-index=$index" ;;
        UUID) flag="--uuid=${id:16}" ;;
        *) flag="--uuid=$id" ;;
        esac
        cli --format json get "$flag"
        json "rekor-cli: get $name by $way" \
            "d['UUID'] == '$id' and d['LogIndex'] == $index and d['LogID'] == '$log_id'
            and d['IntegratedTime'] > 1700000000 and ($2)" "${CLI[@]}"
    done
}

rekor_cli_read() {
    local attested="json.loads(d['Attestation'])['subject'][0]['digest']['sha256'] == '$SHA'"
    get_three_ways hashedrekord \
        "d['Body']['HashedRekordObj']['data']['hash'] == {'algorithm': 'sha256', 'value': '$SHA'}"
    get_three_ways rekord "d['Body']['RekordObj']['data']['hash']['value'] == '$SHA'"
    get_three_ways intoto-0.0.2 "'payloadHash' in d['Body']['IntotoObj']['content'] and $attested"
    get_three_ways intoto-0.0.1 "'payloadHash' in d['Body']['IntotoObj']['content'] and $attested"
    get_three_ways dsse "len(d['Body']['DSSEObj']['signatures']) == 1 and d['Attestation'] == ''"
    cli --format tle get --uuid "${ID[dsse]}"
    json "rekor-cli: get as transparency log entry" \
        "d['logIndex'] == '${INDEX[dsse]}' and d['kindVersion'] == {'kind': 'dsse', 'version': '0.0.1'}" \
        "${CLI[@]}"
    cli get --log-index "$(tree_size)"
    refuses "rekor-cli: get, one index beyond the log" '404' "${CLI[@]}"
    cli get --uuid "${ID[dsse]:0:16}$SHA"
    refuses "rekor-cli: get, an ID that is not there" '404' "${CLI[@]}"
}

# rekor-cli canonicalises the proposal itself and compares leaf hashes with the log's body.
rekor_cli_verify() {
    local name id
    verified hashedrekord proposal --artifact-hash "$SHA" --signature artifact.sig --public-key ec.pub
    verified rekord proposal --type rekord --artifact artifact --signature artifact.sig --public-key ec.crt
    verified intoto-0.0.1 proposal --type intoto:0.0.1 --artifact envelope.json --public-key ec.pub
    verified dsse proposal --type dsse --artifact envelope.json --public-key ec.pub
    for name in "${!ID[@]}"; do
        id=${ID[$name]}
        verified "$name" "entry ID" --uuid "$id"
        verified "$name" UUID --uuid "${id:16}"
        verified "$name" index --log-index "${INDEX[$name]}"
    done
    cli verify --artifact-hash "$SHA" --signature artifact.sig --public-key ec.crt
    refuses "rekor-cli: verify, the key in a form that was not logged" \
        'entry in log cannot be located' "${CLI[@]}"
    cli verify --log-index "$(tree_size)"
    refuses "rekor-cli: verify, one index beyond the log" 'entry in log cannot be located' "${CLI[@]}"
}

# verified NAME BY FLAG...
verified() {
    local name=$1 by=$2 size
    shift 2
    size=$(tree_size)
    cli --format json verify "$@"
    json "rekor-cli: verify $name by $by" \
        "d['EntryUUID'] == '${ID[$name]}' and d['Index'] == ${INDEX[$name]} and d['Size'] == $size
        and d['Checkpoint'].split('\n')[1] == '$size'" "${CLI[@]}"
}

# found TITLE NAMES FLAG...: search gives exactly the named entries.
found() {
    local title=$1 names=$2 name ids=
    shift 2
    for name in $names; do ids+="'${ID[$name]}', "; done
    cli --format json search "$@"
    json "rekor-cli: search $title" "sorted(d['UUIDs']) == sorted([$ids])" "${CLI[@]}"
}

rekor_cli_search() {
    local by_key="hashedrekord intoto-0.0.2 intoto-0.0.1 dsse" all
    all="$by_key rekord"
    found "by SHA-256" "$all" --sha "$SHA"
    found "by prefixed SHA-256" "$all" --sha "sha256:$SHA"
    found "by artifact" "$all" --artifact artifact
    found "by public key" "$by_key" --public-key ec.pub
    found "by certificate" rekord --public-key ec.crt
    found "by e-mail address" rekord --email alice@example.com
    found "by e-mail address in other case" rekord --email ALICE@example.COM
    found "by subject" rekord --subject https://ci.example.com/build
    found "by artifact and public key" "$by_key" --artifact artifact --public-key ec.pub --operator and
    found "by artifact or public key" "$all" --artifact artifact --public-key ec.pub --operator or
    found "by public key or e-mail address" "$all" \
        --public-key ec.pub --email alice@example.com --operator or
    cli search --public-key ec.pub --email alice@example.com --operator and
    refuses "rekor-cli: search by public key and e-mail address" 'no matching entries found' "${CLI[@]}"
    cli search --email mallory@example.com
    refuses "rekor-cli: search for an unknown e-mail address" 'no matching entries found' "${CLI[@]}"
}

# ---- the tree ---------------------------------------------------------------

rekor_cli_first_loginfo() {
    FIRST_SIZE=$(tree_size)
    cli loginfo
    passes "rekor-cli: first loginfo" 'No previous log state stored' "${CLI[@]}"
    passes "rekor-cli: the first loginfo verified the checkpoint" "Active Tree Size: +$FIRST_SIZE\$" cat all
}

# The state of the run before is the trusted tree head: loginfo proves consistency with it.
loginfo_proves_consistency() {
    local when=$1 old=$2 size state=$HOME/.rekor/state.json
    size=$(tree_size)
    json "rekor-cli: the stored state is of size $old" \
        "d['$REKOR_URL'].split('\n')[1] == '$old'" cat "$state"
    cp "$state" state.json
    tamper state.json "$state" "for name, text in d.items():
    lines = text.split('\n')
    lines[2] = base64.b64encode(b'\1' * 32).decode()
    d[name] = '\n'.join(lines)"
    cli --format json loginfo
    refuses "rekor-cli: loginfo $when, the stored root was another" 'consisten|root|mismatch' "${CLI[@]}"
    cp state.json "$state"
    json "rekor-cli: loginfo $when" "d['ActiveTreeSize'] == $size and d['TotalTreeSize'] == $size" "${CLI[@]}"
    cp out out.loginfo
    cp all all.loginfo
    json "rekor-cli: loginfo $when shows the root that the checkpoint signs" \
        "base64.b64decode(d['signedTreeHead'].split('\n')[2]).hex() == d['rootHash']
         == json.load(open('out.loginfo'))['RootHash']" cat log.json
    equal "rekor-cli: loginfo $when used the stored state" \
        "$(grep -c 'No previous log state' all.loginfo || true)" 0
    json "rekor-cli: the stored state moved to size $size" \
        "d['$REKOR_URL'].split('\n')[1] == '$size'" cat "$state"
}

rekor_cli_loginfo_after_growth() {
    loginfo_proves_consistency "after growth" "$FIRST_SIZE"
    local size
    size=$(tree_size)
    cli --format json logproof --last-size "$size"
    json "rekor-cli: logproof from 1" "d['Hashes'] and len(d['RootHash']) == 64" "${CLI[@]}"
    cli --format json logproof --first-size "$FIRST_SIZE" --last-size "$size"
    json "rekor-cli: logproof from the first loginfo" \
        "d['RootHash'] == json.load(open('log.json'))['rootHash'] and d['Hashes']" "${CLI[@]}"
    cli logproof --first-size 1 --last-size "$((size + 1))"
    refuses "rekor-cli: logproof beyond the log" '400' "${CLI[@]}"
}

rekor_cli_after_restart() {
    local size
    size=$(value "$HOME/.rekor/state.json" "d['$REKOR_URL'].split('\n')[1]")
    equal "cairn: the log has its size after a restart" "$(tree_size)" "$size"
    cli upload --artifact-hash "$SHA" --signature artifact.sig --public-key ec.pub
    passes "rekor-cli: upload again after a restart" "already exists.*${ID[hashedrekord]}" "${CLI[@]}"
    verified hashedrekord proposal --artifact-hash "$SHA" --signature artifact.sig --public-key ec.pub
    upload hashedrekord-after-restart --artifact-hash "$SHA" --signature artifact.sig --public-key ec.crt
    loginfo_proves_consistency "after a restart" "$size"
}
