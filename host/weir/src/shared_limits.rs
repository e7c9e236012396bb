//! Shares limits and budgets with other nodes: connects the gateway's shares with the server between the nodes, in
//! rounds of reports.
//!
//! A round is made each second, and at once where a request waits for more of a share or a share runs low. While the
//! server is away there is one try a second, and one line in the log where that begins and ends.

mod adapters;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use weir_cluster::{Address, AddressError, PoolRequest, PoolServer, RoundAnswers, ServerError};
use weir_config::{SharedSettings, WhenLost};
use weir_gateway::gateway::Gateway;
use weir_gateway::rate_limit::BucketReport;
use weir_gateway::sharing::{Round, Sharing};
use weir_lease::{Answer, Kind, Report};
use weir_ledger::{PoolReport, PoolShare};
use weir_upstream::HttpClientError;

use metrics::SharingMetrics;

/// How often reports are made, and how often a server that is away is tried.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long the server keeps a pool after it was used last, or its window has ended.
const KEPT: Duration = Duration::from_hours(48);
/// The largest number of nodes that can be counted.
const MAX_NODES: u64 = 1 << 20;

/// Why limits and budgets cannot be shared as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// The address is not valid.
    #[error("`shared.url` {0}")]
    Address(#[from] AddressError),
    /// The login is wrong, or its user may not run scripts.
    #[error("`shared.url`: {0}; the user needs the commands evalsha and script|load, and all keys of the prefix")]
    NotAllowed(ServerError),
    /// The server has only a part of the data.
    #[error("`shared.url`: {0}")]
    Cluster(ServerError),
    /// Encrypted connections cannot be set up.
    #[error("no TLS for `shared.url`: {0}")]
    Tls(#[from] HttpClientError),
    /// There are no random numbers for a name.
    #[error("no random numbers for this process's name: {0}")]
    Random(getrandom::Error),
    /// The metrics cannot be registered.
    #[error("the metrics cannot be made: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// What makes the rounds.
#[derive(Debug)]
pub struct Rounds {
    gateway: Arc<Gateway>,
    sharing: Arc<Sharing>,
    server: PoolServer,
    settings: SharedSettings,
    metrics: SharingMetrics,
    /// The number of this node's last report of its presence.
    seq: u64,
    /// Which data the server had at the last round.
    generation: Option<u64>,
    /// The share of any budget, if one was ever reported.
    budget: Option<PoolShare>,
    is_lost: bool,
    /// Whether all answers could be read at the last round.
    is_read: bool,
    /// Whether all nodes have the same adapters, as the log says.
    is_alike: bool,
}

/// What an answer is for.
enum AnswerPurpose {
    Presence,
    /// The nodes with the same adapters.
    Alike,
    Budget(PoolShare),
    Limit(BucketReport),
}

impl Rounds {
    /// Makes a first round, so that requests find shares. A server that is away now is tried again; one that does not
    /// allow what is needed is an error.
    pub async fn open(settings: &SharedSettings, gateway: &Arc<Gateway>) -> Result<Self, ShareError> {
        let address = Address::parse(settings.url.expose())?;
        let tls = weir_upstream::tls_config().map_err(HttpClientError::from)?;
        let when_lost = match settings.when_lost {
            WhenLost::Share => weir_lease::WhenLost::Share,
            WhenLost::Open => weir_lease::WhenLost::Open,
            WhenLost::Closed => weir_lease::WhenLost::Closed,
        };
        let sharing = Sharing::new(process_name().map_err(ShareError::Random)?, when_lost, settings.wait);
        let metrics = SharingMetrics::new(Arc::clone(&sharing))?;
        gateway.metrics().registry().register(Box::new(metrics.clone()))?;
        gateway.share(&sharing);
        let server = PoolServer::new(address, Some(Arc::new(tls)));
        let (gateway, settings) = (Arc::clone(gateway), settings.clone());
        let (seq, generation, budget) = (0, None, None);
        let (is_lost, is_read, is_alike) = (false, true, true);
        let mut rounds =
            Self { gateway, sharing, server, settings, metrics, seq, generation, budget, is_lost, is_read, is_alike };
        match rounds.round(false).await {
            Err(error @ ServerError::NotAllowed(_)) => Err(ShareError::NotAllowed(error)),
            Err(error @ ServerError::Cluster) => Err(ShareError::Cluster(error)),
            _ => Ok(rounds),
        }
    }

    /// How this node stands to the others.
    pub(crate) fn sharing(&self) -> Arc<Sharing> {
        Arc::clone(&self.sharing)
    }

    /// Makes rounds from now on.
    pub(crate) fn start(self) -> RunningRounds {
        let (stop, stopped) = watch::channel(false);
        RunningRounds { stop, task: tokio::spawn(self.follow(stopped)) }
    }

    async fn follow(mut self, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let only_urgent = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = ticks.tick() => false,
                () = self.sharing.woken(), if !self.is_lost => true,
            };
            // A failure is logged where the state changes.
            let _failure = self.round(only_urgent).await;
        }
        self.gateway.leave_shares();
        if let Err(error) = self.round(false).await {
            tracing::warn!(%error, "shares of limits and budgets were not given back; they end by themselves");
        }
    }

    /// Reports what there is to report, and takes the answers.
    async fn round(&mut self, only_urgent: bool) -> Result<(), ServerError> {
        let round = self.sharing.begin_round();
        let (requests, purposes): (Vec<_>, Vec<_>) = self.reports(only_urgent, round.sent).into_iter().unzip();
        if requests.is_empty() {
            return Ok(());
        }
        let exchanged = self.server.exchange(&requests).await.and_then(|answers| present(answers, only_urgent));
        self.metrics.exchanged(requests.len(), exchanged.is_ok());
        match exchanged {
            Ok(answers) => {
                self.note_unread(answers.unread.as_ref(), only_urgent);
                self.take_answers(&round, purposes, answers);
                Ok(())
            }
            Err(error) => {
                for purpose in purposes {
                    self.hand_on(purpose, None, round.sent);
                }
                round.failed();
                self.note_reach(Some(&error));
                Err(error)
            }
        }
    }

    /// What there is to report, with what each answer is for. What is not urgent waits for the next second.
    fn reports(&mut self, only_urgent: bool, sent: Duration) -> Vec<(PoolRequest, AnswerPurpose)> {
        let mut reports = Vec::new();
        if !only_urgent {
            self.seq += 1;
            reports.push((self.presence("{nodes}"), AnswerPurpose::Presence));
            let alike = format!("{{nodes}}:{}", adapters::digest(&self.gateway.serving()));
            reports.push((self.presence(&alike), AnswerPurpose::Alike));
        }
        for report in self.gateway.budgets().reports(self.sharing.node(), only_urgent, sent) {
            let (request, share) = self.of_budget(report);
            reports.push((request, AnswerPurpose::Budget(share)));
        }
        for report in self.gateway.limit_reports(only_urgent, sent) {
            reports.push((self.of_limit(&report), AnswerPurpose::Limit(report)));
        }
        reports
    }

    /// Hands each answer on, and notes what they show of the other nodes.
    fn take_answers(&mut self, round: &Round, purposes: Vec<AnswerPurpose>, answers: RoundAnswers) {
        let (mut nodes, mut alike) = (None, None);
        for (purpose, answer) in purposes.into_iter().zip(answers.answers) {
            match (purpose, answer) {
                (AnswerPurpose::Presence, Some(answer)) => {
                    nodes = Some(answer.nodes);
                    self.note_generation(answer.generation);
                }
                (AnswerPurpose::Alike, Some(answer)) => alike = Some(answer.nodes),
                (AnswerPurpose::Budget(share), None) => share.passed_over(),
                (purpose, answer) => self.hand_on(purpose, answer, round.sent),
            }
        }
        round.answered(answers.now, nodes);
        // A server that was away may have come back with older data, of which nothing tells.
        if self.is_lost {
            self.repeat_budgets();
        }
        self.note_reach(None);
        if let Some(alike) = alike {
            self.compare(alike);
        }
    }

    /// Has all budgets reported again if the server has lost its data.
    fn note_generation(&mut self, generation: u64) {
        let is_other = self.generation.replace(generation).is_some_and(|known| known != generation);
        if is_other {
            self.repeat_budgets();
        }
    }

    /// Has all budgets reported again, in use or not.
    fn repeat_budgets(&self) {
        if let Some(budget) = &self.budget {
            budget.repeat_all();
        }
    }

    fn hand_on(&mut self, purpose: AnswerPurpose, answer: Option<Answer>, sent: Duration) {
        match (purpose, answer) {
            (AnswerPurpose::Presence | AnswerPurpose::Alike, _) => {}
            (AnswerPurpose::Budget(share), Some(answer)) => {
                share.answered(answer, sent);
                self.budget = Some(share);
            }
            (AnswerPurpose::Budget(share), None) => share.unanswered(),
            (AnswerPurpose::Limit(report), answer) => self.gateway.limit_answered(&report, answer, sent),
        }
    }

    /// Logs when answers about some shares cannot be read, and when all can again.
    fn note_unread(&mut self, unread: Option<&ServerError>, only_urgent: bool) {
        match unread {
            Some(error) if self.is_read => tracing::error!(
                %error,
                "the server's answers about some limits or budgets cannot be read: these give no shares meanwhile"
            ),
            None if !self.is_read && !only_urgent => tracing::info!("the server's answers can all be read again"),
            _ => {}
        }
        self.is_read = unread.is_none() && (self.is_read || !only_urgent);
    }

    /// Logs when the server is away, and when it is back.
    fn note_reach(&mut self, failure: Option<&ServerError>) {
        let (node, policy) = (self.settings.node.as_deref(), self.settings.when_lost.as_str());
        match failure {
            Some(error) if !self.is_lost => tracing::error!(
                %error,
                node,
                policy,
                nodes = self.sharing.nodes(),
                "limits and budgets are not shared: this node goes by `shared.when_lost`"
            ),
            None if self.is_lost => {
                tracing::info!(node, nodes = self.sharing.nodes(), "limits and budgets are shared again");
            }
            _ => {}
        }
        self.is_lost = failure.is_some();
    }

    /// Notes how many nodes have the same adapters, and logs when some have others and when none has any more.
    fn compare(&mut self, alike: u32) {
        self.sharing.note_alike(alike);
        let (nodes, alike) = (self.sharing.nodes(), self.sharing.alike());
        match (self.is_alike, alike == nodes) {
            (true, false) => tracing::warn!(
                nodes,
                alike,
                "some of the nodes that share serve with other adapters than this one: compare `adapters` of their /ready"
            ),
            (false, true) => tracing::info!(nodes, "all nodes that share serve with the same adapters again"),
            _ => {}
        }
        self.is_alike = alike == nodes;
    }

    fn key(&self, rest: &str) -> String {
        format!("{}:1:{rest}", self.settings.prefix)
    }

    /// The report that this node is one of those of a pool.
    fn presence(&self, pool: &str) -> PoolRequest {
        PoolRequest {
            pool: self.key(pool),
            kind: Kind::Places,
            limit: MAX_NODES,
            kept: Some(KEPT),
            entry: self.sharing.node().to_owned(),
            nodes: self.sharing.nodes(),
            report: Report { seq: self.seq, used: 1, ceiling: 1, ..Report::default() },
        }
    }

    fn of_budget(&self, report: PoolReport) -> (PoolRequest, PoolShare) {
        let PoolReport { pool, entry, limit, end, report, share } = report;
        let left = end.map(|end| u64::try_from(end - self.sharing.now().as_second()).unwrap_or_default());
        let request = PoolRequest {
            pool: self.key(&format!("budget:{pool}")),
            kind: Kind::Window,
            limit,
            kept: left.map(|left| KEPT + Duration::from_secs(left)),
            entry,
            nodes: self.sharing.nodes(),
            report,
        };
        (request, share)
    }

    fn of_limit(&self, report: &BucketReport) -> PoolRequest {
        let key = &report.key;
        PoolRequest {
            pool: self.key(&format!("limit:{{{}:{}}}:{}", key.scope.as_str(), key.name, key.resource.as_str())),
            kind: report.kind,
            limit: report.limit,
            kept: Some(KEPT),
            entry: report.entry.clone(),
            nodes: self.sharing.nodes(),
            report: report.report.clone(),
        }
    }
}

/// The answers to a round, if the first one, to this node's presence, can be read. Without it, the server counts as
/// away.
fn present(answers: RoundAnswers, only_urgent: bool) -> Result<RoundAnswers, ServerError> {
    match (&answers.unread, answers.answers.first()) {
        (Some(error), Some(None)) if !only_urgent => Err(error.clone()),
        _ => Ok(answers),
    }
}

/// The task that makes rounds, until it is ended.
#[derive(Debug)]
pub(crate) struct RunningRounds {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl RunningRounds {
    /// Gives back what is leased, after the last request has ended.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        let _ended = self.task.await;
    }
}

/// A name that no other process has: what this one uses is its own, also if it is started again.
fn process_name() -> Result<String, getrandom::Error> {
    Ok(format!("{:016x}", getrandom::u64()?))
}
