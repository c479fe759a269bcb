package asker

import (
	"os"
	"testing"
)

func BenchmarkAt(b *testing.B) {
	for b.Loop() {
		At(os.Getpid())
	}
}

func BenchmarkDescribe(b *testing.B) {
	a := At(os.Getpid())
	for b.Loop() {
		a.Describe()
	}
}
