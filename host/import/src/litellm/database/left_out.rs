//! Rows that nothing here can hold: they are named.

use serde_json::Value as Json;

use super::{Converter, Table};

impl Converter {
    /// Notes a row that is not taken over.
    pub(super) fn leave_out(&mut self, table: Table, id: &str, row: &Json) {
        let name = |column: &str| row[column].as_str().unwrap_or(id).to_owned();
        let (is_blocked, has_budget) = (row["blocked"] == true, row["budget_id"].is_string());
        let (kind, name, text) = match table {
            Table::OrganisationMembers if has_budget => {
                ("member", name("user_id"), "had a budget within an organisation, which is not taken over")
            }
            Table::Customers if is_blocked => {
                let text = "was blocked, and is not now: Weir does not ask which user a request names";
                ("customer", name("user_id"), text)
            }
            Table::Customers if has_budget => {
                let text = "had a budget, which is not taken over: give it a key of its own, or its requests a tag";
                ("customer", name("user_id"), text)
            }
            Table::Claims if row["is_active"] == true => {
                ("claim", name("jwt_claim_value"), "stood for a key, and does not now: see `[[issuers]]`")
            }
            Table::Models => ("model", name("model_name"), "is in the database only: add it to the configuration"),
            Table::ModelGroups if has_budget => {
                ("group of models", name("access_group_name"), "had a budget, which is not taken over")
            }
            _ => return,
        };
        self.notes.add(kind, &name, text);
    }
}
