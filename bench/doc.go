// Package bench measures what people wait for, beside a rival in the same run:
//
//	go test -run xxx -bench . -count 5 ./bench
//
// Results with machine and commit are kept in docs/benchmarks.md.
package bench
