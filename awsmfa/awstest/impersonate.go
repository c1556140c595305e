package awstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Impersonate returns an environment in which clients take the stand-in for AWS itself: a proxy, and an authority that vouches for it.
// It is for programs that know no other endpoint, and for seeing them do what they do in life.
func (s *Server) Impersonate() []string {
	s.t.Helper()
	authority, err := newAuthority()
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.root.Raw}), 0o600); err != nil {
		s.t.Fatal(err)
	}
	aws := httptest.NewUnstartedServer(s)
	aws.TLS = &tls.Config{GetCertificate: authority.certificate}
	aws.StartTLS()
	s.t.Cleanup(aws.Close)
	tunnel := httptest.NewServer(&tunnel{to: aws.Listener.Addr().String(), wrong: s.t.Errorf})
	s.t.Cleanup(tunnel.Close)
	return []string{
		"HTTPS_PROXY=" + tunnel.URL, "https_proxy=" + tunnel.URL, "NO_PROXY=", "no_proxy=",
		"AWS_CA_BUNDLE=" + file, "SSL_CERT_FILE=" + file, "AWS_EC2_METADATA_DISABLED=true",
	}
}

// authority signs certificates for whatever name a client asks for.
type authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "oathd's tests"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(der)
	return &authority{root: root, key: key}, err
}

func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{hello.ServerName}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: a.root.NotBefore, NotAfter: a.root.NotAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, a.key.Public(), a.key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}, err
}

// tunnel is a proxy that leads every connection to AWS to one place, and refuses others.
type tunnel struct {
	to    string
	wrong func(format string, arguments ...any)
}

func (p *tunnel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || !strings.HasSuffix(host, ".amazonaws.com") {
		p.wrong("awstest: a client wants %s %s", r.Method, r.Host)
		http.Error(w, "this proxy leads to AWS only", http.StatusForbidden)
		return
	}
	there, err := net.Dial("tcp", p.to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer there.Close()
	w.WriteHeader(http.StatusOK)
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		p.wrong("awstest: cannot tunnel: %v", err)
		return
	}
	defer here.Close()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(there, buffered); _ = there.(*net.TCPConn).CloseWrite() })
	both.Go(func() { _, _ = io.Copy(here, there); _ = here.(*net.TCPConn).CloseWrite() })
	both.Wait()
}
