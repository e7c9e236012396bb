//! `regex`: a guard that finds the operator's own patterns in requests and answers.

mod patterns;
mod required;

use weir_sdk::guard::Search;

use patterns::Shared;

weir_sdk::export_guard!(Search<Shared>);
