package socket

import (
	"fmt"
	"net/http"
	"runtime"

	"github.com/oathd/oathd/oath"
)

// forget wipes what net/http still holds of a request that brought a seed or a password.
func forget(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	connOf(r).wipe()
}

// scour has the collector overwrite what libraries have left on the heap of a request's secrets: the pads of their HMACs,
// strings, keys. It does so under GODEBUG=clobberfree=1, with which oathd runs. It comes after the secrets are wiped, and
// before the answer.
func scour() { runtime.GC() }

// writeSecret answers with a secret behind something that is none, from where it lies: net/http would keep both in buffers
// that it uses again. The connection ends with it.
func writeSecret(w http.ResponseWriter, contentType string, head []byte, secret *oath.Secret) error {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("cannot answer: %w", err)
	}
	defer c.Close()
	header := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		contentType, len(head)+secret.Len())
	// What goes wrong with the connection is nobody's concern any more.
	_, _ = c.Write(append([]byte(header), head...))
	_, _ = c.Write(secret.Bytes())
	return nil
}
