//go:build js && wasm

package phonejs

import "syscall/js"

// Main hands the function Call of one [Door] to the page, which waits for it as
// the global function krReady, and never returns.
func Main() {
	var door Door
	js.Global().Call("krReady", js.FuncOf(func(_ js.Value, args []js.Value) any {
		if len(args) != 2 || args[0].Type() != js.TypeString || args[1].Type() != js.TypeString {
			return says("Refused", "call takes two strings")
		}
		return door.Call(args[0].String(), args[1].String())
	}))
	select {}
}
