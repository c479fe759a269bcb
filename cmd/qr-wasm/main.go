//go:build js && wasm

// Qr-wasm draws and reads QR codes for the web phone. See package qrcode.
package main

import "kryptonite/internal/qrcode"

func main() { qrcode.Main() }
