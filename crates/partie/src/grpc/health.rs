//! `grpc.health.v1`: whether the service can do its work, by the system's readiness.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use partie_store::{Health as StoreHealth, Store};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::service::Start;

/// How often somebody who watches is looked after.
const WATCH: Duration = Duration::from_millis(250);

/// What the readiness of a service hangs on. Cheap to clone.
#[derive(Clone)]
pub(super) struct Readiness {
    services: Arc<[&'static str]>,
    ready: Arc<AtomicBool>,
    store: Option<Store>,
}

type Statuses = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

// === impl Readiness ===

impl Readiness {
    pub(super) fn of(start: &Start) -> Self {
        Self {
            services: Arc::clone(&start.grpc),
            ready: Arc::clone(&start.ready),
            store: start.store.clone(),
        }
    }

    fn is_known(&self, service: &str) -> bool {
        service.is_empty() || self.services.contains(&service)
    }

    fn is_up(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    fn status(&self) -> ServingStatus {
        let stored = self.store.as_ref().is_none_or(|store| matches!(store.health(), StoreHealth::Ready));
        if self.is_up() && stored { ServingStatus::Serving } else { ServingStatus::NotServing }
    }
}

#[tonic::async_trait]
impl Health for Readiness {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if !self.is_known(&service) {
            return Err(Status::not_found(format!("there is no service {service}")));
        }
        Ok(Response::new(message(self.status())))
    }

    type WatchStream = Statuses;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Statuses>, Status> {
        if !self.is_known(&request.into_inner().service) {
            // The protocol wants no error: it might come one day. Ours are known from the start, so nothing follows.
            let unknown = stream::iter([Ok(message(ServingStatus::ServiceUnknown))]);
            return Ok(Response::new(Box::pin(unknown)));
        }
        let watched = (self.clone(), None);
        Ok(Response::new(Box::pin(stream::unfold(watched, |(readiness, said)| async move {
            // A drain waits for nobody who watches it: after the news that it began the stream ends.
            if said == Some(ServingStatus::NotServing) && !readiness.is_up() {
                return None;
            }
            let mut now = readiness.status();
            while said == Some(now) {
                tokio::time::sleep(WATCH).await;
                now = readiness.status();
            }
            Some((Ok(message(now)), (readiness, Some(now))))
        }))))
    }
}

fn message(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
