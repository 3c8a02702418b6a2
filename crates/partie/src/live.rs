//! Live streams over a store: what was committed, in order, without gaps or repeats.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;

use futures_util::stream;
use partie_contract::{EventStream, Outcome, Platform, Problem, StreamItem};
use partie_store::Tx;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Wakes that may be unread; a reader that misses some reads the store again, which is all a wake makes it do.
const WAKES: usize = 1024;

/// Tells the readers of streams that something was committed for a key. Cheap to clone.
///
/// A writer calls [`wake`](Self::wake) in its transaction. A reader [`follow`](Self::follow)s: it subscribes first, then
/// reads what there is, then waits; so nothing falls in between, and what it reads twice it has already counted.
pub struct Live<K>(broadcast::Sender<K>);

/// Where a reader starts.
#[derive(Debug)]
pub struct Place<T> {
    /// What the reader says it has seen, `Last-Event-ID`.
    pub seen: Option<String>,
    /// The id of the newest event there is, 0 if there is none.
    pub newest: i64,
    /// How things stand now, for a reader whose place is unknown.
    pub snapshot: T,
}

// === impl Live ===

impl<K: Clone + PartialEq + Send + 'static> Live<K> {
    /// Nobody reads yet.
    pub fn new() -> Self {
        Self(broadcast::channel(WAKES).0)
    }

    /// Wakes the readers of the key once the transaction is committed.
    pub fn wake(&self, tx: &mut Tx, key: K) {
        let wakes = self.0.clone();
        // Without readers there is nobody to tell.
        tx.after_commit(move || drop(wakes.send(key)));
    }

    /// The wakes of a key from now on, for an operation that waits. Subscribe first, then read the store, then wait.
    pub fn news(&self, key: K) -> News<K> {
        News { wakes: self.0.subscribe(), key }
    }

    /// A stream of the key's events, resumed where the reader left off. `after` reads the events after an id, in order;
    /// the stream ends after the event for which `is_last` holds. A place that is unknown, or in the future, begins
    /// with a `reset` event that carries the snapshot.
    pub fn follow<T, E, F>(
        &self,
        key: K,
        place: Place<T>,
        after: impl Fn(i64) -> F + Send + 'static,
        is_last: fn(&T) -> bool,
    ) -> EventStream<T>
    where
        T: Send + 'static,
        E: Problem,
        F: Future<Output = Outcome<Vec<StreamItem<T>>, E>> + Send + 'static,
    {
        let mut ready = VecDeque::new();
        let seen = match place.seen.as_deref().map(str::parse::<i64>) {
            None => 0,
            Some(Ok(id)) if (0..=place.newest).contains(&id) => id,
            Some(_) => {
                let reset =
                    StreamItem { id: Some(place.newest), event: "reset".into(), data: place.snapshot };
                ready.push_back(reset);
                place.newest
            }
        };
        let reader = Reader { news: self.news(key), seen, ready, after, is_last, ended: false };
        EventStream::new(stream::unfold(reader, |mut reader| async move {
            let item = reader.next().await?;
            Some((item, reader))
        }))
    }
}

impl<K: Clone + PartialEq + Send + 'static> Default for Live<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> Clone for Live<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> fmt::Debug for Live<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Live({} readers)", self.0.receiver_count())
    }
}

/// The wakes of one key.
#[derive(Debug)]
pub struct News<K> {
    wakes: broadcast::Receiver<K>,
    key: K,
}

impl<K: Clone + PartialEq> News<K> {
    /// Waits until something was committed for the key. It may also wake for nothing. `None` when nobody can commit any
    /// more.
    pub async fn arrive(&mut self) -> Option<()> {
        loop {
            match self.wakes.recv().await {
                Ok(key) if key == self.key => return Some(()),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Some(()),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// One reader of one key.
struct Reader<K, T, A> {
    news: News<K>,
    /// The last id that was handed out or is in `ready`.
    seen: i64,
    ready: VecDeque<StreamItem<T>>,
    after: A,
    is_last: fn(&T) -> bool,
    ended: bool,
}

impl<K, T, A, F, E> Reader<K, T, A>
where
    K: Clone + PartialEq,
    A: Fn(i64) -> F,
    F: Future<Output = Outcome<Vec<StreamItem<T>>, E>>,
    E: Problem,
{
    async fn next(&mut self) -> Option<Result<StreamItem<T>, Platform>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                self.ended = (self.is_last)(&item.data);
                return Some(Ok(item));
            }
            if self.ended {
                return None;
            }
            match (self.after)(self.seen).await {
                Ok(items) => self.ready.extend(items),
                Err(fault) => {
                    self.ended = true;
                    return Some(Err(partie_contract::Abort::from(fault).into_platform()));
                }
            }
            match self.ready.back() {
                Some(newest) => self.seen = newest.id.unwrap_or(self.seen),
                None => self.news.arrive().await?,
            }
        }
    }
}
