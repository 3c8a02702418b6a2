//! Event streams, from items to text and back.

use futures_util::TryStreamExt as _;
use partie_contract::FaultKind;

use crate::kitchen::{KitchenClient, Stove};
use crate::wire::call;

#[tokio::test]
async fn items_arrive_as_they_left() {
    let client: KitchenClient = Stove::wire().client();
    let items: Vec<_> = client.notes(&call()).await.unwrap().try_collect().await.unwrap();
    let ids: Vec<_> = items.iter().map(|item| item.id).collect();
    assert_eq!(ids, [Some(1), Some(2), Some(3)]);
    assert_eq!((items[2].event.as_ref(), items[2].data.as_str()), ("note.taken", "note 3\nand more"));
}

#[tokio::test]
async fn a_reader_resumes_after_the_last_event_and_sees_the_break() {
    let client: KitchenClient = Stove::wire().client();
    let mut stream = client.notes(&call().with_last_event_id("2")).await.unwrap();
    assert_eq!(stream.try_next().await.unwrap().unwrap().id, Some(3));
    assert_eq!(stream.try_next().await.unwrap_err().kind(), FaultKind::UpstreamUnavailable);
}
