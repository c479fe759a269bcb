package statedir

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Bounds of a journal, in bytes. See needsRewrite.
const (
	compactFrom = 1 << 20 // smaller files are not worth it
	compactSkew = 4       // times the live size
	maxLive     = 64 << 20
	maxJournal  = 2 * compactSkew * maxLive // a reader refuses more
)

// ErrClosed is returned by Commit after Close.
var ErrClosed = errors.New("statedir: the journal is closed")

// Op sets Key to Value, or deletes it when Value is nil. An empty Value that is
// not nil is a value.
type Op struct {
	Key   string
	Value []byte
}

// Journal is a durable key-value store in one append-only file, for state that
// changes often. A Commit is one write and one sync; all its ops are there
// after a crash, or none. It is safe for concurrent use by one process: take a
// Lock first. record.go shows the file.
type Journal struct {
	dir   *Dir
	name  string
	erase func(key string) bool

	mu       sync.Mutex
	f        *os.File // nil after Close
	id       uint64
	size     int64             // of the file's valid part, bytes
	live     map[string][]byte // values are never changed, only replaced
	held     int64             // size of live, bytes
	doubtful bool              // the file may hold what was never reported done
}

// OpenJournal opens or makes the journal and returns a copy of what it holds.
// erase, if not nil, says for which keys an old value must not stay on disk: a
// commit that overwrites or deletes one rewrites the file.
//
// A torn last record, the mark of a crash, is cut off. Any other damage is a
// *DamagedError and the file is set aside; a file of a newer program is a
// *VersionError and untouched.
func OpenJournal(dir *Dir, name string, erase func(key string) bool) (*Journal, map[string][]byte, error) {
	if erase == nil {
		erase = func(string) bool { return false }
	}
	j := &Journal{dir: dir, name: name, erase: erase, live: map[string][]byte{}}
	if err := j.sweep(); err != nil {
		return nil, nil, err
	}
	f, err := dir.openFile(name, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		if err := j.rewrite(nil); err != nil {
			return nil, nil, err
		}
		return j, map[string][]byte{}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := j.load(f); err != nil {
		f.Close()
		return nil, nil, err
	}
	return j, j.copyLive(), nil
}

// sweep deletes what a crash left of a rewrite: it may hold secrets.
func (j *Journal) sweep() error {
	path, err := j.dir.local(j.name)
	if err != nil {
		return err
	}
	dir, own := filepath.Dir(path), TempPrefix+filepath.Base(path)+"-"
	left, _ := fs.Glob(os.DirFS(dir), TempPrefix+"*")
	for _, name := range left {
		if strings.HasPrefix(name, own) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("open journal: %w", err)
			}
		}
	}
	return nil
}

// load reads the file and cuts off a torn tail.
func (j *Journal) load(f *os.File) error {
	data, err := readAll(f, maxJournal)
	if err != nil {
		return err
	}
	if v := magicVersion(data); v > journalVersion {
		return &VersionError{j.dir.Path(j.name), v, journalVersion}
	}
	good, err := j.replay(data)
	if err != nil {
		return j.dir.setAside(j.name, err)
	}
	j.f, j.size = f, int64(good)
	// What we read may be in memory only, left by a process that was killed
	// between write and sync. We are about to act on it, so it must be durable.
	if err := j.cut(int64(len(data))); err != nil {
		return fmt.Errorf("open journal %s: %w", j.name, err)
	}
	return nil
}

// replay fills live from data and returns the length of its valid part.
func (j *Journal) replay(data []byte) (good int, err error) {
	id, base, err := readHeader(data)
	if err != nil {
		return 0, err
	}
	j.id = id
	return readRecords(data, id, base, j.apply)
}

// cut makes the file end at j.size, durably. length is its length now, or -1.
func (j *Journal) cut(length int64) error {
	if length != j.size {
		if err := j.dir.step("truncate", j.f.Name()); err != nil {
			return err
		}
		if err := j.f.Truncate(j.size); err != nil {
			return err
		}
	}
	return j.sync()
}

func (j *Journal) sync() error {
	if err := j.dir.step("datasync", j.f.Name()); err != nil {
		return err
	}
	return datasync(j.f)
}

// Commit makes ops durable, all or none; of several for one key the last one
// counts. Ops that change nothing cost nothing. After an error the journal
// holds what it held before, and a later Commit may succeed. (After a failure
// that could not be undone on disk either, which the next Commit mends, a crash
// may still bring the ops to light: as with any disk that fails.)
func (j *Journal) Commit(ops []Op) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return ErrClosed
	}
	ops = j.changes(ops)
	if len(ops) == 0 && !j.doubtful {
		return nil
	}
	if err := j.commit(ops); err != nil {
		return fmt.Errorf("journal %s: %w", j.name, err)
	}
	return nil
}

func (j *Journal) commit(ops []Op) error {
	if after := j.held + j.growth(ops); after > maxLive {
		return fmt.Errorf("it would hold %d bytes, and %d are allowed", after, int64(maxLive))
	}
	if j.needsRewrite(ops) {
		return j.rewrite(ops)
	}
	rec := appendRecord(nil, j.id, j.size, ops)
	err := j.dir.write(j.f, rec, j.size)
	if err == nil {
		err = j.sync()
	}
	if err != nil {
		if undo := j.cut(-1); undo != nil {
			j.doubtful = true
			err = errors.Join(err, undo)
		}
		return err
	}
	j.size += int64(len(rec))
	j.apply(ops)
	return nil
}

// needsRewrite reports whether ops cannot be appended, or the file has grown
// too long.
func (j *Journal) needsRewrite(ops []Op) bool {
	if j.doubtful || j.size > compactFrom && j.size > compactSkew*j.held {
		return true
	}
	return slices.ContainsFunc(ops, func(op Op) bool {
		_, had := j.live[op.Key]
		return had && j.erase(op.Key)
	})
}

// changes returns the last op of each key, without those that change nothing.
func (j *Journal) changes(ops []Op) []Op {
	last := make(map[string]int, len(ops))
	for i, op := range ops {
		last[op.Key] = i
	}
	var out []Op
	for i, op := range ops {
		old, had := j.live[op.Key]
		same := had == (op.Value != nil) && bytes.Equal(old, op.Value)
		if last[op.Key] == i && !same {
			out = append(out, op)
		}
	}
	return out
}

// growth is how many bytes ops add to the live size.
func (j *Journal) growth(ops []Op) (n int64) {
	for _, op := range ops {
		if old, had := j.live[op.Key]; had {
			n -= opSize(op.Key, old)
		}
		if op.Value != nil {
			n += opSize(op.Key, op.Value)
		}
	}
	return n
}

func opSize(key string, value []byte) int64 { return int64(len(key) + len(value) + opOverhead) }

// apply changes live. What is overwritten under an erased key is zeroed in
// memory, too.
func (j *Journal) apply(ops []Op) {
	for _, op := range ops {
		old, had := j.live[op.Key]
		if had {
			j.held -= opSize(op.Key, old)
			if j.erase(op.Key) {
				clear(old)
			}
		}
		if op.Value == nil {
			delete(j.live, op.Key)
			continue
		}
		j.live[op.Key] = copied(op.Value)
		j.held += opSize(op.Key, op.Value)
	}
}

// rewrite replaces the file by one that holds what is live after ops: a header
// and one record. The old file is the journal until the new one is durable.
func (j *Journal) rewrite(ops []Op) error {
	var b [8]byte
	rand.Read(b[:]) // never fails, crypto/rand
	id := binary.BigEndian.Uint64(b[:])
	data := appendHeader(nil, id, 0) // base is filled in below
	if all := j.after(ops); len(all) > 0 {
		data = appendRecord(data, id, 0, all)
	}
	appendHeader(data[:0], id, int64(len(data)))
	f, renamed, err := j.dir.replace(j.dir.Path(j.name), data)
	if err != nil {
		if renamed {
			f.Close()
			j.doubtful = true // the old file has no name any more
		}
		return err
	}
	if j.f != nil {
		j.f.Close()
	}
	j.f, j.id, j.size, j.doubtful = f, id, int64(len(data)), false
	j.apply(ops)
	return nil
}

// after returns what is live after ops, sorted by key.
func (j *Journal) after(ops []Op) []Op {
	next := maps.Clone(j.live)
	for _, op := range ops {
		next[op.Key] = op.Value
	}
	var all []Op
	for _, k := range slices.Sorted(maps.Keys(next)) {
		if next[k] != nil {
			all = append(all, Op{k, next[k]})
		}
	}
	return all
}

// copyLive copies the values, too: what callers do to them stays theirs.
func (j *Journal) copyLive() map[string][]byte {
	out := make(map[string][]byte, len(j.live))
	for k, v := range j.live {
		out[k] = copied(v)
	}
	return out
}

// copied is bytes.Clone that keeps an empty value apart from nil.
func copied(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }

// Close closes the file. What was committed is durable already.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	f := j.f
	j.f = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
