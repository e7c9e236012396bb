//! The adapter versions of one exchange.

use std::sync::Arc;

use http::Response;

use super::reply::ReplyBody;
use super::{Asked, SpokenBy};
use crate::route::Target;
use weir_sandbox::Chosen;

/// The versions of both adapters, fixed for the whole exchange.
pub(super) struct Versions {
    pub(super) dialect: Chosen,
    pub(super) provider: Chosen,
}

impl Versions {
    pub(super) fn choose(asked: &Asked, target: &Target) -> Self {
        let dialect = asked.dialect.choose();
        // An adapter that is on both sides is chosen once.
        let is_one = Arc::ptr_eq(&asked.dialect, &target.adapter);
        let provider = if is_one { dialect.clone() } else { target.adapter.choose() };
        Self { dialect, provider }
    }

    /// Attaches the provider's adapter version to the response if it is not the target's own.
    pub(super) fn named(&self, target: &Target, mut response: Response<ReplyBody>) -> Response<ReplyBody> {
        if !Arc::ptr_eq(&self.provider.adapter, &target.adapter) {
            response.extensions_mut().insert(SpokenBy(Arc::clone(&self.provider.adapter)));
        }
        response
    }
}
