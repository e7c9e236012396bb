// The generated bindings name this module and the one of their runtime, so both keep these names.
module wit_component

go 1.25

require go.bytecodealliance.org/pkg v0.4.0

replace go.bytecodealliance.org/pkg => ./runtime
