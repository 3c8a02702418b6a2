//! What a service does when one it calls cannot be asked: the tutorials' "queued", and what resumes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use partie::Service;
use partie::messaging::{AfterCrash, Backoff, Enqueue as _, Job, JobError};
use partie::store::{Store, Tx};
use partie_contract::{Call, FaultKind, Outcome, OutcomeExt as _, Platform, contract};
use partie_testkit::{CallExt, TestSystem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Charge {
    cents: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Payment {
    status: String,
}

/// Takes money.
#[contract(service = "payments", version = 1)]
trait Payments {
    /// Charge somebody.
    #[post("/charges", public, keyed)]
    async fn charge(&self, cx: &Call, charge: Charge) -> Outcome<Payment>;
}

/// Sells things.
#[contract(service = "shop", version = 1)]
trait Shop {
    /// Buy something.
    #[post("/purchases", public, keyed)]
    async fn buy(&self, cx: &Call, charge: Charge) -> Outcome<Payment>;
}

/// Payments that may be away.
struct Till {
    away: Arc<AtomicBool>,
    charged: Arc<AtomicU32>,
}

impl Payments for Till {
    async fn charge(&self, _: &Call, _: Charge) -> Outcome<Payment> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Platform::new(FaultKind::UpstreamUnavailable).into());
        }
        self.charged.fetch_add(1, Ordering::SeqCst);
        Ok(Payment { status: "paid".to_owned() })
    }
}

/// A charge that is made when payments are back.
#[derive(Debug, Serialize, Deserialize)]
struct ChargeLater(Charge);

impl Job for ChargeLater {
    const KIND: &'static str = "charge-later";
    const AFTER_CRASH: AfterCrash = AfterCrash::Retry;
}

struct Counter {
    payments: PaymentsClient,
    store: Store,
}

impl Counter {
    fn service() -> Service {
        Service::new("shop")
            .store(&[])
            .calls::<PaymentsClient>()
            .falls_back::<PaymentsClient>("charge", "queued as a job")
            .start(async |s| Ok(Self { payments: s.client(), store: s.store() }))
            .serve(Shop::routes())
            .job(Self::charge_later)
            .into()
    }

    async fn charge_later(&self, cx: &Call, job: &ChargeLater) -> Result<(), JobError> {
        self.payments.charge(cx, job.0.clone()).await?;
        Ok(())
    }
}

impl Shop for Counter {
    async fn buy(&self, cx: &Call, charge: Charge) -> Outcome<Payment> {
        let status = match self.payments.charge(cx, charge.clone()).await.available()? {
            Some(Ok(payment)) => payment.status,
            Some(Err(never)) => match never {},
            None => "queued".to_owned(),
        };
        let queue = move |tx: &mut Tx| {
            if status == "queued" {
                tx.enqueue(&ChargeLater(charge.clone()))?;
            }
            Ok(Payment { status: status.clone() })
        };
        self.store.once(cx, queue).await
    }
}

#[tokio::test]
async fn what_could_not_be_asked_for_is_queued_and_done_when_it_can() {
    let (away, charged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let till = Till { away: Arc::clone(&away), charged: Arc::clone(&charged) };
    let system = TestSystem::new().fake(Payments::routes(), till).service(Counter::service());
    let run = system
        .configure(|config| {
            let millis = std::time::Duration::from_millis;
            config.messaging.jobs.backoff = Backoff::new(millis(1), millis(10));
        })
        .start()
        .await;
    let shop: ShopClient = run.client();
    let buy = async |cents| shop.buy(&run.call().keyed(), Charge { cents }).await.unwrap().status;
    assert_eq!(buy(100).await, "paid");
    away.store(true, Ordering::SeqCst);
    assert_eq!(buy(200).await, "queued");
    assert_eq!(charged.load(Ordering::SeqCst), 1);
    // Nobody has to ask for it again.
    away.store(false, Ordering::SeqCst);
    run.activity().quiet().await;
    assert_eq!(charged.load(Ordering::SeqCst), 2);
    run.stop().await;
}
