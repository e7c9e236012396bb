//! The upstream request: completes it for its target, and fetches media if the provider needs their bytes.

use super::super::Values;
use super::super::capabilities::{ClientFields, adapt_to_model};
use super::super::media;
use super::Run;
use crate::accounting::Account;
use weir_translate::unified::Request;
use weir_types::contract::types::{ChatRequest, RenderedRequest};
use weir_types::fault::Fault;

impl Run<'_> {
    /// Completes the request for the target and renders it with the provider's adapter.
    pub(super) async fn write(&mut self, request: &mut Request, account: &Account) -> Result<RenderedRequest, Fault> {
        let (context, inbound, target) = (self.context, self.inbound, self.target);
        match (&mut *request, self.values) {
            (Request::Chat(chat), Values::All) => {
                context.reasoning_cache.restore(&inbound.caller.tenant, &target.adapter.manifest.family, chat);
            }
            (Request::Chat(chat), Values::Own) => self.bare(chat)?,
            _ => {}
        }
        request.set_model(target.model(inbound.model()));
        if let Request::Chat(chat) | Request::CountTokens(chat) = &mut *request {
            let capabilities = target.capabilities_of(inbound.model());
            self.note(adapt_to_model(chat, &capabilities, ClientFields::new(&inbound.endpoint.face, &inbound.body)));
            let copied = self.standardise_media(chat);
            self.held.grow(copied).await?;
        }
        match self.render(request, account) {
            Err(fault) if media::needs_bytes(&fault) => {
                Box::pin(self.fetch_media(request, fault)).await?;
                self.render(request, account)
            }
            rendered => rendered,
        }
    }

    /// Puts lifted media into the standard alphabet: some clients send that of URLs, which other formats do not take.
    /// Returns the bytes copied.
    fn standardise_media(&mut self, chat: &mut ChatRequest) -> usize {
        if self.lifted.is_empty() {
            return 0;
        }
        let copied = media::standardise(chat, &mut self.lifted);
        if copied > 0 {
            self.provider_ctx.blobs = self.lifted.describe();
        }
        copied
    }

    /// Fetches the media that the provider's adapter needs as bytes, if the operator allows it.
    async fn fetch_media(&mut self, request: &mut Request, refused: Fault) -> Result<(), Fault> {
        let (config, client) = (&self.context.config.media, self.context.upstreams.media());
        let Request::Chat(chat) = request else { return Err(refused) };
        if !config.fetch {
            return Err(refused);
        }
        let lifted = self.takes_blobs().then_some(&mut self.lifted);
        media::fetch_all(client, config, chat, lifted, &mut self.held).await?;
        self.provider_ctx.blobs = self.lifted.describe();
        Ok(())
    }
}
