//! What a newcomer can paste: register, and read the mail.

use std::sync::Arc;

use partie::Running;

/// The requests.
pub(crate) async fn requests(running: Arc<Running>) -> Vec<String> {
    let url = running.url();
    vec![
        format!(
            "curl {url}/api/v1/users -H 'Content-Type: application/json' \
             -d '{{\"email\":\"ada@example.org\",\"password\":\"a difference engine\"}}'"
        ),
        "cargo run --release -p users -- mail --data .partie/users --to ada@example.org".to_owned(),
    ]
}
