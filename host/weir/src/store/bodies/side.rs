//! One side of a captured exchange, as recordings are made of it.

use weir_fixtures::fixture::{Exchange, Piece, header_pairs};
use weir_gateway::accounting::captured::CapturedSide;

/// The exchange that a recording is made of.
pub(super) fn recorded(side: CapturedSide) -> Exchange {
    let is_absolute = side.path_and_query.starts_with('/');
    let path_and_query = if is_absolute { side.path_and_query } else { format!("/{}", side.path_and_query) };
    let mut pieces = Vec::with_capacity(side.pieces.len());
    let mut begin = 0;
    for (end, after) in side.pieces {
        let bytes = side.answer.get(begin..end).unwrap_or_default().to_vec();
        pieces.push(Piece { after: Some(after), bytes });
        begin = end;
    }
    Exchange {
        method: side.method.to_string(),
        path_and_query,
        request_headers: header_pairs(&side.request_headers),
        request_body: side.request_body.concat(),
        status: side.status,
        response_headers: header_pairs(&side.response_headers),
        pieces,
        is_cut: !side.is_whole,
        ..Exchange::default()
    }
}
