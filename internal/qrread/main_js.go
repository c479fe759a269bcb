//go:build js && wasm

package qrread

import "syscall/js"

// Main hands the function Read to the page, which waits for it as the global
// function krReady, and never returns. JavaScript calls it with a Uint8Array,
// width and height; it returns the text, or null when there is none.
func Main() {
	js.Global().Call("krReady", js.FuncOf(func(_ js.Value, args []js.Value) any {
		rgba := make([]byte, args[0].Get("length").Int())
		js.CopyBytesToGo(rgba, args[0])
		text, err := Read(rgba, args[1].Int(), args[2].Int())
		if err != nil {
			return nil
		}
		return text
	}))
	select {}
}
