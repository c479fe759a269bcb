//go:build js && wasm

// Qr-wasm reads QR codes for the web phone. See package qrread.
package main

import "kryptonite/internal/qrread"

func main() { qrread.Main() }
