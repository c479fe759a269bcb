package memstore_test

import (
	"testing"

	"kryptonite/internal/relay"
	"kryptonite/internal/relay/memstore"
	"kryptonite/internal/relay/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, storetest.Maker{New: func(*testing.T) relay.Store { return memstore.New() }})
}
