package escrow

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Backup is everything that a bare machine needs, as one file.
//
// The file is a tar archive of texts. A person who has nothing but Debian in ten years can take it apart with tar and
// open its parts with age: one command each, for one account or five hundred. Since nothing in it is compressed and
// every age file is in armor, a text editor will do where tar does not; the first thing it shows is how to go on.
//
//	README.txt                 how to open it with age alone
//	backup.txt                 when it was made, and the audit log's head
//	vault.txt                  the vault's public half
//	vault-key.age              the vault key, for security keys and recovery keys
//	vault-key-passphrase.age   the same for the passphrase, if there is one
//	identities.txt             what age needs to use the security keys
//	ledger.json                what oathd knows of keys, accounts and copies
//	accounts.json              the entries of the payloads: which file is whose
//	seeds/ID.age               the payloads
//	runbooks/ID.age
//	SHA256SUMS                 of all the above
//
// No part is signed: who can write the file can leave accounts out. What is in it is bound to the vault, and shows
// when it is opened.
type Backup struct {
	Vault *Vault
	// Made is in UTC seconds.
	Made time.Time
	// Audit is the audit log's head, one line.
	Audit string
	// Ledger is the agent's own; this package does not look into it.
	Ledger []byte
	Rows   []Row
}

//go:embed readme.txt
var backupReadme string

const (
	// tarDir keeps an archive's files together where it is unpacked.
	tarDir = "oathd-backup/"

	// maxBackup bounds what ParseBackup looks at; ten thousand accounts take 20 MB.
	maxBackup = 64 << 20

	nameReadme     = "README.txt"
	nameBackup     = "backup.txt"
	nameVault      = "vault.txt"
	nameWrapped    = "vault-key.age"
	namePassphrase = "vault-key-passphrase.age"
	nameIdentities = "identities.txt"
	nameLedger     = "ledger.json"
	nameAccounts   = "accounts.json"
	nameSums       = "SHA256SUMS"
)

// path is where a row's payload is in an archive.
func (e Entry) path() string { return fmt.Sprintf("%ss/%s.age", e.Kind, e.ID) }

// Marshal returns the backup as a file.
func (b *Backup) Marshal() ([]byte, error) {
	if strings.ContainsFunc(b.Audit, unicode.IsControl) {
		return nil, fmt.Errorf("cannot make a backup: the audit log's head %q is not one line", b.Audit)
	}
	seen := map[string]bool{}
	for _, row := range b.Rows {
		if err := row.Entry.validate(); err != nil || seen[row.Entry.path()] {
			return nil, fmt.Errorf("cannot make a backup: unusable payload %s: %w", row.Entry.path(), err)
		}
		seen[row.Entry.path()] = true
	}
	files, err := b.files()
	if err != nil {
		return nil, fmt.Errorf("cannot make a backup: %w", err)
	}
	files = append(files, file{nameSums, sums(files)})
	for i := range files {
		files[i].name = tarDir + files[i].name
	}
	return packTar(files, b.Made), nil
}

// files returns all but the sums.
func (b *Backup) files() ([]file, error) {
	rows := slices.Clone(b.Rows)
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Entry.path(), b.Entry.path()) })
	entries := make([]Entry, len(rows))
	for i, row := range rows {
		entries[i] = row.Entry
	}
	accounts, err := json.MarshalIndent(entries, "", "\t")
	if err != nil {
		return nil, err
	}
	files := []file{
		{nameReadme, []byte(backupReadme)},
		{nameBackup, []byte(b.head())},
		{nameVault, []byte(b.Vault.head())},
		{nameWrapped, enarmor(b.Vault.Wrapped)},
	}
	if b.Vault.Passphrase != nil {
		files = append(files, file{namePassphrase, enarmor(b.Vault.Passphrase)})
	}
	files = append(files,
		file{nameIdentities, []byte(b.Vault.Identities())},
		file{nameLedger, b.Ledger},
		file{nameAccounts, append(accounts, '\n')})
	for _, row := range rows {
		files = append(files, file{row.Entry.path(), enarmor(row.Ciphertext)})
	}
	return files, nil
}

func (b *Backup) head() string {
	return fmt.Sprintf("oathd backup %d\nvault: %s\nmade: %s\naudit: %s\n", version, b.Vault.ID, formatTime(b.Made), b.Audit)
}

// Identities returns the identity file with which age, beside age-plugin-yubikey, uses the vault's security keys.
func (v *Vault) Identities() string {
	var text strings.Builder
	text.WriteString("# The security keys of the vault, for age with age-plugin-yubikey.\n")
	for _, r := range v.Recipients {
		if line := r.IdentityLine(); line != "" {
			fmt.Fprintf(&text, "\n#       Serial: %d, Slot: %d\n#         Name: %s\n#    Recipient: %s\n%s\n", r.Serial, r.Slot-firstSlot+1, r.Name, r.Public, line)
		}
	}
	return text.String()
}

// sums is what sha256sum prints of the files.
func sums(files []file) []byte {
	var text bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(f.content), f.name)
	}
	return text.Bytes()
}

// ParseBackup reads what Marshal writes, and nothing else; a change anywhere is noticed. Its error wraps ErrNewer or
// ErrDamaged.
func ParseBackup(archive []byte) (*Backup, error) {
	b, err := parseBackup(archive)
	if err != nil {
		return nil, fmt.Errorf("cannot read the backup: %w", err)
	}
	return b, nil
}

func parseBackup(archive []byte) (*Backup, error) {
	if len(archive) > maxBackup {
		return nil, damaged("%d bytes", len(archive))
	}
	files, at, err := unpackTar(archive)
	if err != nil {
		return nil, err
	}
	contents := map[string][]byte{}
	for i, f := range files {
		name, ok := strings.CutPrefix(f.name, tarDir)
		if !ok {
			return nil, damaged("%q is not what oathd puts there", f.name)
		}
		files[i].name = name
		contents[name] = f.content
	}
	last := len(files) - 1
	if last < 0 || files[last].name != nameSums || !bytes.Equal(files[last].content, sums(files[:last])) {
		return nil, damaged("its SHA256SUMS are not those of its files")
	}
	b := &Backup{}
	if err := b.read(contents); err != nil {
		return nil, err
	}
	if !b.Made.Equal(at) {
		return nil, damaged("its files are of another date")
	}
	return b, b.compare(files[:last])
}

// read takes everything from the files; where one is missing it finds it empty.
func (b *Backup) read(contents map[string][]byte) (err error) {
	if b.Made, b.Audit, err = parseBackupHead(string(contents[nameBackup])); err != nil {
		return err
	}
	if b.Vault, err = parseHead(string(contents[nameVault])); err != nil {
		return err
	}
	var wrapped [][]byte
	for _, name := range []string{nameWrapped, namePassphrase} {
		text, there := contents[name]
		if !there {
			continue
		}
		file, err := dearmor(text)
		if err != nil {
			return err
		}
		wrapped = append(wrapped, file)
	}
	if err := b.Vault.take(wrapped); err != nil {
		return err
	}
	b.Ledger = contents[nameLedger]
	return b.readRows(contents)
}

func parseBackupHead(text string) (made time.Time, audit string, err error) {
	first, rest, _ := strings.Cut(text, "\n")
	if err := checkFirst(first, fmt.Sprintf("oathd backup %d", version)); err != nil {
		return made, "", err
	}
	fields := map[string]string{}
	for line := range strings.Lines(rest) {
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		fields[field] = value
	}
	made, err = time.Parse(time.RFC3339, fields["made"])
	if err != nil {
		return made, "", damaged("%w", err)
	}
	return made, fields["audit"], nil
}

func (b *Backup) readRows(contents map[string][]byte) error {
	var entries []Entry
	d := json.NewDecoder(bytes.NewReader(contents[nameAccounts]))
	d.DisallowUnknownFields()
	if err := d.Decode(&entries); err != nil {
		return damaged("%s: %w", nameAccounts, err)
	}
	for _, e := range entries {
		if err := e.validate(); err != nil {
			return damaged("%s: %w", nameAccounts, err)
		}
		ciphertext, err := dearmor(contents[e.path()])
		if err != nil {
			return fmt.Errorf("%s: %w", e.path(), err)
		}
		b.Rows = append(b.Rows, Row{Entry: e, Ciphertext: ciphertext})
	}
	return nil
}

// compare finds the archive to have what Marshal would put there: the same files in the same order with the same
// contents, but for the texts that another version of oathd may have worded differently.
func (b *Backup) compare(files []file) error {
	want, err := b.files()
	if err != nil {
		return damaged("%w", err)
	}
	for i, f := range files {
		worded := f.name == nameReadme || f.name == nameIdentities || f.name == nameAccounts
		if i >= len(want) || f.name != want[i].name || !worded && !bytes.Equal(f.content, want[i].content) {
			return damaged("%q is not what oathd puts there", f.name)
		}
	}
	if len(files) != len(want) {
		return damaged("there is no %s", want[len(files)].name)
	}
	return nil
}
