package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/oathd/oathd/oath"
)

// childVariable makes this test program do something else than testing: see children.
const childVariable = "LEDGER_TEST_CHILD"

// children are what another process can do to the ledger at a path. Each tells by lines on standard
// output how far it is, and goes on until it is killed or its standard input is closed.
var children = map[string]func(path string) error{
	"hold": func(path string) error {
		l, err := Open(context.Background(), path)
		if err != nil {
			return err
		}
		defer l.Close()
		return tellAndWait()
	},
	"lock": func(path string) error {
		db, err := connectFile(path)
		if err != nil {
			return err
		}
		defer db.Close()
		tx, err := db.Begin() // immediate: it holds the lock on writing
		if err != nil {
			return err
		}
		defer tx.Rollback()
		return tellAndWait()
	},
	"churn-WAL":    func(path string) error { return churn(path, "WAL") },
	"churn-DELETE": func(path string) error { return churn(path, "DELETE") },
}

func TestMain(m *testing.M) {
	name, path, _ := strings.Cut(os.Getenv(childVariable), " ")
	if name == "" {
		os.Exit(m.Run())
	}
	if err := children[name](path); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func tellAndWait() error {
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	return nil
}

// churn commits one account after the other, and tells of each after its commit.
func churn(path, mode string) error {
	l, err := Open(context.Background(), path)
	if err != nil {
		return err
	}
	if _, err := l.db.Exec("PRAGMA journal_mode = " + mode); err != nil {
		return err
	}
	book, err := l.Load(context.Background())
	if err != nil {
		return err
	}
	for n := len(book.Accounts); ; n++ {
		err := l.Change(context.Background(), "churn", "add", func(tx *Tx) error {
			id := NewID()
			tx.PutSeed(Seed{ID: id, T4: make([]byte, 32)})
			tx.PutIntent(Intent{ID: id, Kind: "put", Account: id})
			return tx.PutAccount(Account{ID: id, Seed: id, Type: oath.TOTP, Algorithm: oath.SHA1})
		})
		if err != nil {
			return err
		}
		if err := l.Use(context.Background(), "s", uint64(n)); err != nil {
			return err
		}
		fmt.Println(n + 1)
	}
}

// child is another process that does one of children.
type child struct {
	*exec.Cmd
	lines *bufio.Scanner
}

func startChild(t *testing.T, name, path string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0])}
	c.Env = append(os.Environ(), childVariable+"="+name+" "+path, "GORACE=atexit_sleep_ms=0")
	c.Stderr = os.Stderr
	if _, err := c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewScanner(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	return c
}

// line waits for the next line that the child tells.
func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the child ended: %v", c.lines.Err())
	}
	return c.lines.Text()
}

// kill ends the child at once, whatever it is doing, and waits until it is gone.
func (c *child) kill() {
	c.Process.Kill()
	c.Wait()
}
