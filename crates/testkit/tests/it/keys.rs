//! What counts as the same request under one idempotency key.

use crate::menu;

/// An operation without a body takes nothing or an empty object. A retry may say the one for the other.
#[tokio::test]
async fn where_no_body_is_taken_none_and_an_empty_one_are_the_same_request() {
    let run = menu::start(false).await;
    let token = run.token("ann", &["chef"]);
    for (first, retry) in [("", "{}"), ("{}", ""), (" { } ", "{}"), ("", "")] {
        let path = format!("/api/v1/dishes/{}/remove", menu::soup(&run).await.id);
        let remove = |key: &str, body: &str| {
            let request = run.http().post(path.as_str()).token(&token).key(key);
            if body.is_empty() {
                request
            } else {
                request.header("content-type", "application/json").body(body.to_owned())
            }
        };
        let key = format!("k-{path}");
        let done = remove(&key, first).send().await.unwrap();
        assert_eq!((done.status, done.header("idempotency-replayed")), (204, None), "{first:?}");
        let again = remove(&key, retry).send().await.unwrap();
        assert_eq!(
            (again.status, again.header("idempotency-replayed")),
            (204, Some("true")),
            "{first:?}, {retry:?}"
        );

        // What would have been refused at first is refused as a retry, and for the same reason.
        for (body, status, code) in [
            ("{\"left\":1}", 422, "validation-failed"),
            ("[]", 422, "validation-failed"),
            ("{", 400, "malformed-body"),
        ] {
            for key in [key.as_str(), "fresh"] {
                let refused = remove(key, body).send().await.unwrap();
                assert_eq!(
                    (refused.status, refused.code().as_deref()),
                    (status, Some(code)),
                    "{body} under {key}"
                );
            }
        }
    }
    run.stop().await;
}
