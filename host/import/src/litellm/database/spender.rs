//! Users, members of teams, projects and tags, which have no budgets of their own here: what they may spend is counted
//! by a tag of their keys, and a budget of the configuration for that. What they may use, their keys may.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value as Json, json};

use super::access_fields::{AccessFields, MAX_TAG_LEN, budget_table, fitting_tag};
use super::{Converter, fitting_id, parsed};

/// Whose use is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spender {
    /// A user's keys that are of no team.
    User(String),
    /// A user's keys of a team.
    Member { user: String, team: String },
    /// The keys of a project.
    Project(String),
    /// Requests with a tag.
    Tag(String),
}

/// What is known of all spenders.
#[derive(Debug, Default)]
pub(super) struct Spenders {
    /// Those whose amounts are counted by a tag.
    tagged: BTreeSet<Spender>,
    /// Those that might spend nothing, or send no request.
    closed: BTreeSet<Spender>,
    /// The only models of others.
    models: BTreeMap<Spender, Vec<String>>,
    /// Projects that might send no request.
    blocked: BTreeSet<String>,
    /// The budget that a team's members have if they have no amount of their own.
    of_members: BTreeMap<String, Json>,
    /// What such members have spent.
    spent: BTreeMap<Spender, Json>,
}

impl Spender {
    /// The tag by which its use is counted.
    pub(super) fn tag(&self) -> String {
        fitting_tag(match self {
            Self::User(user) => format!("user:{user}"),
            Self::Member { user, team } => format!("member:{team}:{user}"),
            Self::Project(project) => format!("project:{project}"),
            Self::Tag(tag) => tag.clone(),
        })
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Member { .. } => "member",
            Self::Project(_) => "project",
            Self::Tag(_) => "tag",
        }
    }

    const fn keys(&self) -> &'static str {
        match self {
            Self::User(_) => "keys of no team",
            Self::Member { .. } => "keys of this team",
            Self::Project(_) => "its keys",
            Self::Tag(_) => "requests with it",
        }
    }
}

impl fmt::Display for Spender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member { user, team } => write!(f, "{user} of {team}"),
            Self::User(name) | Self::Project(name) | Self::Tag(name) => f.write_str(name),
        }
    }
}

impl Converter {
    /// A user's part of a team, which is a budget that the row refers to. It is for the user's keys of that team.
    pub(super) fn member(&mut self, user: &str, row: &Json) {
        let Some(team) = row["team_id"].as_str().map(fitting_id) else { return };
        let user = fitting_id(user);
        if !self.teams.contains(&team) || !self.users.contains(&user) {
            return;
        }
        let spender = Spender::Member { user, team };
        self.spenders.spent.insert(spender.clone(), row["spend"].clone());
        if let Some(mut budget) = self.budget_of(row).cloned() {
            budget["spend"] = row["spend"].clone();
            budget["models"] = budget["allowed_models"].clone();
            self.limits_of(spender, &AccessFields::of(&budget, None));
        }
    }

    /// What every member of a team may spend there that has no amount of its own.
    pub(super) fn budget_of_members(&mut self, team: &str, row: &Json) {
        let metadata = parsed(&row["metadata"]);
        let budget = metadata["team_member_budget_id"].as_str().and_then(|id| self.budgets.get(id));
        if let Some(budget) = budget.filter(|budget| budget["max_budget"].as_f64().is_some_and(|most| most > 0.0)) {
            let amount = json!({"max_budget": budget["max_budget"], "budget_duration": budget["budget_duration"]});
            self.spenders.of_members.insert(team.to_owned(), amount);
        }
    }

    /// A project, which its keys refer to.
    pub(super) fn project(&mut self, id: &str, row: &Json) {
        let id = fitting_id(id);
        if row["blocked"] == true {
            self.spenders.blocked.insert(id.clone());
        }
        let by_model = [&row["model_rpm_limit"], &row["model_tpm_limit"]];
        if by_model.into_iter().any(|limits| parsed(limits).as_object().is_some_and(|limits| !limits.is_empty())) {
            self.notes.add("project", &id, "had rate limits by model, which are not taken over");
        }
        let fields = AccessFields::of(row, self.budget_of(row));
        self.limits_of(Spender::Project(id), &fields);
    }

    /// A tag that requests and keys have.
    pub(super) fn tag(&mut self, name: &str, row: &Json) {
        let Some(budget) = self.budget_of(row) else { return };
        if name.len() > MAX_TAG_LEN || name.chars().any(char::is_control) {
            self.notes.add(
                "tag",
                &name.escape_debug().to_string(),
                "has a budget, and a name that no tag can have here",
            );
            return;
        }
        let fields = AccessFields::of(&json!({"spend": row["spend"]}), Some(budget));
        self.limits_of(Spender::Tag(name.to_owned()), &fields);
    }

    /// Notes what a spender may use: it has no limits of its own here.
    pub(super) fn limits_of(&mut self, spender: Spender, fields: &AccessFields) {
        let (kind, name) = (spender.kind(), spender.to_string());
        for budget in fields.budgets() {
            self.budget_tables.push_str(&budget_table(&spender, budget));
            self.spenders.tagged.insert(spender.clone());
        }
        if fields.has_limits() {
            self.notes.add(kind, &name, "has rate limits, which apply to keys, teams and organisations only");
        }
        for lost in fields.lost() {
            self.notes.add(kind, &name, lost);
        }
        if fields.is_closed() {
            let what = "may use nothing (a limit or a budget of 0, one that is spent, or no models)";
            let text = match &spender {
                Spender::Tag(_) => format!("{what}, and is not held to that now"),
                _ => format!("{what}: {} may use no model now", spender.keys()),
            };
            self.notes.add(kind, &name, &text);
            self.spenders.closed.insert(spender);
        } else if let Some(models) = fields.listed_models() {
            let text = format!("has a list of models, which {} have now: make later ones with it", spender.keys());
            self.notes.add(kind, &name, &text);
            self.spenders.models.insert(spender, models);
        }
    }

    /// Holds a key to what its user and its project may use. Returns whether it may use anything.
    pub(super) fn hold_to_spenders(&mut self, owner: &Json, row: &Json, fields: &mut AccessFields) -> bool {
        let user = owner["user"].as_str().map(str::to_owned);
        let of_user = user.map(|user| match owner["team"].as_str() {
            Some(team) => Spender::Member { user, team: team.to_owned() },
            None => Spender::User(user),
        });
        let project = row["project_id"].as_str().map(fitting_id);
        let is_blocked = project.as_ref().is_some_and(|project| self.spenders.blocked.contains(project));
        for spender in of_user.into_iter().chain(project.map(Spender::Project)) {
            self.use_budget_of_members(&spender);
            if self.spenders.tagged.contains(&spender) {
                fields.add_tag(&spender.tag());
            }
            if self.spenders.closed.contains(&spender) {
                fields.close("belongs to a user or a project that may use nothing, and may use no model now");
            }
            if let Some(models) = self.spenders.models.get(&spender) {
                fields.narrow(models);
            }
        }
        !is_blocked
    }

    /// Has a member of a team without an amount of its own spend what every member may.
    fn use_budget_of_members(&mut self, spender: &Spender) {
        let Spender::Member { team, .. } = spender else { return };
        let has_own = self.spenders.tagged.contains(spender) || self.spenders.closed.contains(spender);
        let Some(mut amount) = self.spenders.of_members.get(team).filter(|_| !has_own).cloned() else { return };
        amount["spend"] = self.spenders.spent.get(spender).cloned().unwrap_or_default();
        self.limits_of(spender.clone(), &AccessFields::of(&amount, None));
    }
}
