// Package runtime gives the generated bindings memory that stays where it is while the host looks at it.
package runtime

import (
	"runtime"
	"unsafe"
)

// What the host has written for the call that is about to begin.
var arguments runtime.Pinner

// Allocate makes memory that stays until the pinner lets go of it.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(align)
	}
	// Words, so that it is aligned for everything.
	words := make([]uint64, (size+7)/8)
	at := unsafe.Pointer(unsafe.SliceData(words))
	pinner.Pin(at)
	return at
}

// Unpin lets go of the arguments: by now Go's own values refer to them.
func Unpin() { arguments.Unpin() }

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	at := Allocate(&arguments, uintptr(size), uintptr(align))
	copy(unsafe.Slice((*byte)(at), size), unsafe.Slice((*byte)(old), oldSize))
	return at
}
