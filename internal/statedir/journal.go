package statedir

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// journalMagic begins every journal: name and version.
const journalMagic = "kryptonite journal v1\n"

// A record is length(4) ‖ crc32c(4) ‖ JSON of []Op, big-endian; the checksum
// covers the offset of the record, the length and the JSON, so that a record
// is valid only in its place.
const (
	recordHead  = 8
	compactFrom = 1 << 20 // bytes; smaller journals are not worth it
	compactSkew = 4       // times the live size
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Op sets Key to Value, or deletes it when Value is nil.
type Op struct {
	Key   string `json:"k"`
	Value []byte `json:"v,omitempty"`
}

// Journal is a durable key-value store in one append-only file. A Commit is
// one write and one fsync; all its ops are there after a crash, or none. It is
// safe for concurrent use by one process (take a Lock).
type Journal struct {
	dir   *Dir
	name  string
	erase func(key string) bool

	mu   sync.Mutex
	f    *os.File
	size int64
	live map[string][]byte
}

// OpenJournal opens or makes the journal and returns what it holds. erase says
// for which keys an old value must not stay on disk: overwriting or deleting
// one rewrites the file. A torn last record, the mark of a crash, is cut off.
// Damage before that is a *DamagedError and the file is set aside.
func OpenJournal(dir *Dir, name string, erase func(key string) bool) (*Journal, map[string][]byte, error) {
	j := &Journal{dir: dir, name: name, erase: erase, live: map[string][]byte{}}
	data, err := dir.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := dir.WriteFile(name, []byte(journalMagic)); err != nil {
			return nil, nil, err
		}
		data = []byte(journalMagic)
	} else if err != nil {
		return nil, nil, err
	}
	good, err := j.replay(data)
	if err != nil {
		return nil, nil, dir.setAside(name, err)
	}
	if err := j.reopen(int64(good)); err != nil {
		return nil, nil, err
	}
	return j, j.copyLive(), nil
}

// replay fills live from data and returns the length of its valid part.
func (j *Journal) replay(data []byte) (good int, err error) {
	if !bytes.HasPrefix(data, []byte(journalMagic)) {
		return 0, errors.New("it does not begin like a journal")
	}
	at := len(journalMagic)
	for at < len(data) {
		ops, n, ok := readRecord(data, at)
		if !ok {
			if laterRecord(data, at) {
				return 0, fmt.Errorf("a record at byte %d is damaged", at)
			}
			return at, nil // torn tail
		}
		j.apply(ops)
		at += n
	}
	return at, nil
}

// readRecord reads the record at offset at, and returns its size in bytes.
func readRecord(data []byte, at int) (ops []Op, n int, ok bool) {
	if len(data)-at < recordHead {
		return nil, 0, false
	}
	size := int(binary.BigEndian.Uint32(data[at:]))
	sum := binary.BigEndian.Uint32(data[at+4:])
	if size < 0 || size > len(data)-at-recordHead {
		return nil, 0, false
	}
	body := data[at+recordHead : at+recordHead+size]
	if checksum(at, body) != sum || json.Unmarshal(body, &ops) != nil {
		return nil, 0, false
	}
	return ops, recordHead + size, true
}

// laterRecord reports whether a valid record lies anywhere after the broken
// one at offset at: then it is damage, not the torn end of the last write.
func laterRecord(data []byte, at int) bool {
	for i := at + 1; i+recordHead <= len(data); i++ {
		if _, _, ok := readRecord(data, i); ok {
			return true
		}
	}
	return false
}

func checksum(at int, body []byte) uint32 {
	var head [12]byte
	binary.BigEndian.PutUint64(head[:], uint64(at))
	binary.BigEndian.PutUint32(head[8:], uint32(len(body)))
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, body)
}

func appendRecord(out []byte, at int, ops []Op) ([]byte, error) {
	body, err := json.Marshal(ops)
	if err != nil {
		return nil, err
	}
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	out = binary.BigEndian.AppendUint32(out, checksum(at, body))
	return append(out, body...), nil
}

func (j *Journal) apply(ops []Op) {
	for _, op := range ops {
		if op.Value == nil {
			delete(j.live, op.Key)
		} else {
			j.live[op.Key] = op.Value
		}
	}
}

// reopen opens the file for appending and cuts it to its valid part.
func (j *Journal) reopen(good int64) error {
	f, err := os.OpenFile(j.dir.Path(j.name), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	if err := f.Truncate(good); err != nil {
		f.Close()
		return fmt.Errorf("open journal: %w", err)
	}
	if j.f != nil {
		j.f.Close()
	}
	j.f, j.size = f, good
	return nil
}

// Commit makes ops durable, all or none. After an error the state is as before.
func (j *Journal) Commit(ops []Op) error {
	if len(ops) == 0 {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	rewrite := false
	for _, op := range ops {
		_, had := j.live[op.Key]
		rewrite = rewrite || had && j.erase != nil && j.erase(op.Key)
	}
	if rewrite || j.size > compactFrom && j.size > compactSkew*j.liveSize() {
		return j.rewrite(ops)
	}
	rec, err := appendRecord(nil, int(j.size), ops)
	if err != nil {
		return fmt.Errorf("journal %s: %w", j.name, err)
	}
	_, err = j.f.WriteAt(rec, j.size)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("journal %s: %w", j.name, errors.Join(err, j.f.Truncate(j.size)))
	}
	j.size += int64(len(rec))
	j.apply(ops)
	return nil
}

// rewrite replaces the file by one that holds what is live after ops.
func (j *Journal) rewrite(ops []Op) error {
	before := j.copyLive()
	j.apply(ops)
	data := []byte(journalMagic)
	var all []Op
	for k, v := range j.live {
		all = append(all, Op{k, v})
	}
	var err error
	if len(all) > 0 {
		data, err = appendRecord(data, len(data), all)
	}
	if err == nil {
		err = j.dir.WriteFile(j.name, data)
	}
	if err != nil {
		j.live = before
		return fmt.Errorf("journal %s: %w", j.name, err)
	}
	return j.reopen(int64(len(data)))
}

func (j *Journal) liveSize() (n int64) {
	for k, v := range j.live {
		n += int64(len(k) + len(v))
	}
	return n
}

func (j *Journal) copyLive() map[string][]byte {
	out := make(map[string][]byte, len(j.live))
	for k, v := range j.live {
		out[k] = v
	}
	return out
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }
