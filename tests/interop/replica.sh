# shellcheck shell=bash
# A replica of the log under test, with its keys: the clients read and verify there as they do at
# the log itself. And one that follows nothing but files behind a web server.

REPLICA_PID=
FILES_REPLICA_PID=

# start_replica FOLDER SOURCE PORT: a replica in the background; its process ID is in STARTED.
start_replica() {
    "$CAIRN" serve --data-dir "$1" --follow "$2" --follow-interval-ms 50 \
        --listen "127.0.0.1:$3" --metrics-listen off >>"$1.log" 2>&1 &
    STARTED=$!
    await "$START_SECONDS_MAX" fetch "http://127.0.0.1:$3/livez" >/dev/null || {
        tail -n 20 "$1.log" >&2
        exit 1
    }
}

# sizes URL: names and sizes of its logs.
sizes() {
    fetch "$1/logs" >sizes.json
    value sizes.json "[(l['name'], l['tree_size']) for l in d['logs']]"
}

# has_all URL SOURCE: does the replica show as much as its source?
has_all() {
    [[ $(sizes "$1") == "$(sizes "$2")" ]]
}

# The suite's read-only parts, at the replica.
clients_at_the_replica() {
    local REKOR_URL=$REPLICA_URL
    rekor_cli_read
    rekor_cli_verify
    rekor_cli_search
    cosign_online v2
    cosign_online v3
    cli upload --artifact-hash "$SHA" --signature artifact.sig --public-key ec.pub
    refuses "replica: takes no entries" '405|frozen' "${CLI[@]}"
}

replica_of_files() {
    local port url
    port=$(free_port)
    start_replica data-files-replica "http://127.0.0.1:$FILES_PORT" "$port"
    FILES_REPLICA_PID=$STARTED
    url=http://127.0.0.1:$port
    equal "replica of files: has all that was exported" "$(sizes "$url")" "[('v1', 310), ('v2', 310)]"
    equal "replica of files: v1 entries come without a promise that it cannot make" \
        "$(fetch "$url/api/v1/log/entries?logIndex=0" | grep -c signedEntryTimestamp)" 0
    passes "replica of files: the checkpoint is the log's" '' \
        "$CAIRN" checkpoint --url "$url" --public-key data-objects/v1.pub
    passes "replica of files: fsck" '^ok' "$CAIRN" fsck --data-dir data-files-replica
    replica_clean_up
}

replica() {
    local port
    port=$(free_port)
    REPLICA_URL=http://127.0.0.1:$port
    mkdir -p data-replica
    cp data/v1.key data/v2.key data-replica/
    start_replica data-replica "$REKOR_URL" "$port"
    REPLICA_PID=$STARTED
    await "$START_SECONDS_MAX" has_all "$REPLICA_URL" "$REKOR_URL" || true
    equal "replica: has all that its source has" "$(sizes "$REPLICA_URL")" "$(sizes "$REKOR_URL")"
    clients_at_the_replica
    replica_clean_up
}

replica_clean_up() {
    [[ -z $REPLICA_PID ]] || stop "$REPLICA_PID" || true
    [[ -z $FILES_REPLICA_PID ]] || stop "$FILES_REPLICA_PID" || true
    REPLICA_PID='' FILES_REPLICA_PID=''
}
