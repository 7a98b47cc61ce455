# shellcheck shell=bash
# rekor-cli with every kind of entry and every key format, on artifacts that the tools of the trade
# have signed (tests/fixtures). What it proves is a table in docs/compatibility.md: a run whose
# table is another one fails, unless UPDATE_DOCS=1 has it written there.

# shellcheck disable=SC2154 # run.sh sets it

KINDS_DOC=$here/../../docs/compatibility.md
KINDS_BEGIN='<!-- made by tests/interop/kinds.sh: begin -->'
KINDS_END='<!-- end -->'

declare -A KIND_UPLOADED KIND_VERIFIED KIND_FOUND

# kinds_prepare: before the clients are shut in, for the tools have homes of their own.
kinds_prepare() {
    FIXTURES=$WORK/fixtures
    "$here/../fixtures/make.sh" "$FIXTURES" x509 certs pgp minisign ssh envelopes rpm helm apk jar \
        cose tufs tsr >/dev/null
    python3 "$here/kinds.py" "$FIXTURES" >"$WORK/kinds.tsv"
}

# kind_proven ARRAY ROW: counts for the table, if the last check has passed.
kind_proven() {
    local -n counts=$1
    ((FAILED > FAILED_BEFORE)) || counts[$2]=$((${counts[$2]:-0} + 1))
}

# one_of_a_kind ROW NAME UPLOAD-FLAGS SEARCH...
one_of_a_kind() {
    local row=$1 name=$2 flags location index search title
    local FAILED_BEFORE=$FAILED
    IFS=$'\x1f' read -r -a flags <<<"$3"
    shift 3
    index=$(tree_size)
    cli upload "${flags[@]}"
    passes "rekor-cli: upload $name" "Created entry at index $index, available at: $REKOR_URL/" "${CLI[@]}"
    location=$(grep -oE '[0-9a-f]{80}' out || true)
    cli upload "${flags[@]}"
    passes "rekor-cli: upload $name again" \
        "^Entry already exists; available at: $REKOR_URL/api/v1/log/entries/${location:-none}\$" "${CLI[@]}"
    equal "rekor-cli: $name is one entry" "$(tree_size)" "$((index + 1))"
    kind_conflicts "$name" "$location"
    cli --format json get --uuid "${location:-none}"
    json "rekor-cli: get $name" "d['UUID'] == '$location' and d['LogIndex'] == $index" "${CLI[@]}"
    kind_proven KIND_UPLOADED "$row"

    kind_verify "$name" "$location" "$index" "${flags[@]}"
    kind_proven KIND_VERIFIED "$row"
    for search; do
        title=${search%%=*}
        FAILED_BEFORE=$FAILED
        IFS=$'\x1f' read -r -a flags <<<"${search#*=}"
        cli --format json search "${flags[@]}"
        json "rekor-cli: search $name by $title" "'$location' in d['UUIDs']" "${CLI[@]}"
        ((FAILED > FAILED_BEFORE)) || [[ " ${KIND_FOUND[$row]:-} " == *" $title "* ]] ||
            KIND_FOUND[$row]+=" $title"
    done
}

# The body that rekor-cli has logged, sent again by hand, names the first entry in Location.
kind_conflicts() {
    local name=$1 location=$2 found
    found=$(curl --silent --noproxy '*' -o /dev/null -w '%{http_code} %header{location}' \
        -H 'Content-Type: application/json' --data-binary @"$FIXTURES/proposals/$name.json" \
        "$REKOR_URL/api/v1/log/entries")
    equal "cairn: $name proposed by hand, too, is in conflict with the first" \
        "$found" "409 /api/v1/log/entries/$location"
}

# By the proposal where rekor-cli makes the same one again, and by the entry itself. It reads an
# intoto 0.0.2 otherwise than it writes it (docs/clients.md).
kind_verify() {
    local name=$1 location=$2 index=$3
    shift 3
    if [[ $name != intoto-0.0.2-* ]]; then
        cli --format json verify "$@"
        json "rekor-cli: verify $name by its artifact" \
            "d['EntryUUID'] == '$location' and d['Index'] == $index" "${CLI[@]}"
    fi
    cli --format json verify --uuid "$location"
    json "rekor-cli: verify $name by entry ID" \
        "d['EntryUUID'] == '$location' and d['Index'] == $index" "${CLI[@]}"
}

kinds() {
    local row name flags searches rows=()
    while IFS=$'\t' read -r row name flags searches; do
        [[ " ${rows[*]-} " == *" $row "* ]] || rows+=("$row")
        IFS=$'\t' read -r -a searches <<<"$searches"
        one_of_a_kind "$row" "$name" "$flags" "${searches[@]}" </dev/null
    done <kinds.tsv
    kinds_table "${rows[@]}" >kinds.md
    kinds_documented
}

kinds_table() {
    local row
    echo '| kind | keys | entries uploaded, sent twice, read | of them verified | found by | client |'
    echo '|---|---|---|---|---|---|'
    for row; do
        echo "| ${row%%|*} | ${row#*|} | ${KIND_UPLOADED[$row]:-0} | ${KIND_VERIFIED[$row]:-0} |$(
            printf '%s' "${KIND_FOUND[$row]:- nothing}" | sed 's/\([^ ]\) /\1, /g'
        ) | rekor-cli 1.5.4 |"
    done
}

# between BEGIN END FILE: the lines within the marks.
between() {
    awk -v begin="$1" -v end="$2" '$0 == end { on = 0 } on { print } $0 == begin { on = 1 }' "$3"
}

kinds_documented() {
    if [[ ${UPDATE_DOCS:-} == 1 ]]; then
        awk -v begin="$KINDS_BEGIN" -v end="$KINDS_END" '
            $0 == end { on = 0 }
            !on { print }
            $0 == begin { on = 1; while ((getline line < "kinds.md") > 0) print line }
        ' "$KINDS_DOC" >compatibility.md
        cp compatibility.md "$KINDS_DOC"
    fi
    between "$KINDS_BEGIN" "$KINDS_END" "$KINDS_DOC" >documented.md
    passes "docs: the table of kinds says what was proven" '' diff -u documented.md kinds.md
}
