//! A session, and what becomes of its refresh tokens.

use std::time::Duration;

use partie::contract::{Call, Timestamp, id};
use partie::messaging::Publish as _;
use partie::store::{Error, Tx};
use serde::{Deserialize, Serialize};
use users_contracts::events::{EndReason, SessionRevoked};
use users_contracts::{Revocation, SessionId, UserId, sessions as api};
use uuid::Uuid;

use crate::follow::BELL;
use crate::rows;
use crate::settings::Settings;

id! {
    /// Names a refresh token.
    pub(crate) struct RefreshId;
    /// Names a token that is sent by mail.
    pub(crate) struct CodeId;
    /// Names a revocation.
    pub(crate) struct RevocationId;
}

/// How many sessions somebody may have. Beyond that the oldest ends.
pub(crate) const MOST: usize = 100;
/// How far the clocks of two machines may differ, in seconds: verifiers take a token for so much longer.
pub(crate) const SKEW: i64 = 60;
/// How many traded tokens are remembered within the grace.
const MOST_TRADED: usize = 16;

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) id: SessionId,
    pub(crate) user_id: UserId,
    pub(crate) device: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) last_seen_at: Timestamp,
    pub(crate) idle_expires_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    /// The refresh token that is good.
    pub(crate) refresh: Uuid,
    /// Those that were traded within the grace, the oldest first; each one's successor follows it.
    pub(crate) traded: Vec<Traded>,
}

/// A refresh token that was traded, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Traded(pub(crate) Uuid, pub(crate) Timestamp);

/// What a refresh token gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trade {
    /// A successor.
    Fresh,
    /// The successor it has already: it was shown twice, by one who was impatient or in two places at once.
    Again(Uuid),
    /// Nothing: the session has ended.
    Over,
    /// Nothing, and the session ends: somebody has a copy.
    Reuse,
}

// === impl Record ===

impl Record {
    /// A session that begins now.
    pub(crate) fn begin(
        tx: &Tx,
        user_id: UserId,
        device: Option<String>,
        address: Option<String>,
        settings: &Settings,
    ) -> Self {
        let now = tx.now();
        Self {
            id: tx.new_id(),
            user_id,
            device,
            address,
            created_at: now,
            last_seen_at: now,
            idle_expires_at: (now + settings.session_idle).min(now + settings.session_longest),
            expires_at: now + settings.session_longest,
            ended_at: None,
            refresh: partie::contract::Id::as_uuid(&tx.new_id::<RefreshId>()),
            traded: Vec::new(),
        }
    }

    /// Whether nobody has ended it and its time is not over.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.idle_expires_at && now < self.expires_at
    }

    /// What its token of that id gives.
    pub(crate) fn judge(&self, token: Uuid, now: Timestamp, grace: Duration) -> Trade {
        if !self.is_open(now) {
            return Trade::Over;
        }
        if token == self.refresh {
            return Trade::Fresh;
        }
        let place = self.traded.iter().position(|Traded(id, at)| *id == token && now.since(*at) <= grace);
        match place {
            Some(place) => Trade::Again(self.traded.get(place + 1).map_or(self.refresh, |Traded(id, _)| *id)),
            None => Trade::Reuse,
        }
    }

    /// Trades the token that is good for another.
    pub(crate) fn trade(&mut self, successor: Uuid, now: Timestamp, settings: &Settings) {
        self.traded.retain(|Traded(_, at)| now.since(*at) <= settings.refresh_grace);
        if self.traded.len() >= MOST_TRADED {
            self.traded.remove(0);
        }
        self.traded.push(Traded(self.refresh, now));
        self.refresh = successor;
        self.last_seen_at = now;
        self.idle_expires_at = (now + settings.session_idle).min(self.expires_at);
    }

    /// As its user sees it.
    pub(crate) fn view(self, current: Option<SessionId>) -> api::Session {
        api::Session {
            id: self.id,
            current: current == Some(self.id),
            device: self.device,
            address: self.address,
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            idle_expires_at: self.idle_expires_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
        }
    }
}

/// The session of the call's token, if it has one.
pub(crate) fn of(cx: &Call) -> Option<SessionId> {
    cx.caller().identity()?.session.as_deref()?.parse().ok()
}

/// Ends a session and has its access tokens refused. `trusted_now` is the wall clock, in seconds.
pub(crate) fn end(
    tx: &mut Tx,
    session: &Record,
    reason: EndReason,
    settings: &Settings,
    trusted_now: i64,
) -> Result<(), Error> {
    rows::sessions::end(tx, session.id, tx.now(), reason)?;
    tx.publish(&SessionRevoked { session_id: session.id, user_id: session.user_id, reason })?;
    let until = last_token_ends(settings, trusted_now);
    // What was issued while this was decided is refused too.
    let revocation =
        Revocation { session: Some(session.id.to_string()), subject: None, issued_before: until, until };
    revoke(tx, &revocation, trusted_now)
}

/// Ends all sessions of somebody but one, and says how many.
pub(crate) fn end_all(
    tx: &mut Tx,
    user: UserId,
    but: Option<SessionId>,
    reason: EndReason,
    settings: &Settings,
    trusted_now: i64,
) -> Result<usize, Error> {
    let mut open = rows::sessions::open_of_user(tx, user)?;
    open.retain(|session| Some(session.id) != but);
    for session in &open {
        end(tx, session, reason, settings, trusted_now)?;
    }
    Ok(open.len())
}

/// Tells everybody who verifies tokens.
pub(crate) fn revoke(tx: &mut Tx, revocation: &Revocation, trusted_now: i64) -> Result<(), Error> {
    rows::revocations::insert(tx, revocation, trusted_now)?;
    tx.ring(BELL);
    Ok(())
}

/// When the last token that was issued until now is over for every verifier, in seconds of the wall clock.
pub(crate) fn last_token_ends(settings: &Settings, trusted_now: i64) -> i64 {
    let lifetime = i64::try_from(settings.access_lifetime.as_secs()).unwrap_or(i64::MAX);
    trusted_now.saturating_add(lifetime).saturating_add(2 * SKEW)
}

#[cfg(test)]
mod tests {
    use partie::contract::Id as _;

    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn token(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn session() -> Record {
        Record {
            id: SessionId::from_uuid(token(1)),
            user_id: UserId::from_uuid(token(2)),
            device: None,
            address: None,
            created_at: at(0),
            last_seen_at: at(0),
            idle_expires_at: at(100),
            expires_at: at(1_000),
            ended_at: None,
            refresh: token(10),
            traded: Vec::new(),
        }
    }

    fn settings() -> Settings {
        Settings { session_idle: Duration::from_secs(100), ..Settings::default() }
    }

    #[test]
    fn a_token_is_good_once_and_gives_the_same_successor_within_the_grace() {
        let mut one = session();
        assert_eq!(one.judge(token(10), at(1), GRACE), Trade::Fresh);
        one.trade(token(11), at(1), &settings());
        assert_eq!(one.judge(token(11), at(1), GRACE), Trade::Fresh);
        assert_eq!(one.judge(token(10), at(11), GRACE), Trade::Again(token(11)));
        assert_eq!(one.judge(token(10), at(12), GRACE), Trade::Reuse);
        // Traded on meanwhile: the first still gives the second, as before.
        one.trade(token(12), at(2), &settings());
        assert_eq!(one.judge(token(10), at(3), GRACE), Trade::Again(token(11)));
        assert_eq!(one.judge(token(11), at(3), GRACE), Trade::Again(token(12)));
        assert_eq!(one.judge(token(99), at(3), GRACE), Trade::Reuse);
    }

    #[test]
    fn a_session_ends_when_idle_too_old_or_ended() {
        let mut one = session();
        assert_eq!(one.judge(token(10), at(100), GRACE), Trade::Over);
        one.trade(token(11), at(99), &settings());
        assert_eq!(one.judge(token(11), at(198), GRACE), Trade::Fresh);
        for round in 0..20 {
            one.trade(token(20 + round), at(190 + 90 * i64::try_from(round).unwrap()), &settings());
        }
        assert!(one.traded.len() <= MOST_TRADED);
        assert_eq!(one.idle_expires_at, at(1_000), "never beyond its end");
        assert_eq!(one.judge(one.refresh, at(1_000), GRACE), Trade::Over);
        let ended = Record { ended_at: Some(at(5)), ..session() };
        assert_eq!(ended.judge(token(10), at(6), GRACE), Trade::Over);
    }
}
