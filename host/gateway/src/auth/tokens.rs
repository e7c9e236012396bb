//! Tokens of identity providers: verified with keys that are fetched when they are needed, always on tasks of their
//! own.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::runtime::Handle;
use weir_identity::jwt::{
    BadIssuer, Fetch, FetchFailed, FetchJob, IssuerSettings, Refusal, Timing, TokenIdentity, Verifier,
};
use weir_upstream::DocumentClient;

/// How many verified tokens are remembered, so that a signature is verified once.
const REMEMBERED: usize = 65_536;

/// Verifies tokens and fetches the keys of their issuers.
#[derive(Debug)]
pub struct Tokens {
    verifier: Verifier,
    client: Client,
}

/// The client that fetches documents of issuers.
#[derive(Debug, Clone)]
struct Client(DocumentClient);

impl Fetch for Client {
    async fn get(&self, address: &str, most: usize) -> Result<Vec<u8>, FetchFailed> {
        self.0.get(address, most).await.map_err(|error| FetchFailed(error.to_string()))
    }
}

impl Tokens {
    /// Accepts tokens of these issuers.
    ///
    /// # Errors
    ///
    /// An issuer's settings cannot be used, or two have one issuer or name.
    pub fn new(issuers: Vec<IssuerSettings>, timing: Timing, client: DocumentClient) -> Result<Self, BadIssuer> {
        Ok(Self { verifier: Verifier::new(issuers, timing, REMEMBERED)?, client: Client(client) })
    }

    /// Whether an identity was proved by the rules that there are now.
    pub(super) fn still_accepts(&self, identity: &TokenIdentity) -> bool {
        self.verifier.still_accepts(identity)
    }

    /// Fetches the keys of all issuers on tasks of their own, so that the first token need not wait for them.
    pub fn warm_up(&self, runtime: &Handle) {
        for job in self.verifier.warm_up(Timestamp::now()) {
            runtime.spawn(fetch(job, self.client.clone()));
        }
    }

    /// Verifies a token.
    ///
    /// # Errors
    ///
    /// The token is refused, or the keys that it needs cannot be fetched.
    pub(super) async fn verify(&self, token: &str) -> Result<Arc<TokenIdentity>, Refusal> {
        let start = |job| drop(tokio::spawn(fetch(job, self.client.clone())));
        let verified = self.verifier.verify_with(token, Timestamp::now(), start).await?;
        verified.refresh.into_iter().for_each(start);
        Ok(verified.identity)
    }
}

async fn fetch(job: FetchJob, client: Client) {
    let issuer = job.name().to_owned();
    if let Err(error) = job.run(&client).await {
        tracing::warn!(issuer, %error, "the keys of an issuer of tokens cannot be fetched");
    }
}
