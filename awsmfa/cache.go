package awsmfa

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/oathd/oathd/internal/kin"
	"github.com/oathd/oathd/oath"
)

// cache keeps temporary credentials until shortly before they end.
//
// Each entry is a file in the user's runtime directory (in memory, gone at the last log-out), encrypted with a key of its own that lies in
// the kernel, in the user's keyring, and that the kernel deletes when the credentials end. So a file that is copied, swapped out, or
// mounted into a container is of no use without this kernel. It is no protection from the user's own programs: any of them may ask for
// credentials, and for the key.
type cache struct{ dir string }

// margin is how long before their end credentials are no longer given out, or a quarter of a shorter life: whoever asks wants to use them.
const margin = 5 * time.Minute

// openCache makes sure that there is a directory. Without one nothing is kept.
func openCache() *cache {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(dir) {
		dir = "/run/user/" + strconv.Itoa(os.Getuid())
	}
	dir = filepath.Join(dir, "oathctl-aws")
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return &cache{}
	}
	return &cache{dir}
}

// entryName is a name of a fixed length that tells all the parts apart and says nothing of them.
func entryName(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil {
		panic("a name is made of what has no JSON: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return base32.HexEncoding.EncodeToString(sum[:20])
}

// sealed is what is in an entry.
type sealed struct {
	Credentials kin.AWSCredentials
	// Until is when they are no longer given out.
	Until time.Time
}

// load finds credentials that are still good.
func (c *cache) load(name string) (kin.AWSCredentials, bool) {
	text, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil || c.dir == "" {
		return kin.AWSCredentials{}, false
	}
	key, err := readKey(name)
	if err != nil {
		return kin.AWSCredentials{}, false
	}
	defer key.Wipe()
	box, err := boxOf(key)
	if err != nil {
		return kin.AWSCredentials{}, false
	}
	plain, err := box.Open(nil, nil, text, []byte(name))
	defer oath.Wipe(plain)
	var s sealed
	if err != nil || json.Unmarshal(plain, &s) != nil || !time.Now().Before(s.Until) {
		return kin.AWSCredentials{}, false
	}
	return s.Credentials, true
}

// store keeps credentials. Others may read the entry meanwhile: they find the old one, the new one, or none.
func (c *cache) store(name string, got kin.AWSCredentials) error {
	if c.dir == "" {
		return errors.New("there is no runtime directory (XDG_RUNTIME_DIR)")
	}
	life := time.Until(got.Expiration)
	until := got.Expiration.Add(-min(margin, life/4))
	plain, err := json.Marshal(sealed{got, until})
	if err != nil {
		return err
	}
	defer oath.Wipe(plain)
	key := oath.NewSecret(32)
	defer key.Wipe()
	if _, err := rand.Read(key.Bytes()); err != nil {
		return err
	}
	box, err := boxOf(key)
	if err != nil {
		return err
	}
	if err := writeKey(name, key, life); err != nil {
		return err
	}
	return replace(filepath.Join(c.dir, name), box.Seal(nil, nil, plain, []byte(name)))
}

func boxOf(key *oath.Secret) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key.Bytes())
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// replace writes a file that is never seen half written.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// lock makes its caller the only one, on this machine, that has the lock of this name. The kernel takes it from who dies.
func (c *cache) lock(ctx context.Context, name string) (unlock func(), err error) {
	if c.dir == "" {
		return func() {}, nil
	}
	f, err := os.OpenFile(filepath.Join(c.dir, name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot wait for others who ask for credentials: %w", err)
	}
	locked := make(chan error, 1)
	// flock(2) cannot be cancelled: who gives up leaves it to end when its turn has come, or with the process.
	go func() {
		locked <- ignoringEINTR(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX) })
	}()
	select {
	case err := <-locked:
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot wait for others who ask for credentials: %w", err)
		}
		return func() { f.Close() }, nil
	case <-ctx.Done():
		go func() { <-locked; f.Close() }()
		return nil, ctx.Err()
	}
}

func ignoringEINTR(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
