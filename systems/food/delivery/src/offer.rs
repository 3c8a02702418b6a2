//! An offer: one bundle, one driver, one answer.

use food_contracts::DriverId;
use food_contracts::delivery::{Offer, OfferError, OfferStatus};
use partie::contract::Timestamp;

/// An offer with what only this service knows.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) offer: Offer,
    pub(crate) driver_id: DriverId,
    /// When the driver would be free again.
    pub(crate) ends_at: Timestamp,
}

/// Where an open offer may go. All other states are final.
const ENDS: &[OfferStatus] =
    &[OfferStatus::Accepted, OfferStatus::Declined, OfferStatus::Expired, OfferStatus::Withdrawn];

// === impl Record ===

impl Record {
    /// Whether it still waits for its answer.
    pub(crate) fn waits(&self, now: Timestamp) -> bool {
        self.offer.status == OfferStatus::Open && now < self.offer.expires_at
    }

    /// Whether the driver may answer it, with that token if one was sent.
    ///
    /// # Errors
    /// [`OfferError::Expired`] when its time is over, whether or not somebody has noticed; [`OfferError::Taken`] when
    /// it was answered or withdrawn, or when the answer is to another offer.
    pub(crate) fn answerable(&self, token: Option<i64>, now: Timestamp) -> Result<(), OfferError> {
        match self.offer.status {
            OfferStatus::Open if now >= self.offer.expires_at => Err(OfferError::Expired),
            OfferStatus::Open if token.is_some_and(|token| token != self.offer.token) => {
                Err(OfferError::Taken)
            }
            OfferStatus::Open => Ok(()),
            OfferStatus::Expired => Err(OfferError::Expired),
            OfferStatus::Accepted | OfferStatus::Declined | OfferStatus::Withdrawn => Err(OfferError::Taken),
        }
    }

    /// Ends it, once. Says whether it was open.
    pub(crate) fn end(&mut self, how: OfferStatus) -> bool {
        let may = self.offer.status == OfferStatus::Open && ENDS.contains(&how);
        if may {
            self.offer.status = how;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use food_contracts::{OfferId, Place, RestaurantId};
    use partie::contract::Id;
    use uuid::Uuid;

    use super::*;

    fn offer(status: OfferStatus) -> Record {
        let id = Uuid::from_u128(1);
        let offer = Offer {
            id: OfferId::from_uuid(id),
            status,
            token: 7,
            expires_at: Timestamp::from_millis(1000),
            restaurant_id: RestaurantId::from_uuid(id),
            pick_up: Place { lat: 1.0, lon: 1.0 },
            deliveries: Vec::new(),
        };
        Record { offer, driver_id: DriverId::from_uuid(id), ends_at: Timestamp::EPOCH }
    }

    #[test]
    fn answers() {
        use OfferStatus::{Accepted, Declined, Expired, Open, Withdrawn};
        for (status, token, now, expected) in [
            (Open, None, 999, Ok(())),
            (Open, Some(7), 999, Ok(())),
            (Open, Some(6), 999, Err(OfferError::Taken)),
            (Open, None, 1000, Err(OfferError::Expired)),
            (Open, Some(6), 1000, Err(OfferError::Expired)),
            (Expired, None, 999, Err(OfferError::Expired)),
            (Accepted, Some(7), 999, Err(OfferError::Taken)),
            (Declined, None, 2000, Err(OfferError::Taken)),
            (Withdrawn, None, 999, Err(OfferError::Taken)),
        ] {
            let answer = offer(status).answerable(token, Timestamp::from_millis(now));
            assert_eq!(answer, expected, "{status:?} {token:?} {now}");
        }
    }

    #[test]
    fn an_offer_ends_once() {
        use OfferStatus::{Accepted, Declined, Expired, Open, Withdrawn};
        for from in [Open, Accepted, Declined, Expired, Withdrawn] {
            for to in [Open, Accepted, Declined, Expired, Withdrawn] {
                let mut record = offer(from);
                assert_eq!(record.end(to), from == Open && to != Open, "{from:?} {to:?}");
            }
        }
    }
}
