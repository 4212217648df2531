//! Responses over a WebSocket: request after request on one connection.
//!
//! A message that asks for a response is a request body and goes through the engine like one; the messages that follow are the events of
//! its stream and go through the same [`Turn`]. Everything else passes as it came. Both directions run beside each other, each reading
//! its next message when the last one has been taken, so a slow side slows the other one down and neither waits for itself.
//!
//! Pings are answered where they arrive. Messages arrive whole, within the bound for request bodies; a longer one ends the connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use headroom_wire::{Dialect, Request, Step, Turn, message};
use http::StatusCode;
use http::request::Parts;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex as Lock, Notify};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::Error as SocketError;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::access::User;
use crate::app::{App, soon};
use crate::exchange::{agent, now_ms, refuses_the_body};
use crate::guarded::originals;
use crate::metrics::Metrics;
use crate::prepare::{Prepared, Unread, passing, prepare, unread};
use crate::receipts::fresh_id;
use crate::relay::{Filing, answer, remember};
use crate::room::Room;
use crate::upgrade::Clock;

/// How long each side gets to take leave.
const LEAVE: Duration = Duration::from_secs(1);

/// Carries one connection from its upgrade to its end.
pub(crate) async fn converse<C, U>(app: Arc<App>, head: Parts, client: C, upstream: U)
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let bound = Some(app.config.max_body_bytes);
    let config = WebSocketConfig::default().max_message_size(bound).max_frame_size(bound);
    let (to_client, mut from_client) =
        WebSocketStream::from_raw_socket(client, Role::Server, Some(config)).await.split();
    let (to_upstream, mut from_upstream) =
        WebSocketStream::from_raw_socket(upstream, Role::Client, Some(config)).await.split();
    let connection = Connection {
        app: &app,
        head: &head,
        to_client: Lock::new(to_client),
        to_upstream: Lock::new(to_upstream),
        under_way: Mutex::default(),
        ended: Notify::new(),
        clock: Clock::new(),
    };
    let end = tokio::select! {
        end = connection.upward(&mut from_client) => end,
        end = connection.downward(&mut from_upstream) => end,
        () = connection.clock.silent_for(app.config.idle_timeout) => End::both(CloseCode::Away, "nothing came for too long"),
        () = connection.leaving() => End::both(CloseCode::Away, "the proxy stops"),
    };
    connection.leave(end, &mut from_client).await;
}

/// How a connection ended: what each side is still told. `None`: it knows, or is gone.
struct End {
    client: Option<Option<CloseFrame>>,
    upstream: Option<Option<CloseFrame>>,
}

impl End {
    fn both(code: CloseCode, reason: &'static str) -> Self {
        let frame = || Some(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
        Self { client: frame(), upstream: frame() }
    }

    /// The client has ended it, with this word if it said one.
    fn of_client(word: Option<CloseFrame>) -> Self {
        Self { client: None, upstream: Some(word) }
    }

    /// The provider has said that it ends it.
    fn of_upstream(word: Option<CloseFrame>) -> Self {
        Self { client: Some(word), upstream: None }
    }

    /// The provider is gone without a word.
    fn lost() -> Self {
        let reason = Utf8Bytes::from_static("the connection to the provider broke off");
        Self { client: Some(Some(CloseFrame { code: CloseCode::Error, reason })), upstream: None }
    }

    /// A message could not be read: too long, or against the protocol.
    fn unreadable(error: &SocketError) -> Self {
        match error {
            SocketError::Capacity(_) => Self::both(CloseCode::Size, "a message is too long"),
            SocketError::Utf8(_) => Self::both(CloseCode::Invalid, "a text is not UTF-8"),
            _ => Self::both(CloseCode::Protocol, "a message could not be read"),
        }
    }
}

/// Whether a connection is gone, rather than carrying something that cannot be read.
fn is_gone(error: &SocketError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    matches!(
        error,
        SocketError::Io(_)
            | SocketError::ConnectionClosed
            | SocketError::AlreadyClosed
            | SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake)
    )
}

/// Both sides, and what happens between them.
struct Connection<'a, C, U> {
    app: &'a Arc<App>,
    /// The handshake; every request on the connection was sent with its headers.
    head: &'a Parts,
    to_client: Lock<SplitSink<WebSocketStream<C>, Message>>,
    to_upstream: Lock<SplitSink<WebSocketStream<U>, Message>>,
    under_way: Mutex<UnderWay>,
    /// Told whenever a turn is over.
    ended: Notify,
    clock: Clock,
}

/// What was asked for and is not answered whole.
#[derive(Default)]
struct UnderWay {
    /// In order, without the one whose event is being dealt with. There is one at most, unless a client does not wait.
    turns: VecDeque<Active>,
    /// How many there are.
    open: usize,
    /// How many of them may be gone on from here.
    holding: usize,
}

/// A response under way.
struct Active {
    turn: Turn,
    filing: Filing,
    /// What is sent instead if the provider refuses what was made of the request; until its first answer.
    original: Option<(Request, Utf8Bytes)>,
    /// Whether it may be gone on from here, so that no other request may come between.
    holds: bool,
    begun: bool,
    /// What the turn holds takes room.
    _room: Option<Arc<Room>>,
}

impl<C, U> Connection<'_, C, U>
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    // --- From the client -------------------------------------------------------------------------------

    async fn upward(&self, from: &mut SplitStream<WebSocketStream<C>>) -> End {
        loop {
            let message = match from.next().await {
                None => return End::of_client(None),
                Some(Err(error)) if is_gone(&error) => return End::of_client(None),
                Some(Err(error)) => return End::unreadable(&error),
                Some(Ok(message)) => message,
            };
            self.clock.touch();
            let message = match message {
                Message::Close(word) => return End::of_client(word),
                Message::Text(text) if message::asks_for_response(text.as_bytes()) => {
                    Message::Text(self.ask(text).await)
                }
                Message::Text(_) | Message::Binary(_) => message,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if self.to_upstream.lock().await.send(message).await.is_err() {
                return End::lost();
            }
        }
    }

    /// Prepares a request and expects its answer.
    async fn ask(&self, text: Utf8Bytes) -> Utf8Bytes {
        while self.under_way().holding > 0 {
            self.ended.notified().await;
        }
        let at_ms = now_ms();
        let raw = Bytes::from(text.clone());
        let room = self.app.rooms.enter();
        let prepared = if room.fits(raw.len()) {
            let room = Arc::new(room);
            let prepared = prepare(self.app, Dialect::OpenAiResponses, self.head, &raw, &room).await.ok();
            prepared.map(|prepared| (prepared, room))
        } else {
            Metrics::count(&self.app.metrics.unread);
            None
        };
        let (sent, turn, mut receipt, observed, changed, room) = match prepared {
            Some((Prepared { body, changed, turn, receipt, observed, .. }, room)) => match Utf8Bytes::try_from(body) {
                Ok(body) => {
                    let room = (turn.holds_request() || changed.is_some()).then_some(room);
                    (body, turn, receipt, observed, changed, room)
                }
                // Cannot be: text was spliced into text.
                Err(_) => (text.clone(), passing(Dialect::OpenAiResponses), receipt, None, None, None),
            },
            None => {
                let (turn, receipt) = unread(self.app, Dialect::OpenAiResponses, raw.len() as u64, Unread::NoRoom);
                (text.clone(), turn, receipt, None, None, None)
            }
        };
        receipt.id = fresh_id(at_ms);
        receipt.at_ms = at_ms;
        receipt.agent = agent(self.head);
        receipt.user = User::of(self.head);
        let holds = receipt.tool_offered;
        let filing = Filing::new(Arc::clone(self.app), receipt, observed);
        let original = changed.map(|request| (request, text));
        let mut under_way = self.under_way();
        under_way.open += 1;
        under_way.holding += usize::from(holds);
        under_way.turns.push_back(Active { turn, filing, original, holds, begun: false, _room: room });
        sent
    }

    // --- From the provider -----------------------------------------------------------------------------

    async fn downward(&self, from: &mut SplitStream<WebSocketStream<U>>) -> End {
        loop {
            let message = match from.next().await {
                None => return End::lost(),
                Some(Err(error)) if is_gone(&error) => return End::lost(),
                Some(Err(error)) => return End::unreadable(&error),
                Some(Ok(message)) => message,
            };
            self.clock.touch();
            let kept = match message {
                Message::Close(word) => return End::of_upstream(word),
                Message::Text(text) => self.hear(text).await,
                Message::Binary(_) => self.tell(message).await,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            if let Err(end) = kept {
                return end;
            }
        }
    }

    /// Takes the next event of the first response that is under way.
    async fn hear(&self, text: Utf8Bytes) -> Result<(), End> {
        let next = self.under_way().turns.pop_front();
        let Some(mut active) = next else { return self.tell(Message::Text(text)).await };
        if let Some(status) = message::error_status(text.as_bytes()) {
            let status = status.and_then(|status| StatusCode::from_u16(status).ok());
            return match active.original.take().filter(|_| status.is_some_and(refuses_the_body)) {
                Some((request, original)) => self.replay(active, request, original).await,
                None => {
                    active.filing.refused(status.unwrap_or(StatusCode::BAD_GATEWAY));
                    self.over(active);
                    self.tell(Message::Text(text)).await
                }
            };
        }
        if !std::mem::replace(&mut active.begun, true) {
            active.filing.answered(StatusCode::OK);
            active.original = None;
        }
        let Some(event) = message::to_event(text.as_bytes()) else {
            self.under_way().turns.push_front(active);
            return self.tell(Message::Text(text)).await;
        };
        let mut steps = Vec::new();
        active.turn.feed(event, &mut steps);
        active.filing.note(&active.turn);
        let done = self.act(&mut active, steps).await;
        if active.turn.is_over() {
            active.filing.finish();
            self.over(active);
        } else {
            self.under_way().turns.push_front(active);
        }
        done
    }

    /// Does what a turn asks for.
    async fn act(&self, active: &mut Active, steps: Vec<Step>) -> Result<(), End> {
        let mut steps = VecDeque::from(steps);
        while let Some(step) = steps.pop_front() {
            let mut more = Vec::new();
            match step {
                Step::Forward(events) => {
                    for message in message::of_events(events) {
                        self.tell(text_of(message)).await?;
                    }
                }
                Step::Answer(calls) => {
                    let answers = answer(self.app, &mut active.filing, calls).await;
                    active.turn.answer(&answers, &mut more);
                }
                Step::Restore(handles) => {
                    let originals = originals(self.app, handles).await;
                    active.turn.restore(&originals, &mut more);
                    active.filing.note(&active.turn);
                }
                Step::Remember(exchange) => remember(self.app, exchange).await,
                Step::Continue(body) => {
                    let sent = self.to_upstream.lock().await.send(text_of(body)).await;
                    sent.map_err(|_| End::lost())?;
                }
            }
            steps.extend(more);
        }
        Ok(())
    }

    /// The provider dislikes the body: it must not be our doing, so it gets the client's own.
    async fn replay(&self, mut active: Active, request: Request, original: Utf8Bytes) -> Result<(), End> {
        tracing::warn!("a changed request on a connection was refused; sending the original");
        Metrics::count(&self.app.metrics.replayed);
        active.filing.replays(original.len() as u64);
        active.turn = passing(Dialect::OpenAiResponses);
        self.lets_go(&mut active);
        self.under_way().turns.push_front(active);
        let sent = self.to_upstream.lock().await.send(Message::Text(original)).await;
        let app = Arc::clone(self.app);
        soon(move || app.engine.refused(&app.config.scope, &request, &app.config.policy)).await;
        sent.map_err(|_| End::lost())
    }

    async fn tell(&self, message: Message) -> Result<(), End> {
        self.to_client.lock().await.send(message).await.map_err(|_| End::of_client(None))
    }

    /// Files what a turn came to, and lets the next request through.
    fn over(&self, mut active: Active) {
        self.under_way().open -= 1;
        self.lets_go(&mut active);
    }

    /// A response is not gone on from any more.
    fn lets_go(&self, active: &mut Active) {
        self.under_way().holding -= usize::from(std::mem::take(&mut active.holds));
        self.ended.notify_one();
    }

    // --- The end ---------------------------------------------------------------------------------------

    /// Returns when the proxy stops and no response is under way.
    async fn leaving(&self) {
        let mut stopping = self.app.upgrades.stopping.clone();
        if stopping.wait_for(|stop| *stop).await.is_ok() {
            while self.under_way().open > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Tells both sides what they do not know yet. What is still under way is cut off.
    async fn leave(&self, end: End, from_client: &mut SplitStream<WebSocketStream<C>>) {
        let upstream = async {
            let mut to_upstream = self.to_upstream.lock().await;
            // Either fails when it is gone; an answer to its own word is waiting to go out.
            let _ = match end.upstream {
                Some(word) => to_upstream.send(Message::Close(word)).await,
                None => to_upstream.flush().await,
            };
        };
        let client = async {
            if let Some(word) = end.client {
                let _ = self.to_client.lock().await.send(Message::Close(word)).await; // Fails when it is gone.
            }
            // Its own last word: a connection with unread bytes would be reset, and what was said lost.
            while let Some(Ok(_)) = from_client.next().await {}
        };
        let _ = tokio::join!(timeout(LEAVE, upstream), timeout(LEAVE, client));
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        // Nothing panics while it is held.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message of ours. What is no text (nobody sends such) goes out as bytes.
fn text_of(message: Bytes) -> Message {
    match Utf8Bytes::try_from(message.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(message),
    }
}
