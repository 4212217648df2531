//! A request body that is passed on as it comes, after a part of it has been read already.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::room::Room;

/// What was read, then what is still to come.
#[derive(Debug)]
pub(crate) struct Passing {
    read: VecDeque<Bytes>,
    rest: Incoming,
    /// What was read takes room until it is sent.
    _room: Room,
}

impl Passing {
    /// The whole body again.
    pub(crate) fn new(read: impl IntoIterator<Item = Bytes>, rest: Incoming, room: Room) -> Self {
        Self { read: read.into_iter().filter(|piece| !piece.is_empty()).collect(), rest, _room: room }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.read.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    /// Exact where the client announced a length, so that it is announced to the provider as well.
    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|piece| piece.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}
