//! From the claims of a login to what the person may do at the admin interface.

use serde_json::{Map, Value};

use crate::document::{Access, Grant, TeamId};
use crate::jwt::ClaimRule;

/// The most teams of one login.
const MAX_TEAMS: usize = 256;

/// Claims that give grants. Without a rule that fits, a login gives none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantRules {
    /// One that fits lets a person see everything.
    pub read: Vec<ClaimRule>,
    /// One that fits lets a person change everything.
    pub write: Vec<ClaimRule>,
    /// The teams of which a person may see everything.
    pub team_read: Vec<ClaimRule>,
    /// The teams of which a person may change everything.
    pub team_write: Vec<ClaimRule>,
}

impl GrantRules {
    /// What is wrong with the rules, with the name of the list that has the problem.
    pub fn problem(&self) -> Option<(&'static str, &'static str)> {
        let lists = [
            ("read", &self.read),
            ("write", &self.write),
            ("team_read", &self.team_read),
            ("team_write", &self.team_write),
        ];
        lists.into_iter().find_map(|(name, rules)| Some((name, rules.iter().find_map(ClaimRule::problem)?)))
    }

    /// The grants that claims give.
    pub fn grants(&self, claims: &Map<String, Value>) -> Vec<Grant> {
        let any = |rules: &[ClaimRule]| rules.iter().any(|rule| rule.fits(claims));
        let of_all = [(&self.write, Access::Write), (&self.read, Access::Read)];
        let of_all = of_all.into_iter().filter(|(rules, _)| any(rules)).map(|(_, access)| Grant { access, team: None });
        let teams = [(&self.team_write, Access::Write), (&self.team_read, Access::Read)];
        let teams = teams.into_iter().flat_map(|(rules, access)| {
            let names = rules.iter().flat_map(|rule| rule.names(claims));
            names.filter_map(move |name| Some(Grant { access, team: Some(TeamId::parse(&name).ok()?) }))
        });
        of_all.chain(teams.take(MAX_TEAMS)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(claim: &str, pattern: &str) -> Vec<ClaimRule> {
        vec![ClaimRule { pattern: pattern.to_owned(), ..ClaimRule::of(claim).unwrap() }]
    }

    #[test]
    fn claims_give_what_rules_say_and_nothing_else() {
        let rules = GrantRules {
            read: rule("/groups", "weir-readers"),
            write: rule("/groups", "weir-admins"),
            team_read: Vec::new(),
            team_write: rule("/groups", "weir-lead-*"),
        };
        let grants = |groups: Value| {
            let claims = json!({"groups": groups});
            rules.grants(claims.as_object().unwrap())
        };
        assert!(grants(json!(["others", "weir-lead-", "weir-lead-../x"])).is_empty());
        assert_eq!(grants(json!(["weir-admins"])), [Grant { access: Access::Write, team: None }]);
        let red = Grant { access: Access::Write, team: Some(TeamId::parse("red").unwrap()) };
        assert_eq!(grants(json!(["weir-lead-red", "weir-readers"])), [Grant { access: Access::Read, team: None }, red]);
        let many: Vec<String> = (0..1_000).map(|number| format!("weir-lead-{number}")).collect();
        assert!(grants(json!(many)).len() <= MAX_TEAMS);
        assert_eq!(rules.problem(), None);
        assert_eq!(GrantRules { write: rule("a", "**"), ..rules }.problem().unwrap().0, "write");
    }
}
