//! What people are told by mail. Whoever sends it is the notifications service of the system, which has these templates.

use notifications_contracts::Wording;

macro_rules! with_link {
    ($name:literal, $subject:literal, $text:literal) => {
        Wording { secrets: &["link"], ..Wording::mail($name, $subject, $text) }
    };
}

/// Welcome: the address is theirs if they follow the link.
pub const VERIFY: Wording = with_link!(
    "users-verify-email",
    "Please verify your e-mail address",
    "Welcome!\n\nTo verify your address, follow this link within {minutes} minutes:\n\n{link}\n"
);
/// Another address, which is theirs if they follow the link.
pub const CHANGE_EMAIL: Wording = with_link!(
    "users-change-email",
    "Please verify your new e-mail address",
    "To make this the address of your account, follow this link within {minutes} minutes:\n\n{link}\n"
);
/// Another password by a link.
pub const RESET_PASSWORD: Wording = with_link!(
    "users-reset-password",
    "Set a new password",
    "To set a new password, follow this link within {minutes} minutes. If you did not ask for it, do nothing.\n\n{link}\n"
);
/// Somebody tried to register with an address that has an account.
pub const ALREADY_REGISTERED: Wording = Wording::mail(
    "users-already-registered",
    "You have an account already",
    "Somebody tried to use this address, which has an account already. If that was you, sign in or set a new password.\n",
);
/// The account has another address now.
pub const EMAIL_CHANGED: Wording = Wording::mail(
    "users-email-changed",
    "Your e-mail address was changed",
    "Your account has another e-mail address now. If that was not you, please write to us.\n",
);
/// The account has another password now.
pub const PASSWORD_CHANGED: Wording = Wording::mail(
    "users-password-changed",
    "Your password was changed",
    "Your account has another password now. If that was not you, set a new one at once.\n",
);

/// All of them.
pub const ALL: [Wording; 6] =
    [VERIFY, CHANGE_EMAIL, RESET_PASSWORD, ALREADY_REGISTERED, EMAIL_CHANGED, PASSWORD_CHANGED];
