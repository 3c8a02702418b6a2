//! Webhooks and the library of Standard Webhooks itself.

use std::process::Command;

use notifications_contracts::{Channel, NewWebhook, WebhookSecret, WebhooksClient, verify_webhook};
use partie::runtime::trust_now;
use partie_testkit::CallExt as _;
use partie_testservers::python_with;
use serde_json::json;

use crate::receiver::Receiver;
use crate::support::{App, of};

/// Says what the library thinks of a message: its body, or the error.
const VERIFY: &str = r"
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
message = json.loads(sys.argv[1])
try:
    print(json.dumps(Webhook(message['secret']).verify(message['body'], message['headers'])))
except WebhookVerificationError as error:
    print('refused:', error)
";

/// Signs a message.
const SIGN: &str = r"
import datetime, sys
from standardwebhooks.webhooks import Webhook
secret, id, at, body = sys.argv[1:]
print(Webhook(secret).sign(id, datetime.datetime.fromtimestamp(int(at), datetime.timezone.utc), body))
";

fn python(script: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(python_with("standardwebhooks")).args(["-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn their_library_believes_our_webhooks() {
    let (app, receiver) =
        (App::start("[webhooks]\nallow-private = true".to_owned()).await, Receiver::start().await);
    let webhooks: WebhooksClient = app.run.client();
    let new = NewWebhook { url: receiver.url.clone() };
    let old = webhooks.register(&app.run.call_as("admin").keyed(), new).await.unwrap().0;
    let new = webhooks.rotate(&app.run.call_as("admin").keyed(), old.id).await.unwrap().0;
    app.sent(of(Channel::Webhook, &receiver.url, "message", &[("message", "Süp")])).await;
    let received = &receiver.received()[0];
    let judged = |secret: &str, body: &str| {
        let message = json!({"secret": secret, "body": body, "headers": received.headers});
        python(VERIFY, &[&message.to_string()])
    };
    for webhook in [old, new] {
        let secret = webhook.secret.unwrap();
        let believed: serde_json::Value = serde_json::from_str(&judged(&secret, &received.body)).unwrap();
        assert_eq!(believed["data"], json!({"message": "Süp"}));
        assert!(judged(&secret, "{}").starts_with("refused:"));
    }
    let other = WebhookSecret::new(vec![1; 32]).unwrap().reveal();
    assert!(judged(&other, &received.body).starts_with("refused:"));
}

#[test]
fn we_believe_their_signatures() {
    let secret = WebhookSecret::new((0..24).collect()).unwrap();
    let (at, body) = (trust_now().to_string(), r#"{"a": "ü"}"#);
    let signature = python(SIGN, &[&secret.reveal(), "msg_1", &at, body]);
    assert_eq!(secret.sign("msg_1", at.parse().unwrap(), body.as_bytes()), signature);
    let verify = |id| verify_webhook(&[&secret], id, &at, &signature, body.as_bytes(), trust_now());
    assert!(verify("msg_1").is_ok() && verify("msg_2").is_err());
}
