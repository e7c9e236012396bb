//! Members of requests that a provider lacks, or knows under another name or in a narrower range.

/// A member that the provider does not take.
#[derive(Debug, Clone, Copy)]
pub struct Drop {
    /// The member's name at the top of the request.
    pub member: &'static str,
    /// The reason, for the operator.
    pub reason: &'static str,
}

impl Drop {
    /// A member that only OpenAI has; servers that validate their input refuse it.
    pub const fn unknown(member: &'static str) -> Self {
        Self { member, reason: "this provider has no such parameter" }
    }
}

/// A member with another name.
#[derive(Debug, Clone, Copy)]
pub struct Rename {
    /// OpenAI's name.
    pub from: &'static str,
    /// The provider's name.
    pub to: &'static str,
}

/// A number with a narrower range.
#[derive(Debug, Clone, Copy)]
pub struct Clamp {
    /// The member's name.
    pub member: &'static str,
    /// The least allowed value.
    pub min: f64,
    /// The greatest allowed value.
    pub max: f64,
}
