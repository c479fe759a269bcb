package relayd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"kryptonite/internal/backoff"
	"kryptonite/internal/peer"
	"kryptonite/internal/relay/boltstore"
)

// The running relay sends to whoever connects to its socket, and then closes
// the connection:
//
//	greeting ‖ length(8) ‖ the store's file, length bytes
//
// Fewer bytes than that are no copy.
const (
	greeting = "kr-relay backup 1\n"
	maxCopy  = 1 << 50          // bytes; more is not a length
	stall    = 10 * time.Second // a receiver that takes nothing for so long is cut off
)

// listenForCopies opens the socket, or says why not and returns nil: a relay
// serves mail without it.
func listenForCopies(data string, log *slog.Logger) *peer.Listener {
	l, err := peer.Listen(filepath.Join(data, socketName))
	if err != nil {
		log.Warn("no backup while this relay runs: stop it before one", "error", err)
		return nil
	}
	return peer.NewListener(l)
}

// handOutCopies serves copies of the store until ctx ends, one at a time, and
// closes l.
func handOutCopies(ctx context.Context, l *peer.Listener, store *boltstore.Store, log *slog.Logger) {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	for {
		conn, err := l.AcceptUnix()
		switch {
		case err == nil:
			serveCopy(ctx, conn, store, log)
		case ctx.Err() != nil:
			return
		default: // no file descriptors left, say
			log.Warn("backup socket", "error", err)
			_ = backoff.Sleep(ctx, time.Second)
		}
	}
}

func serveCopy(ctx context.Context, conn net.Conn, store *boltstore.Store, log *slog.Logger) {
	began := time.Now()
	n, err := sendCopy(ctx, conn, store)
	if err != nil {
		log.Warn("backup failed", "error", err)
		return
	}
	log.Info("backup handed out", "bytes", n, "took", time.Since(began))
}

func sendCopy(ctx context.Context, conn net.Conn, store *boltstore.Store) (n int64, err error) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	copied, err := store.Snapshot()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	w := patient{conn}
	head := binary.BigEndian.AppendUint64([]byte(greeting), uint64(copied.Size()))
	if _, err := w.Write(head); err != nil {
		return 0, err
	}
	return copied.WriteTo(w)
}

// patient waits for the receiver, up to stall for each write.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(stall)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// dialCopy connects to the relay that runs on data.
func dialCopy(ctx context.Context, data string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(data, socketName))
	if err != nil {
		return nil, err
	}
	if err := peer.SameUser(conn.(*net.UnixConn)); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// receiveCopy writes what r sends to w, and fails unless it is all there.
func receiveCopy(w io.Writer, r io.Reader) error {
	head := make([]byte, len(greeting)+8)
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("the relay sent no copy (does it run as another user?): %w", err)
	}
	size := binary.BigEndian.Uint64(head[len(greeting):])
	if string(head[:len(greeting)]) != greeting || size > maxCopy {
		return errors.New("the relay sent something else; is it of another version?")
	}
	if n, err := io.CopyN(w, r, int64(size)); err != nil {
		return fmt.Errorf("the copy ended after %d of %d bytes: %w", n, size, err)
	}
	return nil
}
