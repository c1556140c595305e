package importer

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The wire types of Protocol Buffers ("Encoding", Message Structure).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errProtobuf = errors.New("its message is cut off or damaged")

// field is one field of a message. bytes is a part of the message.
type field struct {
	number int
	varint uint64
	bytes  []byte
}

// protobuf calls visit with each field of a message.
func protobuf(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		key, n := binary.Uvarint(message)
		if n <= 0 {
			return errProtobuf
		}
		f := field{number: int(key >> 3)}
		n, err := f.read(int(key&7), message[n:], n)
		if err != nil {
			return err
		}
		if err := visit(f); err != nil {
			return err
		}
		message = message[n:]
	}
	return nil
}

// read takes the value of a wire type from rest, and returns the length of the field whose key took n bytes.
func (f *field) read(wire int, rest []byte, n int) (int, error) {
	size := 0
	switch wire {
	case wireVarint, wireBytes:
		f.varint, size = binary.Uvarint(rest)
		if size <= 0 {
			return 0, errProtobuf
		}
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	default:
		return 0, fmt.Errorf("its message has a field of type %d", wire)
	}
	if wire == wireBytes {
		if f.varint > uint64(len(rest)-size) {
			return 0, errProtobuf
		}
		f.bytes = rest[size : size+int(f.varint)]
		size += int(f.varint)
	}
	if size > len(rest) {
		return 0, errProtobuf
	}
	return n + size, nil
}
