//! Assembles the parts of the program, runs them, and drains them. The only module that knows all of them.

mod background;
mod error;
mod listeners;
mod served;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::listeners::{allowance, reserve};
use self::served::load_served;
use crate::admin;
use crate::admin::{AdapterMetrics, Identity, Operations, ShadowRuns, Uploads};
use crate::kept_budgets::{Keeping, KeptBudgets};
use crate::kept_work::WorkHolding;
use crate::keys;
use crate::login::Logins;
use crate::main_port::{MainPort, operate};
use crate::reload::Reload;
use crate::shared_answers;
use crate::shared_limits::{Rounds, RunningRounds};
use crate::sinks;
use crate::sinks::{EventLog, Sending};
use crate::store::redaction::{CleanedLog, Redaction};
use crate::store::{OpenError, OpenStore};
use crate::systemd::Sockets;
use crate::ui::Sessions;
use weir_adapters::catalog::Catalog;
use weir_adapters::watch::Watching;
use weir_config::Config;
use weir_gateway::accounting::request_log::RequestLog;
use weir_gateway::bookings;
use weir_gateway::gateway::Gateway;
use weir_gateway::observe::log::clean::clean_with;
use weir_gateway::observe::metrics::Metrics;
use weir_gateway::observe::trace::Tracer;
use weir_server::tls::Tls;
use weir_server::{Allowance, ConnectionMetrics, Spread, Workers};
use weir_types::worker;
use weir_upstream::{Collector, OutboundProxy, Settings, Upstreams};

pub use error::StartError;
pub use listeners::Addresses;
pub(crate) use served::require_adapters;
pub use served::{derive, load_plugins, loader};
pub use weir_embed::adapter_settings::policy;
pub use weir_embed::adapters::{Plugins, Proofs, keeper};

/// How long a stop waits until what is being booked has been given to the store.
const BOOKING_WAIT: Duration = Duration::from_secs(3);

/// The program, ready to be run.
#[derive(Debug)]
pub struct App {
    gateway: Arc<Gateway>,
    plugins: Plugins,
    config: Config,
    reload: Arc<Reload>,
    tracer: Tracer,
    workers: Workers,
    main: TcpListener,
    admin: Option<TcpListener>,
    addresses: Addresses,
    tls: Option<Arc<Tls>>,
    connections: ConnectionMetrics,
    /// Where the state of budgets is kept.
    budgets: Option<KeptBudgets>,
    /// Holds what is not booked yet, if the store keeps it.
    work: Option<WorkHolding>,
    store: Option<Arc<OpenStore>>,
    /// The tasks of the sinks.
    sending: Sending,
    /// The rounds of reports to the other nodes, if limits and budgets are shared.
    rounds: Option<Rounds>,
    /// The store's keys, teams, organisations and users.
    identity: Identity,
    sessions: Sessions,
}

impl App {
    /// Loads the adapters, derives the served state, and opens the sockets.
    pub async fn build(config: Config) -> Result<Self, StartError> {
        Self::build_on(Sockets::default(), config).await
    }

    /// Builds the app with these sockets in place of `server.host` and `server.port`, and of `admin.listen`.
    pub(crate) async fn build_on(sockets: Sockets, config: Config) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::with(&config.metrics)?);
        let reserved = reserve(sockets, &config).await?;
        if let Some(bytes) = config.environment.memory_limit() {
            tracing::info!(bytes, "caches and queues fit into the memory limit of the container");
        }
        let (plugins, serving) = load_served(&config)?;
        let proxy = OutboundProxy::of(config.outbound.as_ref())?;
        let upstreams = Upstreams::new(&Settings { proxy, ..Settings::default() });
        let traces = config.traces.as_ref().map(|settings| tracer(settings, &config, metrics.registry()));
        let tracer = traces.transpose()?.unwrap_or_default();
        let gateway = Arc::new(Gateway::new(serving, upstreams, metrics, tracer.clone())?);
        let (catalog, granted) = (Arc::clone(&plugins.catalog), Arc::clone(&plugins.watch.folder().grants));
        let reload = Arc::new(Reload::new(config.clone(), Arc::clone(&gateway), catalog, granted));
        let store = open_store(&config, &gateway).await?;
        if let Some(store) = &store {
            reload.record_in(store);
        }
        let sending = log_requests(&config, &gateway, store.as_deref())?;
        let identity = identity(store.as_ref(), &gateway, &reload).await;
        keys::accept_tokens(&config, &gateway)?;
        let rounds = match &config.shared {
            Some(shared) => Some(Rounds::open(shared, &gateway).await?),
            None => None,
        };
        if let Some(cache) = &config.cache {
            shared_answers::share(cache, &gateway).await?;
        }
        let budgets = KeptBudgets::restore(&config, store.as_deref(), &gateway).await?;
        let work = match &store {
            Some(store) => Some(WorkHolding::start(store, &gateway).await),
            None => None,
        };
        let tls = config.server.tls.as_ref().map(Tls::load).transpose()?.map(Arc::new);
        let connections = ConnectionMetrics::new(gateway.metrics().registry())?;
        let (main, admin, addresses) = reserved.listen()?;
        let workers = workers(&config)?;
        Ok(Self {
            gateway,
            plugins,
            config,
            reload,
            tracer,
            workers,
            main,
            admin,
            addresses,
            tls,
            connections,
            budgets,
            work,
            store,
            sending,
            rounds,
            identity,
            sessions: Sessions::new()?,
        })
    }

    /// The configuration in force, and the means to replace it.
    pub fn reload(&self) -> Arc<Reload> {
        Arc::clone(&self.reload)
    }

    /// What is kept: the request log, documents and the audit log; `None` if nothing is kept.
    pub fn store(&self) -> Option<Arc<OpenStore>> {
        self.store.clone()
    }

    /// The adapters.
    pub(crate) fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.plugins.catalog)
    }

    /// The addresses that the program listens on.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `stop` becomes true, then drains requests in flight.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let Self { gateway, plugins, config, reload, tracer, workers, main, admin, .. } = self;
        let (addresses, tls, connections) = (self.addresses, self.tls, self.connections);
        follow_certificate(tls.as_ref(), &stop);
        let allowance = Allowance { tls, metrics: connections.of("main"), ..allowance(&config.server) };
        let is_apart = admin.is_some();
        let FollowedPlugins { catalog, dir, uploads, changed, watching } = follow_plugins(plugins);
        register_adapter_metrics(&gateway, &catalog);
        let operations = Operations {
            gateway: Arc::clone(&gateway),
            catalog: Arc::clone(&catalog),
            trigger: watching.as_ref().map(Watching::trigger),
            dir,
            uploads,
            shadow_runs: ShadowRuns::default(),
            draining: stop.clone(),
            reload: Arc::clone(&reload),
            is_apart,
            store: self.store.clone(),
            identity: self.identity,
            sharing: self.rounds.as_ref().map(Rounds::sharing),
            budgets: self.budgets.as_ref().map(KeptBudgets::state),
            sessions: self.sessions,
            logins: Logins::new(config.outbound.clone()),
            is_exposed: admin::is_exposed(&addresses.admin.unwrap_or(addresses.main)),
        };
        let router = admin::router(operations);
        let mut background = background::spawn(&gateway, &catalog, reload, changed, &stop);
        let booking = tokio::spawn(bookings::follow(Arc::clone(&gateway), stop.clone()));
        let keeping = self.budgets.map(|kept| Keeping::start(kept, &gateway));
        let rounds = self.rounds.map(Rounds::start);
        let admin_server = admin.map(|listener| {
            let allowance = Allowance { tls: None, metrics: connections.of("admin"), ..allowance.clone() };
            operate_apart(listener, router.clone(), allowance, stop.clone())
        });
        let main_port =
            MainPort { grpc: weir_grpc::Service::new(Arc::clone(&gateway), stop.clone()), gateway, router, is_apart };
        let handle = move |request: Request<Incoming>| main_port.answer(request);
        weir_server::serve(main, workers.spread(), allowance, stop, handle).await;
        if let Some(admin_server) = admin_server {
            let _ended = admin_server.await;
        }
        // What is being booked is in the store's queue before the store is closed.
        let _ended = tokio::time::timeout(BOOKING_WAIT, booking).await;
        self.sending.end().await;
        flush_at_exit(rounds, keeping, self.work, self.store).await;
        background.shutdown().await;
        drop(watching);
        send_last_spans(tracer).await;
    }
}

async fn send_last_spans(tracer: Tracer) {
    if let Err(error) = tokio::task::spawn_blocking(move || tracer.end()).await {
        tracing::warn!(%error, "the last spans were not sent");
    }
}

/// Opens the store, if one is configured, and registers its metrics.
async fn open_store(config: &Config, gateway: &Gateway) -> Result<Option<Arc<OpenStore>>, StartError> {
    let store = OpenStore::open(config).await?.map(Arc::new);
    if let Some(store) = &store {
        gateway.metrics().registry().register(Box::new(store.metrics()?))?;
    }
    Ok(store)
}

/// The keys, teams, organisations and users of the store; its prices are taken over whenever they change.
async fn identity(store: Option<&Arc<OpenStore>>, gateway: &Arc<Gateway>, reload: &Arc<Reload>) -> Identity {
    let registry = match store {
        Some(store) => {
            let reload = Arc::clone(reload);
            Some(keys::open(store, gateway, Box::new(move |prices| reload.take_prices(prices))).await)
        }
        None => None,
    };
    Identity::new(registry)
}

/// Serves the admin endpoints on a listener of their own.
fn operate_apart(
    listener: TcpListener,
    router: Router,
    allowance: Allowance,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let handle = move |request| Box::pin(operate(router.clone(), request));
    tokio::spawn(weir_server::serve(listener, Spread::here(), allowance, stop, handle))
}

/// Takes in a certificate that is replaced.
fn follow_certificate(tls: Option<&Arc<Tls>>, stop: &watch::Receiver<bool>) {
    if let Some(tls) = tls {
        tokio::spawn(Arc::clone(tls).follow(stop.clone()));
    }
}

/// Gives the records of requests to the request log and to the sinks, and has the texts of their errors cleaned.
fn log_requests(config: &Config, gateway: &Gateway, store: Option<&OpenStore>) -> Result<Sending, StartError> {
    let (sinks, sending) = sinks::start(config, gateway.metrics().registry())?;
    if let Some(store) = store {
        store.read_messages_with(gateway.serving_now());
    }
    let redaction = match store {
        Some(store) => store.redaction(),
        None => Arc::new(Redaction::of(&config.store).map_err(OpenError::from)?),
    };
    redaction.follow(gateway.serving_now());
    clean_with(Arc::<Redaction>::clone(&redaction));
    let log: Arc<dyn RequestLog> = match store.map(OpenStore::request_log) {
        Some(log) if sinks.is_empty() => log,
        None if sinks.is_empty() => return Ok(sending),
        log => Arc::new(EventLog::new(log, sinks)),
    };
    gateway.log_to(Arc::new(CleanedLog::new(log, redaction)));
    Ok(sending)
}

/// Starts the threads that serve connections.
fn workers(config: &Config) -> Result<Workers, StartError> {
    Workers::start(config.server.workers.unwrap_or_else(worker::default_count)).map_err(StartError::Workers)
}

/// Gives back what is leased, and writes what is left, after the last request has ended.
async fn flush_at_exit(
    rounds: Option<RunningRounds>,
    keeping: Option<Keeping>,
    work: Option<WorkHolding>,
    store: Option<Arc<OpenStore>>,
) {
    if let Some(rounds) = rounds {
        rounds.end().await;
    }
    if let Some(keeping) = keeping {
        keeping.end().await;
    }
    let held = match work {
        Some(work) => Some(work.end().await),
        None => None,
    };
    if let Some(store) = store {
        store.close().await;
    }
    if let Some(held) = held {
        held.leave().await;
    }
}

/// The adapters, whose folder is followed.
struct FollowedPlugins {
    catalog: Arc<Catalog>,
    dir: PathBuf,
    uploads: Uploads,
    changed: watch::Receiver<u64>,
    /// `None` if the folder cannot be followed.
    watching: Option<Watching>,
}

/// Follows the adapters' folder.
fn follow_plugins(Plugins { watch, catalog, keeper }: Plugins) -> FollowedPlugins {
    if let Some(keeper) = keeper {
        catalog.keep_by(keeper);
    }
    let (dir, uploads) = (watch.folder().dir.clone(), Uploads::new(watch.rehearsal()));
    // Subscribed before the directory is followed, so that no change is missed.
    let changed = catalog.subscribe();
    let failed = |error: &_| tracing::error!(%error, "the plugins directory is not followed");
    let watching = watch.follow().inspect_err(failed).ok();
    FollowedPlugins { catalog, dir, uploads, changed, watching }
}

/// Their values are read from the catalog at each scrape.
fn register_adapter_metrics(gateway: &Gateway, catalog: &Arc<Catalog>) {
    let metrics = AdapterMetrics::new(Arc::clone(catalog));
    if let Err(error) = metrics.and_then(|metrics| gateway.metrics().registry().register(Box::new(metrics))) {
        tracing::error!(%error, "the adapters' metrics are not shown");
    }
}

/// Creates the exporter of spans.
fn tracer(settings: &weir_config::Traces, config: &Config, registry: &Registry) -> Result<Tracer, StartError> {
    let collector = Collector::new(Handle::current(), settings.protocol, config.outbound.as_ref())?;
    Ok(Tracer::begin(settings, collector, registry)?)
}
