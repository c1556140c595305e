package awstest

import (
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// base64Text is a blob as XML holds it.
func base64Text(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) }

// reportAge is how long a credential report is kept; before, no other is made.
const reportAge = 4 * time.Hour

// report is the account's credential report. It is asked for, is not ready, and then is.
type report struct {
	content []byte
	made    time.Time
	// asked counts how often somebody asked for it since it was begun.
	asked int
}

// ready tells whether the report is there. It takes two looks.
func (r *report) ready() bool {
	r.asked++
	return r.asked > 2
}

func generateCredentialReport(c *call) (any, *refusal) {
	type state struct {
		State       string
		Description string `xml:",omitempty"`
	}
	r := &c.account.report
	switch {
	case r.content == nil || c.now.Sub(r.made) >= reportAge:
		*r = report{content: c.credentialReport(), made: c.now}
		return state{State: "STARTED", Description: "No report exists. Starting a new report generation task"}, nil
	case !r.ready():
		return state{State: "INPROGRESS"}, nil
	}
	return state{State: "COMPLETE"}, nil
}

func getCredentialReport(c *call) (any, *refusal) {
	r := &c.account.report
	switch {
	case r.content == nil:
		return nil, refuse("ReportNotPresent", "No report exists. Call GenerateCredentialReport to start a new report generation task")
	case c.now.Sub(r.made) >= reportAge:
		return nil, refuse("ReportExpired", "The most recent credential report has expired. Call GenerateCredentialReport to start a new report generation task")
	case !r.ready():
		return nil, refuse("ReportInProgress", "Report generation is in progress")
	}
	return struct {
		Content       []byte
		ReportFormat  string
		GeneratedTime string
	}{base64Text(r.content), "text/csv", stamp(r.made)}, nil
}

// reportColumns are those of https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html
const reportColumns = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active," +
	"access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service," +
	"access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service," +
	"cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated"

// credentialReport is a row for root, then one for each user.
func (a *account) credentialReport() []byte {
	var text strings.Builder
	w := csv.NewWriter(&text)
	_ = w.Write(strings.Split(reportColumns, ","))
	_ = w.Write(a.reportRow(a.root, "<root_account>", a.arn("root"), "not_supported"))
	for _, name := range slices.Sorted(maps.Keys(a.users)) {
		o := a.users[name]
		_ = w.Write(a.reportRow(o, name, a.arnOf(principal{owner: o}), fmt.Sprint(o.Password)))
	}
	w.Flush()
	return []byte(text.String())
}

func (a *account) reportRow(o *owner, name, arn, password string) []string {
	made := a.made.UTC().Format("2006-01-02T15:04:05-07:00")
	mfa := fmt.Sprint(len(a.devicesOf(o)) > 0)
	row := []string{name, arn, made, password, "no_information", "N/A", "N/A", mfa}
	if o.Keyless {
		row = append(row, "false", "N/A", "N/A", "N/A", "N/A")
	} else {
		row = append(row, "true", made, "N/A", "N/A", "N/A")
	}
	return append(row, "false", "N/A", "N/A", "N/A", "N/A", "false", "N/A", "false", "N/A")
}

func getAccountSummary(c *call) (any, *refusal) {
	type entry struct {
		Key   string `xml:"key"`
		Value int    `xml:"value"`
	}
	inUse := 0
	for _, d := range c.devices {
		if d.owner != nil {
			inUse++
		}
	}
	root := min(len(c.devicesOf(c.root)), 1)
	return struct {
		SummaryMap []entry `xml:"SummaryMap>entry"`
	}{[]entry{
		{"Users", len(c.users)}, {"MFADevices", len(c.devices)}, {"MFADevicesInUse", inUse},
		{"AccountMFAEnabled", root}, {"AccountAccessKeysPresent", 1},
	}}, nil
}
