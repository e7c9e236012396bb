//! Writes a record to the logs at the end of its request.

use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{ExchangeSummary, RequestRecord, TARGET, shown};
use crate::accounting::request_log::FinishedRequest;
use crate::guard;
use crate::observe::log::clean::{cleaned, cleaned_name};
use crate::observe::metrics::dollars_of;
use weir_types::contract::about::Bucket;
use weir_types::contract::types::UnitCount;

/// The status of a request whose client left before there was an answer.
const CLIENT_LEFT: u16 = 499;

impl Drop for RequestRecord {
    fn drop(&mut self) {
        if self.has_line {
            self.write_line();
        }
        if let Some(capture) = self.capture.take() {
            capture.ends(self.end(), self.ended.provider.clone());
        }
        if let Some(log) = self.log.take() {
            log.record(self.finished());
        }
    }
}

impl RequestRecord {
    fn write_line(&self) {
        let ExchangeSummary { status, provider, attempts, used, first_token, own, .. } = &self.ended;
        let tokens = &used.tokens;
        let has_tokens = tokens.total().is_some();
        let claim = self.endpoint.as_ref().map(|endpoint| &endpoint.face);
        tracing::info!(
            target: TARGET,
            request_id = &*self.id,
            client = self.caller.as_ref().and_then(|caller| some(&caller.tenant)),
            address = self.address.map(tracing::field::display),
            method = self.method.as_str(),
            path = &*cleaned_name(&self.path),
            operation = claim.map(|claim| claim.operation.name()),
            format = claim.map(|claim| claim.format.as_str()),
            alias = self.alias.as_deref().map(cleaned_name).as_deref(),
            provider = provider.as_deref(),
            model = self.model.as_deref().map(cleaned_name).as_deref(),
            lane = self.lane,
            adapter = self.adapter.as_ref().map(|(name, digest)| format!("{name}@{}", digest.short())),
            status = status_of(*status),
            outcome = self.end().as_str(),
            finish = self.ended.finish,
            error = self.error.as_ref().map(|error| shown(error.kept_of(&cleaned(&error.message)))),
            attempts,
            tried = self.tried,
            input_tokens = tokens.get(Bucket::Input),
            input_audio_tokens = tokens.get(Bucket::InputAudio),
            input_image_tokens = tokens.get(Bucket::InputImage),
            cache_read_tokens = tokens.get(Bucket::CacheRead),
            cache_write_tokens = tokens.get(Bucket::CacheWrite),
            cache_write_hour_tokens = tokens.get(Bucket::CacheWriteHour),
            output_tokens = tokens.get(Bucket::Output),
            output_audio_tokens = tokens.get(Bucket::OutputAudio),
            output_image_tokens = tokens.get(Bucket::OutputImage),
            reasoning_tokens = tokens.get(Bucket::Reasoning),
            units = some(&units(&self.ended.units)),
            service_tier = self.ended.service_tier,
            batch = self.ended.batch,
            estimated = has_tokens.then_some(used.is_estimated),
            cost = used.cost.map(dollars_of),
            prices = used.prices.as_deref(),
            responses = self.session.map(|used| used.responses),
            session_tokens = self.session.map(|used| used.tokens),
            session_cost = self.session.and_then(|used| used.cost).map(dollars_of),
            first_token_ms = first_token.map(millis),
            duration_ms = millis(self.begun.elapsed()),
            own_ms = own.map(millis),
            losses = (!self.losses.is_empty()).then(|| self.losses.join(",")),
            guards = self.guards.as_ref().and_then(|notes| some(&guard::header(&notes.all())).map(str::to_owned)),
            "request"
        );
    }

    /// The record for the request log, which takes what it can.
    fn finished(&mut self) -> FinishedRequest {
        let end = self.end();
        let ended = take(&mut self.ended);
        FinishedRequest {
            id: self.own_id,
            client_id: Some(Arc::clone(&self.id)).filter(|id| id.as_bytes() != self.own_id.digits()),
            caller: self.caller.take(),
            user_agent: self.user_agent.take(),
            endpoint: self.endpoint.take(),
            asked: self.alias.take(),
            model: self.model.take(),
            is_model_known: self.is_model_known,
            provider: ended.provider,
            target: self.target.take(),
            adapter: self.adapter.take(),
            lane: self.lane,
            status: status_of(ended.status),
            end,
            error: self.error.take(),
            attempts: ended.attempts,
            steps: take(&mut self.steps),
            used: ended.used,
            units: ended.units,
            searched: ended.searched,
            service_tier: ended.service_tier,
            is_batch: ended.batch.unwrap_or_default(),
            finish: ended.finish,
            took: self.begun.elapsed(),
            first_token: ended.first_token,
            own: ended.own,
            answered_in: ended.answered_in,
            bytes_in: self.arriving.as_ref().map_or(self.bytes_in, |arriving| arriving.load(Ordering::Relaxed)),
            bytes_out: ended.bytes_out,
            losses: take(&mut self.losses),
            saved: self.saved,
            similarity: self.similarity,
            booked: self.booked.take(),
            is_unlogged: self.is_unlogged,
        }
    }
}

fn status_of(status: u16) -> u16 {
    if status == 0 { CLIENT_LEFT } else { status }
}

/// What is billed by the piece, as a log line has it: `search=2,second=1.5`.
fn units(units: &[UnitCount]) -> String {
    let counts = units.iter().map(|count| format!("{}={}", count.unit.name(), count.count));
    counts.collect::<Vec<_>>().join(",")
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Milliseconds, to a thousandth.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
