//! Requests for later work that are contained in the request which begins it: reads what they name and how much they
//! ask for.

use std::ops::Range;

use bytes::Bytes;
use weir_types::contract::about::{BodyKind, Face, ModelPlace};
use weir_wire::media::counted_length;
use weir_wire::peek::{Found, Limits, Peek, PeekError, Pointers};

use crate::dialect::request_peek::counts::number;
use crate::dialect::request_peek::{MAX_CANDIDATES, named_models};
use crate::provenance::{Asks, FileMistake, RequestFile};

/// The most values of one place: a batch may have a hundred thousand requests.
const MAX_VALUES: usize = 128 << 10;

/// The places of the requests in a body, of what they name, and of how much they ask for.
#[derive(Debug)]
pub(crate) struct InlinePlaces {
    pointers: Pointers,
    /// The meaning of each pointer.
    at: Vec<InlinePlace>,
    /// Whether the beginning request names one model for all.
    is_of_one: bool,
    /// Whether requests may limit their output. If they cannot, they make none.
    has_output: bool,
}

/// The meaning of a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum InlinePlace {
    /// An element of the list, which is one of the requests.
    Request,
    /// Its model, behind this prefix.
    Model(String),
    Limit,
    Candidates,
    /// A model that it names besides.
    Further,
}

/// Why it is unknown what the requests ask for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InlineMistake {
    /// The request contains none.
    #[error("the requests do not stand in the batch itself")]
    Elsewhere,
    /// The body cannot be read.
    #[error(transparent)]
    Unreadable(#[from] PeekError),
    /// A request has an unexpected value for its model or for how much it asks for, or a member that some servers
    /// confuse with another.
    #[error("a request of the batch has a `{0}` that servers may read differently")]
    Odd(Box<str>),
    /// A request names no model.
    #[error("request {0} of the batch names no model")]
    NoModel(u64),
    /// They name more models than are kept.
    #[error(transparent)]
    TooMany(FileMistake),
}

/// A request that was found.
struct InlineRequest {
    range: Range<usize>,
    models: Vec<String>,
    further: Vec<String>,
    limit: Option<u64>,
    candidates: Option<u64>,
}

impl InlinePlaces {
    /// The places that a face's manifest names in lists of its body; `None` if it names none.
    pub(crate) fn new(face: &Face) -> Option<Self> {
        if face.body != BodyKind::Json {
            return None;
        }
        let mut all: Vec<(String, InlinePlace)> = Vec::new();
        let mut add = |pointer: String, place: InlinePlace| {
            if all.iter().all(|(known, _)| *known != pointer) {
                all.push((pointer, place));
            }
        };
        let models = face.model.iter().filter_map(|place| match place {
            ModelPlace::Pointer(at) => Some((&at.pointer, InlinePlace::Model(at.prefix.clone()))),
            _ => None,
        });
        let limits = face.output_limit.iter().map(|pointer| (pointer, InlinePlace::Limit));
        let candidates = face.candidates.iter().map(|pointer| (pointer, InlinePlace::Candidates));
        for (pointer, place) in models.chain(limits).chain(candidates) {
            let Some((list, _)) = Face::in_list(pointer) else { continue };
            add(format!("{list}/*"), InlinePlace::Request);
            if let (InlinePlace::Model(_), Some((request, _))) = (&place, pointer.rsplit_once('/')) {
                named_models::places().for_each(|further| add(format!("{request}{further}"), InlinePlace::Further));
            }
            add(pointer.clone(), place);
        }
        let (pointers, at): (Vec<String>, Vec<InlinePlace>) = all.into_iter().unzip();
        let is_of_one = face.model.iter().any(|place| matches!(place, ModelPlace::Path));
        let has_output = at.contains(&InlinePlace::Limit);
        let pointers = Pointers::compile(&pointers).ok().filter(|_| !at.is_empty())?;
        Some(Self { pointers, at, is_of_one, has_output })
    }

    /// Reads the requests in a body. If the beginning request names the model for all, they have no model of their own.
    pub(crate) fn read(&self, body: &[Bytes]) -> Result<RequestFile, InlineMistake> {
        let limits = Limits { hits: MAX_VALUES, utf8: false, variants: true, ..Limits::default() };
        let mut scan = Peek::new(&self.pointers, limits).with_inner_variants();
        for piece in body {
            scan.push(piece);
        }
        let requests = self.requests(&scan.finish()?)?;
        let mut read = RequestFile::default();
        let mut pieces = Pieces::new(body);
        for (number, request) in (1..).zip(&requests) {
            let InlineRequest { range, models, further, limit, candidates } = request;
            let own = if self.is_of_one { &[String::new()] } else { models.as_slice() };
            if own.is_empty() {
                return Err(InlineMistake::NoModel(number));
            }
            let candidates = candidates.unwrap_or(1).clamp(1, MAX_CANDIDATES);
            let asks = Asks::of_one(pieces.counted_length(range), *limit, candidates);
            let asks = if self.has_output { asks } else { Asks { output: 0, unlimited: 0, ..asks } };
            read.add(&[own, further.as_slice()].concat(), number, asks);
        }
        match read.mistake() {
            Some(mistake) => Err(InlineMistake::TooMany(mistake.clone())),
            None if requests.is_empty() => Err(InlineMistake::Elsewhere),
            None => Ok(read),
        }
    }

    /// The requests that were found, in their order.
    fn requests(&self, found: &Found) -> Result<Vec<InlineRequest>, InlineMistake> {
        let odd = |member: &str| InlineMistake::Odd(member.chars().take(64).collect::<String>().into());
        if let Some((name, _)) = found.variants().first() {
            return Err(odd(name));
        }
        let is_request = |pointer: usize| self.at.get(pointer) == Some(&InlinePlace::Request);
        let found_requests = found.hits().iter().filter(|hit| is_request(hit.pointer));
        let mut requests: Vec<InlineRequest> = found_requests
            .map(|hit| InlineRequest {
                range: hit.range.clone(),
                models: Vec::new(),
                further: Vec::new(),
                limit: None,
                candidates: None,
            })
            .collect();
        requests.sort_unstable_by_key(|request| request.range.start);
        for hit in found.hits() {
            let behind = requests.partition_point(|request| request.range.start <= hit.range.start);
            let Some(request) = behind.checked_sub(1).and_then(|at| requests.get_mut(at)) else { continue };
            let odd_here =
                || odd(self.pointers.text(hit.pointer).and_then(|at| at.rsplit('/').next()).unwrap_or_default());
            match self.at.get(hit.pointer) {
                Some(InlinePlace::Model(prefix)) => {
                    let name = hit.value.as_text().filter(|name| !name.is_empty()).ok_or_else(odd_here)?;
                    request.models.push(name.strip_prefix(prefix.as_str()).unwrap_or(name).to_owned());
                }
                Some(InlinePlace::Limit) => {
                    request.limit = request.limit.max(number(&hit.value).map_err(|_| odd_here())?);
                }
                Some(InlinePlace::Candidates) => {
                    request.candidates = request.candidates.max(number(&hit.value).map_err(|_| odd_here())?);
                }
                Some(InlinePlace::Further) => request.further.extend(hit.value.as_text().map(str::to_owned)),
                Some(InlinePlace::Request) | None => {}
            }
        }
        Ok(requests)
    }
}

/// Walks through the pieces of a body.
struct Pieces<'a> {
    left: &'a [Bytes],
    /// Where the first of them begins.
    start: usize,
}

impl<'a> Pieces<'a> {
    fn new(body: &'a [Bytes]) -> Self {
        Self { left: body, start: 0 }
    }

    /// The length of a part of the body as limits count it. Parts must be asked for in their order.
    fn counted_length(&mut self, range: &Range<usize>) -> usize {
        while let Some((first, rest)) = self.left.split_first()
            && self.start + first.len() <= range.start
        {
            self.start += first.len();
            self.left = rest;
        }
        let mut at = self.start;
        let parts = self.left.iter().map_while(|piece| {
            let (from, to) = (range.start.saturating_sub(at), range.end.saturating_sub(at).min(piece.len()));
            let is_behind = at >= range.end;
            at += piece.len();
            (!is_behind).then(|| piece.get(from..to).unwrap_or_default())
        });
        counted_length(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::about::{ModelPointer, Operation};

    fn places(is_of_one: bool) -> InlinePlaces {
        let plain = Face::unread("f", Operation::Other("x".into()), "POST", "/x".to_owned());
        let model = ModelPointer { pointer: "/jobs/all/*/call/brain".into(), prefix: "b/".into() };
        let path = Some(ModelPlace::Path).filter(|_| is_of_one);
        let model = path.into_iter().chain([ModelPlace::Pointer(model)]).collect();
        let [output_limit, candidates] =
            ["/jobs/all/*/call/most", "/jobs/all/*/call/times"].map(|place| vec![place.to_owned()]);
        InlinePlaces::new(&Face { body: BodyKind::Json, model, output_limit, candidates, ..plain }).unwrap()
    }

    fn call(more: &str) -> String {
        format!(r#"{{"id":"{}","call":{{{more}}}}}"#, "x".repeat(100))
    }

    fn body(requests: &[String]) -> String {
        format!(r#"{{"jobs":{{"all":[{}]}},"all":[{{"brain":"z"}}]}}"#, requests.join(" , "))
    }

    fn read_of(is_of_one: bool, body: &str) -> Result<Vec<(String, Asks)>, InlineMistake> {
        let all = |size: usize| {
            let pieces: Vec<Bytes> = body.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
            let read = places(is_of_one).read(&pieces)?;
            Ok(read.models().iter().map(|named| (named.name.to_string(), named.asks)).collect::<Vec<_>>())
        };
        let whole = all(1 << 20);
        for size in [1, 7, 150] {
            assert_eq!(all(size), whole, "{size}");
        }
        whole
    }

    #[test]
    fn what_requests_ask_for_is_summed_by_model_wherever_the_body_is_cut() {
        let requests = [
            call(r#""brain":"b/a","most":100"#),
            call(r#""br\u0061in":"a","most":"50","times":3,"most":7"#),
            call(r#""brain":"c","tools":[{"model":"a"}]"#),
        ];
        let input = |at: usize| requests[at].len().div_ceil(4) as u64;
        let of_a = Asks { requests: 2, input: input(0) + input(1) + input(2), output: 250, unlimited: 1 };
        let of_c = Asks { requests: 1, input: input(2), output: 0, unlimited: 1 };
        assert_eq!(read_of(false, &body(&requests)).unwrap(), [("a".to_owned(), of_a), ("c".to_owned(), of_c)]);
        // A list that is given twice may be read by its first or by its last.
        let [one, other] = [0, 1].map(|at| body(&requests[at..=at]));
        let twice = format!("{},{}", one.trim_end_matches('}'), other.trim_start_matches('{'));
        let read = read_of(false, &twice).unwrap();
        assert_eq!((read[0].1.requests, read[0].1.output), (2, 250), "{twice}");
    }

    #[test]
    fn requests_of_one_model_need_not_name_it() {
        let requests = [call(""), call(r#""brain":"other","most":9"#)];
        let read = read_of(true, &body(&requests)).unwrap();
        let input = requests.iter().map(|request| request.len().div_ceil(4) as u64).sum();
        assert_eq!(read, [(String::new(), Asks { requests: 2, input, output: 9, unlimited: 1 })]);
    }

    #[test]
    fn what_cannot_be_read_is_no_forecast() {
        for (body, mistake) in [
            (body(&[]), InlineMistake::Elsewhere),
            (r#"{"jobs":{"file":"f-1"}}"#.to_owned(), InlineMistake::Elsewhere),
            (body(&[call(r#""brain":"a""#), call("")]), InlineMistake::NoModel(2)),
            (body(&[call(r#""brain":7"#)]), InlineMistake::Odd("brain".into())),
            (body(&[call(r#""brain":"a","Most":1"#)]), InlineMistake::Odd("Most".into())),
            (body(&[call(r#""brain":"a","most":"few""#)]), InlineMistake::Odd("most".into())),
        ] {
            assert_eq!(read_of(false, &body), Err(mistake), "{body}");
        }
        let many: Vec<String> = (0..70).map(|number| call(&format!(r#""brain":"{number}""#))).collect();
        assert!(matches!(read_of(false, &body(&many)), Err(InlineMistake::TooMany(_))));
        assert!(matches!(read_of(false, "{"), Err(InlineMistake::Unreadable(_))));
    }
}
