package softkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// warning heads the state file, for those who look into it.
const warning = "This file holds the seeds of oathd's soft keys in clear. Whoever reads it has the codes."

// Store is a file with the state of soft keys, seeds in clear:
//
//	{"warning": "…", "keys": [{"personality": "yubikey-5.4", "serial": 7, "salt": "…", "credentials": […]}]}
//
// It is written anew, atomically and readable for its owner alone, after each change of a key.
type Store struct {
	path string

	mu   sync.Mutex
	file stateFile
}

type stateFile struct {
	Warning string  `json:"warning"`
	Keys    []state `json:"keys"`
}

// OpenStore reads the file, or begins a new one where there is none.
func OpenStore(path string) (*Store, error) {
	s := &Store{path: path, file: stateFile{Warning: warning}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the soft keys' state: %w", err)
	}
	if err := json.Unmarshal(b, &s.file); err != nil {
		return nil, fmt.Errorf("cannot read the soft keys' state in %s: %w", path, err)
	}
	return s, nil
}

// Key returns the key of that serial number as it was when it last had power, or a new one. Its
// later changes are written to the file. A personality other than the stored one is an error.
func (s *Store) Key(o Options) (*Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stored *state
	if i := s.index(o.Serial); i >= 0 {
		copied := s.file.Keys[i].clone()
		stored = &copied
		if o.Personality == "" {
			o.Personality = stored.Personality
		}
		if stored.Personality != o.Personality {
			return nil, fmt.Errorf("%s holds soft key %d as a %s, not as a %s", s.path, o.Serial, stored.Personality, o.Personality)
		}
	}
	k, err := build(o, stored, s.save)
	if err != nil {
		return nil, err
	}
	if stored == nil {
		return k, s.write(k.state.clone())
	}
	return k, nil
}

func (s *Store) index(serial uint32) int {
	return slices.IndexFunc(s.file.Keys, func(k state) bool { return k.Serial == serial })
}

// save keeps a key's new state. What cannot be written is not kept either.
func (s *Store) save(k state) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(k.clone())
}

func (s *Store) write(k state) error {
	next := s.file
	next.Keys = slices.Clone(s.file.Keys)
	if i := s.index(k.Serial); i >= 0 {
		next.Keys[i] = k
	} else {
		next.Keys = append(next.Keys, k)
	}
	b, err := json.MarshalIndent(next, "", "\t")
	if err != nil {
		return fmt.Errorf("cannot write the soft keys' state: %w", err)
	}
	if err := replaceFile(s.path, append(b, '\n')); err != nil {
		return fmt.Errorf("cannot write the soft keys' state: %w", err)
	}
	s.file = next
	return nil
}

// replaceFile writes a file that is either the old or the new one at any moment, mode 0600.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing once the file is renamed
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
