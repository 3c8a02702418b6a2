//! What can be said: the templates of a system, and two that every system has.

use notifications_contracts as api;
use notifications_contracts::Wording;

/// Whatever somebody wants said.
pub const MESSAGE: Wording = Wording::text("message", "{message}");
/// Whatever somebody wants mailed.
pub const MAIL: Wording = Wording::mail("mail", "{subject}", "{text}");

/// All templates of a service, by name.
#[derive(Debug, Clone)]
pub(crate) struct Templates(Vec<Wording>);

// === impl Templates ===

impl Templates {
    /// The system's, and those every system has.
    ///
    /// # Panics
    /// When two have the same name, or the subject of one has more than a line: mistakes in the program.
    pub(crate) fn new(own: &[&[Wording]]) -> Self {
        let mut all: Vec<Wording> = own.iter().copied().flatten().copied().collect();
        all.extend([MESSAGE, MAIL]);
        all.sort_by_key(|wording| wording.name);
        for (one, next) in all.iter().zip(all.iter().skip(1)) {
            assert!(one.name != next.name, "two templates are called {}", one.name);
        }
        for Wording { name, subject, .. } in &all {
            assert!(!subject.is_some_and(|line| line.contains(char::is_control)), "the subject of {name}");
        }
        Self(all)
    }

    /// The template of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Wording> {
        self.0.iter().find(|wording| wording.name == name)
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> api::Templates {
        let view = |wording: &Wording| api::Template {
            name: wording.name.to_owned(),
            subject: wording.subject.map(str::to_owned),
            text: wording.text.to_owned(),
            variables: wording.variables().into_iter().map(str::to_owned).collect(),
        };
        api::Templates { data: self.0.iter().map(view).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUP: Wording = Wording::mail("soup-ready", "{dish}", "Come, {name}: {dish}");

    #[test]
    fn templates_are_listed_by_name_each_once() {
        let templates = Templates::new(&[&[SOUP], &[]]);
        let all = templates.all().data;
        let names: Vec<_> = all.iter().map(|template| template.name.as_str()).collect();
        assert_eq!(names, ["mail", "message", "soup-ready"]);
        assert_eq!(all[2].variables, ["dish", "name"]);
        assert_eq!((templates.named("soup-ready"), templates.named("soup")), (Some(&SOUP), None));
    }

    #[test]
    #[should_panic(expected = "two templates are called message")]
    fn a_name_is_that_of_one_template() {
        Templates::new(&[&[SOUP, MESSAGE]]);
    }
}
