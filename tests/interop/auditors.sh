# shellcheck shell=bash
# Those who watch a log from outside, against a third Cairn: an auditor that is built from the
# libraries of sigstore's own, and two witnesses, omniwitness and litewitness. At the end an old
# copy of the log is served: the witnesses stop it, and the auditor sees the fork.

# shellcheck disable=SC2154 # run.sh sets it
AUDITORS_PY=(python3 "$here/auditors.py")
AUDITED_PID=
OMNIWITNESS_PID=
LITEWITNESS_PID=
SSH_AGENT_PID=

# ---- the log ----------------------------------------------------------------

audited_answers() {
    get "$AUDITED_URL/livez" >/dev/null
}

# start_audited DATA: its log lines go to a file of their own, for here it has to refuse.
start_audited() {
    "$CAIRN" serve --data-dir "$WORK/$1" --config audited.toml --log-format json \
        >>"$WORK/audited.log" 2>&1 &
    AUDITED_PID=$!
    await "$START_SECONDS_MAX" audited_answers || {
        tail -n 20 "$WORK/audited.log" >&2
        exit 1
    }
}

# audited_settings [LOG...]: the settings, with witnesses for the logs that are named.
audited_settings() {
    printf 'listen = "127.0.0.1:%s"\nmetrics_listen = "off"\n' "$AUDITED_PORT"
    printf 'hostname = "127.0.0.1:%s"\n' "$AUDITED_PORT"
    local log
    for log in "$@"; do
        printf '[logs.%s]\nwitness_policy = "%s"\nwitness_mode = "wait"\n' "$log" "$WORK/$log.policy"
    done
}

stop_audited() {
    local pid=$AUDITED_PID code=0
    AUDITED_PID=
    stop "$pid" || code=$?
    return "$code"
}

# of_log NAME FIELD: what `/logs` says of a log.
of_log() {
    value audited.json "[l['$2'] for l in d['logs'] if l['name'] == '$1'][0]"
}

# grow API COUNT: that many new entries, each by a key of its own.
grow() {
    local i
    for ((i = 0; i < $2; i++)); do
        "${AUDITORS_PY[@]}" entry "$1" grow.json
        "${AUDITORS_PY[@]}" post "$1" "$AUDITED_URL" grow.json >grown
        grep -q '^201 ' grown || {
            cat grown >&2
            return 1
        }
    done
}

audited_prepare() {
    AUDITED_PORT=$(free_port)
    AUDITED_URL=http://127.0.0.1:$AUDITED_PORT
    audited_settings >audited.toml
    start_audited data-audited
    get "$AUDITED_URL/logs" >audited.json
    "$CAIRN" trusted-root --data-dir data-audited --url "$AUDITED_URL" >audited.root.json
    "$CAIRN" signing-config --data-dir data-audited --url "$AUDITED_URL" --log v2 >audited.config.json
    openssl ecparam -name prime256v1 -genkey -noout -out carol.key
    openssl req -x509 -new -key carol.key -subj /CN=interop -days 30 -out carol.crt \
        -addext 'subjectAltName=email:carol@example.com'
}

# ---- the auditor ------------------------------------------------------------

# audit API [FLAG...]: the words of a run; each API has a checkpoint of its own.
audit() {
    local api=$1
    shift
    AUDIT=("$AUDITOR" "$api" -root audited.root.json -state "audited.$api.state" "$@")
    if [[ $api == v1 ]]; then
        AUDIT+=("$AUDITED_URL")
    else
        AUDIT+=(-config audited.config.json)
    fi
}

auditor_follows() {
    local api
    for api in v1 v2; do
        audit "$api"
        passes "auditor: $api, a log that is empty" 'from 0 to 0, read 0' "${AUDIT[@]}"
        rm "audited.$api.state"
        grow "$api" 2
        passes "auditor: $api, the first run" 'from 0 to 2, read 2 map.hashedrekord' "${AUDIT[@]}"
        grow "$api" 10
        "${AUDITORS_PY[@]}" entry "$api" carol.json carol.crt carol.key
        "${AUDITORS_PY[@]}" post "$api" "$AUDITED_URL" carol.json >/dev/null
        audit "$api" -watch Carol@example.com
        passes "auditor: $api, the log has grown, and carol has signed" \
            'found Carol@example.com at 12: hashedrekord' "${AUDIT[@]}"
        passes "auditor: $api, nothing is new" 'from 13 to 13, read 0' "${AUDIT[@]}"
        grow "$api" 1
    done
}

# An earlier checkpoint with another root, and trust that does not fit.
auditor_refuses() {
    local api
    local -A said=([v1]='signature on old tree head did not verify' [v2]='calculated root')
    for api in v1 v2; do
        cp "audited.$api.state" state.kept
        sed '3s/.*/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=/' state.kept >"audited.$api.state"
        audit "$api"
        refuses "auditor: $api, another root before" "${said[$api]}" "${AUDIT[@]}"
        cp state.kept "audited.$api.state"
        AUDIT[3]=log.root.json
        refuses "auditor: $api, keys of other logs" 'no log of the trusted root has the key hint' "${AUDIT[@]}"
    done
    sed "s|http://127.0.0.1|http://localhost|" audited.config.json >elsewhere.json
    audit v2
    refuses "auditor: v2, another name than in the URL" 'note has no verifiable signatures' "${AUDIT[@]/audited.config/elsewhere}"
}

# All kinds of entries that the other clients have made.
auditor_reads_all() {
    "$CAIRN" trusted-root --data-dir data --url "$REKOR_URL" >log.root.json
    local size
    size=$(tree_size)
    passes "auditor: v1, all entries and kinds of this run" \
        "from 0 to $size, read $size .*dsse 0.0.1.*hashedrekord 0.0.1.*intoto 0.0.1.*intoto 0.0.2.*rekord 0.0.1" \
        "$AUDITOR" v1 -root log.root.json -state log.state "$REKOR_URL"
}

# ---- the witnesses ----------------------------------------------------------

# start_omniwitness [FLAG...]: of the logs that it knows by itself it hears nothing, for it asks nobody.
start_omniwitness() {
    "$OMNIWITNESS" --listen "127.0.0.1:$OMNIWITNESS_PORT" --metrics_listen '' --logtostderr \
        --private_key_path omniwitness.key "$@" >>omniwitness.log 2>&1 &
    OMNIWITNESS_PID=$!
    await "$START_SECONDS_MAX" listens "$OMNIWITNESS_PORT"
}

start_litewitness() {
    "$LITEWITNESS" -listen "127.0.0.1:$LITEWITNESS_PORT" -db litewitness.db -name lite.example.com \
        -ssh-agent litewitness.sock -key "$LITEWITNESS_KEY" >>litewitness.log 2>&1 &
    LITEWITNESS_PID=$!
    await "$START_SECONDS_MAX" listens "$LITEWITNESS_PORT"
}

listens() {
    python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)' "$1" 2>/dev/null
}

# litewitness has its key from an ssh-agent; its vkey is in its log.
witnesses_start() {
    OMNIWITNESS_PORT=$(free_port)
    OMNI_VKEY=$("${AUDITORS_PY[@]}" witness-key omni.example.com omniwitness.key)
    start_omniwitness
    ssh-keygen -q -t ed25519 -N '' -C litewitness -f litewitness.pem
    LITEWITNESS_KEY=$(ssh-keygen -l -f litewitness.pem.pub | cut -d ' ' -f 2)
    ssh-agent -D -a "$WORK/litewitness.sock" >/dev/null &
    SSH_AGENT_PID=$!
    await "$START_SECONDS_MAX" test -S litewitness.sock
    SSH_AUTH_SOCK=$WORK/litewitness.sock ssh-add -q litewitness.pem
    LITEWITNESS_PORT=$(free_port)
    start_litewitness
    LITE_VKEY=$(grep -oE 'lite\.example\.com\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+' litewitness.log | head -n 1)
    echo "witness omni $OMNI_VKEY http://127.0.0.1:$OMNIWITNESS_PORT" >v1.policy
    {
        cat v1.policy
        echo "witness lite $LITE_VKEY http://127.0.0.1:$LITEWITNESS_PORT"
        echo 'group both all omni lite'
        echo 'quorum both'
    } >v2.policy
    echo 'quorum omni' >>v1.policy
}

cosigned() {
    "${AUDITORS_PY[@]}" cosignatures "$1" "$OMNI_VKEY" "$LITE_VKEY"
}

audited_size() {
    get "$(of_log "$1" url)/checkpoint" | sed -n 2p
}

audited_is_ready() {
    get "$AUDITED_URL/readyz" >/dev/null
}

audited_is_not_ready() {
    ! audited_is_ready
}

# serve DATA: the log in the foreground, for a start that has to fail.
serve() {
    SERVE=("$CAIRN" serve --data-dir "$1" --config audited.toml)
}

# A log that they do not know; then one learns of both logs, the other of v2 (its keys are Ed25519 alone).
witnesses_refuse() {
    stop_audited || true
    audited_settings v1 v2 >audited.toml
    serve data-audited
    refuses "witnesses: a log that they do not know does not start, and says why" \
        'short of its quorum of witnesses .omni: http[^ ]*/add-checkpoint: 404' "${SERVE[@]}"
    audited_settings v2 >audited.toml
    refuses "witnesses: of both of them" 'lite: http[^ ]*/add-checkpoint: 404, unknown log' "${SERVE[@]}"
    stop "$OMNIWITNESS_PID" || true
    {
        echo Logs:
        printf -- '- Origin: "%s"\n  URL: "%s"\n  PublicKey: "%s"\n' \
            "$(of_log v1 origin)" "$(of_log v1 url)" "$(of_log v1 vkey)" \
            "$(of_log v2 origin)" "$(of_log v2 url)" "$(of_log v2 vkey)"
    } >omniwitness.yaml
    start_omniwitness --db_file omniwitness.db --additional_logs omniwitness.yaml
    refuses "witnesses: one of two is no quorum" \
        'short of its quorum of witnesses .lite: [^ ]* 404, unknown log' "${SERVE[@]}"
    "${AUDITORS_PY[@]}" know litewitness.db "$(of_log v2 origin)" "$(of_log v2 vkey)"
    audited_settings v1 v2 >audited.toml
    start_audited data-audited
}

witnesses_cosign() {
    local api path
    for path in checkpoint api/v2/checkpoint "logs/$(of_log v2 log_id)/checkpoint"; do
        equal "witnesses: both cosign /${path/$(of_log v2 log_id)/ID}" "$(cosigned "$AUDITED_URL/$path")" 2
    done
    equal "witnesses: omniwitness cosigns the v1 log" "$(cosigned "$(of_log v1 url)/checkpoint")" 1
    refuses "witnesses: not with another key" 'the cosignature does not verify' \
        "${AUDITORS_PY[@]}" cosignatures "$AUDITED_URL/checkpoint" \
        "$(cut -d + -f 1,2 <<<"$OMNI_VKEY")+$(cut -d + -f 3- <<<"$LITE_VKEY")"
    for api in v1 v2; do
        grow "$api" 3
        audit "$api" -watch carol@example.com
        passes "witnesses: the auditor follows the $api log" 'from 13 to 17, read 4' "${AUDIT[@]}"
        equal "witnesses: where carol has signed nothing" "$(grep -c '^found' out || true)" 0
    done
    equal "witnesses: both cosign what is new" "$(cosigned "$AUDITED_URL/checkpoint")" 2
    equal "witnesses: and in v1" "$(cosigned "$(of_log v1 url)/checkpoint")" 1
    json "witnesses: v1's API shows the log's signature alone" "d['signedTreeHead'].count('\u2014 ') == 1" \
        "${AUDITORS_PY[@]}" fetch "$AUDITED_URL/api/v1/log"
    stop_audited || true
    cp -R data-audited data-old
    start_audited data-audited
}

# Of two, the one that v1 does without.
witnesses_stop() {
    local before
    before=$(audited_size v2)
    stop "$LITEWITNESS_PID" || true
    LITEWITNESS_PID=
    "${AUDITORS_PY[@]}" entry v2 waiting.json
    "${AUDITORS_PY[@]}" post v2 "$AUDITED_URL" waiting.json >waited &
    local waiting=$!
    await "$START_SECONDS_MAX" audited_is_not_ready || true
    passes "witnesses: without one the log says so" 'held back.*lite: ' grep 'held back' audited.log
    "${AUDITORS_PY[@]}" entry v2 late.json
    passes "witnesses: when that has lasted, a writer is refused at once" '^503 at once' \
        "${AUDITORS_PY[@]}" post v2 "$AUDITED_URL" late.json
    refuses "witnesses: and the server is not ready" '503' "${AUDITORS_PY[@]}" fetch "$AUDITED_URL/readyz"
    grow v1 1
    audit v1
    passes "witnesses: the v1 log, which does without, goes on" 'from 17 to 18, read 1' "${AUDIT[@]}"
    wait "$waiting"
    passes "witnesses: a writer that waited is told so in time" '^504 later' cat waited
    equal "witnesses: nothing new was published" "$(audited_size v2)" "$before"
    start_litewitness
    await "$START_SECONDS_MAX" audited_is_ready || true
    passes "witnesses: with both the entry that waited is there" '^409 at once' \
        "${AUDITORS_PY[@]}" post v2 "$AUDITED_URL" waiting.json
    passes "witnesses: and writing goes on" '^201 at once' \
        "${AUDITORS_PY[@]}" post v2 "$AUDITED_URL" late.json
    equal "witnesses: both have cosigned it" "$(cosigned "$AUDITED_URL/checkpoint")" 2
    audit v2
    passes "witnesses: the auditor finds the entries" 'from 17 to 19, read 2' "${AUDIT[@]}"
}

# ---- an old copy ------------------------------------------------------------

old_copy_is_noticed() {
    stop_audited || true
    start_audited data-old
    passes "an old copy: the witnesses have seen more, and it says so" \
        'has cosigned a checkpoint of 1[89] entries, and the log has 17' grep 'does not publish' audited.log
    refuses "an old copy: it is not ready" '503' "${AUDITORS_PY[@]}" fetch "$AUDITED_URL/readyz"
    equal "an old copy: and shows what it was" "$(audited_size v2)" 17
    stop_audited || true
    audited_settings >audited.toml
    start_audited data-old
    local api
    for api in v1 v2; do
        audit "$api"
        refuses "an old copy: the auditor knows a longer $api log" 'larger than' "${AUDIT[@]}"
        grow "$api" 3
        refuses "an old copy: the auditor refuses the fork of the $api log" 'calculated root' "${AUDIT[@]}"
    done
    stop_audited || true
}

auditors() {
    audited_prepare
    auditor_reads_all
    auditor_follows
    auditor_refuses
    witnesses_start
    witnesses_refuse
    witnesses_cosign
    witnesses_stop
    old_copy_is_noticed
    passes "cairn: fsck finds the audited logs whole" '' "$CAIRN" fsck --data-dir data-audited
    local verdict=ok
    grep -E '"status":"?500|panicked' audited.log >all || true
    [[ ! -s all ]] || verdict="the log of the server holds errors"
    report "$verdict" "cairn: no answer to an auditor was an error of its own" grep 500 audited.log
}

auditors_clean_up() {
    local pid
    for pid in $AUDITED_PID $OMNIWITNESS_PID $LITEWITNESS_PID $SSH_AGENT_PID; do
        stop "$pid" || true
    done
}
