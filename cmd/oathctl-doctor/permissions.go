package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/oathd/oathd/internal/kin"
)

// file is a file or a directory of oathd's. One that is private is nobody else's to read.
type file struct {
	path    string
	private bool
	mode    fs.FileMode
	uid     int
}

// lookAtFiles returns those that are there.
func lookAtFiles(self kin.SelfCheck, socket string) (files []file) {
	look := func(private bool, paths ...string) {
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				continue
			}
			files = append(files, file{path, private, info.Mode(), int(info.Sys().(*syscall.Stat_t).Uid)})
		}
	}
	if filepath.IsAbs(self.SettingsFile) {
		look(false, filepath.Dir(self.SettingsFile), self.SettingsFile)
	}
	if filepath.IsAbs(self.Ledger) {
		look(true, filepath.Dir(self.Ledger), self.Ledger) // SQLite gives what it puts beside it the same mode
	}
	look(false, filepath.Dir(socket))
	look(true, socket)
	return files
}

func checkPermissions(s sight) (found []kin.Finding) {
	for _, f := range s.files {
		found = append(found, f.check(os.Getuid())...)
	}
	if found == nil && s.files != nil {
		return fine("nobody else can get at what oathd keeps")
	}
	return found
}

// check says what is wrong with a file of uid's.
func (f file) check(uid int) []kin.Finding {
	const (
		read       fs.FileMode = 0o044
		write      fs.FileMode = 0o022
		anyoneElse fs.FileMode = 0o002
		means                  = "oathd refuses to work with it, or takes for yours what is not"
	)
	if f.mode&fs.ModeSticky != 0 {
		return nil // a directory such as /tmp, in which nobody can replace what is another's
	}
	switch {
	case f.uid != uid && f.uid != 0:
		return broken(fmt.Sprintf("%s belongs to %s", f.path, userName(f.uid)), "oathd may not be able to use it, and they can change it", "sudo chown -R "+userName(uid)+" "+f.path)
	case f.private && f.mode&write != 0, f.mode&anyoneElse != 0:
		return broken(fmt.Sprintf("others can write %s (%s)", f.path, f.mode), means, "chmod go-w "+f.path)
	case f.mode&write != 0:
		return warning(fmt.Sprintf("your group can write %s (%s)", f.path, f.mode), "whoever is in it can change oathd's settings", "chmod g-w "+f.path)
	case f.private && f.mode&read != 0:
		return warning(fmt.Sprintf("others can read %s (%s)", f.path, f.mode), "no seed is in it in clear, but all that you have accounts for", "chmod go-rwx "+f.path)
	}
	return nil
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}
