//! Functions of a component that are looked up once, and whose types are compared once, for all instances of the
//! component.
//!
//! Comparing a function's type with the contract's takes longer than most calls, and an instance that serves one
//! exchange would pay for it in each.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, ResourceAny, TypedFunc,
};

use crate::state::State;
use weir_types::contract::types::{Context, Error};

/// What a function takes and returns.
pub(super) trait Signature {
    /// The parameters.
    type Params<'a>: ComponentNamedList + Lower;
    /// The one result.
    type Output: Lift + 'static;
}

/// A context and one input in; a value or an error out.
pub(super) struct Convert<I, O>(PhantomData<fn(I) -> O>);

/// A context in, a stream out.
pub(super) struct Begin;

/// Items of a stream in; a value or an error out.
pub(super) struct Push<I, O>(PhantomData<fn(I) -> O>);

/// The end of a stream; a value or an error out.
pub(super) struct Finish<O>(PhantomData<fn() -> O>);

impl<I: Lower + 'static, O: Lift + 'static> Signature for Convert<I, O> {
    type Params<'a> = (&'a Context, &'a I);
    type Output = Result<O, Error>;
}

impl Signature for Begin {
    type Params<'a> = (&'a Context,);
    type Output = ResourceAny;
}

impl<I: Lower + 'static, O: Lift + 'static> Signature for Push<I, O> {
    type Params<'a> = (ResourceAny, &'a [I]);
    type Output = Result<O, Error>;
}

impl<O: Lift + 'static> Signature for Finish<O> {
    type Params<'a> = (ResourceAny,);
    type Output = Result<O, Error>;
}

/// Where a component has a function.
pub(super) struct Place<S> {
    index: ComponentExportIndex,
    /// Whether the function of an instance was found to have this signature.
    is_compared: AtomicBool,
    signature: PhantomData<fn() -> S>,
}

impl<S: Signature> Place<S> {
    /// The place of a function; `None` if the component does not export it.
    pub(super) fn find(component: &Component, interface: &str, function: &str) -> Option<Self> {
        let interface = component.get_export_index(None, interface)?;
        let index = component.get_export_index(Some(&interface), function)?;
        Some(Self { index, is_compared: AtomicBool::new(false), signature: PhantomData })
    }

    /// Calls the function of an instance of the component.
    pub(super) fn call(
        &self,
        store: &mut Store<State>,
        exports: &Instance,
        params: S::Params<'_>,
    ) -> wasmtime::Result<S::Output> {
        let known = exports.get_func(&mut *store, self.index).filter(|_| self.is_compared.load(Relaxed));
        let function = if let Some(function) = known {
            #[expect(unsafe_code, reason = "a fresh instance takes a fifth less (docs/performance.md)")]
            // SAFETY: the function has this signature. `get_func` gives none but of the component that the index is of,
            // whose types are the same in all instances, and in an earlier one it was found to have it: below, the only
            // place that says so.
            unsafe {
                TypedFunc::<S::Params<'_>, (S::Output,)>::new_unchecked(function)
            }
        } else {
            let function = exports.get_typed_func(&mut *store, self.index)?;
            self.is_compared.store(true, Relaxed);
            function
        };
        Ok(function.call(store, params)?.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmtime::component::Linker;
    use wasmtime::{Config, Engine};

    use super::*;
    use crate::limits::Limits;

    struct Same;
    struct Other;

    impl Signature for Same {
        type Params<'a> = (u32,);
        type Output = u32;
    }

    impl Signature for Other {
        type Params<'a> = (u32,);
        type Output = u16;
    }

    /// A component with a function from this type to itself.
    fn component(engine: &Engine, of: &str) -> Component {
        let text = format!(
            r#"(component
                (core module $m (func (export "same") (param i32) (result i32) local.get 0))
                (core instance $i (instantiate $m))
                (func $same (param "it" {of}) (result {of}) (canon lift (core func $i "same")))
                (instance $in (export "same" (func $same)))
                (export "test:same/it" (instance $in)))"#
        );
        Component::new(engine, wat::parse_str(text).unwrap()).unwrap()
    }

    fn call<S: Signature>(
        place: &Place<S>,
        component: &Component,
        params: S::Params<'_>,
    ) -> wasmtime::Result<S::Output> {
        let mut store = Store::new(component.engine(), State::new(&Limits::default(), Arc::default()));
        let exports = Linker::new(component.engine()).instantiate(&mut store, component).unwrap();
        place.call(&mut store, &exports, params)
    }

    #[test]
    fn a_function_is_compared_once_and_one_of_another_type_or_component_is_never_called() {
        let engine = Engine::new(Config::new().concurrency_support(false)).unwrap();
        let (numbers, signed) = (component(&engine, "u32"), component(&engine, "s32"));
        let same = Place::<Same>::find(&numbers, "test:same/it", "same").unwrap();
        let other = Place::<Other>::find(&numbers, "test:same/it", "same").unwrap();
        for _ in 0..2 {
            assert_eq!(call(&same, &numbers, (7,)).unwrap(), 7);
            assert!(same.is_compared.load(Relaxed));
            assert!(call(&other, &numbers, (7,)).is_err());
            assert!(!other.is_compared.load(Relaxed));
            assert!(call(&same, &signed, (7,)).is_err(), "the place is another component's");
        }
        assert!(Place::<Same>::find(&numbers, "test:same/it", "else").is_none());
        assert!(Place::<Same>::find(&numbers, "test:else/it", "same").is_none());
    }
}
