//! A message as a mail: headers, text and HTML.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use partie::contract::BoxError;

use crate::address;
use crate::provider::{Message, ProviderError};

/// Who mail is from.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    mailbox: Mailbox,
}

// === impl Sender ===

impl Sender {
    /// `soup@example.org` or `The Soup <soup@example.org>`.
    pub(super) fn new(from: &str) -> Result<Self, BoxError> {
        let wrong = |reason: &dyn std::fmt::Display| format!("`mail.from` is {from:?}: {reason}");
        let mailbox: Mailbox = from.parse().map_err(|error| wrong(&error))?;
        // Development's own sender has no host that a server would take.
        if mailbox.email.domain() != "localhost" {
            address::email(mailbox.email.as_ref()).map_err(|reason| wrong(&reason))?;
        }
        Ok(Self { mailbox })
    }

    /// The host it is from.
    pub(super) fn domain(&self) -> &str {
        self.mailbox.email.domain()
    }

    /// The id of a message as that of its mail: the same in every attempt, so that a server, or the recipient's program,
    /// knows a repeat.
    pub(super) fn id_of(&self, message: &Message) -> String {
        format!("<{}@{}>", message.id, self.domain())
    }

    /// The mail.
    ///
    /// # Errors
    /// Permanent: what cannot be a mail now, never can.
    pub(super) fn letter(&self, message: &Message) -> Result<lettre::Message, ProviderError> {
        // Checked when it was asked for, and once more where it would matter.
        address::email(&message.recipient).map_err(ProviderError::permanent)?;
        let subject = message.subject.as_deref().unwrap_or_default();
        if subject.contains(char::is_control) {
            return Err(ProviderError::permanent("the subject has more than a line of text"));
        }
        let to = message.recipient.parse().map_err(ProviderError::permanent)?;
        let written = u64::try_from(message.created_at.as_millis()).unwrap_or_default();
        let letter = lettre::Message::builder()
            .from(self.mailbox.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(self.id_of(message)))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(written))
            // No program answers it (RFC 3834).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let text = message.text.clone();
        let letter = match message.html.clone() {
            Some(html) => letter.multipart(MultiPart::alternative_plain_html(text, html)),
            None => letter.header(ContentType::TEXT_PLAIN).body(text),
        };
        letter.map_err(ProviderError::permanent)
    }

    /// The mail as people read it in a log.
    pub(super) fn readable(&self, message: &Message) -> String {
        let Message { recipient, subject, text, created_at, .. } = message;
        format!(
            "Message-ID: {id}\nDate: {created_at}\nFrom: {from}\nTo: {recipient}\nSubject: {subject}\n\n{text}\n",
            id = self.id_of(message),
            from = self.mailbox,
            subject = subject.as_deref().unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use notifications_contracts::{Channel, NotificationId};
    use partie::contract::{Id as _, Timestamp};

    use super::*;

    fn message(subject: &str, html: Option<&str>) -> Message {
        Message {
            id: NotificationId::from_uuid("01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a".parse().unwrap()),
            channel: Channel::Email,
            recipient: "ann@example.org".to_owned(),
            subject: Some(subject.to_owned()),
            text: "Hello Änn,\n.\nbye".to_owned(),
            html: html.map(str::to_owned),
            created_at: Timestamp::from_millis(1_732_159_534_007),
        }
    }

    fn sender() -> Sender {
        Sender::new("The Soup <soup@example.org>").unwrap()
    }

    #[test]
    fn a_mail_has_the_id_of_its_message() {
        let letter = sender().letter(&message("Süp", None)).unwrap();
        let text = String::from_utf8(letter.formatted()).unwrap();
        for line in [
            "From: \"The Soup\" <soup@example.org>\r\n",
            "To: ann@example.org\r\n",
            "Message-ID: <01931f0e-7f2a-7c3e-9a51-0d6d5f1c2b3a@example.org>\r\n",
            "Date: Thu, 21 Nov 2024 03:25:34 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Subject: =?utf-8?b?",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(text.is_ascii(), "{text}");
        let both = sender().letter(&message("Soup", Some("<p>Hello</p>"))).unwrap();
        let both = String::from_utf8(both.formatted()).unwrap();
        assert!(both.contains("multipart/alternative") && both.contains("<p>Hello</p>"), "{both}");
    }

    #[test]
    fn nothing_ends_a_header_early() {
        let bad = message("Soup\r\nBcc: eve@example.org", None);
        assert!(matches!(sender().letter(&bad), Err(ProviderError::Permanent(_))));
        let bad =
            Message { recipient: "ann@example.org\r\nBcc: eve@example.org".into(), ..message("Soup", None) };
        assert!(matches!(sender().letter(&bad), Err(ProviderError::Permanent(_))));
        for bad in ["", "soup", "Soup soup@example.org", "a@b.cd\r\nBcc: x@y.zw", "ä@example.org"] {
            assert!(Sender::new(bad).is_err(), "{bad}");
        }
    }
}
