//! Checks what others want sent, and finds everything that is wrong with it at once.

use notifications_contracts::{Channel, NewNotification, NotificationError, Wording, Words};
use partie::contract::{Fault, Platform, Timestamp, Violation};
use serde::Serialize;

use crate::address;
use crate::queue::New;
use crate::templates::Templates;

/// Characters in a text message, at most: ten of the network's pieces.
const LONGEST_SMS: usize = 1_600;
/// Characters in the text or the HTML of an e-mail, at most.
const LONGEST_MAIL: usize = 100_000;
/// Characters in a subject, at most: with their encoding they have to fit a line of RFC 5322.
const LONGEST_SUBJECT: usize = 200;
/// Bytes in a webhook, at most: what Standard Webhooks recommends.
const LONGEST_WEBHOOK: usize = 20_000;

/// Something wrong with a request.
#[derive(Debug, Clone, PartialEq)]
enum Flaw {
    Recipient(String),
    Template,
    NoMail,
    /// The names of variables.
    Missing(Vec<String>),
    SubjectLines,
    /// What may be how long.
    TooLong(&'static str, usize),
}

/// The body of a webhook, as Standard Webhooks has it.
#[derive(Serialize)]
struct Payload<'p> {
    r#type: &'p str,
    timestamp: Timestamp,
    data: serde_json::Map<String, serde_json::Value>,
}

/// The notification that is wanted.
///
/// # Errors
/// What is wrong: its own problem, or the platform's with all violations if there are several.
pub(crate) fn checked(
    templates: &Templates,
    wanted: NewNotification,
    now: Timestamp,
) -> Result<New, Fault<NotificationError>> {
    let mut flaws = Vec::new();
    let recipient = recipient(wanted.channel, &wanted.recipient);
    flaws.extend(recipient.err().map(|reason| Flaw::Recipient(reason.to_owned())));
    let words = words(templates, &wanted, now).map_err(|flaw| flaws.push(flaw));
    match words {
        Ok((template, shown, said)) if flaws.is_empty() => Ok(New {
            channel: wanted.channel,
            recipient: wanted.recipient,
            template: template.name,
            dedupe_key: wanted.dedupe_key,
            until: wanted.until,
            // What is shown says it all, except of these.
            said: (template.has_secrets() || shown.html.is_some()).then_some(said),
            shown,
        }),
        _ => Err(refusal(flaws)),
    }
}

/// Whether webhooks may go there depends on the endpoints there are, and is found out with them.
fn recipient(channel: Channel, recipient: &str) -> Result<(), &'static str> {
    match channel {
        Channel::Sms => address::phone(recipient),
        Channel::Email => address::email(recipient),
        Channel::Webhook => Ok(()),
    }
}

/// The template with what it says, for others and for the recipient.
fn words<'t>(
    templates: &'t Templates,
    wanted: &NewNotification,
    now: Timestamp,
) -> Result<(&'t Wording, Words, Words), Flaw> {
    let template = templates.named(&wanted.template).ok_or(Flaw::Template)?;
    if wanted.channel == Channel::Email && template.subject.is_none() {
        return Err(Flaw::NoMail);
    }
    let variables = &wanted.variables;
    let mut both =
        [template.shown(variables).map_err(Flaw::Missing)?, template.said(variables).map_err(Flaw::Missing)?];
    for (words, secrets) in both.iter_mut().zip([template.secrets, &[]]) {
        match wanted.channel {
            Channel::Sms => {
                *words = Words { subject: None, html: None, text: std::mem::take(&mut words.text) }
            }
            Channel::Email => {}
            Channel::Webhook => {
                let text = payload(template.name, wanted, secrets, now);
                *words = Words { subject: None, html: None, text };
            }
        }
    }
    let [shown, said] = both;
    fits(wanted.channel, &said)?;
    Ok((template, shown, said))
}

fn fits(channel: Channel, words: &Words) -> Result<(), Flaw> {
    let Words { subject, text, html } = words;
    let (what, length, most) = match channel {
        Channel::Sms => ("text", text.chars().count(), LONGEST_SMS),
        Channel::Email => {
            let longest = [Some(text), html.as_ref()].into_iter().flatten().map(|part| part.chars().count());
            ("text", longest.max().unwrap_or_default(), LONGEST_MAIL)
        }
        Channel::Webhook => ("webhook", text.len(), LONGEST_WEBHOOK),
    };
    if length > most {
        return Err(Flaw::TooLong(what, most));
    }
    if let Some(subject) = subject {
        if subject.chars().any(char::is_control) {
            return Err(Flaw::SubjectLines);
        }
        if subject.chars().count() > LONGEST_SUBJECT {
            return Err(Flaw::TooLong("subject", LONGEST_SUBJECT));
        }
    }
    Ok(())
}

fn payload(template: &str, wanted: &NewNotification, hidden: &[&str], now: Timestamp) -> String {
    let shown = |(name, value): (&String, &String)| {
        let value = if hidden.contains(&name.as_str()) { "***" } else { value };
        (name.clone(), value.into())
    };
    let data = wanted.variables.iter().map(shown).collect();
    // Texts and a time are JSON always.
    serde_json::to_string(&Payload { r#type: template, timestamp: now, data }).unwrap_or_default()
}

fn refusal(flaws: Vec<Flaw>) -> Fault<NotificationError> {
    match <[Flaw; 1]>::try_from(flaws) {
        Ok([Flaw::Recipient(_)]) => NotificationError::RecipientInvalid.into(),
        Ok([Flaw::Template]) => NotificationError::TemplateUnknown.into(),
        Ok([Flaw::Missing(missing)]) => NotificationError::VariableMissing { missing }.into(),
        Ok([flaw]) => Platform::invalid(flaw.violations()).into(),
        Err(flaws) => Platform::invalid(flaws.into_iter().flat_map(Flaw::violations).collect()).into(),
    }
}

impl Flaw {
    fn violations(self) -> Vec<Violation> {
        match self {
            Self::Recipient(detail) => vec![Violation::new("/recipient", detail)],
            Self::Template => vec![Violation::new("/template", "there is no such template")],
            Self::NoMail => vec![Violation::new("/template", "it has no subject, so it cannot be an e-mail")],
            Self::Missing(names) => {
                let violation = |name| Violation::new(format!("/variables/{name}"), "the template needs it");
                names.into_iter().map(violation).collect()
            }
            Self::SubjectLines => {
                vec![Violation::new("/variables", "the subject would have more than a line of text")]
            }
            Self::TooLong(what, most) => {
                let unit = if what == "webhook" { "bytes" } else { "characters" };
                let detail = format!("the {what} would be longer than {most} {unit}");
                vec![Violation::new("/variables", detail)]
            }
        }
    }
}

#[cfg(test)]
mod tests;
