//! The contract `Webhooks`.

use notifications_contracts::{EndpointId, ListWebhooks, NewWebhook, Webhook, WebhookError, Webhooks};
use partie::contract::{Call, Created, Id, NoContent, Outcome, Page, Platform, Versioned};

use super::Desk;
use crate::provider::Provider;
use crate::rows::webhooks as rows;
use crate::webhook::{Endpoint, fresh_secret};

impl<P: Provider> Webhooks for Desk<P> {
    async fn register(&self, cx: &Call, webhook: NewWebhook) -> Outcome<Created<Webhook>, WebhookError> {
        let url = webhook.url;
        if let Err(reason) = self.courier.target(&url) {
            return Err(WebhookError::UrlInvalid { reason: reason.to_owned() }.into());
        }
        let secret = fresh_secret().map_err(Platform::internal)?;
        self.store
            .once(cx, move |tx| {
                if let Some(Endpoint { id, .. }) = rows::at(tx, &url)? {
                    return Err(WebhookError::Exists { id }.into());
                }
                let endpoint = Endpoint::new(tx.new_id(), url.clone(), secret.clone(), tx.now());
                rows::insert(tx, &endpoint)?;
                Ok(Created(endpoint.revealed(tx.now())))
            })
            .await
    }

    async fn list(&self, _: &Call, query: ListWebhooks) -> Outcome<Page<Webhook>, WebhookError> {
        let ListWebhooks { limit, after } = query;
        let newest = || EndpointId::from_uuid(uuid::Uuid::max());
        let before = after.map_or_else(|| Ok(newest()), |after| after.key())?;
        self.store
            .read(move |tx| {
                let (found, now) = (rows::list(tx, before, limit.get() as usize + 1)?, tx.now());
                let views = found.iter().map(|endpoint| endpoint.view(now)).collect();
                Ok(Page::from_rows(views, limit, |webhook: &Webhook| webhook.id)?)
            })
            .await
    }

    async fn webhook(&self, _: &Call, id: EndpointId) -> Outcome<Versioned<Webhook>, WebhookError> {
        self.store
            .read(move |tx| {
                let found = rows::find(tx, id)?.ok_or(WebhookError::NotFound)?;
                Ok(Versioned(found.view(tx.now())))
            })
            .await
    }

    async fn rotate(&self, cx: &Call, id: EndpointId) -> Outcome<Versioned<Webhook>, WebhookError> {
        let secret = fresh_secret().map_err(Platform::internal)?;
        self.store
            .once(cx, move |tx| {
                let mut endpoint = rows::find(tx, id)?.ok_or(WebhookError::NotFound)?;
                endpoint.rotate(secret.clone(), tx.now());
                rows::update(tx, &endpoint)?;
                Ok(Versioned(endpoint.revealed(tx.now())))
            })
            .await
    }

    async fn enable(&self, cx: &Call, id: EndpointId) -> Outcome<Versioned<Webhook>, WebhookError> {
        self.store
            .once(cx, move |tx| {
                let mut endpoint = rows::find(tx, id)?.ok_or(WebhookError::NotFound)?;
                endpoint.enable();
                rows::update(tx, &endpoint)?;
                Ok(Versioned(endpoint.view(tx.now())))
            })
            .await
    }

    async fn remove(&self, _: &Call, id: EndpointId) -> Outcome<NoContent, WebhookError> {
        self.store
            .write(
                move |tx| {
                    if rows::delete(tx, id)? { Ok(NoContent) } else { Err(WebhookError::NotFound.into()) }
                },
            )
            .await
    }
}
