//! Converts the rows of LiteLLM's PostgreSQL database to documents of Weir's admin side. Source: the schema that
//! LiteLLM publishes (`schema.prisma` of the package `litellm-proxy-extras`).
//!
//! Rows come as JSON objects, so that older versions of the schema, which lack some columns, are read as well.

mod access_fields;
mod address;
mod key;
mod left_out;
mod notes;
mod spender;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

pub use address::Address;

use access_fields::AccessFields;
use notes::Notes;
use spender::{Spender, Spenders};

/// A table, in the order of reading: what others refer to comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Amounts and limits that organisations and keys share.
    Budgets,
    /// Names for models that teams have.
    Aliases,
    /// Lists of models that keys and teams refer to.
    AccessGroups,
    /// Groups of teams, with a budget.
    Organisations,
    /// Groups of keys, with models, limits and a budget.
    Teams,
    /// Owners of keys.
    Users,
    /// What a user may spend and ask in a team.
    Members,
    /// Groups of a team's keys.
    Projects,
    /// Tags with a budget.
    Tags,
    /// Hashes of keys, with what they may do.
    Keys,
    /// Texts of keys before a rotation, whose grace may still run.
    ReplacedKeys,
    /// What a user may spend in an organisation.
    OrganisationMembers,
    /// Users that requests name.
    Customers,
    /// Claims of tokens that stand for a key.
    Claims,
    /// Models that are not in the configuration.
    Models,
    /// What may be spent for models of a group.
    ModelGroups,
}

impl Table {
    /// All tables.
    pub const ALL: [Self; 16] = [
        Self::Budgets,
        Self::Aliases,
        Self::AccessGroups,
        Self::Organisations,
        Self::Teams,
        Self::Users,
        Self::Members,
        Self::Projects,
        Self::Tags,
        Self::Keys,
        Self::ReplacedKeys,
        Self::OrganisationMembers,
        Self::Customers,
        Self::Claims,
        Self::Models,
        Self::ModelGroups,
    ];

    /// Its name in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Budgets => "LiteLLM_BudgetTable",
            Self::Aliases => "LiteLLM_ModelTable",
            Self::Organisations => "LiteLLM_OrganizationTable",
            Self::Teams => "LiteLLM_TeamTable",
            Self::Users => "LiteLLM_UserTable",
            Self::Members => "LiteLLM_TeamMembership",
            Self::Keys => "LiteLLM_VerificationToken",
            Self::ReplacedKeys => "LiteLLM_DeprecatedVerificationToken",
            Self::AccessGroups => "LiteLLM_AccessGroupTable",
            Self::Projects => "LiteLLM_ProjectTable",
            Self::Tags => "LiteLLM_TagTable",
            Self::OrganisationMembers => "LiteLLM_OrganizationMembership",
            Self::Customers => "LiteLLM_EndUserTable",
            Self::Claims => "LiteLLM_JWTKeyMapping",
            Self::Models => "LiteLLM_ProxyModelTable",
            Self::ModelGroups => "LiteLLM_ModelAccessGroupBudgetTable",
        }
    }

    /// The column that orders it, so that every run gives equal names to equal keys.
    pub const fn order(self) -> &'static str {
        match self {
            Self::Budgets => "budget_id",
            Self::Aliases | Self::Claims => "id",
            Self::Organisations => "organization_id",
            Self::Teams => "team_id",
            Self::Users | Self::Members | Self::OrganisationMembers | Self::Customers => "user_id",
            Self::Keys | Self::ReplacedKeys => "token",
            Self::AccessGroups => "access_group_id",
            Self::Projects => "project_id",
            Self::Tags => "tag_name",
            Self::Models => "model_id",
            Self::ModelGroups => "access_group_name",
        }
    }

    /// Where its documents are made, below `/admin/v1`. `None` if it has no documents of its own.
    pub const fn path(self) -> Option<&'static str> {
        match self {
            Self::Organisations => Some("/organisations"),
            Self::Teams => Some("/teams"),
            Self::Users => Some("/users"),
            Self::Keys | Self::ReplacedKeys => Some("/keys/import"),
            _ => None,
        }
    }
}

/// Why a row is not converted.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// It is not what the database gives.
    #[error("a row of {} is not a JSON object", .0.name())]
    NoObject(Table),
    /// It lacks the column that identifies it.
    #[error("a row of {} has no `{column}`: is this LiteLLM's database?", .table.name())]
    NoColumn {
        /// The row's table.
        table: Table,
        /// Its name in LiteLLM's schema.
        column: &'static str,
    },
}

/// Converts one row after the other.
#[derive(Debug)]
pub struct Converter {
    now: Timestamp,
    budgets: BTreeMap<String, Json>,
    aliases: BTreeMap<String, Json>,
    /// The models of each access group.
    access_groups: BTreeMap<String, Vec<String>>,
    organisations: BTreeSet<String>,
    teams: BTreeSet<String>,
    users: BTreeSet<String>,
    spenders: Spenders,
    /// Names of keys by team, which are unique there.
    names: BTreeSet<(Option<String>, String)>,
    /// Names and owners of keys by their hash, for the texts before a rotation.
    keys: BTreeMap<String, Json>,
    notes: Notes,
    budget_tables: String,
}

impl Converter {
    /// A converter that leaves out what has expired by `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            budgets: BTreeMap::new(),
            aliases: BTreeMap::new(),
            access_groups: BTreeMap::new(),
            organisations: BTreeSet::new(),
            teams: BTreeSet::new(),
            users: BTreeSet::new(),
            spenders: Spenders::default(),
            names: BTreeSet::new(),
            keys: BTreeMap::new(),
            notes: Notes::default(),
            budget_tables: String::new(),
        }
    }

    /// The document of a row; `None` if it has none.
    ///
    /// # Errors
    ///
    /// The row is not one of the table.
    pub fn convert(&mut self, table: Table, row: &str) -> Result<Option<Json>, RowError> {
        let parsed: Result<Map<String, Json>, _> = serde_json::from_str(row);
        let row = Json::Object(parsed.map_err(|_| RowError::NoObject(table))?);
        let column = table.order();
        let missing = || RowError::NoColumn { table, column };
        let id = match row.get(column) {
            Some(Json::String(text)) => text.clone(),
            Some(Json::Number(number)) => number.to_string(),
            _ => return Err(missing()),
        };
        Ok(match table {
            Table::Organisations => Some(self.organisation(&id, &row)),
            Table::Teams => Some(self.team(&id, &row)),
            Table::Users => self.user(&id, &row),
            Table::Keys => self.key(&id, &row),
            Table::ReplacedKeys => self.replaced_key(&id, &row),
            _ => {
                self.take_in(table, id, row);
                None
            }
        })
    }

    /// Takes in a row that has no document.
    fn take_in(&mut self, table: Table, id: String, row: Json) {
        match table {
            Table::Budgets => _ = self.budgets.insert(id, row),
            Table::Aliases => _ = self.aliases.insert(id, row),
            Table::AccessGroups => _ = self.access_groups.insert(id, texts(&row["access_model_names"])),
            Table::Members => self.member(&id, &row),
            Table::Projects => self.project(&id, &row),
            Table::Tags => self.tag(&id, &row),
            _ => self.leave_out(table, &id, &row),
        }
    }

    /// What could not be taken over, in whole sentences.
    pub fn notes(&self) -> Vec<String> {
        self.notes.sentences()
    }

    /// Tables `[[budgets]]` for the configuration: amounts of users, projects and tags, which documents cannot hold.
    pub fn budget_tables(&self) -> &str {
        &self.budget_tables
    }

    fn organisation(&mut self, id: &str, row: &Json) -> Json {
        let id = fitting_id(id);
        self.organisations.insert(id.clone());
        let mut document = json!({"id": id, "name": name(&row["organization_alias"], &id)});
        self.access_fields("organisation", &id, row).write(&mut document);
        document
    }

    fn team(&mut self, id: &str, row: &Json) -> Json {
        let id = fitting_id(id);
        self.teams.insert(id.clone());
        let mut document = json!({"id": id, "name": name(&row["team_alias"], &id)});
        if let Some(organisation) = row["organization_id"].as_str().map(fitting_id) {
            document["organisation"] = json!(organisation);
        }
        if row["blocked"] == true {
            document["disabled"] = json!(true);
        }
        let roles = parsed(&row["members_with_roles"]);
        if roles.as_array().is_some_and(|members| members.iter().any(|member| member["role"] == "admin")) {
            let text = "had administrators, who get no rights at the admin side: set `grants` of these users";
            self.notes.add("team", &id, text);
        }
        self.budget_of_members(&id, row);
        let mut fields = self.access_fields("team", &id, row);
        let model_id = row["model_id"].as_i64().map(|id| id.to_string());
        if let Some(aliases) = model_id.and_then(|id| self.aliases.get(&id)) {
            fields.aliases(&parsed(&aliases["aliases"]));
        }
        fields.write(&mut document);
        document
    }

    fn user(&mut self, id: &str, row: &Json) -> Option<Json> {
        if id == "default_user_id" {
            return None;
        }
        let id = fitting_id(id);
        self.users.insert(id.clone());
        let email = row["user_email"].as_str().filter(|email| (3..=320).contains(&email.len()));
        let called = [&row["user_alias"], &row["user_email"]].into_iter().find(|name| name.is_string());
        let mut document = json!({"id": id, "name": name(called.unwrap_or(&Json::Null), &id)});
        if let Some(email) = email {
            document["email"] = json!(email);
        }
        let teams = row["teams"].as_array().into_iter().flatten().filter_map(Json::as_str).map(fitting_id);
        let teams: BTreeSet<String> = teams.filter(|team| self.teams.contains(team)).collect();
        if !teams.is_empty() {
            document["teams"] = json!(teams);
        }
        if row["user_role"].as_str().is_some_and(|role| role.starts_with("proxy_admin")) {
            let text = "was an administrator, and gets no rights at the admin side: set `grants`";
            self.notes.add("user", &id, text);
        }
        if row["sso_user_id"].is_string() {
            self.notes.add("user", &id, "logs in at an identity provider: set `logins` with its issuer");
        }
        if parsed(&row["metadata"])["scim_active"] == false {
            document["disabled"] = json!(true);
        }
        self.limits_of(Spender::User(id), &AccessFields::of(row, None));
        Some(document)
    }

    /// Rights, limits and budgets of a row, with those of the budget that it refers to.
    fn access_fields(&mut self, kind: &'static str, id: &str, row: &Json) -> AccessFields {
        let mut fields = AccessFields::of(row, self.budget_of(row));
        for lost in fields.lost() {
            self.notes.add(kind, id, lost);
        }
        for group in texts(&row["access_group_ids"]) {
            match self.access_groups.get(&group) {
                // They are for lists of models: without one, every model is allowed.
                Some(models) => fields.widen(models),
                None => self.notes.add(kind, id, "had access groups that are not there"),
            }
        }
        fields
    }

    /// The budget that a row refers to.
    fn budget_of(&self, row: &Json) -> Option<&Json> {
        self.budgets.get(row["budget_id"].as_str()?)
    }
}

/// An id in the letters that ids have here. Two that differ stay different.
fn fitting_id(id: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-@:+=".contains(letter);
    if (1..=128).contains(&id.len()) && id.chars().all(fits) && id.chars().any(|letter| letter != '.') {
        return id.to_owned();
    }
    let fitting: String = id.chars().map(|letter| if fits(letter) { letter } else { '-' }).take(100).collect();
    let digest = weir_config::KeyHash::of(id).to_string();
    format!("{fitting}-{}", digest.get(7..19).unwrap_or_default())
}

/// A name for people: the text, or the id.
fn name(text: &Json, id: &str) -> String {
    let text = text.as_str().unwrap_or_default().trim();
    let name: String = text.chars().filter(|letter| !letter.is_control()).take(60).collect();
    if name.is_empty() { id.to_owned() } else { name }
}

/// The texts of a list.
fn texts(list: &Json) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// JSON columns hold objects, or texts of objects in rows of old versions.
fn parsed(column: &Json) -> Json {
    match column {
        Json::String(text) => serde_json::from_str(text).unwrap_or_default(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;
