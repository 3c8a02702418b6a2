//! What a transaction can reach besides the database: things that parts of Partie attach to a store, or to one run.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

type Anything = Arc<dyn Any + Send + Sync>;

/// At most one thing of each type, for all transactions of a store.
#[derive(Default)]
pub(crate) struct Attached(RwLock<HashMap<TypeId, Anything>>);

/// At most one thing of each type, for one run of a closure. Few, so that a search is the fastest.
#[derive(Default)]
pub(crate) struct Local(Vec<(TypeId, Anything)>);

// === impl Attached ===

impl Attached {
    pub(crate) fn set<T: Any + Send + Sync>(&self, thing: Arc<T>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(TypeId::of::<T>(), thing);
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let things = self.0.read().unwrap_or_else(PoisonError::into_inner);
        things.get(&TypeId::of::<T>()).and_then(|thing| Arc::clone(thing).downcast().ok())
    }
}

// === impl Local ===

impl Local {
    pub(crate) fn set<T: Any + Send + Sync>(&mut self, thing: Arc<T>) {
        self.0.retain(|(id, _)| *id != TypeId::of::<T>());
        self.0.push((TypeId::of::<T>(), thing));
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let (_, thing) = self.0.iter().find(|(id, _)| *id == TypeId::of::<T>())?;
        Arc::clone(thing).downcast().ok()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_thing_of_each_type() {
        let (attached, mut local) = (Attached::default(), Local::default());
        attached.set(Arc::new(1_u8));
        attached.set(Arc::new(2_u8));
        attached.set(Arc::new("text"));
        assert_eq!((attached.get(), attached.get()), (Some(Arc::new(2_u8)), Some(Arc::new("text"))));
        local.set(Arc::new(3_u8));
        assert_eq!((local.get(), local.get::<u16>()), (Some(Arc::new(3_u8)), None));
        local.clear();
        assert_eq!(local.get::<u8>(), None);
    }
}
