// auditor looks at a log as an outside monitor does, with the libraries that sigstore's own
// auditors stand on: it checks that the log only grew since the last run, and whose entries are new.
//
//	auditor v1 -root trusted_root.json -state FILE [-watch IDENTITY] URL
//	auditor v2 -root trusted_root.json -state FILE [-watch IDENTITY] -config signing_config.json
//
// FILE holds the checkpoint of the last run; it is written last, so that a run that fails is made
// again. IDENTITY is an e-mail address, or the SHA-256 of a key or certificate in hexadecimal.
package main

import (
	"context"
	"crypto"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
)

const runMax = 50 * time.Second

// audit is what both kinds of log are asked with.
type audit struct {
	root   *root.TrustedRoot
	before string // the checkpoint of the last run, or empty
	watch  string
}

// entry is what the log says of one entry.
type entry struct {
	index uint64
	kind  string
	who   []string
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "auditor:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("say v1 or v2")
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	rootFile := flags.String("root", "", "trusted root")
	config := flags.String("config", "", "signing config (v2)")
	state := flags.String("state", "", "file for the checkpoint")
	watch := flags.String("watch", "", "whose entries to name")
	_ = flags.Parse(args[1:])

	trusted, err := root.NewTrustedRootFromPath(*rootFile)
	if err != nil {
		return err
	}
	before, err := os.ReadFile(*state)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), runMax)
	defer cancel()
	a := audit{root: trusted, before: string(before), watch: *watch}
	var now string
	switch args[0] {
	case "v1":
		now, err = a.v1(ctx, flags.Arg(0))
	case "v2":
		now, err = a.v2(ctx, *config)
	default:
		err = errors.New("say v1 or v2")
	}
	if err != nil {
		return err
	}
	return os.WriteFile(*state, []byte(now), 0o600)
}

// verifier is that of the trusted root's log whose ID begins with a signature's key hint.
func (a audit) verifier(hint uint32) (signature.Verifier, error) {
	for id, log := range a.root.RekorLogs() {
		raw, err := hex.DecodeString(id)
		if err == nil && len(raw) >= 4 && binary.BigEndian.Uint32(raw) == hint {
			return signature.LoadVerifier(log.PublicKey, crypto.SHA256)
		}
	}
	return nil, fmt.Errorf("no log of the trusted root has the key hint %08x", hint)
}

// report prints the entries that are the watched identity's, and what there was.
func (a audit) report(origin string, from, size uint64, entries []entry) {
	kinds := map[string]int{}
	for _, e := range entries {
		kinds[e.kind]++
		if a.watch != "" && slices.Contains(e.who, strings.ToLower(a.watch)) {
			fmt.Printf("found %s at %d: %s\n", a.watch, e.index, e.kind)
		}
	}
	fmt.Printf("consistent: %s from %d to %d, read %d %v\n", origin, from, size, len(entries), kinds)
}
