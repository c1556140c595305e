package awsmfa

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"
)

const (
	// reportPatience is how long AWS may take to make the credential report, reportPause how often it is asked.
	reportPatience = 30 * time.Second
	reportPause    = time.Second
)

// reported is what the credential report says of a user.
type reported struct{ mfa, signsIn bool }

// lookAtReport gets the credential report, which alone tells who signs in at all, and whether root has a device.
func (s *survey) lookAtReport(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	for {
		out, err := s.iam.GenerateCredentialReport(limited, nil)
		if err != nil {
			return s.forbidden(err, "have the credential report made")
		}
		if out.State == types.ReportStateTypeComplete {
			break
		}
		select {
		case <-time.After(reportPause):
		case <-limited.Done():
			if ctx.Err() != nil {
				return s.explain(ctx.Err(), "wait for the credential report")
			}
			s.found.Notes = append(s.found.Notes, "cannot read the credential report: AWS is still making it")
			return nil
		}
	}
	out, err := s.iam.GetCredentialReport(ctx, nil)
	if err != nil {
		return s.forbidden(err, "read the credential report")
	}
	s.report, err = parseReport(out.Content)
	return err
}

// parseReport reads the CSV (IAM User Guide, "Get credential reports").
func parseReport(text []byte) (map[string]reported, error) {
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err == nil && len(rows) == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the credential report: %w", err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	says := func(row []string, name string) bool {
		i, there := column[name]
		return there && row[i] == "true"
	}
	report := map[string]reported{}
	for _, row := range rows[1:] {
		report[row[column["user"]]] = reported{
			mfa:     says(row, "mfa_active"),
			signsIn: says(row, "password_enabled") || says(row, "access_key_1_active") || says(row, "access_key_2_active"),
		}
	}
	return report, nil
}
