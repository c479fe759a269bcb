package keystore_test

import (
	"testing"

	"kryptonite/internal/keystore"
	"kryptonite/internal/keystore/keystoretest"
)

func TestMemory(t *testing.T) {
	keystoretest.Run(t, keystoretest.Maker{New: func(*testing.T) keystore.Store { return &keystore.Memory{} }})
}
