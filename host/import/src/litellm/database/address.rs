//! The address of LiteLLM's database, as its variable `DATABASE_URL` has it.

/// An address without the parameters that only LiteLLM's own client knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address for PostgreSQL's clients. It may hold a password.
    pub url: String,
    /// The schema that the tables are in, if the address names one.
    pub schema: Option<String>,
}

/// Parameters of Prisma, LiteLLM's client, that PostgreSQL's other clients refuse. Source: Prisma's page on PostgreSQL.
const OF_PRISMA: [&str; 8] = [
    "connection_limit",
    "pool_timeout",
    "pgbouncer",
    "socket_timeout",
    "statement_cache_size",
    "sslaccept",
    "sslcert",
    "sslidentity",
];

impl Address {
    /// Parses an address.
    pub fn parse(text: &str) -> Self {
        let Some((base, query)) = text.split_once('?') else {
            return Self { url: text.to_owned(), schema: None };
        };
        let mut schema = None;
        let mut kept = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=').unwrap_or((parameter, "")) {
                ("schema", name) => schema = Some(name.to_owned()).filter(|name| !name.is_empty()),
                (name, _) if OF_PRISMA.contains(&name) => {}
                _ => kept.push(parameter),
            }
        }
        let mark = if kept.is_empty() { "" } else { "?" };
        Self { url: format!("{base}{mark}{}", kept.join("&")), schema }
    }
}
