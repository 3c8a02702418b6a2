//! The mail of development: files that say what would have been sent.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::letter::Sender;
use crate::provider::{Message, ProviderError};

/// The directory beside the databases.
const DIRECTORY: &str = "mail";

/// Writes each mail to a file of its own, named by the id of its notification: `mail/ID.txt`. Ids follow time, so the last
/// file is the last mail. A repeat writes the same file again.
#[derive(Debug)]
pub(crate) struct MailLog {
    directory: PathBuf,
    sender: Sender,
}

// === impl MailLog ===

impl MailLog {
    pub(super) fn open(data: &Path, sender: Sender) -> io::Result<Self> {
        let directory = data.join(DIRECTORY);
        fs::create_dir_all(&directory).map_err(|error| {
            io::Error::new(error.kind(), format!("{} cannot be made: {error}", directory.display()))
        })?;
        Ok(Self { directory, sender })
    }

    /// A short write to a local file: it is not worth a thread.
    pub(super) fn write(&self, message: &Message) -> Result<(), ProviderError> {
        let text = self.sender.readable(message);
        let path = self.directory.join(format!("{}.txt", message.id));
        let unfinished = self.directory.join(format!(".{}", message.id));
        // There may be a token in it, and nobody reads half of it.
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.and_then(|()| fs::rename(&unfinished, &path)).map_err(ProviderError::transient)
    }
}

/// The last mail to that address in the log of a system without a mail server, as it was written, if there is one.
///
/// `data` is the system's data directory. Upper and lower case are the same.
///
/// # Errors
/// When the log cannot be read.
pub fn last_mail(data: &Path, address: &str) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(data.join(DIRECTORY)) {
        Ok(entries) => entries,
        // Nothing was ever sent.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort_unstable_by(|one, next| next.cmp(one));
    for path in paths {
        let text = fs::read_to_string(path)?;
        let headers = text.lines().take_while(|line| !line.is_empty());
        let mut recipients = headers.filter_map(|line| line.strip_prefix("To: "));
        if recipients.any(|recipient| recipient.eq_ignore_ascii_case(address)) {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use notifications_contracts::{Channel, NotificationId};
    use partie::contract::{Id as _, Timestamp};
    use uuid::Uuid;

    use super::*;

    fn message(number: u128, recipient: &str, text: &str) -> Message {
        Message {
            id: NotificationId::from_uuid(Uuid::from_u128(number)),
            channel: Channel::Email,
            recipient: recipient.to_owned(),
            subject: Some("Soup".to_owned()),
            text: text.to_owned(),
            html: None,
            created_at: Timestamp::EPOCH,
        }
    }

    #[test]
    fn the_last_mail_to_an_address_is_found() {
        let data = std::env::temp_dir().join(format!("partie-mail-log-{}", std::process::id()));
        assert!(last_mail(&data, "ann@example.org").unwrap().is_none());
        let log = MailLog::open(&data, Sender::new("soup@example.org").unwrap()).unwrap();
        let to_ann = "ann@example.org";
        for (number, recipient, text) in [
            (2, to_ann, "second"),
            (1, to_ann, "first"),
            (3, "Bob@example.org", "To: ann@example.org"),
            // Said again, and once in the log.
            (2, to_ann, "second"),
        ] {
            log.write(&message(number, recipient, text)).unwrap();
        }
        let last = last_mail(&data, "Ann@Example.org").unwrap().unwrap();
        assert_eq!(
            last,
            "Message-ID: <00000000-0000-0000-0000-000000000002@example.org>\nDate: 1970-01-01T00:00:00.000Z\n\
             From: soup@example.org\nTo: ann@example.org\nSubject: Soup\n\nsecond\n"
        );
        assert!(last_mail(&data, "bob@example.org").unwrap().is_some());
        assert!(last_mail(&data, "eve@example.org").unwrap().is_none());
        let files: Vec<_> = fs::read_dir(data.join(DIRECTORY)).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(files.len(), 3);
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::remove_dir_all(data).unwrap();
    }
}
