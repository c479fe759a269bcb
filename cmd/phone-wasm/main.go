//go:build js && wasm

// Phone-wasm is the phone core for a web page. See package phonejs.
package main

import "kryptonite/internal/phonejs"

func main() { phonejs.Main() }
