//! What a system can say: its templates, as they are written.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::render::{escaped, names, render};

/// A template: a text with `{variable}` places, and what else it takes to be an e-mail.
///
/// ```
/// use notifications_contracts::Wording;
///
/// const RESET: Wording = Wording {
///     subject: Some("A new password"),
///     secrets: &["link"],
///     ..Wording::text("password-reset", "Hello {name},\n\nchoose a new password at {link}\n")
/// };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wording {
    /// Its name: lower case with dashes. It is stored, and stays.
    pub name: &'static str,
    /// The subject of the e-mail, one line. Without one it is not for e-mail.
    pub subject: Option<&'static str>,
    /// The text.
    pub text: &'static str,
    /// The same for people who look at HTML. What variables say is escaped in it.
    pub html: Option<&'static str>,
    /// The variables only the recipient may read: a link with a token in it. Nobody else is shown them, and they are
    /// forgotten when the notification is sent.
    pub secrets: &'static [&'static str],
}

/// What is said: a template with its places filled.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The subject, of what can be an e-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// The same as HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// What stands where a secret is not shown.
const HIDDEN: &str = "***";

// === impl Wording ===

impl Wording {
    /// A template of a text alone.
    pub const fn text(name: &'static str, text: &'static str) -> Self {
        Self { name, subject: None, text, html: None, secrets: &[] }
    }

    /// A template of a subject and a text.
    pub const fn mail(name: &'static str, subject: &'static str, text: &'static str) -> Self {
        Self { name, subject: Some(subject), text, html: None, secrets: &[] }
    }

    /// The variables it needs, each once, in the order of their places.
    pub fn variables(&self) -> Vec<&'static str> {
        let mut found = Vec::new();
        for part in [self.subject, Some(self.text), self.html].into_iter().flatten() {
            names(part, &mut found);
        }
        found
    }

    /// Whether it has variables only the recipient may read.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// What it says with these variables.
    ///
    /// # Errors
    /// The names of all variables that are missing.
    pub fn said(&self, variables: &BTreeMap<String, String>) -> Result<Words, Vec<String>> {
        self.filled(variables, |_, value| value.to_owned())
    }

    /// The same for others than the recipient: with `***` for the secrets.
    ///
    /// # Errors
    /// The names of all variables that are missing.
    pub fn shown(&self, variables: &BTreeMap<String, String>) -> Result<Words, Vec<String>> {
        let shown = |name: &str, value: &str| {
            if self.secrets.contains(&name) { HIDDEN.to_owned() } else { value.to_owned() }
        };
        self.filled(variables, shown)
    }

    fn filled(
        &self,
        variables: &BTreeMap<String, String>,
        shown: impl Fn(&str, &str) -> String,
    ) -> Result<Words, Vec<String>> {
        let known = |name: &&str| !variables.contains_key(*name);
        let missing: Vec<String> = self.variables().into_iter().filter(known).map(str::to_owned).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let value = |name: &str| variables.get(name).map(|value| shown(name, value)).unwrap_or_default();
        Ok(Words {
            subject: self.subject.map(|subject| render(subject, value)),
            text: render(self.text, value),
            html: self.html.map(|html| render(html, |name| escaped(&value(name)))),
        })
    }
}

/// Without what it says, which may be a secret.
impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESET: Wording = Wording {
        html: Some("<p>Hello {name}, <a href=\"{link}\">{link}</a></p>"),
        secrets: &["link"],
        ..Wording::mail("reset", "For {name}", "Hello {name}: {link}, for {days} days")
    };

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn subject_text_and_html_are_filled_and_html_is_escaped() {
        let known = variables(&[("name", "<Ann>"), ("link", "https://a/?b&c"), ("days", "2"), ("more", "")]);
        let words = RESET.said(&known).unwrap();
        assert_eq!(words.subject.as_deref(), Some("For <Ann>"));
        assert_eq!(words.text, "Hello <Ann>: https://a/?b&c, for 2 days");
        let html = "<p>Hello &lt;Ann&gt;, <a href=\"https://a/?b&amp;c\">https://a/?b&amp;c</a></p>";
        assert_eq!(words.html.as_deref(), Some(html));
        assert_eq!(RESET.shown(&known).unwrap().text, "Hello <Ann>: ***, for 2 days");
        assert!(!format!("{words:?}").contains("https"));
    }

    #[test]
    fn all_missing_variables_are_named_at_once() {
        assert_eq!(RESET.variables(), ["name", "link", "days"]);
        let missing = RESET.said(&variables(&[("days", "2")])).unwrap_err();
        assert_eq!(missing, ["name", "link"]);
        assert_eq!(Wording::text("plain", "soup").said(&BTreeMap::new()).unwrap().text, "soup");
    }
}
