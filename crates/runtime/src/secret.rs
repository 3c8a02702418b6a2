//! Secrets: values that are used and never shown.

use std::fmt;
use std::io::Read as _;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is shown in the place of a secret.
pub const HIDDEN: &str = "***";
/// The largest file a secret is read from, in bytes.
const LARGEST: u64 = 64 << 10;

/// A secret. Logs, `config` and error messages show `***`.
///
/// In configuration it is the value itself, `file:PATH` for a file that holds it and nothing else (a line break at its end
/// does not count), or `env:NAME` for a variable of the environment. So `PARTIE__STORE__URL=file:/run/secrets/store` keeps it
/// out of the list of processes too.
///
/// ```
/// use partie_runtime::Secret;
///
/// let secret: Secret = serde_json::from_str("\"hunter2\"")?;
/// assert_eq!(secret.reveal(), "hunter2");
/// assert_eq!(format!("{secret:?}"), "***");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T = String>(T);

/// A secret that is not where it was said to be. It shows the place and never the content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// There is no such variable.
    Variable {
        /// Its name.
        name: String,
    },
}

// === impl Secret ===

impl<T> Secret<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for whoever uses it.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl Secret {
    /// What that text of a configuration stands for: the content of a file (`file:PATH`), a variable of the environment
    /// (`env:NAME`), or itself.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn resolve(text: &str) -> Result<String, SecretError> {
        if let Some(path) = text.strip_prefix("file:") {
            return read(path).map_err(|reason| SecretError::File { path: path.to_owned(), reason });
        }
        match text.strip_prefix("env:") {
            Some(name) => std::env::var(name).map_err(|_| SecretError::Variable { name: name.to_owned() }),
            None => Ok(text.to_owned()),
        }
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<T> Serialize for Secret<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer).map_err(|_| de::Error::custom("a secret is a text"))?;
        let value = Secret::resolve(&text).map_err(de::Error::custom)?;
        // What is wrong with it is not said: the message would show it.
        value.parse().map(Self).map_err(|_| de::Error::custom("the secret is not of the form that is needed"))
    }
}

fn read(path: &str) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let read = file.take(LARGEST + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if read as u64 > LARGEST {
        return Err("it is larger than 64 KiB".to_owned());
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, reason } => {
                write!(f, "the secret in the file {path} cannot be read: {reason}")
            }
            Self::Variable { name } => {
                write!(f, "the secret in the variable {name} cannot be read: it is not set")
            }
        }
    }
}

impl std::error::Error for SecretError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Secret, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_shown_nowhere() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?} {secret}"), "*** ***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(format!("{:?}", Some(&secret)), "Some(***)");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn it_is_read_from_a_file_whose_last_line_break_does_not_count() {
        let path = std::env::temp_dir().join(format!("partie-secret-{}", std::process::id()));
        for (content, secret) in
            [("s3cret\n", "s3cret"), ("s3cret", "s3cret"), (" a b \r\n", " a b "), ("a\n\n", "a\n")]
        {
            std::fs::write(&path, content).unwrap();
            let read = read(&format!("\"file:{}\"", path.display())).unwrap();
            assert_eq!(read.reveal(), secret);
        }
        std::fs::write(&path, vec![b'x'; 65 * 1024]).unwrap();
        let error = read(&format!("\"file:{}\"", path.display())).unwrap_err();
        assert!(error.contains("64 KiB") && !error.contains("xxx"), "{error}");
        std::fs::remove_file(&path).unwrap();
        let error = read(&format!("\"file:{}\"", path.display())).unwrap_err();
        assert!(error.contains("partie-secret"), "{error}");
    }

    #[test]
    fn it_is_read_from_the_environment() {
        // Cargo sets this one for every test.
        assert_eq!(read("\"env:CARGO_PKG_NAME\"").unwrap().reveal(), "partie-runtime");
        let error = read("\"env:PARTIE_NO_SUCH_VARIABLE\"").unwrap_err();
        assert!(error.contains("PARTIE_NO_SUCH_VARIABLE"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_it_does_not_show_it() {
        let error = serde_json::from_str::<Secret<u16>>("\"hunter2\"").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(!read("4711").unwrap_err().contains("4711"));
    }
}
