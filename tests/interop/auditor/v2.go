package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
	formats "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/encoding/protojson"
)

const bundleEntries = 256 // of C2SP tlog-tiles

// v2 audits the newest log of a signing config by its tiles alone.
func (a audit) v2(ctx context.Context, config string) (string, error) {
	base, origin, err := service(config)
	if err != nil {
		return "", err
	}
	tiles, err := client.NewHTTPFetcher(base, nil)
	if err != nil {
		return "", err
	}
	verifier, err := a.noteVerifier(ctx, tiles, origin)
	if err != nil {
		return "", err
	}
	now, raw, _, err := client.FetchCheckpoint(ctx, tiles.ReadCheckpoint, verifier, origin)
	if err != nil {
		return "", err
	}
	from := uint64(0)
	if a.before != "" {
		before := &formats.Checkpoint{}
		if _, err := before.Unmarshal([]byte(a.before)); err != nil {
			return "", err
		}
		if err := grew(ctx, tiles, before, now); err != nil {
			return "", err
		}
		from = before.Size
	}
	found, err := readV2(ctx, tiles, from, now.Size)
	if err != nil {
		return "", err
	}
	a.report(origin, from, now.Size, found)
	return string(raw), nil
}

// service gives URL and origin of a config's v2 log; the origin is the URL without its scheme.
func service(config string) (*url.URL, string, error) {
	services, err := root.NewSigningConfigFromPath(config)
	if err != nil {
		return nil, "", err
	}
	chosen, err := root.SelectService(services.RekorLogURLs(), []uint32{2}, time.Now())
	if err != nil {
		return nil, "", err
	}
	base, err := url.Parse(chosen.URL)
	if err != nil {
		return nil, "", err
	}
	return base, strings.TrimSuffix(base.Host+base.Path, "/"), nil
}

// noteVerifier is that of the log's key in the trusted root, chosen by the log's own line.
func (a audit) noteVerifier(ctx context.Context, tiles *client.HTTPFetcher, origin string) (note.Verifier, error) {
	raw, err := tiles.ReadCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	unknown := &note.UnverifiedNoteError{}
	if _, err := note.Open(raw, note.VerifierList()); !errors.As(err, &unknown) {
		return nil, err
	}
	first := unknown.Note.UnverifiedSigs[0]
	key, err := a.verifier(first.Hash)
	if err != nil {
		return nil, err
	}
	return rekornote.NewNoteVerifier(origin, key)
}

// grew proves by tiles that the tree of one checkpoint is the beginning of the other's.
func grew(ctx context.Context, tiles *client.HTTPFetcher, before, now *formats.Checkpoint) error {
	if before.Size == 0 {
		return nil
	}
	builder, err := client.NewProofBuilder(ctx, now.Size, tiles.ReadTile)
	if err != nil {
		return err
	}
	hashes, err := builder.ConsistencyProof(ctx, before.Size, now.Size)
	if err != nil {
		return err
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, before.Size, now.Size, hashes, before.Hash, now.Hash)
}

// readV2 reads entry bundles, holds each entry against its leaf hash, and decodes it strictly.
func readV2(ctx context.Context, tiles *client.HTTPFetcher, from, to uint64) ([]entry, error) {
	var found []entry
	for tile := from / bundleEntries; tile*bundleEntries < to; tile++ {
		bundle, err := client.GetEntryBundle(ctx, tiles.ReadEntryBundle, tile, to)
		if err != nil {
			return nil, err
		}
		first := tile * bundleEntries
		count := min(uint64(bundleEntries), to-first)
		hashes, err := client.FetchLeafHashes(ctx, tiles.ReadTile, first, count, to)
		if err != nil {
			return nil, err
		}
		for i := max(from, first); i < first+count; i++ {
			body := bundle.Entries[i-first]
			if !bytes.Equal(rfc6962.DefaultHasher.HashLeaf(body), hashes[i-first]) {
				return nil, fmt.Errorf("entry %d is not the leaf of its tile", i)
			}
			decoded, err := decodeV2(i, body)
			if err != nil {
				return nil, fmt.Errorf("entry %d: %w", i, err)
			}
			found = append(found, decoded)
		}
	}
	return found, nil
}

func decodeV2(index uint64, body []byte) (entry, error) {
	read := &pb.Entry{}
	if err := protojson.Unmarshal(body, read); err != nil {
		return entry{}, err
	}
	var verifiers []*pb.Verifier
	if hashed := read.GetSpec().GetHashedRekordV002(); hashed != nil {
		verifiers = append(verifiers, hashed.GetSignature().GetVerifier())
	}
	for _, signed := range read.GetSpec().GetDsseV002().GetSignatures() {
		verifiers = append(verifiers, signed.GetVerifier())
	}
	if len(verifiers) == 0 {
		return entry{}, fmt.Errorf("no verifier in a %s", read.GetKind())
	}
	found := entry{index: index, kind: read.GetKind() + " " + read.GetApiVersion()}
	for _, verifier := range verifiers {
		who, err := identitiesV2(verifier)
		if err != nil {
			return entry{}, err
		}
		found.who = append(found.who, who...)
	}
	return found, nil
}

func identitiesV2(verifier *pb.Verifier) ([]string, error) {
	raw := verifier.GetPublicKey().GetRawBytes()
	if certificate := verifier.GetX509Certificate(); certificate != nil {
		parsed, err := x509.ParseCertificate(certificate.GetRawBytes())
		if err != nil {
			return nil, err
		}
		who := []string{fingerprint(parsed.Raw)}
		for _, address := range parsed.EmailAddresses {
			who = append(who, strings.ToLower(address))
		}
		return who, nil
	}
	if _, err := x509.ParsePKIXPublicKey(raw); err != nil {
		return nil, err
	}
	return []string{fingerprint(raw)}, nil
}

func fingerprint(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
