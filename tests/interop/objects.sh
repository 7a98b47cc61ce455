# shellcheck shell=bash
# Logs as objects, against a Cairn of their own that exports into versitygw, an S3 server by another
# hand: what is in the bucket is what the server answers, also when the bucket's server dies. And
# as files behind a web server that knows nothing of logs, for Tessera's fsck.

OBJECTS_PID=
S3_PID=
FILES_PID=

# ---- the servers ------------------------------------------------------------

# The two commands of these flows that are more than one word; the keys are in their environment.
objects_commands() {
    export S3_URL S3_KEY S3_SECRET
    # ./s3 METHOD PATH [CURL-OPTION...]: a signed request to the bucket's server.
    cat >s3 <<'BASH'
#!/usr/bin/env bash
exec curl --silent --show-error --noproxy '*' --max-time 20 --request "$1" \
    --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_KEY:$S3_SECRET" \
    --header 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$S3_URL/$2" "${@:3}"
BASH
    # ./with-keys COMMAND...: the command knows the bucket as any tool of AWS's would.
    cat >with-keys <<'BASH'
#!/usr/bin/env bash
export AWS_ENDPOINT_URL=$S3_URL AWS_ALLOW_HTTP=true AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET
exec "$@"
BASH
    chmod +x s3 with-keys
}

s3_answers() {
    ./s3 GET '' --fail >/dev/null 2>&1
}

# start_s3: on its port; what is stored stays from one start to the next.
start_s3() {
    mkdir -p buckets sidecar
    ROOT_ACCESS_KEY_ID=$S3_KEY ROOT_SECRET_ACCESS_KEY=$S3_SECRET "$VERSITYGW" \
        --port "127.0.0.1:$S3_PORT" --quiet --keep-alive posix --sidecar "$WORK/sidecar" "$WORK/buckets" >>s3.log 2>&1 &
    S3_PID=$!
    await "$START_SECONDS_MAX" s3_answers || {
        tail -n 20 s3.log >&2
        exit 1
    }
}

# Without a chance to end anything.
kill_s3() {
    kill -KILL "$S3_PID"
    wait "$S3_PID" 2>/dev/null || true # the shell would say that it was killed
    S3_PID=
}

objects_answers() {
    get "$OBJECTS_URL/livez" >/dev/null
}

start_objects() {
    ./with-keys "$CAIRN" serve --data-dir data-objects --listen "127.0.0.1:$OBJECTS_PORT" \
        --metrics-listen "127.0.0.1:$OBJECTS_METRICS" --log-format json \
        --export s3://logs/at --export-interval-ms 20 >>objects.log 2>&1 &
    OBJECTS_PID=$!
    await "$START_SECONDS_MAX" objects_answers || {
        tail -n 20 objects.log >&2
        exit 1
    }
}

objects_prepare() {
    S3_PORT=$(free_port)
    S3_URL=http://127.0.0.1:$S3_PORT
    S3_KEY=$(openssl rand -hex 10)
    S3_SECRET=$(openssl rand -hex 20)
    objects_commands
    start_s3
    passes "objects: a bucket is made" '' ./s3 PUT logs --fail
    OBJECTS_PORT=$(free_port)
    OBJECTS_METRICS=$(free_port)
    OBJECTS_URL=http://127.0.0.1:$OBJECTS_PORT
    start_objects
}

# ---- what is there ----------------------------------------------------------

# more COUNT: so many new entries in each of the logs.
more() {
    local api
    for api in v1 v2; do
        passes "objects: $1 entries for the $api log" '' \
            "${AUDITORS_PY[@]}" many "$api" "$OBJECTS_URL" "$1"
    done
}

# names PREFIX: the names of all objects below it, as the server lists them.
names() {
    ./s3 GET "logs?list-type=2&prefix=$1%2F" --fail >list.xml
    python3 - "$1/" <<'PYTHON'
import sys, xml.etree.ElementTree as xml

root = xml.parse("list.xml").getroot()
space = root.tag[: root.tag.index("}") + 1]
assert root.find(space + "IsTruncated").text == "false"
for key in root.iter(space + "Key"):
    print(key.text.removeprefix(sys.argv[1]))
PYTHON
}

# is_current PREFIX: does each log's checkpoint there say what the server's does?
is_current() {
    local log
    for log in $(log_ids); do
        ./s3 GET "logs/$1/logs/$log/checkpoint" --fail 2>/dev/null |
            cmp -s - <(fetch "$OBJECTS_URL/logs/$log/checkpoint") || return 1
    done
    ! names "$1" | partial_beside_full | grep -q .
}

log_ids() {
    get "$OBJECTS_URL/logs" >objects.json
    value objects.json "' '.join(l['log_id'] for l in d['logs'])"
}

fetch() {
    curl --silent --fail --noproxy '*' --max-time 20 "$1"
}

# Partial tiles whose full one is there.
partial_beside_full() {
    python3 -c '
import sys
names = set(sys.stdin.read().split())
print(*[name for name in names if name.partition(".p/")[0] in names - {name}], sep="\n", end="")'
}

# What is told of an object of this name: content type, then how long caches keep it.
told() {
    case $1 in
    */tile/* | */attestation/* | */entry/*) echo 'application/octet-stream|public, max-age=31536000, immutable' ;;
    */annex/*) echo 'text/plain; charset=utf-8|public, max-age=31536000, immutable' ;;
    */checkpoint) echo 'text/plain; charset=utf-8|no-cache' ;;
    *) echo 'application/json|no-cache' ;;
    esac
}

# same_objects WHAT PREFIX FILES-AT-LEAST: every object is what the server answers at its path.
same_objects() {
    local name count=0 verdict=ok
    names "$2" >names
    : >all
    while IFS= read -r name; do
        count=$((count + 1))
        ./s3 GET "logs/$2/$name" --fail --dump-header headers --output object 2>>all || verdict="$name is not read"
        [[ "$(header content-type)|$(header cache-control)" == "$(told "$name")" ]] ||
            verdict="$name: $(header content-type), $(header cache-control)"
        if [[ $name != logs.json ]]; then
            cmp <(signed "$name" <object) <(fetch "$OBJECTS_URL/$name" | signed "$name") 2>>all ||
                verdict="$name differs"
        fi
    done <names
    ((count >= $3)) || verdict="$count objects, at least $3 expected"
    report "$verdict" "$1: objects and headers are the server's" ./s3 GET "logs/$2"
}

# signed NAME: what does not change from one reader to the next; an annex is signed for each anew.
signed() {
    case $1 in
    */annex/*) sed '/^$/,$d' ;;
    *) cat ;;
    esac
}

header() {
    sed -n "s/^$1: //Ip" headers | tr -d '\r'
}

metric() {
    fetch "http://127.0.0.1:$OBJECTS_METRICS/metrics" | sed -n "s/^$1{log=\"v2\"} //p"
}

has_failed() {
    (($(metric cairn_export_failures_total) > 0))
}

# ---- the flows --------------------------------------------------------------

server_exports() {
    more 300
    await "$START_SECONDS_MAX" is_current at || true
    same_objects "objects: 300 entries" at 13
    equal "objects: the metric says how far" "$(metric cairn_export_size)" 300
    equal "objects: nothing has failed" "$(metric cairn_export_failures_total)" 0
    names at >names
    equal "objects: nothing partial beside what is full" "$(partial_beside_full <names)none" none
    ./s3 GET logs/at/logs.json --fail >objects.list.json
    json "objects: the list has both logs" \
        "[(l['name'], l['url']) for l in d['logs']] == [(l['name'], 'logs/' + l['log_id'])
          for l in json.load(open('objects.json'))['logs']]" cat objects.list.json
}

# The server of the bucket dies, and writers notice nothing.
bucket_dies_under_the_server() {
    kill_s3
    more 10
    await 90 has_failed || true
    passes "objects: without the bucket's server, the log is ready" '^ok' \
        "${AUDITORS_PY[@]}" fetch "$OBJECTS_URL/readyz"
    passes "objects: and says what it misses" 'not exported' grep -m 1 'not exported' objects.log
    start_s3
    await 120 is_current at || true
    same_objects "objects: the bucket's server is back" at 13
}

# It dies in the middle of an export, which waits for it and ends.
bucket_dies_under_an_export() {
    local pid code=0 verdict=ok
    ./with-keys "$CAIRN" export --data-dir data-objects --to s3://logs/again >export.out 2>&1 &
    pid=$!
    local deadline=$((SECONDS + START_SECONDS_MAX))
    until begun_again; do ((SECONDS < deadline)) || break; done # at once: it takes no tenth of a second
    kill_s3
    equal "objects: killed before the checkpoint" "$(find buckets/logs/again -name checkpoint | wc -l)" 0
    start_s3
    wait "$pid" || code=$?
    cp export.out all
    ((code == 0)) || verdict="exit code $code, expected 0"
    report "$verdict" "objects: an export goes on when the bucket's server is back" "$CAIRN" export
    same_objects "objects: what that export wrote" again 13
}

begun_again() {
    compgen -G 'buckets/logs/again/logs/*/tile/*/*' >/dev/null
}

# Two at once: each is content, or says that the other was faster; and all is there.
two_at_once() {
    local pid code=0 verdict=ok
    ./with-keys "$CAIRN" export --data-dir data-objects --to s3://logs/both >other.out 2>&1 &
    pid=$!
    ./with-keys "$CAIRN" export --data-dir data-objects --to s3://logs/both >export.out 2>&1 || code=$?
    wait "$pid" || code=$((code + $?))
    cat export.out other.out >all
    ((code == 0)) || grep -q 'by another exporter' all || verdict="exit codes add up to $code"
    report "$verdict" "objects: two exports at once" "$CAIRN" export
    same_objects "objects: what both wrote" both 13
}

objects_refuses() {
    local log
    log=$(log_ids)
    log=${log%% *}
    ./s3 PUT "logs/both/logs/$log/checkpoint" --fail --data-binary 'no checkpoint' >/dev/null
    names both >before
    refuses "objects: what is no checkpoint of the log is left alone" \
        "logs/$log/checkpoint in the destination is not this log's.*Nothing was written" \
        ./with-keys "$CAIRN" export --data-dir data-objects --to s3://logs/both
    names both >after
    equal "objects: and so is the rest" "$(cat after)" "$(cat before)"
    refuses "objects: a bucket that is not there" 'nobucket|NoSuchBucket' \
        ./with-keys "$CAIRN" export --data-dir data-objects --to s3://nobucket
    refuses "objects: keys that are not the bucket's" 'AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|403' \
        env S3_SECRET=another ./with-keys "$CAIRN" export --data-dir data-objects --to s3://logs/other
    equal "objects: no secret was logged" "$(grep -c "$S3_SECRET" objects.log export.out all || true)" \
        "$(printf '%s:0\n' objects.log export.out all)"
}

# A folder behind Python's web server, which has never heard of logs.
files_for_fsck() {
    local name
    passes "files: an export into a folder" '310 entries' \
        "$CAIRN" export --data-dir data-objects --to files
    FILES_PORT=$(free_port)
    python3 -m http.server --bind 127.0.0.1 --directory files "$FILES_PORT" >files.log 2>&1 &
    FILES_PID=$!
    await "$START_SECONDS_MAX" fetch "http://127.0.0.1:$FILES_PORT/logs.json" >files.json
    for name in v1 v2; do
        value files.json "[l['vkey'] for l in d['logs'] if l['name'] == '$name'][0]" >"files.$name.vkey"
        passes "tessera fsck: the $name log by its files" "Successfully fsck'd log" \
            "$TESSERA_FSCK" -ui=false -qps 100000 -public_key "files.$name.vkey" \
            -origin "$(value files.json "[l['origin'] for l in d['logs'] if l['name'] == '$name'][0]")" \
            -storage_url "http://127.0.0.1:$FILES_PORT/$(value files.json "[l['url'] for l in d['logs'] if l['name'] == '$name'][0]")/"
    done
}

objects() {
    objects_prepare
    server_exports
    bucket_dies_under_the_server
    bucket_dies_under_an_export
    two_at_once
    objects_refuses
    files_for_fsck
    replica_of_files
    local code=0 verdict=ok
    stop "$OBJECTS_PID" || code=$?
    OBJECTS_PID=
    ((code == 0)) || verdict="exit code $code, expected 0"
    report "$verdict" "objects: the server that exports ends on SIGTERM" kill -TERM cairn
    objects_clean_up
    S3_PID= FILES_PID=
}

objects_clean_up() {
    local pid
    for pid in $OBJECTS_PID $S3_PID $FILES_PID; do
        stop "$pid" || true
    done
}
