//! x
pub mod cost;
pub mod facts;
pub mod forecast;
pub mod measure;
pub mod money;
pub mod price_book;
pub mod rule;
pub mod usage_reports;
