package bus

import (
	"slices"
	"testing"
	"time"

	"github.com/oathd/oathd/hw/softkey"
	"github.com/oathd/oathd/ipc/api"
)

// BenchmarkPing is what a call costs that does nothing: two trips through the bus.
func BenchmarkPing(b *testing.B) {
	c, _ := benchmarkBus(b)
	for b.Loop() {
		c.mustPing(b)
	}
}

// BenchmarkGetCode is a code that was handed out in this step before.
func BenchmarkGetCode(b *testing.B) {
	c, account := benchmarkBus(b)
	for b.Loop() {
		c.mustCode(b, account)
	}
}

// BenchmarkGetCodeOverPing takes both in turn, so that a busy machine slows both alike, and reports the quotient of the medians.
func BenchmarkGetCodeOverPing(b *testing.B) {
	c, account := benchmarkBus(b)
	var pings, codes []time.Duration
	for b.Loop() {
		began := time.Now()
		c.mustPing(b)
		between := time.Now()
		c.mustCode(b, account)
		pings, codes = append(pings, between.Sub(began)), append(codes, time.Since(between))
	}
	ping, code := median(pings), median(codes)
	b.ReportMetric(float64(ping.Nanoseconds()), "ns/ping")
	b.ReportMetric(float64(code.Nanoseconds()), "ns/code")
	b.ReportMetric(float64(code)/float64(ping), "code/ping")
}

func benchmarkBus(b *testing.B) (c *client, account string) {
	r, _, c := onBus(b, newKey(b, softkey.Options{Serial: 1}))
	return c, api.BusAccountPath(r.add(api.NewAccount{Issuer: "GitHub", Name: "me"}).ID)
}

func (c *client) mustPing(b *testing.B) {
	if err := c.call(api.BusPath, "org.freedesktop.DBus.Peer.Ping").Err; err != nil {
		b.Fatal(err)
	}
}

func (c *client) mustCode(b *testing.B, account string) {
	if _, _, err := c.code(account, nil); err != nil {
		b.Fatal(err)
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
