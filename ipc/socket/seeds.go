package socket

import (
	"io"
	"net/http"

	"github.com/oathd/oathd/ipc/api"
	"github.com/oathd/oathd/oath"
)

const (
	// maxLine bounds the line of JSON before the seeds.
	maxLine = 1 << 20
	// maxAccounts is how many accounts one request may bring: more than any key holds.
	maxAccounts = 256
	// maxSeed bounds a seed: four blocks of SHA-512, where one is the longest that makes any sense.
	maxSeed = 512
)

// readSeeds reads an api.AddRequest and the seeds that follow it, each straight into a Secret of its own. They
// are the caller's to wipe; after an error there are none.
func readSeeds(w http.ResponseWriter, r *http.Request) (req api.AddRequest, seeds []*oath.Secret, err error) {
	const limit = maxLine + maxAccounts*maxSeed
	err = readBody(w, r, api.SeedsType, limit, func(body io.Reader) error {
		req, seeds, err = parseSeeds(body)
		return err
	})
	if err != nil {
		wipeAll(seeds)
		return api.AddRequest{}, nil, err
	}
	return req, seeds, nil
}

// parseSeeds reads the body of POST /v1/accounts. What it returns with an error is the caller's to wipe too.
func parseSeeds(body io.Reader) (req api.AddRequest, seeds []*oath.Secret, err error) {
	line, err := readLine(body)
	if err != nil {
		return req, nil, bodyError(err)
	}
	if err := unmarshal(line, &req); err != nil {
		return req, nil, err
	}
	if n := len(req.Accounts); n == 0 || n > maxAccounts {
		return req, nil, badRequest("it has %d accounts; 1 to %d are possible", n, maxAccounts)
	}
	for _, account := range req.Accounts {
		if n := account.SeedBytes; n < 1 || n > maxSeed {
			return req, seeds, badRequest("seed_bytes is %d; a seed has 1 to %d bytes", n, maxSeed)
		}
		seed, err := oath.ReadSecret(body, account.SeedBytes)
		if err != nil {
			return req, seeds, bodyError(err)
		}
		seeds = append(seeds, seed)
	}
	if err := atEnd(body); err != nil {
		return req, seeds, bodyError(err)
	}
	return req, seeds, nil
}

// readLine reads up to a newline and not one byte further, for seeds follow it.
func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < maxLine; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		if b[0] == '\n' {
			return line, nil
		}
	}
	return nil, tooLarge(maxLine)
}

func wipeAll(secrets []*oath.Secret) {
	for _, s := range secrets {
		s.Wipe()
	}
}
