//! The base for guards: the trait [`Guard`], [`export_guard!`](crate::export_guard), which makes a component of it, and
//! what most guards share: a walk over every text of a request ([`texts`]), and verdicts about what a [`Finder`] finds
//! there ([`find`]) and in answers ([`scan`]), however it is spelled ([`spelling`]), with values that answers have
//! again ([`placeholders`]).

mod documents;
pub mod find;
mod neighbours;
pub mod placeholders;
pub mod scan;
pub mod spelling;
pub mod texts;

use std::cell::RefCell;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::hook::exports::weir::hook as b;
use crate::types::{ChatEvent, Setting};
pub use b::about::{Access, Grants, Manifest, Phase};
pub use b::guard::{
    Annotation, Asked, Denial, EventAnswer, EventVerdict, Facts, Outcome, RequestAnswer, RequestVerdict,
};
pub use b::screen::ScreenWords;
pub use find::{Action, Configured, Finder, Found, Search, Setup};

/// Version of the contract of guards that this SDK is made for: what a manifest says in `contract`.
pub const CONTRACT: &str = "0.1.0";

/// A guard. The host calls the functions of the phases that its manifest names.
pub trait Guard: 'static {
    /// Judges one answer.
    type Answer: Answer;
    /// Returns the manifest, which never changes.
    fn describe() -> Manifest;
    /// What it looks for with these options: the host need not call it for requests and whole answers that have none of
    /// it (see the contract's interface `screen`). `None` if it has to judge everything.
    fn screen(_: OptionValues<'_>) -> Option<ScreenWords> {
        None
    }
    /// Judges a request before it is sent.
    fn on_request(_: &Facts, _: Asked) -> RequestAnswer {
        RequestAnswer::allow()
    }
    /// Takes note of the end of an exchange.
    fn on_end(_: &Facts, _: Outcome) -> Vec<Annotation> {
        Vec::new()
    }
}

/// Judges one answer, event by event.
pub trait Answer: Sized + 'static {
    /// Begins an answer.
    fn new(facts: Facts) -> Self;
    /// Judges the events of one read.
    fn push(&mut self, events: Vec<ChatEvent>) -> EventAnswer;
    /// Called when all events have been pushed.
    fn finish(&mut self) -> EventAnswer;
}

/// The answers of a guard that judges requests only: all of them pass.
#[derive(Debug)]
pub struct Unjudged;

impl Answer for Unjudged {
    fn new(_: Facts) -> Self {
        Self
    }

    fn push(&mut self, _: Vec<ChatEvent>) -> EventAnswer {
        EventAnswer::allow()
    }

    fn finish(&mut self) -> EventAnswer {
        EventAnswer::allow()
    }
}

/// The guard's options, checked against its settings schema.
#[derive(Debug, Clone, Copy)]
pub struct OptionValues<'a>(pub &'a [Setting]);

impl OptionValues<'_> {
    /// The JSON of an option; `None` if it is not set.
    pub fn json(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|option| option.key == key).map(|option| option.json.as_str())
    }

    /// An option; `None` if it is not set.
    ///
    /// # Errors
    ///
    /// The option's value has another type. The message names the option.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, String> {
        let read = |json| serde_json::from_str(json).map_err(|error| format!("the option `{key}` is wrong: {error}"));
        self.json(key).map(read).transpose()
    }
}

impl Facts {
    /// The guard's options.
    pub fn options(&self) -> OptionValues<'_> {
        OptionValues(&self.options)
    }

    /// An option of the guard; `None` if it is not set.
    ///
    /// # Errors
    ///
    /// As of [`OptionValues::get`].
    pub fn option<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, String> {
        self.options().get(key)
    }
}

impl ScreenWords {
    /// These words, for a guard that reads texts as they are spelled.
    pub fn spelled(any_of: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { any_of: any_of.into_iter().map(Into::into).collect(), look_alikes: false }
    }

    /// These words, for a guard that takes characters for those of ASCII that they look like
    /// ([`spelling::as_it_looks`]).
    pub fn as_they_look(any_of: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { look_alikes: true, ..Self::spelled(any_of) }
    }
}

impl Annotation {
    /// A note. Neither text may contain what was found.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

impl Denial {
    /// A refusal with this message for the client, which must not contain what was found.
    pub fn new(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into(), annotations: Vec::new() }
    }

    /// The refusal of a guard whose options are wrong.
    pub fn cannot_judge(guard: &str, problem: &str) -> Self {
        Self::new(format!("the guard `{guard}` cannot judge: {problem}"))
    }
}

impl RequestAnswer {
    /// The request goes on unchanged.
    pub fn allow() -> Self {
        Self::of(RequestVerdict::Allow)
    }

    /// The request is refused.
    pub fn deny(denial: Denial) -> Self {
        Self::of(RequestVerdict::Deny(denial))
    }

    /// The request goes on in this form.
    pub fn replace(asked: Asked) -> Self {
        Self::of(RequestVerdict::Replace(asked))
    }

    /// A verdict without annotations.
    pub fn of(verdict: RequestVerdict) -> Self {
        Self { verdict, annotations: Vec::new(), memo: String::new() }
    }
}

impl EventAnswer {
    /// The events go on as they are.
    pub fn allow() -> Self {
        Self::of(EventVerdict::Allow)
    }

    /// The answer ends here.
    pub fn deny(denial: Denial) -> Self {
        Self::of(EventVerdict::Deny(denial))
    }

    /// These events go on in the others' place.
    pub fn replace(events: Vec<ChatEvent>) -> Self {
        Self::of(EventVerdict::Replace(events))
    }

    /// A verdict without annotations.
    pub fn of(verdict: EventVerdict) -> Self {
        Self { verdict, annotations: Vec::new() }
    }
}

/// Connects [`Guard`] to the generated traits.
#[derive(Debug)]
pub struct Component<G>(PhantomData<G>);

/// An answer behind the shared reference that the generated traits pass.
#[derive(Debug)]
pub struct Session<A>(RefCell<A>);

impl<G: Guard> b::about::Guest for Component<G> {
    fn describe() -> Manifest {
        G::describe()
    }
}

impl<G: Guard> b::guard::Guest for Component<G> {
    type Answer = Session<G::Answer>;

    fn on_request(facts: Facts, asked: Asked) -> RequestAnswer {
        G::on_request(&facts, asked)
    }

    fn on_end(facts: Facts, outcome: Outcome) -> Vec<Annotation> {
        G::on_end(&facts, outcome)
    }
}

impl<G: Guard> b::screen::Guest for Component<G> {
    fn words(options: Vec<Setting>) -> Option<ScreenWords> {
        G::screen(OptionValues(&options))
    }
}

impl<A: Answer> b::guard::GuestAnswer for Session<A> {
    fn new(facts: Facts) -> Self {
        Self(RefCell::new(A::new(facts)))
    }

    fn push(&self, events: Vec<ChatEvent>) -> EventAnswer {
        self.0.borrow_mut().push(events)
    }

    fn finish(&self) -> EventAnswer {
        self.0.borrow_mut().finish()
    }
}

/// Makes a component of a guard: `weir_sdk::export_guard!(Secrets);`
///
/// In a native build it only checks that the trait is implemented: a library with component exports does not link.
#[macro_export]
macro_rules! export_guard {
    ($guard:ty) => {
        const _: () = {
            type Component = $crate::guard::Component<$guard>;
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::hook::export!(Component with_types_in $crate::bindings::hook);
            #[cfg(not(target_arch = "wasm32"))]
            const _: () = {
                const fn implements<T: $crate::bindings::hook::exports::weir::hook::guard::Guest>() {}
                implements::<Component>();
            };
        };
    };
}
