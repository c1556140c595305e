package importer

import (
	"errors"
	"io"
)

// preference is a string of an Android program's preferences:
//
//	<map><string name="…">…</string></map>
type preference struct {
	name string
	text []byte
}

// preferences reads all strings of an Android program's preferences. The texts are wiped with the input.
func (in *input) preferences() ([]preference, error) {
	var list []preference
	for r := in.xml(); ; {
		begin, err := r.next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if begin == nil || begin.name != "string" {
			continue
		}
		text, err := r.text()
		if err != nil {
			return nil, err
		}
		if list = append(list, preference{begin.attribute("name"), text}); len(list) > 2*maxEntries {
			return nil, errTooMany
		}
	}
}
