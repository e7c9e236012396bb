// Package runtime allocates memory for the generated bindings that does not move while the host reads it.
package runtime

import (
	"runtime"
	"unsafe"
)

// Memory that the host has written for the next call.
var arguments runtime.Pinner

// Allocate allocates memory that stays in place until the pinner releases it.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return unsafe.Pointer(align)
	}
	// Words, so that the memory is aligned for every type.
	words := make([]uint64, (size+7)/8)
	at := unsafe.Pointer(unsafe.SliceData(words))
	pinner.Pin(at)
	return at
}

// Unpin releases the arguments: by now Go's own values refer to them.
func Unpin() { arguments.Unpin() }

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	at := Allocate(&arguments, uintptr(size), uintptr(align))
	copy(unsafe.Slice((*byte)(at), size), unsafe.Slice((*byte)(old), oldSize))
	return at
}
