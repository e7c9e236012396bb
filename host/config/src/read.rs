//! From text to a [`Config`], in three steps: the tree with the environment laid over it, its tables, and the parts
//! that refer to one another. All mistakes are collected; what could not be read is left out.

use std::io::{self, Read};
use std::path::Path;
use std::string::FromUtf8Error;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use weir_ledger::Budget;

use super::changed_keys::KeyDigests;
use super::keys::{self, Plugins, Tables};
use super::resolve::{Joined, Parts};
use super::section::Reader;
use super::unknown_names::KnownNames;
use super::{Admin, Config, Environment, Guard, Place, Problem, Problems, Realtime, Server, Sink, Source};
use super::{container, mask, overrides, raw, resolve};

/// The largest file that is read: room for some 35,000 clients with limits. A file is read whole at each change, with a
/// place for each of its values, so that many keys belong into the store, which loads a million in seconds.
const MAX_FILE: u64 = 8 << 20;

/// What may differ between nodes that give the same answers.
const OF_ONE_NODE: &[&str] = &[
    "admin",
    "bodies",
    "cache",
    "log_buffer",
    "log_format",
    "log_level",
    "metrics",
    "outbound",
    "plugins.cache_dir",
    "plugins.dir",
    "plugins.lock",
    "plugins.prewarm",
    "server.cache_bytes",
    "server.host",
    "server.port",
    "server.semantic_cache_bytes",
    "server.semantic_cache_questions",
    "server.tls",
    "server.workers",
    "shared",
    "sinks",
    "store",
    "traces",
];

/// What is wrong with `admin.read_token` alone.
const READ_TOKEN_ALONE: &str =
    "`admin.read_token` is set without `admin.token`, so that nothing could be changed over the network";

/// The fewest bytes of `realtime.sealing_key`.
const MIN_SEALING_KEY: usize = 32;
const SHORT_SEALING_KEY: &str = "`realtime.sealing_key` needs at least 32 random characters";

/// Secrets of the program's own that make no sense: one without the other, or one that can be guessed.
fn secret_problems(admin: &Admin, realtime: &Realtime, environment: &Environment) -> Vec<Problem> {
    let mut problems = Vec::new();
    if admin.read_token.is_some() && admin.token.is_none() && !environment.leaves_secrets_out() {
        problems.push(Problem::error(&admin.place, READ_TOKEN_ALONE).with_help("set `admin.token` too"));
    }
    if realtime.sealing_key.as_ref().is_some_and(|key| key.expose().len() < MIN_SEALING_KEY) {
        problems.push(Problem::error(&Place::Unset, SHORT_SEALING_KEY).with_help("`openssl rand -hex 32` makes one"));
    }
    problems
}

impl Config {
    /// Reads a file and lays the environment over it.
    pub fn load(path: &Path, environment: Environment) -> Result<Self, Problems> {
        sound(Self::read(Some(path), environment)?)
    }

    /// The configuration from the environment alone: well-known providers are to be discovered.
    pub fn without_file(environment: Environment) -> Result<Self, Problems> {
        Self::parse("", "", Path::new(""), environment)
    }

    /// Parses text as a file of this name in this folder.
    pub fn parse(name: &str, text: &str, folder: &Path, environment: Environment) -> Result<Self, Problems> {
        sound(read_text(name, text, folder, environment))
    }

    /// The digest of what a file holds now, as [`Config::digest`] has it; `None` if it cannot be read. Of a file that
    /// is too large, as much is read as shows that.
    pub fn digest_now(path: &Path) -> Option<[u8; 32]> {
        Some(Sha256::digest(bytes_of(path).ok()?).into())
    }

    /// Whether its text sets nothing.
    pub fn is_blank(&self) -> bool {
        is_blank(self.source.text())
    }

    /// Reads a file, or the environment alone, as far as that is possible, to list all mistakes: what has one is left
    /// out.
    ///
    /// # Errors
    ///
    /// That there is no text to read.
    pub fn read(path: Option<&Path>, environment: Environment) -> Result<(Self, Problems), Problems> {
        let Some(path) = path else { return Ok(read_text("", "", Path::new(""), environment)) };
        let name = path.display().to_string();
        let text = text_of(path).map_err(|error| {
            let source = Source::new(name.clone(), String::new());
            Problems::new(Arc::new(source), vec![Problem::error(&Place::Unset, error.to_string())])
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let (config, problems) = read_text(&name, &text, folder, environment);
        Ok((Self { path: Some(path.to_owned()), ..config }, problems))
    }
}

/// A configuration without an error, or its mistakes.
fn sound((config, problems): (Config, Problems)) -> Result<Config, Problems> {
    if problems.are_fatal() { Err(problems.with_secret_files(config.secret_files)) } else { Ok(config) }
}

fn read_text(name: &str, text: &str, folder: &Path, environment: Environment) -> (Config, Problems) {
    let source = Arc::new(Source::new(name, mask::mask(text)));
    let (mut root, broken) = raw::parse(text);
    let (strange, unnamed_keys) = overrides::apply(&mut root, &environment);
    let key_digests = KeyDigests::of(&root);
    let reader = Reader::new(folder, &environment, keys::ALL, !broken.is_empty(), strange);
    let (log, mut tables) = keys::read(&reader, root);
    let mut plugins = tables.plugins.take().unwrap_or_else(|| Plugins::usual(&reader));
    if let Some(limit) = environment.memory_limit() {
        container::fit(&mut tables.server, &mut tables.store, &mut plugins, limit);
    }
    let joined = join(&reader, &source, &mut tables, unnamed_keys);
    let named = check_named(&reader, &joined, &mut tables);
    check_access(&reader, &joined, &tables);
    let (price_file, price_place) = tables.price_file.map(|file| (file.value, file.place)).unzip();
    let (secret_files, found) = reader.found();
    let problems = Problems::new(Arc::clone(&source), with_broken(found, broken, text));
    let config = Config {
        revision: revision(text, &environment),
        answering: answering(text, &environment),
        server: tables.server,
        admin: tables.admin,
        media: tables.media,
        realtime: tables.realtime,
        traces: tables.traces,
        metrics: tables.metrics,
        // A proxy whose address was left out is none.
        outbound: tables.outbound.filter(|outbound| !outbound.proxy.expose().is_empty()),
        store: tables.store,
        shared: tables.shared,
        cache: tables.cache,
        log,
        plugins,
        clients: joined.clients,
        issuers: tables.issuers,
        budgets: named.budgets,
        budget_places: named.budget_places,
        guards: named.guards,
        sinks: named.sinks,
        bodies: tables.bodies,
        price_file,
        price_place: price_place.unwrap_or(Place::Unset),
        providers: joined.providers,
        models: joined.models,
        default_provider: joined.default_provider,
        discover: joined.discover,
        environment,
        warnings: problems.iter().cloned().collect(),
        folder: folder.to_owned(),
        path: None,
        digest: Sha256::digest(text).into(),
        key_digests,
        secret_files,
        source,
    };
    (config, problems)
}

/// Joins the parts that refer to one another.
fn join(reader: &Reader<'_>, source: &Source, tables: &mut Tables, unnamed_keys: Vec<String>) -> Joined {
    let parts = Parts {
        source,
        providers: std::mem::take(&mut tables.providers),
        models: std::mem::take(&mut tables.models),
        clients: std::mem::take(&mut tables.clients),
        default_provider: tables.default_provider.take(),
        unnamed_keys,
    };
    resolve::join(reader, parts)
}

/// The tables that have names of their own, and of which some name models, clients or providers.
struct NamedTables {
    budgets: Vec<Budget>,
    budget_places: Vec<Place>,
    guards: Vec<Guard>,
    sinks: Vec<Sink>,
}

/// Reports names that two have, and names of what does not exist.
fn check_named(reader: &Reader<'_>, joined: &Joined, tables: &mut Tables) -> NamedTables {
    let is_alias = |name: &str| joined.models.has_exactly(name);
    let budgets = keys::checked_budgets(reader, std::mem::take(&mut tables.budgets), is_alias);
    let guards = keys::checked_guards(reader, std::mem::take(&mut tables.guards));
    let known = KnownNames::new(joined, &tables.store, &tables.issuers);
    known.warn(reader, &budgets, &guards, &tables.bodies);
    let (budgets, budget_places) = budgets.into_iter().unzip();
    let sinks = keys::checked_sinks(reader, std::mem::take(&mut tables.sinks));
    NamedTables { budgets, budget_places, guards, sinks }
}

/// All problems: those of what was read, without what stands in parts that are no TOML, and those of the broken parts.
fn with_broken(mut found: Vec<Problem>, broken: Vec<Problem>, text: &str) -> Vec<Problem> {
    let unsure = raw::unsure(text, &broken);
    found.retain(|problem| !problem.place.is_within(&unsure));
    found.extend(broken);
    found
}

/// Warns if only callers on this machine are served although others can connect, or both listeners have one address,
/// and reports secrets that protect nothing.
fn check_access(reader: &Reader<'_>, joined: &Joined, tables: &Tables) {
    let server = &tables.server;
    if joined.clients.is_empty() && tables.issuers.is_empty() && server.is_open() && !server.anonymous {
        warn_that_only_this_machine_is_served(reader, server);
    }
    if tables.admin.listen.is_some_and(|listen| server.listens_at(listen)) {
        let problem = Problem::warning(&tables.admin.place, "`admin.listen` is the address of the main listener");
        reader
            .report(problem.with_help("name another port, or leave it out: the main listener then serves /admin too"));
    }
    reader.problems.borrow_mut().extend(secret_problems(&tables.admin, &tables.realtime, reader.environment));
}

/// Why a configuration's file has no text.
#[derive(Debug, thiserror::Error)]
enum NoText {
    /// There is no file.
    #[error("cannot read the configuration: {0}; `weir init` writes a first one")]
    Missing(io::Error),
    /// The system does not give its bytes.
    #[error("cannot read the configuration: {0}")]
    Unreadable(io::Error),
    /// It has more than [`MAX_FILE`] bytes.
    #[error(
        "the configuration is larger than {} MiB: keep keys and teams in the store (`weir keys create`), where a million \
         have room",
        MAX_FILE >> 20
    )]
    TooLarge,
    /// Its bytes are no text.
    #[error("the configuration is not UTF-8 from byte {} on", .0.utf8_error().valid_up_to())]
    NotUtf8(#[from] FromUtf8Error),
}

impl From<io::Error> for NoText {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing(error) } else { Self::Unreadable(error) }
    }
}

fn text_of(path: &Path) -> Result<String, NoText> {
    let bytes = bytes_of(path)?;
    if bytes.len() as u64 > MAX_FILE { Err(NoText::TooLarge) } else { Ok(String::from_utf8(bytes)?) }
}

/// The bytes of a file; one more than [`MAX_FILE`] if it has more than that.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether each line of a text is empty or a comment.
fn is_blank(text: &str) -> bool {
    text.lines().map(str::trim_start).all(|line| line.is_empty() || line.starts_with('#'))
}

/// Only this machine would be served, although others reach the listener.
fn warn_that_only_this_machine_is_served(reader: &Reader<'_>, server: &Server) {
    let message =
        "others reach this address, but without `[[clients]]` or keys in the store only this machine is served";
    let problem = Problem::warning(&server.place, message);
    let help = "`weir client-key` makes a key for `[[clients]]`, `weir keys create` one in the store, after which this \
    warning can be ignored; `anonymous = true` would serve all";
    reader.report(problem.with_help(help));
}

/// Keys and tokens are left out, because a revision is visible.
fn revision(text: &str, environment: &Environment) -> String {
    let mut digest = Sha256::new();
    digest.update(mask::mask(text));
    for (name, value) in environment.with_prefix("WEIR_") {
        if !name.contains("KEY") && !name.contains("TOKEN") {
            digest.update(format!("\0{name}={value}"));
        }
    }
    let digest: [u8; 32] = digest.finalize().into();
    let start = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{start:016x}")
}

/// Keys and tokens are left out, as in a revision.
fn answering(text: &str, environment: &Environment) -> [u8; 32] {
    let (mut root, _) = raw::parse(&mask::mask(text));
    let is_plain = |name: &str| !name.contains("KEY") && !name.contains("TOKEN");
    let plain = environment.with_prefix("WEIR_").filter(|(name, _)| is_plain(name));
    let plain: Environment = plain.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // What is wrong with it is reported where it is read.
    let _problems = overrides::apply(&mut root, &plain);
    raw::digest(&root, OF_ONE_NODE)
}
