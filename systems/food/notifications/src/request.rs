//! Checks what others want sent, and finds everything that is wrong with it at once.

use food_contracts::PhoneNumber;
use food_contracts::notifications::{Channel, NewNotification, NotificationError};
use partie::contract::{Fault, Platform, Violation};

use crate::queue::New;
use crate::render::render;
use crate::templates;

/// Characters in a text message, at most: ten of the network's pieces.
const LONGEST: usize = 1_600;

/// Something wrong with a request.
#[derive(Debug, Clone, PartialEq)]
enum Flaw {
    Recipient(String),
    Template,
    /// The names of variables.
    Missing(Vec<String>),
    TooLong,
}

/// The notification that is wanted.
///
/// # Errors
/// What is wrong: its own problem, or the platform's with all violations if there are several.
pub(crate) fn checked(wanted: NewNotification) -> Result<New, Fault<NotificationError>> {
    let mut flaws = Vec::new();
    let recipient = address(wanted.channel, &wanted.recipient).map_err(|flaw| flaws.push(flaw));
    let said = templates::named(&wanted.template).ok_or(Flaw::Template).and_then(|template| {
        let text = render(template.text, &wanted.variables).map_err(Flaw::Missing)?;
        if text.chars().count() <= LONGEST { Ok((template, text)) } else { Err(Flaw::TooLong) }
    });
    match (recipient, said.map_err(|flaw| flaws.push(flaw))) {
        (Ok(recipient), Ok((template, text))) => {
            Ok(New { channel: wanted.channel, recipient, template, text, dedupe_key: wanted.dedupe_key })
        }
        _ => Err(refusal(flaws)),
    }
}

fn address(channel: Channel, recipient: &str) -> Result<PhoneNumber, Flaw> {
    match channel {
        Channel::Sms => recipient.parse().map_err(|error| Flaw::Recipient(format!("{error}"))),
    }
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
            Self::Missing(names) => {
                let violation = |name| Violation::new(format!("/variables/{name}"), "the template needs it");
                names.into_iter().map(violation).collect()
            }
            Self::TooLong => {
                let detail = format!("the text would be longer than {LONGEST} characters");
                vec![Violation::new("/variables", detail)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn wanted(recipient: &str, template: &str, variables: &[(&str, &str)]) -> NewNotification {
        let variables: BTreeMap<_, _> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        NewNotification {
            channel: Channel::Sms,
            recipient: recipient.to_owned(),
            template: template.to_owned(),
            variables,
            dedupe_key: "one".to_owned(),
        }
    }

    fn refused(wanted: NewNotification) -> Result<NotificationError, Vec<String>> {
        match checked(wanted).unwrap_err() {
            Fault::Domain(problem) => Ok(problem),
            Fault::Platform(fault) => {
                Err(fault.violations().iter().map(|violation| violation.pointer.to_string()).collect())
            }
        }
    }

    #[test]
    fn a_good_request_has_its_text() {
        let given = [("restaurant", "Bistro"), ("reason", "flood"), ("not_needed", "1")];
        let new = checked(wanted("+4930123456", "order-rejected", &given)).unwrap();
        assert_eq!(new.text, "Bistro could not take your order: flood.");
        assert!(checked(wanted("+4930123456", "message", &[("message", &"ä".repeat(1_600))])).is_ok());
    }

    #[test]
    fn one_flaw_has_its_own_problem_and_several_are_all_named() {
        let missing = |names: &[&str]| NotificationError::VariableMissing {
            missing: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let good = [("restaurant", "Bistro")];
        let long = "ä".repeat(1_601);
        for (request, problem) in [
            (wanted("030123456", "order-delivered", &good), Ok(NotificationError::RecipientInvalid)),
            (wanted("+4930123456", "order-eaten", &good), Ok(NotificationError::TemplateUnknown)),
            (wanted("+4930123456", "order-delivered", &[]), Ok(missing(&["restaurant"]))),
            (wanted("+4930123456", "order-placed", &[]), Ok(missing(&["restaurant", "total"]))),
            (wanted("+4930123456", "message", &[("message", &long)]), Err(vec!["/variables"])),
            (wanted("ann@example.org", "order-eaten", &[]), Err(vec!["/recipient", "/template"])),
            (
                wanted("+", "order-picked-up", &good),
                Err(vec!["/recipient", "/variables/driver", "/variables/eta"]),
            ),
        ] {
            let problem = problem.map_err(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(refused(request.clone()), problem, "{request:?}");
        }
    }
}
