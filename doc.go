// Package kryptonite is the root of the house: it holds house_test.go, which
// keeps the floors. What there is to see is in cmd and internal; start with
// README.md and ARCHITECTURE.md.
package kryptonite
