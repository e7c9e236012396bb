//! The contract's two streams: a lease, and the decoder or encoder in its instance.
//!
//! If a stream's function returns an error (`Ok(Err)`), the stream is over, but the instance can still be used. After a
//! fault neither can.

use wasmtime::component::ResourceAny;

use super::adapter::{Adapter, Lease};
use super::fault::{CallResult, PluginFault};
use super::weigh::Weigh;
use weir_types::contract::types::{ChatEvent, Context, Decoded, Encoded, Frame};

macro_rules! stream {
    (
        $(#[$doc:meta])* $stream:ident, $(#[$begin_doc:meta])* $begin:ident,
        $push_to:ident, $finish_it:ident, $item:ty => $output:ty,
        $new:literal, $push:literal, $finish:literal, $drop:literal
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $stream {
            lease: Lease,
            resource: ResourceAny,
        }

        impl Lease {
            $(#[$begin_doc])*
            pub fn $begin(mut self, ctx: &Context) -> Result<$stream, PluginFault> {
                let resource = self.run($new, 0, |instance| instance.with_guest(|speech| speech.$begin(ctx)))?;
                Ok($stream { lease: self, resource })
            }
        }

        impl $stream {
            /// The adapter of the stream.
            pub fn adapter(&self) -> &std::sync::Arc<Adapter> {
                self.lease.adapter()
            }

            /// Passes on the items of one read, in order.
            pub fn push(&mut self, items: &[$item]) -> CallResult<$output> {
                let resource = self.resource;
                self.lease.ask($push, items.weigh(), |instance| {
                    instance.with_guest(|speech| speech.$push_to(resource, items))
                })
            }

            /// Signals that everything has been pushed.
            pub fn finish(&mut self) -> CallResult<$output> {
                let resource = self.resource;
                self.lease.ask($finish, 0, |instance| instance.with_guest(|speech| speech.$finish_it(resource)))
            }

            /// Ends the stream and returns the lease, for another call in the same exchange.
            pub fn into_lease(mut self) -> Result<Lease, PluginFault> {
                let resource = self.resource;
                self.lease.run($drop, 0, |instance| instance.end(resource))?;
                Ok(self.lease)
            }

            /// Ends the stream and releases the instance as [`Lease::release`] does.
            pub fn release(self) {
                use super::limits::Isolation;
                // An instance that serves no other exchange needs no cleaning up.
                if self.lease.isolation() == Isolation::Fresh {
                    return self.lease.release();
                }
                if let Ok(lease) = self.into_lease() {
                    lease.release();
                }
            }
        }
    };
}

stream! {
    /// Reads a provider's streamed answer: frames in, events out.
    ChatDecoder,
    /// Provider: begins to read a streamed answer.
    decoder,
    decoder_push, decoder_finish, Frame => Decoded,
    "provider-chat.chat-decoder.new", "provider-chat.chat-decoder.push", "provider-chat.chat-decoder.finish",
    "provider-chat.chat-decoder.drop"
}

stream! {
    /// Writes a streamed answer for a client: events in, frames out.
    ChatEncoder,
    /// Dialect: begins to write a streamed answer.
    encoder,
    encoder_push, encoder_finish, ChatEvent => Encoded,
    "dialect-chat.chat-encoder.new", "dialect-chat.chat-encoder.push", "dialect-chat.chat-encoder.finish",
    "dialect-chat.chat-encoder.drop"
}
