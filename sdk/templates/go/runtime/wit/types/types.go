// Package types has the generic types that the generated bindings use.
package types

// Tags of options and results.
const (
	OptionNone uint8 = 0
	OptionSome uint8 = 1
	ResultOk   uint8 = 0
	ResultErr  uint8 = 1
)

// Option is a value or nothing; the zero value is nothing.
type Option[T any] struct {
	some  bool
	value T
}

func Some[T any](value T) Option[T] { return Option[T]{true, value} }
func None[T any]() Option[T]        { return Option[T]{} }

func (o Option[T]) Tag() uint8 {
	if o.some {
		return OptionSome
	}
	return OptionNone
}

// Some returns the value; it panics if there is none.
func (o Option[T]) Some() T {
	if !o.some {
		panic("there is no value")
	}
	return o.value
}

// Or returns the value, or other if there is none.
func (o Option[T]) Or(other T) T {
	if o.some {
		return o.value
	}
	return other
}

// Get returns the value and whether there is one.
func (o Option[T]) Get() (T, bool) { return o.value, o.some }

// Result is a value or an error.
type Result[T, E any] struct {
	failed bool
	value  T
	err    E
}

func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{value: value} }
func Err[T, E any](err E) Result[T, E]  { return Result[T, E]{failed: true, err: err} }

func (r Result[T, E]) Tag() uint8 {
	if r.failed {
		return ResultErr
	}
	return ResultOk
}

func (r Result[T, E]) Ok() T  { return r.value }
func (r Result[T, E]) Err() E { return r.err }
