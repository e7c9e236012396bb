//! A path below `/admin` with its methods: what the router and the description of the interface are made of.

use axum::Router;
use axum::routing::MethodRouter;

use super::Operations;

/// A path below `/admin`, and what answers its methods.
pub(super) struct AdminRoute {
    /// The path as the router takes it: `/v1/keys/{id}`.
    pub(super) path: &'static str,
    /// The methods that are answered, as the description names them: in lower case.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test compares them with the description"))]
    pub(super) methods: &'static [&'static str],
    handlers: MethodRouter<Operations>,
}

impl AdminRoute {
    pub(super) fn new(
        path: &'static str,
        methods: &'static [&'static str],
        handlers: MethodRouter<Operations>,
    ) -> Self {
        Self { path, methods, handlers }
    }

    /// Adds the path to a router, which may have other methods of it.
    pub(super) fn add_to(self, router: Router<Operations>) -> Router<Operations> {
        router.route(self.path, self.handlers)
    }
}
