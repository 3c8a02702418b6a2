//! What is sent, and what is refused.

use std::collections::BTreeMap;

use super::*;

const REJECTED: Wording = Wording::text("rejected", "{place} could not take your order: {reason}.");
const RESET: Wording = Wording {
    html: Some("<a href=\"{link}\">{name}</a>"),
    secrets: &["link"],
    ..Wording::mail("reset", "For {name}", "{name}: {link}")
};

fn wanted(channel: Channel, recipient: &str, template: &str, variables: &[(&str, &str)]) -> NewNotification {
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    NewNotification {
        channel,
        recipient: recipient.to_owned(),
        template: template.to_owned(),
        variables,
        dedupe_key: "one".to_owned(),
        until: None,
    }
}

fn sms(recipient: &str, template: &str, variables: &[(&str, &str)]) -> NewNotification {
    wanted(Channel::Sms, recipient, template, variables)
}

fn mail(template: &str, variables: &[(&str, &str)]) -> NewNotification {
    wanted(Channel::Email, "ann@example.org", template, variables)
}

fn judged(wanted: NewNotification) -> Result<New, Fault<NotificationError>> {
    checked(&Templates::new(&[&[REJECTED, RESET]]), wanted, Timestamp::EPOCH)
}

fn refused(wanted: NewNotification) -> Result<NotificationError, Vec<String>> {
    match judged(wanted).unwrap_err() {
        Fault::Domain(problem) => Ok(problem),
        Fault::Platform(fault) => {
            Err(fault.violations().iter().map(|violation| violation.pointer.to_string()).collect())
        }
    }
}

#[test]
fn a_good_request_has_its_text() {
    let given = [("place", "Bistro"), ("reason", "flood"), ("not_needed", "1")];
    let new = judged(sms("+4930123456", "rejected", &given)).unwrap();
    assert_eq!((new.shown.text.as_str(), new.said), ("Bistro could not take your order: flood.", None));
    assert!(judged(sms("+4930123456", "message", &[("message", &"ä".repeat(1_600))])).is_ok());
}

#[test]
fn secrets_are_said_and_not_shown() {
    let given = [("name", "Ann"), ("link", "https://a.example/?token=t0k")];
    let new = judged(mail("reset", &given)).unwrap();
    assert_eq!((new.shown.subject.as_deref(), new.shown.text.as_str()), (Some("For Ann"), "Ann: ***"));
    let said = new.said.unwrap();
    assert_eq!(said.text, "Ann: https://a.example/?token=t0k");
    assert!(said.html.unwrap().contains("token=t0k"));
    let hook = judged(wanted(Channel::Webhook, "https://a.example", "reset", &given)).unwrap();
    let shown =
        r#"{"type":"reset","timestamp":"1970-01-01T00:00:00.000Z","data":{"link":"***","name":"Ann"}}"#;
    assert_eq!(hook.shown.text, shown);
    assert!(hook.said.unwrap().text.contains("token=t0k"));
}

#[test]
fn one_flaw_has_its_own_problem_and_several_are_all_named() {
    let missing = |names: &[&str]| NotificationError::VariableMissing {
        missing: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let (phone, good) = ("+4930123456", [("place", "Bistro"), ("reason", "flood")]);
    let long = "ä".repeat(1_601);
    let longer = "ä".repeat(100_001);
    let subject = "ä".repeat(201);
    for (request, problem) in [
        (sms("030123456", "rejected", &good), Ok(NotificationError::RecipientInvalid)),
        (sms(phone, "order-eaten", &good), Ok(NotificationError::TemplateUnknown)),
        (sms(phone, "rejected", &good[..1]), Ok(missing(&["reason"]))),
        (sms(phone, "rejected", &[]), Ok(missing(&["place", "reason"]))),
        (sms(phone, "message", &[("message", &long)]), Err(vec!["/variables"])),
        (sms("ann@example.org", "order-eaten", &[]), Err(vec!["/recipient", "/template"])),
        (sms("+", "rejected", &[]), Err(vec!["/recipient", "/variables/place", "/variables/reason"])),
        (
            wanted(Channel::Email, phone, "mail", &[]),
            Err(vec!["/recipient", "/variables/subject", "/variables/text"]),
        ),
        (
            wanted(Channel::Email, "a@b.cd\r\nBcc: x@y.zw", "message", &good),
            Err(vec!["/recipient", "/template"]),
        ),
        (mail("rejected", &good), Err(vec!["/template"])),
        (mail("mail", &[("subject", "Soup\r\nBcc: x@y.zw"), ("text", "")]), Err(vec!["/variables"])),
        (mail("mail", &[("subject", "Soup\nX: y"), ("text", "")]), Err(vec!["/variables"])),
        (mail("mail", &[("subject", "Soup\0"), ("text", "")]), Err(vec!["/variables"])),
        (mail("mail", &[("subject", &subject), ("text", "")]), Err(vec!["/variables"])),
        (mail("mail", &[("subject", "Soup"), ("text", &longer)]), Err(vec!["/variables"])),
        (
            wanted(Channel::Webhook, "https://a.example", "message", &[("message", &"a".repeat(20_000))]),
            Err(vec!["/variables"]),
        ),
    ] {
        let problem = problem.map_err(|names| names.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let label = format!("{:?} {} {}", request.channel, request.recipient, request.template);
        assert_eq!(refused(request), problem, "{label}");
    }
}
