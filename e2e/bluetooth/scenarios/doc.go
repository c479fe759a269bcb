// Package scenarios holds what package bluetooth's machine does; elsewhere its
// tests are skipped.
package scenarios
