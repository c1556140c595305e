package importer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/oathd/oathd/oath"
)

// sqliteMagic is what every SQLite database begins with.
const sqliteMagic = "SQLite format 3\x00"

// maxTree is how deep a table's pages may be nested: SQLite's own BTCURSOR_MAX_DEPTH.
const maxTree = 20

// maxColumns is how many columns a table may have: SQLite's own SQLITE_MAX_COLUMN.
const maxColumns = 2000

var errDatabase = errors.New("it is damaged: a page of the database is not what it should be")

// writeAhead is the version in the header (section 1.3.3) of a database whose last changes lie in a file beside it, called
// like it and "-wal".
const writeAhead = 2

var errWriteAhead = errors.New(`it holds no account: they are in the file beside it whose name ends in "-wal"; ` +
	`let sqlite3 join them ("PRAGMA wal_checkpoint(TRUNCATE)")`)

// database reads tables of a SQLite file (https://www.sqlite.org/fileformat2.html). SQLite itself is not
// linked: it is larger than all the rest of the client, and would copy seeds to where nobody wipes them.
//
// Each page is visited once, so that neither time nor memory exceeds what is in proportion to the file.
type database struct {
	data []byte
	// page is a page's size, usable what is left of it without the bytes that extensions reserve.
	page, usable int
	visited      []bool
	// own takes the copies of rows that lie on several pages.
	own func(*oath.Secret) []byte
}

// openDatabase reads the header (section 1.3).
func openDatabase(data []byte, own func(*oath.Secret) []byte) (*database, error) {
	const header = 100
	if len(data) < header {
		return nil, tooShort(len(data), header)
	}
	size := int(binary.BigEndian.Uint16(data[16:]))
	if size == 1 {
		size = 1 << 16
	}
	usable := size - int(data[20])
	switch {
	case string(data[:len(sqliteMagic)]) != sqliteMagic:
		return nil, errors.New("it is no SQLite database")
	case size < 512 || size&(size-1) != 0 || usable < 480:
		return nil, errDatabase
	case binary.BigEndian.Uint32(data[56:]) > 1:
		return nil, errors.New("its text is UTF-16, which the app does not write")
	}
	return &database{data: data, page: size, usable: usable, visited: make([]bool, len(data)/size+1), own: own}, nil
}

// visit returns page n, the first being 1, without its reserved bytes.
func (d *database) visit(n uint32) ([]byte, error) {
	pages := len(d.data) / d.page
	if n == 0 || uint64(n) > uint64(pages) {
		return nil, fmt.Errorf("it is cut off, or damaged: it has %d pages, and needs page %d", pages, n)
	}
	if d.visited[n] {
		return nil, errDatabase
	}
	d.visited[n] = true
	start := (int(n) - 1) * d.page
	return d.data[start : start+d.usable], nil
}

// The kinds of pages in a table's tree (section 1.6).
const (
	pageInterior = 5
	pageLeaf     = 13
)

// walk calls visit with the payload of each row in the tree below page n.
func (d *database) walk(n uint32, depth int, row func(payload []byte) error) error {
	page, err := d.visit(n)
	if err != nil {
		return err
	}
	head := page
	if n == 1 {
		head = page[100:]
	}
	cells := int(binary.BigEndian.Uint16(head[3:]))
	switch {
	case depth == maxTree:
		return errDatabase
	case head[0] == pageLeaf && 8+2*cells <= len(head):
		return d.leaf(page, head[8:8+2*cells], row)
	case head[0] == pageInterior && 12+2*cells <= len(head):
		return d.interior(page, head[8:12+2*cells], depth, row)
	}
	return errDatabase
}

// interior walks the pages below: head is the rightmost one's number, and the places of the others' in page.
func (d *database) interior(page, head []byte, depth int, row func([]byte) error) error {
	for places := head[4:]; len(places) > 0; places = places[2:] {
		at := int(binary.BigEndian.Uint16(places))
		if at+4 > len(page) {
			return errDatabase
		}
		if err := d.walk(binary.BigEndian.Uint32(page[at:]), depth+1, row); err != nil {
			return err
		}
	}
	return d.walk(binary.BigEndian.Uint32(head), depth+1, row)
}

// leaf reads rows: places says where in page they are. No two are in the same place, or a small page could
// hold any number of them.
func (d *database) leaf(page, places []byte, row func([]byte) error) error {
	left := len(page)
	for ; len(places) > 0; places = places[2:] {
		at := int(binary.BigEndian.Uint16(places))
		if at >= len(page) {
			return errDatabase
		}
		payload, used, err := d.payload(page[at:])
		if err != nil {
			return err
		}
		if left -= used; left < 0 {
			return errDatabase
		}
		if err := row(payload); err != nil {
			return err
		}
	}
	return nil
}

// payload returns the row with which cell begins, and how many bytes of the page it takes. What does not
// fit into the page goes on elsewhere (section 1.6, "B-tree Cell Format").
func (d *database) payload(cell []byte) (payload []byte, used int, err error) {
	size, n := varint(cell)
	_, m := varint(cell[n:])
	cell = cell[n+m:]
	if n == 0 || m == 0 || size > uint64(len(d.data)) {
		return nil, 0, errDatabase
	}
	here := d.local(int(size))
	if here == int(size) && here <= len(cell) {
		return cell[:here], n + m + here, nil
	}
	if here+4 > len(cell) {
		return nil, 0, errDatabase
	}
	whole := d.own(oath.NewSecret(int(size)))
	rest := whole[copy(whole, cell[:here]):]
	return whole, n + m + here + 4, d.overflow(binary.BigEndian.Uint32(cell[here:]), rest)
}

// local is how much of a row of this size is on its own page.
func (d *database) local(size int) int {
	most, least := d.usable-35, (d.usable-12)*32/255-23
	if size <= most {
		return size
	}
	if n := least + (size-least)%(d.usable-4); n <= most {
		return n
	}
	return least
}

// overflow fills rest from the chain of pages that begins with page n (section 1.7).
func (d *database) overflow(n uint32, rest []byte) error {
	for len(rest) > 0 {
		page, err := d.visit(n)
		if err != nil {
			return err
		}
		n = binary.BigEndian.Uint32(page)
		rest = rest[copy(rest, page[4:]):]
	}
	return nil
}

// varint reads SQLite's variable-length integer, and how long it is: 0 if it is cut off.
func varint(b []byte) (v uint64, n int) {
	for i, c := range b {
		if i == 8 {
			return v<<8 | uint64(c), 9
		}
		v = v<<7 | uint64(c&0x7f)
		if c < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}

// value is one column of a row: text and blobs as a part of the row, numbers as they are, NULL as neither.
type value struct {
	text   []byte
	number int64
}

// String is for what is no secret.
func (v value) String() string { return string(v.text) }

// values reads a row (section 2.1).
func values(payload []byte) ([]value, error) {
	size, n := varint(payload)
	if n == 0 || size > uint64(len(payload)) || size < uint64(n) {
		return nil, errDatabase
	}
	var list []value
	for types, body := payload[n:size], payload[size:]; len(types) > 0; {
		serial, m := varint(types)
		width := valueWidth(serial)
		if m == 0 || width > uint64(len(body)) || len(list) == maxColumns {
			return nil, errDatabase
		}
		list = append(list, newValue(serial, body[:width]))
		types, body = types[m:], body[width:]
	}
	return list, nil
}

// valueWidth is how many bytes a value of this serial type takes.
func valueWidth(serial uint64) uint64 {
	if serial >= 12 {
		return (serial - 12) / 2
	}
	return [12]uint64{0, 1, 2, 3, 4, 6, 8, 8, 0, 0, math.MaxUint64, math.MaxUint64}[serial]
}

func newValue(serial uint64, body []byte) value {
	switch {
	case serial >= 12:
		return value{text: body}
	case serial == 9:
		return value{number: 1}
	case serial == 0 || serial >= 7:
		return value{}
	}
	n := int64(int8(body[0]))
	for _, c := range body[1:] {
		n = n<<8 | int64(c)
	}
	return value{number: n}
}

// table is a table of a database: which column is where, and where its rows begin.
type table struct {
	database *database
	columns  map[string]int
	root     uint32
}

// table finds a table in the schema (section 2.6: type, name, table, root page, SQL); nil if there is none.
func (d *database) table(name string) (*table, error) {
	var found *table
	err := d.walk(1, 0, func(payload []byte) error {
		v, err := values(payload)
		if err != nil {
			return err
		}
		if len(v) < 5 || v[0].String() != "table" || !strings.EqualFold(v[1].String(), name) {
			return nil
		}
		if v[3].number < 1 || v[3].number > math.MaxUint32 {
			return errDatabase
		}
		found = &table{database: d, columns: columns(v[4].String()), root: uint32(v[3].number)}
		return nil
	})
	return found, err
}

// has reports whether the table has all these columns.
func (t *table) has(names ...string) bool {
	for _, name := range names {
		if _, ok := t.columns[name]; !ok {
			return false
		}
	}
	return true
}

// entries makes an Entry of each row; get returns a column of it, NULL if there is none.
func (t *table) entries(toEntry func(get func(column string) value) Entry) ([]Entry, error) {
	var entries []Entry
	err := t.database.walk(t.root, 0, func(payload []byte) error {
		row, err := values(payload)
		if err != nil {
			return err
		}
		entries = append(entries, toEntry(func(column string) value {
			if i, ok := t.columns[column]; ok && i < len(row) {
				return row[i]
			}
			return value{}
		}))
		if full(entries) {
			return errTooMany
		}
		return nil
	})
	return entries, err
}

// hasTable reports whether the input is a SQLite database with a table that has all these columns.
func (in *input) hasTable(name string, columns ...string) bool {
	look := in.inner(in.data)
	defer look.wipe()
	t, err := look.table(in.data, name)
	return err == nil && t.has(columns...)
}

// tableEntries makes an Entry of each row of a table of the database that the input is.
func (in *input) tableEntries(name string, toEntry func(get func(column string) value) Entry) ([]Entry, error) {
	t, err := in.table(in.data, name)
	if err != nil {
		return nil, err
	}
	entries, err := t.entries(toEntry)
	if err == nil && len(entries) == 0 && in.data[18] == writeAhead {
		err = errWriteAhead
	}
	return entries, err
}

func (in *input) table(data []byte, name string) (*table, error) {
	d, err := openDatabase(data, in.own)
	if err != nil {
		return nil, err
	}
	t, err := d.table(name)
	if err == nil && t == nil {
		err = fmt.Errorf("there is no table %s in it", name)
	}
	return t, err
}
