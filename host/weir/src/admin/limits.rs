//! `GET /admin/v1/limits`: each limit in force, how much of it is used now, and when that is back.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::admin_route::AdminRoute;
use super::identity::AdminCaller;
use super::{Operations, Parameters, Problem, aside};
use weir_gateway::admission::headroom::{Headroom, SERVER};
use weir_gateway::rate_limit::Scope;
use weir_identity::document::{Access, TeamId};

/// Whose limits there are.
const SCOPES: [Scope; 7] =
    [Scope::Client, Scope::Key, Scope::Team, Scope::Organisation, Scope::Model, Scope::Provider, Scope::Address];
/// The part that is used of the whole, as a number that can be put in an order.
const PARTS: f64 = 1e9;

/// The path below `/admin`. Its handler checks the caller's grants.
pub(super) fn routes() -> Vec<AdminRoute> {
    vec![AdminRoute::new("/v1/limits", &["get"], get(list))]
}

/// Limits that the caller may see: those of its teams and their keys, or all. Pages go by scope, resource and name;
/// with `sort=used` there is one page, of those that are nearest. There may be very many, so no worker walks them.
async fn list(State(operations): State<Operations>, request: Request) -> Result<Response, Problem> {
    let caller = request.extensions().get::<AdminCaller>().cloned().ok_or_else(Problem::forbidden)?;
    let (wanted, mut page) = read(request.uri().query())?;
    let answer = move || {
        operations.gateway.headroom(&mut |limit| {
            if caller.may(Access::Read, limit.team) && wanted.has(limit) {
                page.take(limit);
            }
        });
        Json(page.shown()).into_response()
    };
    Ok(aside(answer).await)
}

/// Which limits a request asks for.
#[derive(Debug, Default)]
struct LimitFilter {
    scope: Option<&'static str>,
    prefix: String,
}

impl LimitFilter {
    fn has(&self, limit: &Headroom<'_>) -> bool {
        self.scope.is_none_or(|scope| scope == limit.scope) && limit.name.starts_with(&self.prefix)
    }
}

/// Reads the parameters.
fn read(query: Option<&str>) -> Result<(LimitFilter, Page), Problem> {
    let parameters = Parameters::parse(query, &["cursor", "limit", "prefix", "scope", "sort"])?;
    let most = parameters.page_size()?;
    let by_use = |text: &str| matches!(text, "name" | "used").then_some(text == "used");
    let by_use = parameters.with("sort", "name or used", by_use)?.unwrap_or_default();
    let names = || SCOPES.map(Scope::as_str).into_iter().chain([SERVER]);
    let expected = names().collect::<Vec<_>>().join(", ");
    let scope = parameters.with("scope", &format!("one of {expected}"), |text| names().find(|name| *name == text))?;
    let after = parameters.with("cursor", "the `next_cursor` of a page", PagePosition::parse)?;
    if by_use && after.is_some() {
        return Err(Problem::parameter("`sort=used` has one page, so it takes no `cursor`"));
    }
    let wanted = LimitFilter { scope, prefix: parameters.text("prefix").unwrap_or_default() };
    Ok((wanted, Page { most, by_use, after, items: BTreeMap::new(), more: 0 }))
}

/// Where a limit stands in the order of a page: by what is left if that is asked for, then by scope, resource and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct PagePosition {
    left: u64,
    scope: String,
    resource: String,
    name: String,
}

impl PagePosition {
    /// Reads a cursor. Names may have spaces, so they come last.
    fn parse(cursor: &str) -> Option<Self> {
        let mut parts = cursor.splitn(3, ' ').map(str::to_owned);
        Some(Self { left: 0, scope: parts.next()?, resource: parts.next()?, name: parts.next()? })
    }

    fn cursor(&self) -> String {
        format!("{} {} {}", self.scope, self.resource, self.name)
    }

    fn is_before(&self, other: (u64, &str, &str, &str)) -> bool {
        (self.left, self.scope.as_str(), self.resource.as_str(), self.name.as_str()) < other
    }
}

/// The first limits in the order of the page. It holds no more than it shows, however many there are.
#[derive(Debug)]
struct Page {
    most: usize,
    by_use: bool,
    after: Option<PagePosition>,
    items: BTreeMap<PagePosition, Value>,
    /// How many limits come after these.
    more: usize,
}

impl Page {
    fn take(&mut self, limit: &Headroom<'_>) {
        // A part is a number from 0 on; more than twice the limit is as near as that.
        let used = (limit.used_part().clamp(0.0, 2.0) * PARTS) as u64;
        let left = if self.by_use { (2.0 * PARTS) as u64 - used } else { 0 };
        let position = (left, limit.scope, limit.resource, limit.name);
        if self.after.as_ref().is_some_and(|after| !after.is_before(position)) {
            return;
        }
        if self.items.len() == self.most
            && self.items.last_key_value().is_some_and(|(last, _)| last.is_before(position))
        {
            self.more += 1;
            return;
        }
        let (scope, resource, name) = (limit.scope.to_owned(), limit.resource.to_owned(), limit.name.to_owned());
        self.items.insert(PagePosition { left, scope, resource, name }, shown(limit));
        if self.items.len() > self.most {
            self.items.pop_last();
            self.more += 1;
        }
    }

    fn shown(self) -> Value {
        let next = self.items.last_key_value().filter(|_| self.more > 0 && !self.by_use);
        let next = next.map(|(last, _)| last.cursor());
        json!({"items": self.items.into_values().collect::<Vec<_>>(), "next_cursor": next, "more": self.more})
    }
}

/// A limit as the endpoint shows it. A part of a request that is not back yet counts as used.
fn shown(limit: &Headroom<'_>) -> Value {
    let used = limit.used.max(0.0).ceil() as u64;
    json!({
        "scope": limit.scope,
        "name": limit.name,
        "title": limit.title,
        "team": limit.team.map(TeamId::as_str),
        "resource": limit.resource,
        "limit": limit.limit,
        "used": used,
        "left": limit.limit.saturating_sub(used),
        "used_part": (limit.used_part().max(0.0) * 1e4).round() / 1e4,
        "back_in": limit.back_in.map(|time| (time.as_secs_f64() * 1e3).ceil() / 1e3),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(name: &str, used: f64) -> Headroom<'_> {
        let (scope, resource) = (Scope::Client.as_str(), "requests");
        Headroom { scope, name, title: None, team: None, resource, limit: 10, used, back_in: None }
    }

    fn names(page: &Value) -> Vec<&str> {
        page["items"].as_array().unwrap().iter().filter_map(|item| item["name"].as_str()).collect()
    }

    fn page(query: &str) -> Value {
        let (wanted, mut page) = read(Some(query)).unwrap();
        for (name, used) in [("c", 3.0), ("a b", 25.0), ("e", 0.0), ("d", 9.5), ("b", 40.0)] {
            let limit = limit(name, used);
            if wanted.has(&limit) {
                page.take(&limit);
            }
        }
        page.shown()
    }

    #[test]
    fn the_nearest_come_first_and_the_others_are_counted() {
        let nearest = page("sort=used&limit=3");
        assert_eq!((names(&nearest), &nearest["more"]), (vec!["a b", "b", "d"], &json!(2)));
        assert_eq!(nearest["next_cursor"], Value::Null);
        let worst = &nearest["items"][0];
        assert_eq!((&worst["used"], &worst["left"], &worst["used_part"]), (&json!(25), &json!(0), &json!(2.5)));
    }

    #[test]
    fn pages_follow_each_other() {
        let first = page("limit=2");
        assert_eq!((names(&first), &first["next_cursor"]), (vec!["a b", "b"], &json!("client requests b")));
        let (second, third) = (page("limit=2&cursor=client+requests+b"), page("limit=2&cursor=client+requests+d"));
        assert_eq!((names(&second), &second["more"]), (vec!["c", "d"], &json!(1)));
        assert_eq!((names(&third), &third["next_cursor"]), (vec!["e"], &Value::Null));
        assert_eq!(names(&page("cursor=client+requests+a+b&prefix=b")), ["b"]);
    }

    #[test]
    fn what_is_no_choice_is_refused() {
        for query in ["limit=0", "limit=1001", "sort=near", "scope=user", "cursor=x", "sort=used&cursor=a+b+c", "x=1"] {
            assert!(read(Some(query)).is_err(), "{query}");
        }
    }
}
