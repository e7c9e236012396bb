//! The gateway as clients see it: the real library on a real socket, in this process.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use weir::app::App;
use weir_config::{Config, Environment, Secret};

use crate::client::{Client, Reply, Request};
use crate::plugins::{Folder, patience, target};
use crate::{log, metrics, soon};

/// The default adapters of a test's gateway.
const USUAL: [&str; 4] = ["openai", "anthropic", "zeta", "gemini"];

/// The file name of a configuration.
const FILE: &str = "weir.toml";

static OPENING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    /// The address for clients.
    pub address: SocketAddr,
    /// The address of the operations side, if it is separate.
    pub admin: Option<SocketAddr>,
    /// Its folder of adapters.
    pub folder: Folder,
    /// The token of the operations side.
    token: Option<Secret>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Gateway {
    /// Starts a gateway with this configuration and the default adapters.
    pub async fn open(config: &str) -> Self {
        Self::with(Folder::with(&USUAL), config).await
    }

    /// Starts a gateway with these adapters.
    ///
    /// # Panics
    ///
    /// If the configuration is wrong or the gateway cannot be started.
    pub async fn with(folder: Folder, config: &str) -> Self {
        Self::on("127.0.0.1", folder, config).await
    }

    /// Starts a gateway that listens on another address, with the default adapters.
    pub async fn open_on(host: &str, config: &str) -> Self {
        Self::on(host, Folder::with(&USUAL), config).await
    }

    /// Starts a gateway whose configuration is a file, which [`Self::configure`] rewrites.
    pub async fn from_file(config: &str) -> Self {
        let folder = Folder::with(&USUAL);
        std::fs::write(folder.path().join(FILE), config).expect("the folder can be written to");
        Self::on("127.0.0.1", folder, config).await
    }

    /// Replaces the configuration file in one step.
    pub fn configure(&self, config: &str) {
        let (new, file) = (self.folder.path().join("weir.toml.new"), self.folder.path().join(FILE));
        std::fs::write(&new, config).expect("the folder can be written to");
        std::fs::rename(new, file).expect("the file can be replaced");
    }

    async fn on(host: &str, folder: Folder, config: &str) -> Self {
        log::begin();
        let text = |path: &Path| path.to_str().expect("paths here are text").to_owned();
        // A pool for few connections: each slot reserves address space, and several gateways run at the same time.
        let settings = [
            ("WEIR_SERVER__HOST", host.to_owned()),
            ("WEIR_SERVER__PORT", "0".to_owned()),
            ("WEIR_SERVER__MAX_CONNECTIONS", "256".to_owned()),
            ("WEIR_PLUGINS__DIR", text(folder.path())),
            ("WEIR_PLUGINS__LOCK", text(&folder.path().join("plugins.lock"))),
            ("WEIR_PLUGINS__CACHE_DIR", text(&target().join("test-cache"))),
            ("WEIR_PLUGINS__PREWARM", "1".to_owned()),
            // Quarantine is off by default: a test that needs it enables it in `[plugins.NAME]`.
            ("WEIR_PLUGINS__QUARANTINE", "false".to_owned()),
        ];
        let environment: Environment = settings.into_iter().chain(patience(config)).collect();
        let file = folder.path().join(FILE);
        let config = if file.is_file() {
            Config::load(&file, environment)
        } else {
            Config::parse("test.toml", config, folder.path(), environment)
        };
        let config = config.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        // Loading adapters blocks, so it runs on a blocking thread.
        let runtime = tokio::runtime::Handle::current();
        let token = config.admin.token.clone();
        // One at a time: the first compiles the adapters, the others find them in the cache. With a cold cache and a
        // busy machine that takes a while.
        let turn = OPENING.lock().await;
        let built = tokio::task::spawn_blocking(move || runtime.block_on(App::build(config)));
        let app = built.await.unwrap().unwrap();
        drop(turn);
        let addresses = app.addresses();
        let (stop, stopped) = watch::channel(false);
        let kept = folder.clone();
        // The folder stays until the gateway has written the rest of its log there.
        let running = tokio::spawn(async move {
            app.run(stopped).await;
            drop(kept);
        });
        Self { address: addresses.main, admin: addresses.admin, folder, token, stop, running }
    }

    /// A connection.
    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Sends a request on a new connection and reads the whole answer.
    pub async fn ask(&self, request: &Request) -> Reply {
        let mut client = self.connect().await;
        client.send(request).await;
        client.reply().await
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &str) -> Reply {
        self.ask(&Request::post(path, body)).await
    }

    /// Sends a command for an adapter to the admin side: `rollback`, `quarantine`, …
    pub async fn act(&self, name: &str, verb: &str, body: &str) -> Reply {
        self.post(&format!("/admin/plugins/{name}/{verb}"), body).await
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Reply {
        self.ask(&Request::get(path)).await
    }

    /// What `/metrics` prints, in Prometheus's text format.
    pub async fn metrics(&self) -> String {
        self.operations("/metrics").await.text()
    }

    /// The value of one metric, named as it is printed (`weir_in_flight`, `a{b="c"}`): the sum of all its series with
    /// these labels; 0 if there are none.
    pub async fn metric(&self, series: &str) -> f64 {
        metrics::value(&self.metrics().await, series).unwrap_or_default()
    }

    /// What is used of a budget's window, in its unit.
    pub async fn budget_used(&self, name: &str) -> f64 {
        self.metric(&format!("weir_budget_used{{budget=\"{name}\"}}")).await
    }

    /// The provider that served a request.
    ///
    /// # Panics
    ///
    /// If none did.
    pub async fn provider_of(&self, request: &Request) -> String {
        let reply = self.ask(request).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        reply.header("x-weir-provider").expect("an answer names its provider").to_owned()
    }

    /// Polls a metric until it has this value.
    pub async fn until_metric(&self, series: &str, expected: f64) {
        let reached = async {
            while (self.metric(series).await - expected).abs() > f64::EPSILON {
                tokio::task::yield_now().await;
            }
        };
        let is_reached = tokio::time::timeout(crate::TIMEOUT, reached).await.is_ok();
        assert!(is_reached, "{series} is not {expected}:\n{}", self.metrics().await);
    }

    /// Reads a page of the operations side, as the administrator if there is a token.
    pub async fn operations(&self, path: &str) -> Reply {
        let request = Request::get(path);
        let request = match &self.token {
            Some(token) => request.header("authorization", &format!("Bearer {}", token.expose())),
            None => request,
        };
        self.ask(&request).await
    }

    /// The operations side's entries for an adapter.
    pub async fn adapter(&self, name: &str) -> Vec<Value> {
        let plugins = self.operations("/admin/plugins").await.json();
        let all = plugins["plugins"].as_array().cloned().unwrap_or_default();
        all.into_iter().filter(|adapter| adapter["name"] == name).collect()
    }

    /// Waits until this is true of the operations side's entries for an adapter.
    pub async fn until_adapter(&self, name: &str, is: impl Fn(&[Value]) -> bool) {
        let reached = async {
            while !is(&self.adapter(name).await) {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(crate::TIMEOUT, reached).await.is_err() {
            let log = log::text();
            let about: Vec<&str> = log.lines().rev().filter(|line| line.contains("adapter")).take(20).collect();
            panic!("the adapter is otherwise: {:?}\n{about:#?}", self.adapter(name).await);
        }
    }

    /// Tells the gateway to stop and does not wait for it.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops the gateway and starts another with the same folder and this configuration.
    pub async fn restart(self, config: &str) -> Self {
        self.stop();
        soon("the gateway to close", self.running).await.unwrap();
        Self::with(self.folder, config).await
    }

    /// Tells the gateway to stop and waits for its end.
    pub async fn ended(self) {
        self.stop();
        soon("the gateway to close", self.running).await.unwrap();
    }
}
