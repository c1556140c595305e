package awsmfa

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/oathd/oathd/ipc/api"
)

const (
	// tolerated is how far our clock may be off: AWS takes a code one step early or late.
	tolerated = 45 * time.Second
	// patience bounds one request.
	patience = 30 * time.Second
)

// clock compares AWS's clock with ours by the Date of each answer.
type clock struct {
	now func() time.Time
	// ahead is by how much our clock is ahead of AWS's, as of the last answer.
	ahead atomic.Int64
}

func newClock() *clock { return &clock{now: time.Now} }

// around has a client's answers looked at.
func (c *clock) around(client aws.HTTPClient) aws.HTTPClient {
	built, ok := client.(*awshttp.BuildableClient)
	if client == nil {
		built, ok = awshttp.NewBuildableClient(), true // the SDK leaves it to each service, unless there is an AWS_CA_BUNDLE
	}
	if ok {
		client = built.WithTimeout(patience)
	}
	return timed{client, c}
}

// timed is a client whose answers are looked at.
type timed struct {
	client aws.HTTPClient
	clock  *clock
}

// Do sends a request.
func (t timed) Do(r *http.Request) (*http.Response, error) {
	response, err := t.client.Do(r)
	if err != nil {
		return nil, err
	}
	c := t.clock
	// The Date is cut to seconds.
	if at, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		c.ahead.Store(int64(c.now().Sub(at.Add(500 * time.Millisecond)).Round(time.Second)))
	}
	return response, nil
}

// check refuses to go on where AWS would take none of our codes.
func (c *clock) check() error {
	ahead := time.Duration(c.ahead.Load())
	if ahead.Abs() < tolerated {
		return nil
	}
	where := "ahead of"
	if ahead < 0 {
		where = "behind"
	}
	return &api.Error{
		Code:    api.CodeClock,
		Message: fmt.Sprintf("cannot make codes that AWS takes: the clock of this machine is %s %s AWS's", ahead.Abs(), where),
		Hint:    "set the clock, e.g. with \"timedatectl set-ntp true\"",
	}
}
