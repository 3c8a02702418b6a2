//! Types as subjects, and keys as headers.

use crate::broker::percent;

/// The header with the key.
pub(super) const KEY: &str = "Partie-Key";

/// The subject of a type, if there can be one.
pub(super) fn subject(prefix: &str, type_name: &str) -> Option<String> {
    let name = percent::encode(type_name);
    let is_subject = name.split('.').all(|token| !token.is_empty());
    is_subject.then(|| format!("{prefix}.{name}"))
}

/// The type of a subject.
pub(super) fn type_of(prefix: &str, subject: &str) -> Option<String> {
    percent::decode(subject.strip_prefix(prefix)?.strip_prefix('.')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_name_comes_back() {
        for name in ["order.placed", "a b", "*", ">", "50%", "ü/ß", "a\r\nb"] {
            let subject = subject("p", name).unwrap();
            assert!(
                subject.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte)),
                "{subject}"
            );
            assert_eq!(type_of("p", &subject).as_deref(), Some(name));
        }
        for bad in ["", ".", "a..b", ".a", "a."] {
            assert_eq!(subject("p", bad), None, "{bad}");
        }
        for other in ["q.a", "pa", "p.%"] {
            assert_eq!(type_of("p", other), None, "{other}");
        }
    }
}
