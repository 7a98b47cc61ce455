package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/client"
	rekor "github.com/sigstore/rekor/pkg/generated/client"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/client/tlog"
	"github.com/sigstore/rekor/pkg/generated/models"
	pki "github.com/sigstore/rekor/pkg/pki/pkitypes"
	"github.com/sigstore/rekor/pkg/types"
	_ "github.com/sigstore/rekor/pkg/types/alpine/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/cose/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/helm/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.2"
	_ "github.com/sigstore/rekor/pkg/types/jar/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/rekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/rfc3161/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/rpm/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/tuf/v0.0.1"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/rekor/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

const retrieveMax = 10 // as many as Rekor answers at once

// v1 audits a log by Rekor's API: its checkpoint, a consistency proof, each new entry.
func (a audit) v1(ctx context.Context, url string) (string, error) {
	log, err := client.GetRekorClient(url, client.WithRetryCount(0))
	if err != nil {
		return "", err
	}
	now, err := current(ctx, log)
	if err != nil {
		return "", err
	}
	if len(now.Signatures) != 1 {
		return "", fmt.Errorf("the checkpoint has %d signatures", len(now.Signatures))
	}
	verifier, err := a.verifier(now.Signatures[0].Hash)
	if err != nil {
		return "", err
	}
	if !now.Verify(verifier) {
		return "", errors.New("the signature of the checkpoint does not verify")
	}
	from := uint64(0)
	if a.before != "" {
		before := &util.SignedCheckpoint{}
		if err := before.UnmarshalText([]byte(a.before)); err != nil {
			return "", err
		}
		if now, err = verify.VerifyCurrentCheckpoint(ctx, log, verifier, before); err != nil {
			return "", err
		}
		from = before.Size
	}
	found, err := readV1(ctx, log, verifier, from, now.Size)
	if err != nil {
		return "", err
	}
	a.report(now.Origin, from, now.Size, found)
	return now.SignedNote.String(), nil
}

func current(ctx context.Context, log *rekor.Rekor) (*util.SignedCheckpoint, error) {
	info, err := log.Tlog.GetLogInfo(tlog.NewGetLogInfoParamsWithContext(ctx))
	if err != nil {
		return nil, err
	}
	checkpoint := &util.SignedCheckpoint{}
	return checkpoint, checkpoint.UnmarshalText([]byte(*info.Payload.SignedTreeHead))
}

// readV1 retrieves entries by their indices, and verifies and decodes each.
func readV1(
	ctx context.Context, log *rekor.Rekor, verifier signature.Verifier, from, to uint64,
) ([]entry, error) {
	var found []entry
	for first := from; first < to; first += retrieveMax {
		query := &models.SearchLogQuery{}
		for i := first; i < min(first+retrieveMax, to); i++ {
			index := int64(i)
			query.LogIndexes = append(query.LogIndexes, &index)
		}
		asked := entries.NewSearchLogQueryParamsWithContext(ctx)
		asked.SetEntry(query)
		answer, err := log.Entries.SearchLogQuery(asked)
		if err != nil {
			return nil, err
		}
		if len(answer.Payload) != len(query.LogIndexes) {
			return nil, fmt.Errorf("asked for %d entries, got %d", len(query.LogIndexes), len(answer.Payload))
		}
		for i, one := range answer.Payload {
			for uuid, stored := range one {
				if *stored.LogIndex != *query.LogIndexes[i] {
					return nil, fmt.Errorf("entry %s is not where it was asked for", uuid)
				}
				decoded, err := decodeV1(ctx, &stored, verifier)
				if err != nil {
					return nil, fmt.Errorf("entry %d, %s: %w", *stored.LogIndex, uuid, err)
				}
				found = append(found, decoded)
			}
		}
	}
	return found, nil
}

// decodeV1 verifies an entry's proof, checkpoint and SET, and reads its body by its kind.
func decodeV1(ctx context.Context, stored *models.LogEntryAnon, verifier signature.Verifier) (entry, error) {
	if err := verify.VerifyLogEntry(ctx, stored, verifier); err != nil {
		return entry{}, err
	}
	body, err := base64.StdEncoding.DecodeString(stored.Body.(string))
	if err != nil {
		return entry{}, err
	}
	proposed, err := models.UnmarshalProposedEntry(strings.NewReader(string(body)), runtime.JSONConsumer())
	if err != nil {
		return entry{}, err
	}
	read, err := types.UnmarshalEntry(proposed)
	if err != nil {
		return entry{}, err
	}
	keys, err := read.Verifiers()
	if err != nil {
		return entry{}, err
	}
	who, err := identities(keys)
	kind := proposed.Kind() + " " + read.APIVersion()
	return entry{index: uint64(*stored.LogIndex), kind: kind, who: who}, err
}

func identities(keys []pki.PublicKey) ([]string, error) {
	var who []string
	for _, key := range keys {
		ids, err := key.Identities()
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			who = append(who, strings.ToLower(id.Fingerprint))
		}
		for _, name := range append(key.EmailAddresses(), key.Subjects()...) {
			who = append(who, strings.ToLower(name))
		}
	}
	return who, nil
}
