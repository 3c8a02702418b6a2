//! Which passwords are taken: long enough, not known to everybody, not one's own address (ASVS 5.0, V6.2).

/// The fewest bytes of a password (6.2.1).
pub const SHORTEST: usize = 8;
/// The most bytes: what is longer costs more to read than it protects (6.2.9 asks for 64 and more).
pub const LONGEST: usize = 1024;
/// In lower case, sorted, after a few lines about where they come from.
const COMMON: &str = include_str!("common.txt");

/// Why a password is not taken. There are no rules about which characters it has (6.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// Fewer than [`SHORTEST`] bytes.
    #[error("a password has at least 8 bytes")]
    TooShort,
    /// More than [`LONGEST`] bytes.
    #[error("a password has at most 1024 bytes")]
    TooLong,
    /// One of the 4,000 most common ones (6.2.4).
    #[error("this password is one of the most common ones")]
    Common,
    /// It is the account's e-mail address, or contains it (6.2.11).
    #[error("a password must not contain the e-mail address")]
    ContainsEmail,
}

impl Rejection {
    /// A word for programs.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooShort => "too-short",
            Self::TooLong => "too-long",
            Self::Common => "common",
            Self::ContainsEmail => "contains-email",
        }
    }
}

/// Whether a password is taken for the account with that e-mail address. It is judged as it is: nothing is trimmed or
/// cut off (6.2.8).
///
/// # Errors
/// [`Rejection`].
pub fn check(password: &str, email: &str) -> Result<(), Rejection> {
    if password.len() < SHORTEST {
        return Err(Rejection::TooShort);
    }
    if password.len() > LONGEST {
        return Err(Rejection::TooLong);
    }
    let lower = password.to_lowercase();
    if common().binary_search(&lower.as_str()).is_ok() {
        return Err(Rejection::Common);
    }
    let email = email.trim().to_lowercase();
    let local = email.split('@').next().unwrap_or_default();
    // A short name before the @ may well be part of a good password; all of it may not.
    if !email.is_empty() && (lower.contains(&email) || lower == local) {
        return Err(Rejection::ContainsEmail);
    }
    Ok(())
}

/// The list, its lines found once.
fn common() -> &'static [&'static str] {
    static LINES: std::sync::OnceLock<Vec<&'static str>> = std::sync::OnceLock::new();
    LINES.get_or_init(|| COMMON.lines().filter(|line| !line.starts_with("# ")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asvs_6_2_1_and_6_2_9_lengths() {
        let check = |length: usize| check(&"\u{e9}".repeat(length / 2), "a@example.org");
        assert_eq!(check(6), Err(Rejection::TooShort));
        assert_eq!((check(8), check(64), check(128), check(LONGEST)), (Ok(()), Ok(()), Ok(()), Ok(())));
        assert_eq!(check(LONGEST + 2), Err(Rejection::TooLong));
    }

    #[test]
    fn asvs_6_2_4_at_least_3000_common_passwords_are_refused_in_any_case() {
        assert!(common().len() >= 3_000 && common().is_sorted());
        for password in common() {
            assert_eq!(check(password, ""), Err(Rejection::Common), "{password}");
        }
        assert_eq!(check("PassWord1", ""), Err(Rejection::Common));
    }

    #[test]
    fn asvs_6_2_5_no_composition_and_6_2_8_no_trimming() {
        for good in ["aaaabbbbcccc", "        x", "\u{1f955}\u{1f955}", "correct horse"] {
            assert_eq!(check(good, "a@example.org"), Ok(()), "{good}");
        }
    }

    #[test]
    fn one_s_own_address_is_no_password() {
        for bad in ["ada.lovelace@example.org", "x ADA.lovelace@example.org", "Ada.Lovelace"] {
            assert_eq!(check(bad, "Ada.Lovelace@example.org"), Err(Rejection::ContainsEmail), "{bad}");
        }
        assert_eq!(check("ada walks at dawn", "ada@example.org"), Ok(()));
    }
}
