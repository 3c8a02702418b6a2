//! Addresses: what a recipient of each channel has to look like.

/// The most characters of an e-mail address: a path of RFC 5321 (section 4.5.3.1.3) without its angle brackets.
const LONGEST_EMAIL: usize = 254;

/// Whether it is a phone number in E.164.
///
/// # Errors
/// What one looks like.
pub(crate) fn phone(text: &str) -> Result<(), &'static str> {
    let digits = text.strip_prefix('+').unwrap_or_default();
    let fits = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(()) } else { Err("E.164: + and 7 to 15 digits") }
}

/// Whether it is an e-mail address that mail servers everywhere take: RFC 5321 without quoted names, addresses in brackets
/// and letters beyond ASCII. Nothing in it can end a line of a header or of SMTP.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn email(text: &str) -> Result<(), &'static str> {
    if text.len() > LONGEST_EMAIL {
        return Err("an e-mail address has at most 254 characters");
    }
    let (user, host) = text.rsplit_once('@').ok_or("an e-mail address has an @")?;
    if !(1..=64).contains(&user.len()) {
        return Err("before the @ there are 1 to 64 characters");
    }
    let is_atom = |atom: &str| !atom.is_empty() && atom.bytes().all(is_atext);
    if !user.split('.').all(is_atom) {
        return Err(
            "before the @ there are letters and digits of ASCII, single dots, and !#$%&'*+-/=?^_`{|}~",
        );
    }
    let labels: Vec<_> = host.split('.').collect();
    if labels.len() < 2 || !labels.iter().all(|label| is_label(label)) {
        return Err(
            "after the @ there is the name of a host: letters and digits of ASCII, dots, and dashes inside",
        );
    }
    match labels.last() {
        Some(last) if last.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err("after the @ there is a name, not an address of a machine")
        }
        _ => Ok(()),
    }
}

/// RFC 5322, section 3.2.3.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn is_label(label: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(is_inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_numbers_are_e164() {
        for good in ["+1234567", "+123456789012345"] {
            assert_eq!(phone(good), Ok(()), "{good}");
        }
        for bad in
            ["", "+", "1234567", "+123456", "+1234567890123456", "+12345 67", "+1234567a", "+12345\n67"]
        {
            assert!(phone(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_that_servers_take_are_taken() {
        let longest =
            format!("{}@{}.example.org", "a".repeat(64), ["b".repeat(63), "c".repeat(63)].join("."));
        for good in ["a@b.cd", "ann.b+tag@mail.example.org", "o'neil_!#$%&*/=?^`{|}~-@1.x2.example", &longest]
        {
            assert_eq!(email(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_could_end_a_line_or_mean_something_else_is_refused() {
        let long_user = format!("{}@example.org", "a".repeat(65));
        let long_label = format!("a@{}.org", "b".repeat(64));
        let long = format!("a@{}org", "b.".repeat(130));
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a@b..c",
            "a@.c",
            "a@c.",
            ".a@b.cd",
            "a.@b.cd",
            "a..b@c.de",
            "a b@c.de",
            "a@b c.de",
            "a@b@c.de",
            "a@-b.cd",
            "a@b-.cd",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "\"a b\"@c.de",
            "a@b.cd>",
            "<a@b.cd>",
            "a@b.cd,d@e.fg",
            "a@b.cd\r\nBcc: d@e.fg",
            "a\r\nRCPT TO:<d@e.fg>@b.cd",
            "a@b.cd\n",
            "a\0@b.cd",
            "ä@b.cd",
            "a@bücher.example",
            &long_user,
            &long_label,
            &long,
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }
}
