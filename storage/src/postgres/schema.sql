-- Version 2 of the tables of a store in PostgreSQL. Plain types, primary keys and no extension: it
-- has to work wherever PostgreSQL's protocol is spoken. FORMAT.md says what the columns hold.

CREATE TABLE IF NOT EXISTS cairn_format (
    one boolean PRIMARY KEY CHECK (one),
    version integer NOT NULL
);

CREATE TABLE IF NOT EXISTS cairn_log (
    tree_id bigint PRIMARY KEY,
    name text NOT NULL UNIQUE,
    place bigint NOT NULL UNIQUE,
    record text NOT NULL
);

CREATE TABLE IF NOT EXISTS cairn_head (
    tree_id bigint PRIMARY KEY,
    size bigint NOT NULL,
    root bytea NOT NULL
);

CREATE TABLE IF NOT EXISTS cairn_checkpoint (
    tree_id bigint PRIMARY KEY,
    size bigint NOT NULL,
    note text NOT NULL
);

CREATE TABLE IF NOT EXISTS cairn_entry (
    tree_id bigint NOT NULL,
    idx bigint NOT NULL,
    integrated_time bigint NOT NULL,
    body bytea NOT NULL,
    index_keys bytea NOT NULL,
    PRIMARY KEY (tree_id, idx)
);

CREATE TABLE IF NOT EXISTS cairn_hash (
    tree_id bigint NOT NULL,
    level bigint NOT NULL,
    place bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (tree_id, level, place)
);

CREATE TABLE IF NOT EXISTS cairn_leaf (
    tree_id bigint NOT NULL,
    leaf_hash bytea NOT NULL,
    idx bigint NOT NULL,
    PRIMARY KEY (tree_id, leaf_hash)
);

-- An index key has up to 512 characters of any kind, NUL among them: it is bytes, and stands in the
-- primary key as its SHA-256, because a row of a B-tree has an end.
CREATE TABLE IF NOT EXISTS cairn_search (
    tree_id bigint NOT NULL,
    key_hash bytea NOT NULL,
    idx bigint NOT NULL,
    index_key bytea NOT NULL,
    PRIMARY KEY (tree_id, key_hash, idx)
);

CREATE TABLE IF NOT EXISTS cairn_attestation (
    key_hash bytea PRIMARY KEY,
    attestation_key bytea NOT NULL,
    data bytea NOT NULL
);
