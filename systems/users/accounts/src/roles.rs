//! What somebody may do.

use users_contracts::EmailAddress;

/// Administrators are those whose verified address the settings name.
pub(crate) const ADMIN: &str = "admin";
/// Services prove themselves by certificates and join tokens.
const SERVICE: &str = "service";

/// Whether it can be one that people or clients are given.
pub(crate) fn may_be_chosen(role: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    role != ADMIN && role != SERVICE && (1..=64).contains(&role.len()) && role.bytes().all(plain)
}

/// The roles of somebody who registers, of those they asked for; nothing if they may not have them all.
pub(crate) fn of_new(wanted: Option<&[String]>, offered: &[String]) -> Option<Vec<String>> {
    let Some(wanted) = wanted else { return Some(offered.first().cloned().into_iter().collect()) };
    let mut roles: Vec<String> = wanted.to_vec();
    roles.sort_unstable();
    roles.dedup();
    roles.iter().all(|role| offered.contains(role)).then_some(roles)
}

/// The roles of a token: those of the account, and that of an administrator if the address is verified to be one's.
pub(crate) fn of_token(roles: &[String], verified_email: Option<&str>, admins: &[String]) -> Vec<String> {
    let mut roles = roles.to_vec();
    let key = |address: &str| address.parse::<EmailAddress>().ok().map(|address| address.key());
    let own = verified_email.and_then(key);
    if own.is_some() && admins.iter().any(|admin| key(admin) == own) {
        roles.push(ADMIN.to_owned());
    }
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gets_what_is_offered_and_nothing_else() {
        let offered = ["customer".to_owned(), "driver".to_owned()];
        let new = |wanted: &[&str]| {
            of_new(Some(&wanted.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>()), &offered)
        };
        assert_eq!(of_new(None, &offered).unwrap(), ["customer"]);
        assert_eq!(new(&["driver", "customer", "driver"]).unwrap(), ["customer", "driver"]);
        assert_eq!((new(&["admin"]), new(&["customer", "service"])), (None, None));
    }

    #[test]
    fn administrators_are_verified() {
        let admins = ["Root@Example.org".to_owned()];
        assert_eq!(of_token(&[], Some("root@example.ORG"), &admins), [ADMIN]);
        assert!(of_token(&[], None, &admins).is_empty());
        assert!(of_token(&[], Some("groot@example.org"), &admins).is_empty());
    }
}
