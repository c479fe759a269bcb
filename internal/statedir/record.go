package statedir

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// The file of a journal. Numbers are big-endian, sums are CRC-32C.
//
//	header    "kryptonite journal v1\n" ‖ id(8) ‖ base(8) ‖ sum of all before (4)
//	record    length of body(4) ‖ sum of body(4) ‖ head sum(4) ‖ body
//	body      ops: kind(1) ‖ uvarint length ‖ key [‖ uvarint length ‖ value]
//
// The head sum covers id ‖ the record's offset ‖ the first 8 bytes: a record is
// valid only in its place in its file. id is random for each file made.
//
// What lies before base was written before the file got its name, so it cannot
// be torn: header and snapshot. From base on, each record is one write that was
// durable before the next began. So only the last one can be torn, and then it
// is short, or some of its sectors are zero.
const (
	magicWord      = "kryptonite journal v"
	journalMagic   = magicWord + "1\n"
	journalVersion = 1
	headerSize     = len(journalMagic) + 8 + 8 + 4 // bytes
	headSize       = 12                            // bytes
	sectorSize     = 512                           // bytes that a disk writes or does not, at most
	opSet          = 1
	opDelete       = 2
	opOverhead     = 1 + 2*binary.MaxVarintLen32 // bytes an op adds to key and value, at most
	maxOpLength    = 1 << 31                     // bytes of a key or a value that a reader believes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// appendHeader appends a header; base is the end of the snapshot.
func appendHeader(out []byte, id uint64, base int64) []byte {
	start := len(out)
	out = append(out, journalMagic...)
	out = binary.BigEndian.AppendUint64(out, id)
	out = binary.BigEndian.AppendUint64(out, uint64(base))
	return binary.BigEndian.AppendUint32(out, sum(out[start:]))
}

// readHeader returns id and base of a file.
func readHeader(data []byte) (id uint64, base int, err error) {
	if !bytes.HasPrefix(data, []byte(journalMagic)) || len(data) < headerSize {
		return 0, 0, errors.New("it does not begin like a journal")
	}
	at := len(journalMagic)
	id = binary.BigEndian.Uint64(data[at:])
	end := binary.BigEndian.Uint64(data[at+8:])
	if binary.BigEndian.Uint32(data[at+16:]) != sum(data[:at+16]) {
		return 0, 0, errors.New("its header is damaged")
	}
	if end < uint64(headerSize) || end > uint64(len(data)) {
		return 0, 0, fmt.Errorf("it has %d bytes and needs %d", len(data), end)
	}
	return id, int(end), nil
}

// magicVersion is the version in the first line, or 0.
func magicVersion(data []byte) int {
	rest, ok := bytes.CutPrefix(data, []byte(magicWord))
	line, _, ended := bytes.Cut(rest[:min(len(rest), 8)], []byte("\n"))
	if !ok || !ended {
		return 0
	}
	v, err := strconv.ParseUint(string(line), 10, 31)
	if err != nil {
		return 0
	}
	return int(v)
}

// appendRecord appends a record that begins at the offset len(out)+at.
func appendRecord(out []byte, id uint64, at int64, ops []Op) []byte {
	start := len(out)
	out = append(out, make([]byte, headSize)...)
	for _, op := range ops {
		kind := byte(opSet)
		if op.Value == nil {
			kind = opDelete
		}
		out = append(out, kind)
		out = binary.AppendUvarint(out, uint64(len(op.Key)))
		out = append(out, op.Key...)
		if kind == opSet {
			out = binary.AppendUvarint(out, uint64(len(op.Value)))
			out = append(out, op.Value...)
		}
	}
	head, body := out[start:start+headSize], out[start+headSize:]
	binary.BigEndian.PutUint32(head, uint32(len(body)))
	binary.BigEndian.PutUint32(head[4:], sum(body))
	binary.BigEndian.PutUint32(head[8:], headSum(head, id, at+int64(start)))
	return out
}

func headSum(head []byte, id uint64, at int64) uint32 {
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], id)
	binary.BigEndian.PutUint64(b[8:], uint64(at))
	copy(b[16:], head[:8])
	return sum(b[:])
}

// validHead returns the length of the body of the record at offset at, and
// whether there is a head that belongs there.
func validHead(data []byte, id uint64, at int) (size int, ok bool) {
	if len(data)-at < headSize {
		return 0, false
	}
	head := data[at : at+headSize]
	size = int(binary.BigEndian.Uint32(head))
	return size, size > 0 && binary.BigEndian.Uint32(head[8:]) == headSum(head, id, int64(at))
}

// readRecords gives the ops of each record in data to apply, in order, and returns
// the length of the valid part. A torn last record is left out. An error is
// damage: wrong values are never given silently.
func readRecords(data []byte, id uint64, base int, apply func([]Op)) (good int, err error) {
	at := headerSize
	for at < len(data) {
		size, ok := validHead(data, id, at)
		if !ok {
			if at >= base && tornHead(data, at) && !laterHead(data, id, at) {
				return at, nil
			}
			return 0, fmt.Errorf("the record at byte %d is damaged", at)
		}
		end := at + headSize + size
		if end > len(data) || sum(data[at+headSize:end]) != binary.BigEndian.Uint32(data[at+4:]) {
			if at >= base && end >= len(data) {
				return at, nil
			}
			return 0, fmt.Errorf("the record at byte %d is damaged", at)
		}
		ops, err := readOps(data[at+headSize : end])
		if err != nil {
			return 0, fmt.Errorf("the record at byte %d: %w", at, err)
		}
		if at < base && end > base {
			return 0, fmt.Errorf("the record at byte %d leaves the snapshot", at)
		}
		apply(ops)
		at = end
	}
	return at, nil
}

// tornHead reports whether the bytes at offset at can be what a power cut left
// of a head: too few, or with a sector that was never written.
func tornHead(data []byte, at int) bool {
	if len(data)-at < headSize {
		return true
	}
	border := (at/sectorSize + 1) * sectorSize // of the sector that the head begins in
	split := min(border-at, headSize)
	zero := func(b []byte) bool { return len(b) > 0 && len(bytes.Trim(b, "\x00")) == 0 }
	return zero(data[at:at+split]) || zero(data[at+split:at+headSize])
}

// laterHead reports whether a record begins anywhere after offset at: then the
// one at at was complete once.
func laterHead(data []byte, id uint64, at int) bool {
	for i := at + 1; i+headSize <= len(data); i++ {
		if _, ok := validHead(data, id, i); ok {
			return true
		}
	}
	return false
}

// readOps reads a body. Values are parts of it, and never nil in a set.
func readOps(body []byte) (ops []Op, err error) {
	for len(body) > 0 {
		kind := body[0]
		key, rest, ok := readBytes(body[1:])
		if !ok || kind != opSet && kind != opDelete {
			return nil, errors.New("it has an unreadable op")
		}
		op := Op{Key: string(key)}
		if kind == opSet {
			if op.Value, rest, ok = readBytes(rest); !ok {
				return nil, errors.New("it has an unreadable value")
			}
		}
		ops, body = append(ops, op), rest
	}
	return ops, nil
}

func readBytes(b []byte) (value, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size >= maxOpLength || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return b[n:end:end], b[end:], true
}
