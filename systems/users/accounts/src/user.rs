//! An account, and what it can become.

use partie::contract::{Timestamp, Violation};
use partie::identity::passwords::{self, Rejection};
use users_contracts::accounts::{NewUser, ProfileChange, PublicUser, User, UserError, UserStatus};
use users_contracts::{EmailAddress, UserId};

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: UserId,
    pub(crate) email: Option<String>,
    pub(crate) email_verified_at: Option<Timestamp>,
    pub(crate) username: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) avatar_url: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) status: UserStatus,
    pub(crate) suspended_for: Option<String>,
    pub(crate) deletion_due_at: Option<Timestamp>,
    pub(crate) password: Option<String>,
    pub(crate) password_changed_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) version: i64,
}

// === impl Account ===

impl Account {
    /// Somebody who registers now.
    pub(crate) fn new(
        id: UserId,
        new: &NewUser,
        roles: Vec<String>,
        password: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            email: Some(new.email.as_str().to_owned()),
            email_verified_at: None,
            username: new.username.as_ref().map(|name| name.as_str().to_owned()),
            name: new.name.clone(),
            locale: new.locale.clone(),
            avatar_url: None,
            roles,
            status: UserStatus::PendingVerification,
            suspended_for: None,
            deletion_due_at: None,
            password: Some(password),
            password_changed_at: now,
            created_at: now,
            version: 1,
        }
    }

    /// The address, if it is known to be theirs.
    pub(crate) fn verified_email(&self) -> Option<&str> {
        self.email_verified_at.and(self.email.as_deref())
    }

    /// The address is theirs.
    pub(crate) fn verify(&mut self, email: &str, now: Timestamp) {
        self.email = Some(email.to_owned());
        self.email_verified_at = Some(now);
        if self.status == UserStatus::PendingVerification {
            self.status = UserStatus::Active;
        }
    }

    /// Goes to another state, if it can.
    ///
    /// # Errors
    /// [`UserError::InvalidTransition`], which says what it can do from where it is.
    pub(crate) fn enter(&mut self, to: UserStatus) -> Result<(), UserError> {
        use UserStatus::{Active, Deleted, DeletionPending, PendingVerification, Suspended};
        let allowed: &[(UserStatus, &str)] = match self.status {
            PendingVerification => &[(Active, "verify"), (Suspended, "suspend"), (DeletionPending, "delete")],
            Active => &[(Suspended, "suspend"), (DeletionPending, "delete")],
            // Else who is suspended could delete the account, and come back to an open one.
            Suspended => &[(Active, "unsuspend")],
            DeletionPending => &[(Active, "log in"), (Suspended, "suspend"), (Deleted, "forget")],
            Deleted => &[],
        };
        if !allowed.iter().any(|(state, _)| *state == to) {
            return Err(UserError::InvalidTransition {
                current_state: self.status,
                allowed: allowed.iter().map(|(_, what)| (*what).to_owned()).collect(),
            });
        }
        self.status = to;
        Ok(())
    }

    /// Is open again, or waits for its verification as before.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub(crate) fn leave_suspension(&mut self) -> Result<(), UserError> {
        if self.status != UserStatus::Suspended {
            return self.clone().enter(UserStatus::PendingVerification);
        }
        self.suspended_for = None;
        let is_verified = self.email_verified_at.is_some();
        self.status = if is_verified { UserStatus::Active } else { UserStatus::PendingVerification };
        Ok(())
    }

    /// Nothing is left that names a person.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            email: None,
            email_verified_at: None,
            username: None,
            name: None,
            locale: None,
            avatar_url: None,
            roles: Vec::new(),
            status: UserStatus::Deleted,
            suspended_for: None,
            deletion_due_at: None,
            password: None,
            version: self.version + 1,
            ..*self
        };
    }

    /// Changes what a profile may change.
    pub(crate) fn change(&mut self, change: ProfileChange) {
        let ProfileChange { username, name, locale, avatar_url } = change;
        if let Some(username) = username {
            self.username = username.map(|name| name.as_str().to_owned());
        }
        self.name = name.unwrap_or_else(|| self.name.take());
        self.locale = locale.unwrap_or_else(|| self.locale.take());
        self.avatar_url = avatar_url.unwrap_or_else(|| self.avatar_url.take());
    }

    /// As its owner and administrators see it.
    pub(crate) fn view(&self) -> User {
        User {
            id: self.id,
            email: self.email.clone().unwrap_or_default(),
            email_verified_at: self.email_verified_at,
            username: self.username.clone(),
            name: self.name.clone(),
            locale: self.locale.clone(),
            avatar_url: self.avatar_url.clone(),
            roles: self.roles.clone(),
            status: self.status,
            suspended_for: self.suspended_for.clone(),
            deletion_due_at: self.deletion_due_at,
            created_at: self.created_at,
            version: self.version,
        }
    }

    /// As everybody sees it; nothing of one that is not there for everybody.
    pub(crate) fn public_view(self) -> Option<PublicUser> {
        let is_there = matches!(self.status, UserStatus::Active | UserStatus::Suspended);
        is_there.then_some(PublicUser {
            id: self.id,
            username: self.username,
            name: self.name,
            avatar_url: self.avatar_url,
        })
    }
}

/// What only people read, and what they may write into it.
pub(crate) fn check_new(new: &NewUser) -> Vec<Violation> {
    [plain("/name", new.name.as_deref()), tag("/locale", new.locale.as_deref())]
        .into_iter()
        .flatten()
        .collect()
}

/// The same of a change.
pub(crate) fn check_change(change: &ProfileChange) -> Vec<Violation> {
    let text = |field: &Option<Option<String>>| field.clone().flatten();
    let avatar = text(&change.avatar_url);
    let checks = [
        plain("/name", text(&change.name).as_deref()),
        tag("/locale", text(&change.locale).as_deref()),
        avatar
            .filter(|url| !is_picture(url))
            .map(|_| Violation::new("/avatar_url", "expected an https address")),
    ];
    checks.into_iter().flatten().collect()
}

/// Text that breaks no line of a log and can be stored everywhere.
pub(crate) fn plain(pointer: &str, text: Option<&str>) -> Option<Violation> {
    let bad = text.is_some_and(|text| text.chars().any(char::is_control) || text.trim().is_empty());
    bad.then(|| Violation::new(pointer, "expected text without control characters"))
}

fn tag(pointer: &str, text: Option<&str>) -> Option<Violation> {
    let fits = |text: &str| {
        text.split('-')
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    text.filter(|text| !fits(text)).map(|_| Violation::new(pointer, "expected a language tag, like `en-GB`"))
}

/// An address of a picture: `https`, a host with a dot that is no address, no credentials. What shows it is a browser;
/// nobody here asks for it.
fn is_picture(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default();
    uri.scheme_str() == Some("https")
        && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        && host.contains('.')
        && host.parse::<std::net::Ipv4Addr>().is_err()
}

/// Whether the password is taken for that address.
pub(crate) fn check_password(password: &str, email: &EmailAddress) -> Result<(), Rejection> {
    passwords::check(password, email.as_str())
}

#[cfg(test)]
mod tests {
    use partie::contract::Id as _;
    use uuid::Uuid;

    use super::*;

    fn account() -> Account {
        let new: NewUser =
            serde_json::from_str(r#"{"email":"Ada@example.org","password":"correct horse","name":"Ada"}"#)
                .unwrap();
        Account::new(
            UserId::from_uuid(Uuid::from_u128(1)),
            &new,
            vec!["user".into()],
            "$".into(),
            Timestamp::EPOCH,
        )
    }

    #[test]
    fn states_follow_the_table() {
        use UserStatus::{Active, Deleted, DeletionPending, PendingVerification, Suspended};
        let all = [PendingVerification, Active, Suspended, DeletionPending, Deleted];
        let allowed = [
            (PendingVerification, vec![Active, Suspended, DeletionPending]),
            (Active, vec![Suspended, DeletionPending]),
            (Suspended, vec![Active]),
            (DeletionPending, vec![Active, Suspended, Deleted]),
            (Deleted, vec![]),
        ];
        for (from, to) in allowed {
            for target in all {
                let mut one = Account { status: from, ..account() };
                assert_eq!(one.enter(target).is_ok(), to.contains(&target), "{from:?} {target:?}");
            }
        }
    }

    #[test]
    fn a_merge_patch_changes_what_it_names() {
        let mut one = account();
        one.change(serde_json::from_str(r#"{"locale":"en-GB","username":"ada"}"#).unwrap());
        assert_eq!(
            (one.name.as_deref(), one.locale.as_deref(), one.username.as_deref()),
            (Some("Ada"), Some("en-GB"), Some("ada"))
        );
        one.change(serde_json::from_str(r#"{"name":null}"#).unwrap());
        assert_eq!((one.name.as_deref(), one.locale.as_deref()), (None, Some("en-GB")));
    }

    #[test]
    fn a_tombstone_names_nobody() {
        let mut one = account();
        one.forget();
        let left = format!("{one:?}");
        assert!(!left.to_lowercase().contains("ada") && one.password.is_none(), "{left}");
    }

    #[test]
    fn pictures_are_on_the_web() {
        assert!(is_picture("https://cdn.example.org/a/b.png?x=1"));
        for bad in [
            "http://example.org/a.png",
            "javascript:alert(1)",
            "https://localhost/a.png",
            "https://10.0.0.1/a.png",
            "https://ada:x@example.org/a.png",
            "https://[::1]/a.png",
            "//example.org/a.png",
            "",
        ] {
            assert!(!is_picture(bad), "{bad}");
        }
    }
}
