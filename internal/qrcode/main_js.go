//go:build js && wasm

package qrcode

import (
	"strings"
	"syscall/js"
)

// Main hands a function to the page, which waits for it as the global function
// krReady, and never returns. JavaScript calls it with a Uint8Array, width and
// height, for [Read]: it returns the text, or null when there is none. Or with a
// text, for [Draw]: it returns lines, or null for a text that is too long.
func Main() {
	js.Global().Call("krReady", js.FuncOf(func(_ js.Value, args []js.Value) any {
		if args[0].Type() == js.TypeString {
			rows, err := Draw(args[0].String())
			if err != nil {
				return nil
			}
			return strings.Join(rows, "\n")
		}
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
