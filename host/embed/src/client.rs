//! The client: adapters, providers and routes, ready for calls.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::adapters::{self, Proofs};
use super::{Answer, BuildError, Builder, Error, EventStream, Model};
use weir_config::{Config, Environment, Problem, Severity};
use weir_gateway::gateway::Gateway;
use weir_gateway::observe::metrics::Metrics;
use weir_gateway::observe::trace::Tracer;
use weir_gateway::probes;
use weir_gateway::serving::Serving;
use weir_types::contract::types::{
    ChatRequest, ChatResponse, EmbeddingsRequest, EmbeddingsResponse, ModelInfo, RerankRequest, RerankResponse,
    TokenCount,
};
use weir_upstream::{Settings, Upstreams};

/// How long [`Client::is_available`] waits for one provider.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Calls models. It is made once and cloned cheaply: clones share breakers, limits and connections.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use weir_embed::{Client, ErrorKind};
///
/// let weir = Client::from_config("weir.toml").await?;
/// match weir.generate("small", "What is four by four?").await {
///     Ok(answer) => println!("{} ({:?} lost)", answer.text(), answer.losses),
///     Err(error) if error.kind() == ErrorKind::RateLimited => println!("again in {:?}", error.retry_after()),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    gateway: Arc<Gateway>,
    warnings: Vec<Problem>,
    /// Ends the checks of providers when the last clone is dropped.
    _stop: watch::Sender<bool>,
}

impl Client {
    /// Begins to describe a client.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A client for the gateway's own configuration file: the same keys, and the same variables over them. Listeners,
    /// client keys and the admin side are not used.
    ///
    /// # Errors
    ///
    /// The file has mistakes, or there is no adapter that it needs. It must be called within a runtime of tokio.
    pub async fn from_config(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        Self::open(Config::load(path.as_ref(), Environment::of_process())?).await
    }

    pub(super) async fn open(config: Config) -> Result<Self, BuildError> {
        // Compiling blocks for long.
        let load = move || adapters::load(&config, Proofs::First).map(|loaded| (config, loaded));
        let loading = tokio::task::spawn_blocking(load).await.map_err(|_| BuildError::BrokenOff)?;
        let (config, loaded) = loading?;
        let snapshot = loaded.snapshot();
        if snapshot.adapters.is_empty() && snapshot.refused.is_empty() {
            return Err(BuildError::NoAdapters { dir: config.plugins.dir.clone() });
        }
        let serving = Serving::derive(&config, snapshot)?;
        if serving.problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(BuildError::Config(config.problems(serving.problems)));
        }
        let warnings = config.warnings.iter().chain(&serving.problems).cloned().collect();
        let checked = config.providers.iter().any(|provider| provider.check.is_some());
        let (metrics, upstreams) = (Arc::new(Metrics::with(&config.metrics)?), Upstreams::new(&Settings::default()));
        let gateway = Arc::new(Gateway::new(serving, upstreams, metrics, Tracer::default())?);
        let (stop, stopped) = watch::channel(false);
        if checked {
            tokio::spawn(probes::follow(Arc::clone(&gateway), stopped));
        }
        Ok(Self(Arc::new(Inner { gateway, warnings, _stop: stop })))
    }

    /// A model for calls with a session, a time limit or strictness; the other methods are short for it.
    pub fn model(&self, name: &str) -> Model<'_> {
        Model::new(self, name)
    }

    /// Asks for a whole answer.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn generate(&self, model: &str, request: impl Into<ChatRequest>) -> Result<Answer<ChatResponse>, Error> {
        self.model(model).generate(request).await
    }

    /// Asks for an answer as a stream.
    ///
    /// # Errors
    ///
    /// No target began to answer, or none may be asked. What fails later is an item of the stream.
    pub async fn stream(&self, model: &str, request: impl Into<ChatRequest>) -> Result<EventStream, Error> {
        self.model(model).stream(request).await
    }

    /// Asks for embeddings.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn embed(&self, model: &str, request: EmbeddingsRequest) -> Result<Answer<EmbeddingsResponse>, Error> {
        self.model(model).embed(request).await
    }

    /// Asks for documents in the order in which they answer a query.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn rerank(&self, model: &str, request: RerankRequest) -> Result<Answer<RerankResponse>, Error> {
        self.model(model).rerank(request).await
    }

    /// Asks how many tokens a request has. Where the provider does not count, the answer is marked as an estimate.
    ///
    /// # Errors
    ///
    /// No target answered, or none may be asked.
    pub async fn count_tokens(
        &self,
        model: &str,
        request: impl Into<ChatRequest>,
    ) -> Result<Answer<TokenCount>, Error> {
        self.model(model).count_tokens(request).await
    }

    /// The models that may be called: the names of routes, and what providers list for patterns of names. A provider
    /// that gives no list in time is left out.
    ///
    /// # Errors
    ///
    /// There is no memory left for the call within the configured limit.
    pub async fn list_models(&self) -> Result<Vec<ModelInfo>, Error> {
        Ok(self.0.gateway.list_models().await?)
    }

    /// The models that a provider lists itself, by the provider's names. Any of them may be called as `PROVIDER/MODEL`
    /// if the client was described by a [`Builder`].
    ///
    /// # Errors
    ///
    /// No route leads to such a provider, its adapter knows no list, or it gives none.
    pub async fn models_of(&self, provider: &str) -> Result<Vec<ModelInfo>, Error> {
        Ok(self.0.gateway.models_of(provider).await?)
    }

    /// Whether a call to this model would find a target now: one that does not rest, whose provider answers within five
    /// seconds and takes the key. It asks for a list of models, which costs no tokens; providers without a list count
    /// as available as long as their breakers are closed.
    ///
    /// # Errors
    ///
    /// There is no such model.
    pub async fn is_available(&self, model: &str) -> Result<bool, Error> {
        Ok(self.0.gateway.is_available(model, TIMEOUT).await?)
    }

    /// What may not be meant so in the configuration, such as a model without a price.
    pub fn warnings(&self) -> &[Problem] {
        &self.0.warnings
    }

    pub(super) fn gateway(&self) -> &Gateway {
        &self.0.gateway
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
