# shellcheck shell=bash
# What every part of the suite uses: checks, the servers under test, small tools.
# Sourced by run.sh, which sets WORK (the temporary folder) and CAIRN (the binary).

PASSED=0
FAILED=0
FINISHED=
CALL_SECONDS_MAX=60
START_SECONDS_MAX=20
STOP_SECONDS_MAX=20
BEYOND_LOOPBACK='proxyconnect|Proxy Error|TUF repository'
# shellcheck disable=SC2034 # run.sh uses it
CLOSED_URL=http://127.0.0.1:9 # the discard port: nothing listens there
CAIRN_PID=
REGISTRY_PID=

# ---- checks -----------------------------------------------------------------

# call COMMAND...: runs it bounded in time; stdout and stderr are left in
# $WORK/out and $WORK/err, both together in $WORK/all. What it says about an attempt to
# reach another address than loopback is added to $WORK/outbound.
call() {
    local code=0
    timeout -k 5 "$CALL_SECONDS_MAX" "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || code=$?
    cat "$WORK/out" "$WORK/err" >"$WORK/all"
    grep -E "$BEYOND_LOOPBACK" "$WORK/all" >>"$WORK/outbound" || true
    return "$code"
}

# report VERDICT NAME COMMAND...: prints the line of a check, and what was seen if it failed.
report() {
    local verdict=$1 name=$2
    shift 2
    if [[ $verdict == ok ]]; then
        PASSED=$((PASSED + 1))
        echo "ok $((PASSED + FAILED)) - $name"
        return
    fi
    FAILED=$((FAILED + 1))
    echo "not ok $((PASSED + FAILED)) - $name"
    {
        echo "$verdict"
        printf '$'
        printf ' %q' "$@"
        echo
        head -c 4000 "$WORK/all"
    } | sed 's/^/    /'
    echo
}

# passes NAME PATTERN COMMAND...: the command succeeds and says PATTERN (extended regexp;
# empty for a command whose effect the next check looks at).
passes() {
    local name=$1 pattern=$2 code=0 verdict=ok
    shift 2
    call "$@" || code=$?
    if ((code != 0)); then
        verdict="exit code $code, expected 0"
    elif [[ -n $pattern ]] && ! grep -Eq -- "$pattern" "$WORK/all"; then
        verdict="the output does not match: $pattern"
    fi
    report "$verdict" "$name" "$@"
}

# refuses NAME PATTERN COMMAND...: the command fails by itself and says PATTERN.
# A failure for another reason than the expected one is no pass.
refuses() {
    local name=$1 pattern=$2 code=0 verdict=ok
    shift 2
    call "$@" || code=$?
    if ((code == 0)); then
        verdict="exit code 0, expected a refusal"
    elif ((code >= 124)); then
        verdict="exit code $code: ended by a signal or by the time limit"
    elif ! grep -Eiq -- "$pattern" "$WORK/all"; then
        verdict="refused, but the output does not match: $pattern"
    fi
    report "$verdict" "$name" "$@"
}

# json NAME EXPRESSION COMMAND...: the command succeeds, and the Python EXPRESSION
# is true of `d`, its standard output as JSON.
json() {
    local name=$1 expression=$2 code=0 verdict=ok
    shift 2
    call "$@" || code=$?
    if ((code != 0)); then
        verdict="exit code $code, expected 0"
    elif ! holds "$WORK/out" "$expression" 2>>"$WORK/all"; then
        verdict="not true: $expression"
    fi
    report "$verdict" "$name" "$@"
}

# equal NAME LEFT RIGHT: two texts are the same and not empty.
equal() {
    local verdict=ok
    : >"$WORK/all"
    [[ -n $2 && $2 == "$3" ]] || verdict="\`$2\` is not \`$3\`"
    report "$verdict" "$1" equal "$2" "$3"
}

# ---- JSON -------------------------------------------------------------------

# holds FILE EXPRESSION: is the Python EXPRESSION true of `d`, the JSON in FILE?
holds() {
    python3 - "$@" <<'PYTHON'
import base64, json, sys

d = json.load(open(sys.argv[1]))
sys.exit(0 if eval("(" + sys.argv[2] + ")") else 1)
PYTHON
}

# value FILE EXPRESSION: prints the Python EXPRESSION of `d`, the JSON in FILE.
value() {
    python3 - "$@" <<'PYTHON'
import base64, json, sys

d = json.load(open(sys.argv[1]))
print(eval("(" + sys.argv[2] + ")"))
PYTHON
}

# tamper FROM TO STATEMENTS: writes FROM to TO after Python STATEMENTS changed `d`.
# If that does not work there is no TO, and it is a failed check.
tamper() {
    rm -f "$2"
    change_json "$@" >"$WORK/all" 2>&1 || report "the file cannot be changed" "interop: change $1" tamper "$@"
}

# flip(text) changes the last byte of a base64 text; recode(text, old, new) replaces inside one.
change_json() {
    python3 - "$@" <<'PYTHON'
import base64, json, sys


def flip(text):
    raw = bytearray(base64.b64decode(text))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()


def recode(text, old, new):
    raw = base64.b64decode(text)
    assert old.encode() in raw, f"{old} is not in the text"
    return base64.b64encode(raw.replace(old.encode(), new.encode())).decode()


d = json.load(open(sys.argv[1]))
before = json.dumps(d)
exec(sys.argv[3])
assert json.dumps(d) != before, "nothing was changed"
json.dump(d, open(sys.argv[2], "w"))
PYTHON
}

# ---- servers ----------------------------------------------------------------

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# await SECONDS COMMAND...: until the command succeeds, or false after SECONDS.
await() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

get() {
    python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=10).read().decode())' \
        "$1" 2>/dev/null
}

log_answers() {
    get "$REKOR_URL/api/v1/log" >/dev/null
}

tree_size() {
    get "$REKOR_URL/api/v1/log" >"$WORK/log.json" && value "$WORK/log.json" 'd["treeSize"]'
}

# Starts the log on its port and waits until it answers. The second start goes on with the first's data.
start_cairn() {
    "$CAIRN" serve --data-dir "$WORK/data" --listen "$CAIRN_ADDRESS" --metrics-listen off \
        --log-format json >>"$WORK/cairn.log" 2>&1 &
    CAIRN_PID=$!
    if ! await "$START_SECONDS_MAX" log_answers; then
        echo "cairn does not answer on $REKOR_URL:" >&2
        tail -n 20 "$WORK/cairn.log" >&2
        exit 1
    fi
}

start_registry() {
    : >"$WORK/registry.log"
    "$REGISTRY_SERVER" -port 0 >"$WORK/registry.log" 2>&1 &
    REGISTRY_PID=$!
    if ! await "$START_SECONDS_MAX" grep -q 'serving on port' "$WORK/registry.log"; then
        echo "the registry does not start:" >&2
        cat "$WORK/registry.log" >&2
        exit 1
    fi
    # shellcheck disable=SC2034 # cosign.sh uses it
    REGISTRY=127.0.0.1:$(sed -n 's/.*serving on port \([0-9]*\).*/\1/p' "$WORK/registry.log")
}

ended() {
    ! kill -0 "$1" 2>/dev/null
}

# stop PID: asks it to end, then insists; gives its exit code.
stop() {
    kill -TERM "$1" 2>/dev/null || true
    await "$STOP_SECONDS_MAX" ended "$1" || kill -KILL "$1" 2>/dev/null || true
    wait "$1"
}

stop_cairn() {
    local pid=$CAIRN_PID code=0
    CAIRN_PID=
    stop "$pid" || code=$?
    return "$code"
}

# Ends what this run started, and nothing else.
clean_up() {
    auditors_clean_up
    v2_clean_up
    objects_clean_up
    keyless_clean_up
    [[ -z $CAIRN_PID ]] || stop "$CAIRN_PID" || true
    [[ -z $REGISTRY_PID ]] || stop "$REGISTRY_PID" || true
    [[ -n $FINISHED ]] || echo "interop: ended early: $PASSED passed, $FAILED failed"
    if ((FAILED > 0)) && [[ -n ${KEEP:-} ]]; then
        echo "kept: $WORK"
    else
        rm -rf "$WORK"
    fi
}
